"""Fresh extremes carry the cells; single cells may be older, and then they only tighten."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from doubles import Bench

from bridge.core.measurements.inputs import Cells

EXTREMES = {"System/MinCellVoltage": 3.3, "System/MaxCellVoltage": 3.32}
REST = {**EXTREMES, "Dc/0/Voltage": 53.0, "Dc/0/Current": 0, "Soc": 50}
CELLS = {f"Voltages/Cell{n}": 3.31 for n in range(1, 17)}


def frames(bench: Bench, cells: int = 60, rest: int = 5) -> Callable[[], None]:
    """A publisher with the cells and the rest each at its own pace, in s."""
    second = 0

    def feed() -> None:
        nonlocal second
        if second % cells == 0:
            bench.batch(CELLS)
        if second % rest == 0:
            bench.batch(REST)
        second += 1

    return feed


def fed(seconds: int = 61, **freshness: object) -> Bench:
    """The cells were written at the start, and once more a minute later."""
    bench = Bench(freshness=freshness)
    bench.pass_time(seconds, frames(bench))
    assert (bench.ccl, bench.dcl) == (100.0, 150.0)
    return bench


def test_cells_each_minute_and_extremes_each_five_seconds_are_always_fresh() -> None:
    bench = Bench()
    feed = frames(bench)
    for _ in range(400):
        bench.pass_time(1, feed)
        assert (bench["/Freshness/Stage"], bench.ccl, bench.dcl) == ("fresh", 100.0, 150.0)
        assert (bench.state["doubt"], bench["/Voltages/Cell7"]) == ("", 3.31)


def test_a_frame_by_single_topics_too() -> None:
    bench = Bench()
    for second in range(200):
        for path, value in (CELLS if second % 60 == 0 else {}).items():
            bench.mqtt("/" + path, str(value))
        for path, value in (REST if second % 5 == 0 else {}).items():
            bench.mqtt("/" + path, str(value))
        bench.pass_time(1)
        assert bench["/Freshness/Stage"] == "fresh"


@pytest.mark.parametrize(
    ("cell", "limits"), [(3.46, (10.0, 150.0)), (3.56, (0.0, 150.0)), (2.79, (100.0, 0.0))]
)
def test_an_older_cell_still_tightens(cell: float, limits: tuple[float, float]) -> None:
    bench = fed()
    bench.mqtt("/Voltages/Cell7", str(cell))
    bench.pass_time(170, lambda: bench.batch(REST))
    assert bench["/Freshness/Stage"] == "fresh"
    assert bench.ccl is not None and bench.ccl <= limits[0]
    assert bench.dcl == limits[1]


def test_an_older_cell_never_loosens() -> None:
    """The exact sum of old cells would say that no other cell is high."""
    bench = fed()
    bench.pass_time(20, lambda: bench.batch(REST))
    high = {"System/MinCellVoltage": 3.56, "System/MaxCellVoltage": 3.6, "Dc/0/Voltage": 57.2}
    bench.pass_time(20, lambda: bench.batch(high))
    assert bench.ccl == 0.0
    assert bench.cvl is not None and bench.cvl <= 57.2 - 16 * 0.06


def test_cells_that_are_too_old_are_a_doubt_and_no_outage(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    bench = fed()
    bench.pass_time(178, lambda: bench.batch(REST))
    assert (bench.state["doubt"], bench["/Voltages/Cell7"]) == ("", 3.31)
    bench.pass_time(10, lambda: bench.batch(REST))
    assert bench["/Freshness/Stage"] == "fresh"
    assert (bench.ccl, bench.dcl) == (100.0, 150.0)
    assert bench.state["doubt"] == "some of the cell voltages are missing"
    assert bench["/Voltages/Cell7"] is None
    bench.batch({"System/MaxCellVoltage": 3.46})
    bench.pass_time(100, lambda: bench.batch(REST))
    assert bench.ccl == 10.0, "nothing may loosen"
    bench.pass_time(60, frames(bench))
    assert (bench.state["doubt"], bench.ccl) == ("", 100.0)
    lines = [record.getMessage() for record in caplog.records]
    assert lines.count("test: in doubt: some of the cell voltages are missing") == 1


def test_no_settings_write_ends_that_doubt() -> None:
    bench = fed()
    bench.pass_time(190, lambda: bench.batch(REST))
    bench.mqtt("/Settings/Freshness/SingleCells", "86400")
    bench.pass_time(2, lambda: bench.batch(REST))
    assert bench.state["doubt"] == "some of the cell voltages are missing"


def test_a_settings_write_makes_no_outage_of_older_cells() -> None:
    bench = fed()
    bench.pass_time(100, lambda: bench.batch(REST))
    bench.mqtt("/Settings/Alarms/Delay", "7")
    bench.pass_time(2, lambda: bench.batch(REST))
    assert (bench["/Freshness/Stage"], bench.ccl, bench.state["doubt"]) == ("fresh", 100.0, "")


def test_without_extremes_cells_are_as_old_as_they_are() -> None:
    bench = Bench()
    rest = {"Dc/0/Voltage": 53.0}
    bench.batch({**CELLS, **rest})
    bench.pass_time(20, lambda: bench.batch(rest))
    assert bench["/Freshness/Stage"] == "aging"
    bench.pass_time(45, lambda: bench.batch(rest))
    assert bench["/Freshness/Stage"] == "stale"


@pytest.mark.parametrize("extreme", list(EXTREMES))
def test_one_extreme_carries_nothing(extreme: str) -> None:
    bench = fed()
    half = {name: value for name, value in REST.items() if name != extreme}
    bench.pass_time(65, lambda: bench.batch(half))
    assert (bench["/Freshness/Stage"], bench.ccl, bench.dcl) == ("stale", 0.0, 0.0)
    assert bench["/Voltages/Cell7"] is None


def test_extremes_can_be_forgotten_when_they_are_gone() -> None:
    bench = fed()
    bench.pass_time(30, lambda: bench.batch(REST))
    bench.pass_time(70)
    for extreme in EXTREMES:
        assert bench.dbus("/Freshness/Forget", extreme) == 0
    bench.pass_time(2, lambda: bench.batch({**CELLS, "Dc/0/Voltage": 53.0}))
    assert bench["/Freshness/Stage"] == "fresh"


def test_extremes_that_die_leave_the_cells_as_they_are() -> None:
    bench = fed()
    bench.pass_time(65, lambda: bench.batch({**CELLS, "Dc/0/Voltage": 53.0}))
    assert (bench["/Freshness/Stage"], bench.ccl) == ("fresh", 100.0)


def test_extremes_do_not_cover_a_cell_that_is_refused_again_and_again() -> None:
    bench = fed()
    for _ in range(6):
        bench.dbus("/Voltages/Cell7", 5.2)
        bench.pass_time(1, lambda: bench.batch(REST))
    assert (bench["/Freshness/Stage"], bench.ccl, bench.dcl) == ("stale", 0.0, 0.0)


@pytest.mark.parametrize(
    ("cells", "whole"),
    [
        (Cells((3.3, 3.3)), True),
        (Cells((3.3, None)), False),
        (Cells((3.3, None), 3.3), False),
        (Cells((3.3, None), None, 3.3), False),
        (Cells((None, None), 3.3, 3.3), True),
        (Cells(), False),
    ],
)
def test_half_a_pack_is_not_whole(cells: Cells, whole: bool) -> None:
    assert cells.is_whole is whole
