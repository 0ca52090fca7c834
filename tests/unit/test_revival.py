"""Nothing revives a value that was stale, and nobody can forget a protection away."""

from __future__ import annotations

import pytest
from doubles import Bench

CHARGE, BLOCKING = "/Io/AllowToCharge", "/System/NrOfModulesBlockingCharge"
LONGER = {"Aging": 86400, "Stale": 86400, "Lost": 86400}


PATIENT = {"silence": 86400, "grace": 3600, "charge_current": 200}


def with_a_silent_permission(value: int = 0, **freshness: object) -> Bench:
    """The permission to charge was written once and is stale; everything else is fresh."""
    bench = Bench(freshness={"grace": 60, "aging": 10, "stale": 20, **freshness}, ceiling=PATIENT)
    bench.feed()
    bench.mqtt(CHARGE, str(value))
    bench.pass_time(25, bench.feed)
    assert (bench["/Freshness/Stage"], bench.ccl) == ("fresh", 0.0)
    return bench


@pytest.mark.parametrize("value", [0, 1])
@pytest.mark.parametrize(
    "change",
    [
        {"Alarms": {"Delay": 7}},
        {"Freshness": {"Grace": 3600}},
        {"Freshness": LONGER},
        {"Freshness": {**LONGER, "Grace": 3600}},
        {"Freshness": {"Stale": 30}},
        {"Freshness": {"Required": ["cells", "dc", "soc"]}},
        {"Freshness": {"Required": ["dc"]}},
        {"Restore": "all"},
    ],
)
def test_a_settings_write_revives_no_permission(change: object, value: int) -> None:
    bench = with_a_silent_permission(value)
    bench.batch({"Settings": change})
    assert not bench.rejected
    for _ in range(60):
        bench.pass_time(1, bench.feed)
        assert (bench["/Freshness/Stage"], bench.ccl) == ("fresh", 0.0)


def test_shorter_times_and_then_longer_ones_revive_nothing() -> None:
    bench = Bench(ceiling=PATIENT)
    bench.feed()
    bench.mqtt(CHARGE, "1")
    bench.pass_time(10, bench.feed)
    bench.batch({"Settings": {"Freshness": {"Aging": 2, "Stale": 5, "Lost": 600}}})
    bench.pass_time(2, bench.feed)
    bench.batch({"Settings": {"Freshness": LONGER}})
    bench.pass_time(60, bench.feed)
    assert (bench["/Freshness/Stage"], bench.ccl) == ("fresh", 0.0)


def test_a_second_path_of_the_same_permission_revives_nothing() -> None:
    bench = with_a_silent_permission()
    bench.mqtt("/Settings/Alarms/Delay", "7")
    bench.pass_time(60, lambda: (bench.feed(), bench.mqtt(BLOCKING, "0")))
    assert bench.ccl == 0.0


def test_a_null_revives_nothing() -> None:
    bench = with_a_silent_permission()
    bench.mqtt(CHARGE, "null")
    bench.pass_time(60, bench.feed)
    assert bench.ccl == 0.0


def test_a_new_value_does() -> None:
    bench = with_a_silent_permission()
    bench.mqtt("/Settings/Alarms/Delay", "7")
    bench.pass_time(60, lambda: (bench.feed(), bench.mqtt(CHARGE, "1")))
    assert bench.ccl == 100.0


def test_a_settings_write_does_not_make_a_stale_battery_lost() -> None:
    """Lost may withdraw the limits, and then the inverter goes on with its own."""
    bench = Bench(freshness={"on_lost": "withdraw"})
    bench.pass_time(1000, bench.feed)
    bench.pass_time(100)
    bench.mqtt("/Settings/Alarms/Delay", "7")
    bench.pass_time(1)
    assert (bench["/Freshness/Stage"], bench.ccl) == ("stale", 0.0)
    bench.pass_time(500)
    assert bench["/Freshness/Stage"] == "lost"


class TestGrace:
    """Waiting for the first data is over once, and does not come back."""

    def test_that_is_over_does_not_come_back_with_a_longer_one(self) -> None:
        bench = Bench(failsafe={"discharge_current": 0})
        bench.pass_time(62)
        assert bench["/Freshness/Stage"] == "stale"
        bench.mqtt("/Settings/Freshness/Grace", "3600")
        bench.pass_time(2)
        assert (bench["/Freshness/Stage"], bench.dcl) == ("stale", 0.0)

    def test_of_half_an_input_neither(self) -> None:
        bench = Bench(freshness={"required": ["dc"], "grace": 10})
        half = {"Voltages/Cell1": 3.3, "Dc/0/Voltage": 52.8}
        bench.pass_time(12, lambda: bench.batch(half))
        assert bench.ccl == 0.0
        bench.mqtt("/Settings/Freshness/Grace", "3600")
        bench.pass_time(60, lambda: bench.batch(half))
        assert bench.ccl == 0.0

    def test_is_not_for_a_group_that_was_heard(self) -> None:
        bench = Bench(freshness={"grace": 3600})
        bench.feed()
        bench.pass_time(5, bench.feed)
        bench.mqtt("/Freshness/Forget", "cells")
        bench.pass_time(1)
        assert (bench["/Freshness/Stage"], bench.dcl) == ("stale", 0.0)


class TestForgetting:
    def test_takes_no_value_that_is_fresh(self) -> None:
        bench = Bench(limiter={"charge_temperature": [[0, 0], [10, 1]]})
        bench.pass_time(2, lambda: bench.feed(Dc_0_Temperature=-5))
        assert bench.ccl == 0.0
        assert bench.dbus("/Freshness/Forget", "temperature") == 2
        assert "only what is silent" in bench.rejected[-1]["reason"]
        bench.pass_time(100, bench.feed)
        assert bench.ccl == 0.0

    def test_takes_no_part_of_a_required_group_that_is_fresh(self) -> None:
        bench = Bench(freshness={"required": ["temperature"]})
        cold = {"Dc/0/Temperature": 20, "System/MinCellTemperature": -15}
        bench.pass_time(2, lambda: bench.batch(cold))
        assert bench.dbus("/Freshness/Forget", "/System/MinCellTemperature") == 2

    @pytest.mark.parametrize("what", ["flags", CHARGE])
    def test_takes_no_block(self, what: str) -> None:
        bench = with_a_silent_permission(0)
        assert bench.dbus("/Freshness/Forget", what) == 2
        assert "does not allow charging" in bench.rejected[-1]["reason"]
        bench.pass_time(100, bench.feed)
        assert bench.ccl == 0.0

    def test_of_a_silent_permission_loosens_slowly(self) -> None:
        bench = with_a_silent_permission(1)
        assert bench.dbus("/Freshness/Forget", CHARGE) == 0
        assert bench.ccl == 0.0
        bench.pass_time(25, bench.feed)
        assert bench.ccl == 0.0
        bench.pass_time(60, bench.feed)
        assert bench.ccl == 100.0

    def test_of_a_silent_cell_leaves_its_group_incomplete(self) -> None:
        bench = Bench(freshness={"required": ["dc"], "grace": 3600})
        bench.feed()
        rest = {f"Voltages/Cell{n}": 3.3 for n in range(1, 16)}
        rest["Dc/0/Voltage"] = 52.8
        bench.pass_time(62, lambda: bench.batch(rest))
        assert bench.ccl == 0.0
        assert bench.dbus("/Freshness/Forget", "/Voltages/Cell16") == 0
        bench.pass_time(60, lambda: bench.batch(rest))
        assert (bench.ccl, bench.dcl) == (0.0, 0.0)
