"""Values that stand still although charge has moved: the count, and the verdict on it."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
from doubles import Bench, battery_config
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.measurements.charge_count import LONGEST_GAP, Count, Kind, counted
from bridge.core.measurements.frozen import SUSPECT, judged
from bridge.core.measurements.frozen_verdict import NOT_FROZEN, Frozen
from bridge.core.measurements.inputs import CELLS, PACK_CURRENT, PACK_VOLTAGE, SOC, Input
from bridge.core.measurements.kept_count import KeptCount, kept_count, restored
from bridge.core.measurements.open_circuit import RESTING_CELLS, soc_between
from bridge.core.model import Group
from bridge.core.paths.configured import problems_with_paths
from bridge.core.settings.configuration import Config, MqttConfig
from bridge.core.typed_json import from_json, to_json
from tests.pack.model import CHEMISTRIES

KIND = Kind(capacity=100.0, chemistry="lfp")  # so that 1 Ah is 1 %
ALL = (CELLS, PACK_VOLTAGE, PACK_CURRENT, SOC)


class Teller:
    """Tells what is seen, minute by minute."""

    def __init__(self, **first: Any) -> None:
        self.now = 0.0
        self.count = Count()
        self.tell(*ALL, **{"soc": 50.0, "current": 0.0, **first})

    def tell(self, *moved: Input[Any], **seen: Any) -> Frozen:
        """What is seen at this moment; what is not named is as before."""
        look = self.count.last._replace(moved=frozenset(moved), is_whole=True, voltage=53.0, **seen)
        if look.lowest is None:
            look = look._replace(lowest=3.3, highest=3.3)
        look = look._replace(lives_until=max(self.now, self.count.at) + 60)
        self.count = counted(self.count, look, KIND, self.now)
        return judged(self.count, KIND)

    def go(self, ah: float, *moves: Input[Any], amps: float = 60.0, **seen: Any) -> Frozen:
        """Let so many Ah go by, while nothing moves but these inputs."""
        sign, verdict = (1 if ah > 0 else -1), self.tell(*moves, current=amps * ah / abs(ah))
        for _ in range(round(abs(ah) / amps * 600)):
            self.now += 6
            verdict = self.tell(*moves, current=amps * sign, **seen)
        return verdict


def test_without_a_current_equal_values_are_as_good_as_others_for_ever() -> None:
    teller = Teller()
    for _ in range(3000):
        teller.now += 3600
        assert teller.tell() is NOT_FROZEN


@pytest.mark.parametrize(("amps", "time"), [(60.0, "20 s"), (6.0, "4 min"), (0.2, "2 h")])
@pytest.mark.parametrize("sign", [1, -1])
def test_what_stands_while_charge_goes_by_is_suspect(amps: float, time: str, sign: int) -> None:
    teller = Teller()
    teller.tell(CELLS, PACK_VOLTAGE, PACK_CURRENT)
    assert not teller.go(sign * (SUSPECT - 0.1), PACK_VOLTAGE, amps=amps).words
    verdict = teller.go(sign * 0.2, PACK_VOLTAGE, amps=amps)
    assert verdict.suspects == "no change of the cell voltages"
    assert verdict.words.startswith(f"the cell voltages have not changed for {time} while")
    assert not verdict.stale and not verdict.full and not verdict.empty
    assert teller.tell(CELLS) is NOT_FROZEN


def test_a_current_that_jitters_says_nothing_for_the_cells() -> None:
    teller = Teller()
    for step in range(10):
        verdict = teller.go(0.1, PACK_CURRENT, amps=6 + step / 10)
    assert verdict.suspects == "no change of the cell voltages"


def test_a_current_that_stands_is_its_own_witness() -> None:
    verdict = Teller().go(2, CELLS, SOC)
    assert verdict.suspects == "no change of pack voltage and current"
    assert not verdict.full and not verdict.empty and not verdict.stale


@pytest.mark.parametrize(("amps", "minutes"), [(0.2, 253), (1.0, 51), (5.0, 11), (0.0, None)])
def test_how_long_a_bms_that_has_hung_goes_unnoticed(amps: float, minutes: int | None) -> None:
    """The times of docs/trust.md, in minutes, with 280 Ah; at 0 A it is not noticed in 12 h."""
    kind, count, found = Kind(280.0, "lfp"), Count(), None
    for minute in range(12 * 60):
        moved = frozenset() if minute else frozenset(ALL)
        look = Count().last._replace(
            moved=moved, current=amps, soc=50.0, voltage=53.0, lowest=3.3, highest=3.3,
            lives_until=minute * 60.0 + 120.0, is_whole=True,
        )  # fmt: skip
        count = counted(count, look, kind, minute * 60.0)
        if found is None and judged(count, kind).suspects:
            found = minute
    assert found == minutes


def test_what_goes_in_and_out_again_stays_suspect() -> None:
    teller = Teller()
    teller.go(1, PACK_VOLTAGE)
    assert teller.go(-1, PACK_VOLTAGE).suspects


def test_a_zero_error_of_a_meter_empties_no_resting_battery() -> None:
    teller = Teller(current=-0.09)
    for _ in range(60 * 24 * 30):
        teller.now += 60
        teller.count = counted(
            teller.count,
            teller.count.last._replace(moved=frozenset(), lives_until=teller.now + 60),
            KIND,
            teller.now,
        )
    verdict = judged(teller.count, KIND)
    assert teller.count.standing[CELLS].net < -50
    assert not verdict.empty and not verdict.stale


# --- the count ------------------------------------------------------------------------------------


def test_a_clock_that_jumps_is_not_charge() -> None:
    teller = Teller(current=100.0)
    teller.now += 1e6
    teller.tell()
    assert 0 <= teller.count.standing[CELLS].net <= 100 * LONGEST_GAP / 3600


def test_a_clock_that_runs_backwards_stands_still() -> None:
    teller = Teller(current=100.0)
    teller.now -= 1000
    teller.tell()
    assert teller.count.standing[CELLS].net == 0
    teller.now += 1000 + 36
    teller.tell()
    assert teller.count.standing[CELLS].net == pytest.approx(1.0)


def test_a_silent_current_counts_while_it_is_fresh() -> None:
    teller = Teller(current=60.0)
    for _ in range(10):
        teller.now += 10
        look = teller.count.last._replace(moved=frozenset())
        teller.count = counted(teller.count, look, KIND, teller.now)
    assert teller.count.standing[CELLS].net == pytest.approx(1.0), "for the 60 s of its life"
    teller.now += 1e4
    look = teller.count.last._replace(moved=frozenset(), current=None)
    teller.count = counted(teller.count, look, KIND, teller.now)
    assert teller.count.standing[CELLS].net == pytest.approx(1.0)


@given(st.lists(st.tuples(st.floats(-100, 1000), st.floats(-500, 500)), max_size=20))
def test_no_more_is_counted_than_can_have_gone_by(steps: list[tuple[float, float]]) -> None:
    teller, most, latest = Teller(), 0.0, 0.0
    for seconds, amps in steps:
        current = abs(teller.count.last.current or 0.0)
        teller.now += seconds
        most += current * min(max(0.0, teller.now - latest), LONGEST_GAP) / 3600
        latest = max(latest, teller.now)
        teller.tell(current=amps)
    assert abs(teller.count.standing[CELLS].net) <= most + 1e-6
    assert 0 <= teller.count.bounds.lowest <= teller.count.bounds.highest <= 100


# --- full and empty -------------------------------------------------------------------------------


def test_charging_ends_when_what_went_in_would_have_filled_the_battery() -> None:
    teller = Teller(soc=90.0)
    assert not teller.go(7, PACK_CURRENT).full
    verdict = teller.go(2, PACK_CURRENT)
    assert "counted as full" in verdict.full and "9.0 Ah" in verdict.full
    assert not verdict.empty


def test_discharging_ends_when_what_went_out_would_have_emptied_it() -> None:
    teller = Teller(soc=10.0)
    assert not teller.go(-7, PACK_CURRENT).empty
    verdict = teller.go(-2, PACK_CURRENT)
    assert "counted as empty" in verdict.empty and not verdict.full


def test_a_soc_that_moves_is_the_better_count() -> None:
    teller = Teller(soc=50.0)
    for soc in range(51, 98):
        assert not teller.go(0.5, PACK_CURRENT).full
        teller.tell(SOC, soc=float(soc))
    teller.tell(SOC, soc=98.0)
    assert teller.go(1, PACK_CURRENT).full


def test_a_full_battery_is_left_to_voltages_that_move() -> None:
    assert not Teller(soc=99.0).go(10, CELLS, PACK_CURRENT).full


def test_a_current_that_stands_still_may_be_of_the_other_sign() -> None:
    verdict = Teller(soc=20.0).go(19)
    assert verdict.empty, "it says charging, but it says so for ever"


def test_a_frozen_pack_voltage_is_told() -> None:
    assert Teller(soc=99.0).go(3).voltage == 53.0
    assert Teller(soc=99.0).go(3, PACK_VOLTAGE).voltage is None


def test_without_a_soc_the_voltages_bound_it() -> None:
    teller = Teller(soc=None)
    teller.tell(CELLS, lowest=3.26, highest=3.26)
    assert not teller.go(20, PACK_CURRENT).full
    assert teller.go(30, PACK_CURRENT).full


@pytest.mark.parametrize("chemistry", RESTING_CELLS)
def test_every_resting_cell_lies_between_the_curves(chemistry: str) -> None:
    for percent in range(101):
        volts = CHEMISTRIES[chemistry].ocv.at(percent / 100)
        low, high = soc_between(chemistry, volts, volts, 0.0)
        assert low - 1e-9 <= percent <= high + 1e-9


@pytest.mark.parametrize("chemistry", RESTING_CELLS)
def test_a_current_only_widens_what_the_voltages_say(chemistry: str) -> None:
    volts = CHEMISTRIES[chemistry].ocv.at(0.5)
    low, high = soc_between(chemistry, volts, volts, 0.0)
    assert soc_between(chemistry, volts, volts, 0.5)[0] < low
    assert soc_between(chemistry, volts, volts, -0.5)[1] > high


# --- stale ----------------------------------------------------------------------------------------


def test_a_soc_and_cells_that_stand_for_two_of_its_steps_are_stale() -> None:
    teller = Teller(soc=50.0)
    teller.tell(SOC, soc=51.0)
    assert not teller.go(1.5, PACK_CURRENT).stale
    assert teller.go(1, PACK_CURRENT).stale == {Group.SOC, Group.CELLS}
    assert not teller.tell(SOC, soc=52.0).stale


def test_steps_are_taken_as_they_were_seen() -> None:
    teller = Teller(soc=50.0)
    teller.tell(SOC, soc=55.0)
    assert not teller.go(9, PACK_CURRENT).stale, "a gauge of 5 % may stand for so long"
    assert teller.go(3, PACK_CURRENT).stale


def test_a_soc_that_was_never_seen_to_move_makes_nothing_stale() -> None:
    assert not Teller(soc=50.0).go(45, PACK_CURRENT).stale


def test_at_the_top_a_soc_stands_for_good_reason() -> None:
    teller = Teller(soc=98.0)
    teller.tell(SOC, soc=99.0)
    verdict = teller.go(10, PACK_CURRENT)
    assert not verdict.stale and verdict.full


def test_a_current_that_a_bms_does_not_see_makes_nothing_stale() -> None:
    teller = Teller(soc=50.0)
    teller.tell(SOC, soc=50.1)
    assert not teller.go(5, PACK_CURRENT, amps=0.4).stale


def test_a_soc_alone_is_suspect_after_two_steps() -> None:
    teller = Teller(soc=50.0)
    teller.tell(SOC, soc=51.0)
    assert not teller.go(1.5, CELLS, PACK_CURRENT).suspects
    verdict = teller.go(1, CELLS, PACK_CURRENT)
    assert verdict.suspects == "no change of the SoC" and not verdict.stale


# --- a battery ------------------------------------------------------------------------------------


def test_nothing_loosens_while_something_is_suspect() -> None:
    bench = Bench()
    amps = iter(range(40, 4000))

    def feed(cell: float = 3.3) -> None:
        bench.feed(cell, current=next(amps) / 10)

    bench.pass_time(60, lambda: feed(3.46))
    assert bench.ccl == 10.0
    for _ in range(2):
        bench.pass_time(300, lambda: feed(3.39))
        assert "the cell voltages" in str(bench["/Freshness/Frozen"])
    lowered = bench.ccl
    bench.pass_time(60, lambda: feed(3.39))
    assert bench.ccl == lowered
    assert bench["/Alarms/BmsCable"] == 1


def test_the_fullest_cell_ends_charging_and_the_emptiest_discharging() -> None:
    bench = Bench(cells=2)

    def feed(cells: tuple[float, float], amps: float) -> None:
        volts = {"Voltages/Cell1": cells[0], "Voltages/Cell2": cells[1]}
        bench.batch({**volts, "Dc/0/Voltage": sum(cells), "Dc/0/Current": amps})

    bench.pass_time(100, lambda: feed((3.35, 3.25), 40.0))
    assert bench["/Info/ChargeLimitation"] == "counted charge", "a cell at 3.35 V may be full"
    bench.pass_time(300, lambda: feed((3.00, 3.25), -100.0))
    assert bench["/Info/DischargeLimitation"] == "counted charge", "a cell at 3.00 V is empty"


def test_stale_by_standing_still_is_as_stale_as_by_silence() -> None:
    bench = Bench()
    amps = iter(range(8000, 9999))
    for soc in (50, 51):
        bench.pass_time(2, lambda soc=soc: bench.feed(current=next(amps) / 100, Soc=soc))
    bench.pass_time(270, lambda: bench.feed(current=next(amps) / 100, Soc=51))
    assert bench["/Freshness/Stage"] == "stale"
    assert (bench.ccl, bench.dcl) == (0, 0)
    assert bench["/Alarms/BmsCable"] == 1
    bench.pass_time(1, lambda: bench.feed(cell=3.301, current=next(amps) / 100, Soc=52))
    assert bench["/Freshness/Stage"] == "fresh"


def test_a_counter_that_stands_still_makes_everything_stale() -> None:
    bench = Bench(freshness={"moves": "/Freshness/Counter", "frozen": 30})
    count = iter(range(10_000))
    bench.pass_time(100, lambda: bench.feed(current=0, Freshness_Counter=next(count)))
    assert (bench["/Freshness/Stage"], bench["/Freshness/Frozen"]) == ("fresh", None)
    bench.pass_time(29, lambda: bench.feed(current=0, Freshness_Counter=7))
    assert bench["/Freshness/Stage"] == "fresh"
    bench.pass_time(3, lambda: bench.feed(current=0, Freshness_Counter=7))
    assert bench["/Freshness/Stage"] == "stale"
    assert "/Freshness/Counter has not changed for 31 s" in str(bench["/Freshness/Frozen"])
    assert (bench.ccl, bench.dcl) == (0, 0)
    bench.pass_time(2, lambda: bench.feed(current=0, Freshness_Counter=next(count)))
    assert (bench["/Freshness/Stage"], bench["/Freshness/Frozen"]) == ("fresh", None)


def test_a_counter_that_never_comes_is_no_permission() -> None:
    bench = Bench(freshness={"moves": "/History/ChargedEnergy"})
    bench.pass_time(62, bench.feed)
    assert bench["/Freshness/Stage"] == "stale"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/Freshness/Count", "there is no path /Freshness/Count"),
        ("/Info/MaxChargeCurrent", "is no number that clients measure"),
        ("/CustomName", "is no number that clients measure"),
    ],
)
def test_a_counter_must_be_a_measurement(path: str, words: str) -> None:
    config = battery_config(freshness={"moves": path})
    problems = problems_with_paths(Config(mqtt=MqttConfig(), batteries=(config,)))
    assert len(problems) == 1 and words in problems[0]
    assert problems[0].startswith("batteries[0].freshness.moves: ")


def test_no_client_may_change_the_counter() -> None:
    bench = Bench(freshness={"moves": "/Freshness/Counter"})
    for path in ("/Settings/Freshness/Moves", "/Settings/Freshness/Frozen"):
        assert bench.dbus(path, "off") != 0
    bench.mqtt("/Settings/Restore", '"all"')
    bench.pass_time(62, bench.feed)
    assert bench["/Freshness/Stage"] == "stale"


@pytest.mark.parametrize("what", ["cells", "dc", "Voltages/Cell1"])
def test_to_forget_a_value_is_no_movement(what: str) -> None:
    bench = Bench()
    bench.pass_time(120, lambda: bench.feed(current=50))
    for _ in range(3):
        bench.mqtt("/Freshness/Forget", what)
        bench.pass_time(3, lambda: bench.feed(current=50))
    assert "the cell voltages have not changed for 2 min" in str(bench["/Freshness/Frozen"])


def test_a_null_in_between_is_no_movement() -> None:
    bench = Bench()
    bench.pass_time(120, lambda: bench.feed(current=50))
    bench.mqtt("/Voltages/Cell1", "null")
    bench.pass_time(3, lambda: bench.feed(current=50))
    assert "the cell voltages have not changed for 2 min" in str(bench["/Freshness/Frozen"])


def test_a_restart_forgets_no_charge() -> None:
    bench = Bench()
    bench.pass_time(200, lambda: bench.feed(current=50))
    for _ in range(5):
        bench = Bench(before=bench)
        bench.pass_time(20, partial(bench.feed, current=50))
    assert "the cell voltages have not changed for 5 min while" in str(bench["/Freshness/Frozen"])
    count = bench.battery._control.pack.keep_count()
    assert count is not None
    assert count.highest == pytest.approx(50 + 1.02 * 50 * 300 / 3600 / 2.8, abs=0.1)


def test_what_is_kept_of_a_count_brings_it_back() -> None:
    teller = Teller(soc=50.0)
    teller.go(3, PACK_CURRENT)
    kept = kept_count(teller.count, {"/Soc": 50.0})
    assert kept is not None
    again = restored(from_json(KeptCount, json.loads(json.dumps(to_json(kept))), teller.now + 1))
    assert again.last.current == teller.count.last.current
    for name in ("at", "standing", "bounds", "unheard", "soc_steps"):
        assert getattr(again, name) == getattr(teller.count, name)


def test_it_is_logged_when_it_begins_and_when_it_ends(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    bench = Bench()
    bench.pass_time(120, lambda: bench.feed(current=50))
    assert "in doubt: the cell voltages have not changed for" in caplog.text
    bench.pass_time(2, lambda: bench.feed(cell=3.31, current=51))
    assert "no longer in doubt: no change of the cell voltages" in caplog.text


def test_a_restart_does_not_move_a_counter_that_stands_still() -> None:
    bench = Bench(freshness={"moves": "/Freshness/Counter"})
    feed = partial(bench.feed, Freshness_Counter=7)
    bench.pass_time(40, feed)
    for _ in range(3):
        bench = Bench(bench.config, before=bench)
        bench.pass_time(30, partial(bench.feed, Freshness_Counter=7))
    assert (bench["/Freshness/Stage"], bench.ccl, bench.dcl) == ("stale", 0.0, 0.0)
    bench.pass_time(60, lambda: bench.feed(Freshness_Counter=bench.clock.now))
    assert bench["/Freshness/Stage"] == "fresh"
