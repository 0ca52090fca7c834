"""Two writers on one path are noticed, and the more careful value counts."""

from __future__ import annotations

import json
from functools import partial

import pytest
from doubles import Bench

from bridge.battery.control import INPUTS
from bridge.core.measurements.contradictions import JUMPS, WITHIN, Contradictions

CELL = "/Voltages/Cell7"
LIMITER = {
    "max_charge_current": 100,
    "max_charge_current_above_cv1": 50,
    "max_charge_current_above_cv2": 10,
    "max_discharge_current": 150,
    "discharge_soc": [[20, 0], [30, 1]],
}


def fed() -> Bench:
    bench = Bench(limiter=LIMITER)
    others(bench)
    bench.pass_time(1, lambda: others(bench))
    assert (bench.ccl, bench.dcl) == (100.0, 150.0)
    return bench


def others(bench: Bench, without: str = "") -> None:
    cells = {f"Voltages/Cell{n}": 3.35 for n in range(1, 17)}
    rest = {"Dc/0/Voltage": 53.6, "Soc": 50, "Dc/0/Temperature": 20, "Io/AllowToCharge": 1}
    bench.batch({name: value for name, value in (cells | rest).items() if name != without[1:]})


def write_both(bench: Bench, path: str, one: float, other: float, seconds: int) -> None:
    """Two clients in one burst, each second."""
    for _ in range(seconds):
        bench.mqtt(path, str(one))
        bench.mqtt(path, str(other))
        bench.pass_time(1, lambda: others(bench, path))


@pytest.mark.promise("clients")
@pytest.mark.parametrize(
    ("path", "one", "other", "ccl", "dcl"),
    [
        (CELL, 3.60, 3.35, 0.0, 150.0),
        (CELL, 3.35, 3.60, 0.0, 150.0),
        (CELL, 3.60, 3.05, 0.0, 150.0),  # the second is hard to believe after the first
        (CELL, 3.05, 3.60, 0.0, 150.0),
        (CELL, 2.70, 3.35, 100.0, 0.0),
        ("/Dc/0/Voltage", 60.0, 53.6, 0.0, 150.0),
        ("/Dc/0/Temperature", -5, 20, 0.0, None),
        ("/Soc", 15, 40, 100.0, 0.0),
        ("/Soc", 90, 15, 100.0, 0.0),
        ("/Io/AllowToCharge", 0, 1, 0.0, 150.0),
        ("/Io/AllowToCharge", 1, 0, 0.0, 150.0),
        ("/System/NrOfModulesBlockingCharge", 2, 0, 0.0, 150.0),
    ],
)
def test_the_more_careful_one_counts(
    path: str, one: float, other: float, ccl: float, dcl: float | None
) -> None:
    bench = fed()
    write_both(bench, path, one, other, 6)
    assert bench.ccl is not None and bench.ccl <= ccl
    if dcl is not None:
        assert bench.dcl is not None and bench.dcl <= dcl
    write_both(bench, path, one, other, 60)
    assert bench.ccl <= ccl, "it does not rise while both go on"
    assert f"{path[1:]} jumps between two values" in bench.state["doubt"]


@pytest.mark.parametrize(
    ("every", "other_every", "first"), [(1.0, 1.0, 0.5), (1.0, 1.3, 0.0), (5.0, 5.0, 2.0)]
)
def test_writers_of_any_pace_are_noticed(every: float, other_every: float, first: float) -> None:
    bench = fed()
    start = bench.clock.now
    next_one, next_other = start, start + first
    while bench.clock.now < start + 30:
        bench.timer.run(0.1)
        if bench.clock.now >= next_one:
            next_one += every
            bench.mqtt(CELL, "3.60")
        if bench.clock.now >= next_other:
            next_other += other_every
            bench.dbus(CELL, 3.35)
        others(bench, CELL)
        bench.battery.on_tick(bench.clock.now)
    assert bench.ccl == 0.0
    assert bench.state["doubt"]


def test_when_one_of_them_ends_the_limits_rise_slowly(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    bench = fed()
    write_both(bench, CELL, 3.60, 3.35, 6)
    bench.pass_time(25, lambda: others(bench))
    assert (bench.ccl, bench.state["doubt"]) == (0.0, "")
    bench.pass_time(60, lambda: others(bench))
    assert 10.0 < bench.ccl <= 32.5, "only a part comes back after a high cell"
    lines = [record.getMessage() for record in caplog.records]
    assert sum(": in doubt: Voltages" in line for line in lines) == 1


class TestOneHonestWriter:
    def test_that_is_fast_and_noisy_is_believed(self) -> None:
        bench = fed()
        for tick in range(300):
            cell = 3.35 + (0.005 if tick % 2 else -0.005)
            bench.dbus(CELL, cell)
            bench.mqtt(CELL, json.dumps(cell))
            bench.timer.run(0.1)
            if tick % 10 == 0:
                others(bench, CELL)
                bench.battery.on_tick(bench.clock.now)
                assert (bench.ccl, bench.state["doubt"]) == (100.0, "")

    def test_may_write_loads_that_start_and_end_with_copies_out_of_order(self) -> None:
        bench = fed()
        for cell, copy in ((3.35, 3.35), (3.1, 3.35), (3.1, 3.1), (3.35, 3.1), (3.35, 3.35)):
            bench.dbus(CELL, cell)
            bench.mqtt(CELL, str(copy))
            bench.pass_time(1, lambda: others(bench, CELL))
        assert bench.state["doubt"] == ""

    def test_with_one_glitch_a_minute_is_believed(self) -> None:
        bench = fed()
        for second in range(300):
            bench.mqtt(CELL, "3.55" if second % 60 == 0 else "3.35")
            bench.pass_time(1, lambda: others(bench, CELL))
        doubts = {state["doubt"] for state in bench.client.on("virtual-battery/test/state")}
        assert doubts == {""}


class TestJumps:
    def setup_method(self) -> None:
        self.watch = Contradictions(INPUTS, cells=4)

    def jump(self, path: str, low: float, high: float, times: int, every: float = 1.0) -> bool:
        for number in range(times + 1):
            self.watch.note(path, high if number % 2 else low, number * every)
        return path in self.watch.other

    @pytest.mark.parametrize(
        ("path", "low", "size"),
        [
            ("/Voltages/Cell1", 3.3, 0.1),
            ("/System/MaxCellVoltage", 3.3, 0.1),
            ("/Dc/0/Voltage", 13.2, 0.4),
            ("/Soc", 50, 5),
            ("/Dc/0/Temperature", 20, 5),
            ("/System/MOSTemperature", 20, 10),
            ("/Io/AllowToDischarge", 0, 1),
        ],
    )
    def test_have_a_size_for_each_kind_of_value(self, path: str, low: float, size: float) -> None:
        assert not self.jump(path, low, low + size * 0.99, 50)
        assert self.jump(path, low, low + size, JUMPS)

    def test_are_counted_and_have_their_time(self) -> None:
        assert not self.jump(CELL[:-1] + "1", 3.3, 3.5, JUMPS - 1)
        assert not self.jump(CELL[:-1] + "2", 3.3, 3.5, 50, WITHIN + 0.1)
        assert self.jump(CELL[:-1] + "3", 3.3, 3.5, JUMPS, WITHIN)

    def test_in_one_direction_are_a_course_and_no_contradiction(self) -> None:
        for number in range(20):
            self.watch.note("/Soc", number * 5, number)
        assert not self.watch.other

    def test_to_values_that_no_battery_has_make_doubt_but_these_values_do_not_count(self) -> None:
        assert self.jump("/Voltages/Cell1", 0.0, 3.3, 50)
        assert self.jump("/Voltages/Cell2", 3.3, 4.9, 50)
        assert self.watch.other == {"/Voltages/Cell1": 3.3, "/Voltages/Cell2": 3.3}

    def test_of_what_limits_nothing_do_not_count(self) -> None:
        assert not self.jump("/Soh", 10, 90, 50)
        assert not self.jump("/Dc/0/Current", -50, 50, 50)

    def test_the_other_value_is_the_newest_of_the_other_writer(self) -> None:
        assert self.jump("/Soc", 40, 50, JUMPS + 1)
        assert self.watch.other == {"/Soc": 50}
        self.watch.note("/Soc", 51, JUMPS + 2)
        assert self.watch.other == {"/Soc": 40}
        self.watch.note("/Soc", 52, JUMPS + 3)
        assert self.watch.other == {"/Soc": 40}, "no jump"


@pytest.mark.parametrize(
    ("path", "impossible", "good"),
    [
        ("/Voltages/Cell3", 4.6, 3.33),
        ("/Voltages/Cell3", 0.5, 3.33),
        ("/Dc/0/Voltage", 2.0, 53.28),
        ("/Dc/0/Temperature", 90.0, 20.0),
    ],
)
@pytest.mark.parametrize("is_good_last", [True, False])
def test_with_a_second_writer_of_impossible_values_nobody_knows_who_is_right(
    path: str, impossible: float, good: float, is_good_last: bool
) -> None:
    bench = Bench()
    bench.feed(3.33)
    both = (impossible, good) if is_good_last else (good, impossible)

    def burst() -> None:
        bench.feed(3.33)
        for value in both:
            bench.battery.on_message(path, str(value).encode(), "W", bench.clock.now)
        bench.battery.settle(bench.clock.now)

    bench.pass_time(20, burst)
    assert "is refused again and again" in bench.state["doubt"]
    assert (bench.ccl, bench.dcl) == (0.0, 0.0)
    bench.pass_time(30, partial(bench.feed, 3.33, Dc_0_Temperature=20))
    assert bench.state["doubt"] == ""
