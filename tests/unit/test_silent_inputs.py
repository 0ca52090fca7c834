"""An input that was written and went silent gives its most careful answer in every stage."""

from __future__ import annotations

import pytest
from doubles import Bench

CELLS_OF_16 = {f"Voltages/Cell{n}": 3.3 for n in range(1, 17)}
PACK = {"Dc/0/Voltage": 52.8, "Dc/0/Current": -10}


def in_turns(bench: Bench, every: int = 40) -> None:
    """For 3 minutes, cells and pack voltage come in turns, so that one of them is always aging."""
    for second in range(180):
        if second % every == 0:
            bench.batch(CELLS_OF_16)
        if second % every == every // 2:
            bench.batch(PACK)
        bench.pass_time(1)
        if second >= every:
            assert bench["/Freshness/Stage"] == "aging"


@pytest.mark.parametrize(
    ("path", "good", "ccl", "dcl"),
    [
        ("/Io/AllowToCharge", 1, 0.0, 150.0),
        ("/Io/AllowToDischarge", 1, 100.0, 0.0),
        ("/System/NrOfModulesBlockingCharge", 0, 0.0, 150.0),
        ("/System/NrOfModulesBlockingDischarge", 0, 100.0, 0.0),
        ("/Dc/0/Temperature", 20, 0.0, 0.0),
        ("/System/MOSTemperature", 30, 20.0, 30.0),
        ("/Soc", 50, 40.0, 15.0),
    ],
)
def test_also_while_the_required_groups_take_turns_in_aging(
    path: str, good: float, ccl: float, dcl: float
) -> None:
    bench = Bench(
        limiter={
            "max_charge_current": 100,
            "max_charge_current_above_cv1": 50,
            "max_discharge_current": 150,
            "mosfet_temperature": [[50, 1], [90, 0.2]],
            "charge_soc": [[90, 1], [100, 0.4]],
            "discharge_soc": [[5, 0.1], [20, 1]],
        }
    )
    bench.batch({**CELLS_OF_16, **PACK})
    bench.mqtt(path, str(good))
    bench.pass_time(1)
    assert (bench.ccl, bench.dcl) == (100.0, 150.0)
    in_turns(bench)
    assert (bench.ccl, bench.dcl) == (ccl, dcl)
    assert "went silent" in " ".join(bench.state["reasons"].values())


def test_cells_that_are_not_required_too() -> None:
    bench = Bench(freshness={"required": ["dc", "soc"]})
    bench.feed()
    for second in range(120):
        if second % 40 == 0:
            bench.mqtt("/Dc/0/Voltage", "52.8")
        if second % 40 == 20:
            bench.mqtt("/Soc", "50")
        bench.pass_time(1)
    assert bench["/Freshness/Stage"] == "aging"
    assert (bench.ccl, bench.dcl) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("required", "still", "name"),
    [
        ("dc", PACK, "the cell voltages"),
        ("cells", CELLS_OF_16, "the pack voltage"),
    ],
)
def test_without_one_of_the_voltages_cvl_falls_as_without_both(
    required: str, still: dict[str, float], name: str
) -> None:
    """A solar charger that feeds in ignores the CCL of 0 A."""
    bench = Bench()
    bench.feed()
    bench.batch({"Settings/Freshness/Required": required})
    bench.pass_time(62, lambda: bench.batch({**still, "Dc/0/Current": 0}))
    assert bench.ccl == 0.0
    assert 51.0 <= bench.cvl <= 53.2
    bench.pass_time(200, lambda: bench.batch({**still, "Dc/0/Current": 0}))
    assert bench.cvl == 52.0
    assert bench.state["reasons"]["CVL"] == f"{name} went silent"
    bench.pass_time(59, lambda: bench.feed(current=0))
    assert bench.cvl == 52.0
    bench.pass_time(400, lambda: bench.feed(current=0))
    assert bench.cvl == 55.2


def test_while_aging_one_silent_input_costs_no_more_than_the_silence_of_all() -> None:
    """The failsafe is what the owner allows when nothing is known at all."""
    bench = Bench(failsafe={"charge_current": 5, "discharge_current": 20})
    bench.feed(Dc_0_Temperature=20)
    in_turns(bench)
    assert (bench.ccl, bench.dcl) == (5.0, 20.0)
    bench.pass_time(10, lambda: bench.batch({**CELLS_OF_16, **PACK}))
    assert (bench.ccl, bench.dcl) == (0.0, 0.0), "fresh, so only the sensor is missing"


def test_after_aging_a_limit_waits_for_the_whole_hold() -> None:
    bench = Bench()
    bench.feed()
    bench.mqtt("/Voltages/Cell1", "3.46")
    bench.pass_time(1)
    assert bench.ccl == 10.0
    bench.feed()
    bench.pass_time(50)
    assert bench["/Freshness/Stage"] == "aging"
    bench.pass_time(29, bench.feed)
    assert bench.ccl == 10.0
    bench.pass_time(5, bench.feed)
    assert float(bench.ccl or 0) > 10.0


def test_a_glitch_now_and_then_does_not_hold_a_limit_for_ever() -> None:
    bench = Bench()
    bench.feed()
    bench.mqtt("/Voltages/Cell1", "3.46")
    bench.pass_time(1)
    assert bench.ccl == 10.0
    for _ in range(8):
        bench.pass_time(9, bench.feed)
        bench.dbus("/Voltages/Cell1", 12.0)
        bench.pass_time(1)
    assert float(bench.ccl or 0) > 10.0
