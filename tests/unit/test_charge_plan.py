"""What the battery is charged to, as its owner wishes: which voltage, which SoC, how often."""

from __future__ import annotations

import datetime
import re
from pathlib import Path

import pytest
import yaml
from doubles import Bench, battery_config
from hypothesis import given, settings
from hypothesis import strategies as st
from measured import changed
from test_limiter_rules import PLAN, Limiter, measured

from bridge.core.limiter.caps import PackState
from bridge.core.limiter.charging.full_charge import FullCharge, as_text
from bridge.core.limiter.charging.phase import Phase
from bridge.core.limiter.charging.plan import LATCH, Plan
from bridge.core.limiter.charging.target import PHASES
from bridge.core.limiter.charging.window import Window
from bridge.core.limiter.decide import LimiterState
from bridge.core.measurements.inputs import CELLS, SOC, Cells, Measurements
from bridge.core.model import Date, Decision, Stage
from bridge.tools.explain import explanation


class TestVoltageOffset:
    """The cable between charger and battery needs a little more voltage at the charger."""

    def test_it_is_added_to_the_charge_voltage(self) -> None:
        assert Limiter().cvl(measured()) == 55.2
        assert Limiter(voltage_offset=0.3).cvl(measured()) == pytest.approx(55.5)
        assert Limiter(voltage_offset=-0.3).cvl(measured()) == pytest.approx(54.9)

    def test_it_is_added_in_every_phase(self) -> None:
        plan = {"absorption_voltage": 3.45, "charge_voltage": 3.4, "voltage_hold": 0}
        limiter = Limiter(**plan, voltage_offset=0.2, float_voltage=3.375, absorption_time=600)
        assert limiter.cvl(measured(soc=50.0)) == pytest.approx(54.6)
        assert limiter.cvl(measured(soc=96.0), 300) == pytest.approx(55.4)
        assert limiter.cvl(measured(soc=96.0), 600) == pytest.approx(54.2)

    def test_the_ceiling_is_not_passed(self) -> None:
        bench = Bench(
            ceiling={"cell_voltage": 3.55, "charge_current": 200, "discharge_current": 250},
            limiter={"charge_voltage": 3.5, "voltage_offset": 1},
        )
        bench.feed()
        assert bench.cvl == pytest.approx(3.55 * 16)
        assert bench.state["rules"]["CVL"] == "ceiling"

    def test_a_cell_that_is_too_high_gets_no_part_of_it(self) -> None:
        high = changed(measured(), cells=Cells((3.52, *[3.42] * 15)), voltage=54.82)
        without, offset = Limiter(), Limiter(voltage_offset=0.5)
        assert offset.cvl(high) == without.cvl(high)

    def test_a_request_of_a_client_gets_no_part_of_it(self) -> None:
        bench = Bench(limiter={"voltage_offset": 0.5})
        bench.feed()
        bench.mqtt("/Info/MaxChargeVoltage", '{"value": 54}')
        assert bench.cvl == 54.0

    def test_a_client_who_raises_it_waits_as_for_every_rise(self) -> None:
        bench = Bench()
        bench.feed()
        assert bench.dbus("/Settings/Limiter/VoltageOffset", 0.5) == 0
        bench.pass_time(59, bench.feed)
        assert bench.cvl == 55.2
        bench.pass_time(31, bench.feed)
        assert 55.3 < bench.cvl < 55.7
        bench.pass_time(40, bench.feed)
        assert bench.cvl == 55.7

    def test_millivolts_are_refused(self) -> None:
        bench = Bench()
        assert bench.dbus("/Settings/Limiter/VoltageOffset", 300) == 2


DAY = 86400.0
WINDOW = {"charge_to_soc": 80}


class TestChargeToSoc:
    """Cells that are not kept full live longer."""

    def test_charging_ends_there_and_goes_on_below_the_hysteresis(self) -> None:
        limiter = Limiter(**WINDOW)
        assert limiter.ccl(measured(soc=79.9)) == 100
        outcome = limiter(measured(soc=80.0))
        assert outcome.decision.ccl.value == 0
        assert outcome.decision.ccl.rule == "charge to SoC"
        assert outcome.decision.charge_mode == "Held at 80 %"
        assert limiter.ccl(measured(soc=75.0), 120) == 0
        assert limiter.ccl(measured(soc=74.9), 120) == 100
        assert limiter.ccl(measured(soc=79.9)) == 100

    def test_it_is_off_unless_wanted(self) -> None:
        assert Limiter().ccl(measured(soc=100.0), 10) == 100

    def test_discharging_goes_on(self) -> None:
        assert Limiter(**WINDOW).dcl(measured(soc=90.0)) == 150

    def test_an_unknown_or_uncertain_soc_opens_nothing(self) -> None:
        limiter = Limiter(**WINDOW)
        limiter(measured(soc=80.0))
        assert limiter.ccl(measured(soc=None), 100) == 0
        assert limiter.ccl(measured(soc=50.0, doubt="a cell"), 100) == 0
        aging = limiter(measured(soc=50.0), 100, Stage.AGING)
        assert aging.decision.ccl.value == 0
        assert limiter.ccl(measured(soc=50.0), 100) == 100

    def test_a_soc_that_went_silent_ends_charging(self) -> None:
        limiter = Limiter(**WINDOW)
        limiter(measured(soc=50.0))
        silent = limiter(measured(soc=None, silent=frozenset({SOC})))
        assert silent.decision.ccl.value == 0
        assert silent.decision.ccl.reason == "the SoC went silent"

    def test_a_solar_charger_that_ignores_ccl_is_led_by_cvl(self) -> None:
        """CVL falls slowly, also below the pack voltage, until the battery is charged no more."""
        limiter = Limiter(**WINDOW)
        charged = measured(3.35, soc=80.5, current=40.0)
        assert limiter.cvl(charged) == 55.2
        assert limiter.cvl(charged, 100) == pytest.approx(54.2)
        assert limiter.cvl(charged, 100) == pytest.approx(53.2)
        assert limiter.cvl(measured(3.33, soc=80.5, current=0.0), 600) == pytest.approx(53.2)
        assert limiter.cvl(charged, 600) == pytest.approx(52.0), "min_charge_voltage"

    def test_below_the_soc_or_under_discharge_cvl_stays(self) -> None:
        limiter = Limiter(**WINDOW)
        limiter(measured(3.35, soc=80.0))
        assert limiter.cvl(measured(3.35, soc=79.0, current=40.0), 100) == 55.2
        assert limiter.cvl(measured(3.35, soc=81.0, current=-5.0), 100) == 55.2

    def test_without_a_current_cvl_falls_to_the_pack_voltage_only(self) -> None:
        limiter = Limiter(**WINDOW)
        assert limiter.cvl(measured(3.35, soc=81.0), 300) == pytest.approx(53.6)

    def test_afterwards_cvl_rises_slowly(self) -> None:
        limiter = Limiter(**WINDOW)
        limiter(measured(3.35, soc=80.5, current=40.0), 200)
        before = limiter.cvl(measured(3.35, soc=80.5, current=40.0))
        assert limiter.cvl(measured(3.35, soc=70.0, current=40.0), 59) == before
        assert limiter.cvl(measured(3.35, soc=70.0, current=40.0), 20) < before + 0.25
        assert limiter.cvl(measured(3.35, soc=70.0, current=40.0), 300) == 55.2

    def test_the_hysteresis_leaves_a_soc_at_which_charging_goes_on(self) -> None:
        bench = Bench(limiter={"charge_to_soc": 40})
        assert bench.dbus("/Settings/Limiter/ChargeToSocHysteresis", 40) == 2
        assert "charging would never go on" in bench.rejected[-1]["reason"]

    def test_it_may_not_meet_the_soc_that_a_season_maintains(self) -> None:
        bench = Bench(limiter={"maintain_soc_by_month": [[3, 0], [11, 70]]})
        assert bench.dbus("/Settings/Limiter/ChargeToSoc", 74) == 2
        assert "neither charging nor discharging" in bench.rejected[-1]["reason"]
        assert bench.dbus("/Settings/Limiter/ChargeToSoc", 90) == 0


class Calendar(Limiter):
    """A limiter that lives days, which a test passes in steps, with the clock of the machine."""

    def __init__(self, **settings: object) -> None:
        super().__init__(**{"current_hold": 0, "current_rise": 1, **settings})
        self.start = datetime.datetime(2026, 5, 4, 6, 0)
        self.is_clock_set = True

    def at(self, days: float, measurements: Measurements) -> Decision:
        """The decision so many days after the start, at 6 in the morning."""
        moment = self.start + datetime.timedelta(days)
        minute = moment.hour * 60 + moment.minute
        date = Date(moment.year, moment.month, moment.day, minute)
        self.date = date if self.is_clock_set else Date(1970, 1)
        self.now = days * DAY
        for _ in range(3):
            decision = self(measurements).decision
        return decision


FULL = measured(3.45, soc=99.0, current=5.0)
HIGH = measured(soc=80.0, current=0.0)


class TestFullCharge:
    """Now and then the battery is charged to full, so that its SoC and its cells stay right."""

    def test_after_two_weeks_the_window_is_lifted_until_the_battery_is_full(self) -> None:
        life = Calendar(**WINDOW)
        for day in (0, 1, 13):
            assert life.at(day, HIGH).ccl.value == 0
        assert life.at(13.74, HIGH).ccl.value == 0, "it is still the thirteenth day"
        lifted = life.at(13.76, HIGH)
        assert lifted.ccl.value == 100
        assert lifted.charge_mode == "Bulk, full charge"
        assert life.at(14, measured(soc=97.0, current=50.0)).ccl.value == 100
        assert life.at(14.1, FULL).ccl.rule == "charge to SoC"
        assert life.at(27.5, HIGH).ccl.value == 0
        assert life.at(27.76, HIGH).ccl.value == 100

    def test_clouds_continue_it_on_the_next_day(self) -> None:
        life = Calendar(**WINDOW)
        life.at(0, HIGH)
        assert life.at(14, measured(soc=85.0)).ccl.value == 100
        assert life.at(14.6, measured(soc=70.0)).ccl.value == 100
        assert life.at(15.2, measured(soc=90.0)).ccl.value == 100

    @pytest.mark.parametrize(
        "almost",
        [
            measured(3.45, soc=99.0, current=50.0),  # the current has not fallen
            measured(3.42, soc=99.0, current=5.0),  # a cloud, below the charge voltage
            measured(3.45, soc=99.0, current=None),
            measured(3.45, soc=99.0, current=5.0, doubt="a cell"),
            measured(3.38, soc=99.0, current=5.0, cells=Cells((3.49, *[3.38] * 15))),
            measured(3.38, soc=99.0, current=50.0, cells=Cells((3.5, *[3.38] * 15))),
        ],
    )
    def test_what_is_not_full(self, almost: Measurements) -> None:
        life = Calendar(**WINDOW)
        life.at(0, HIGH)
        life.at(14, HIGH)
        assert life.at(14.1, almost).ccl.rule != "charge to SoC"
        assert "full charge" in str(life.at(14.2, measured(soc=90.0)).charge_mode)

    def test_a_full_cell_is_full(self) -> None:
        """A weak cell keeps the pack from its charge voltage; for it the charge is complete."""
        life = Calendar(**WINDOW)
        life.at(0, HIGH)
        life.at(14, HIGH)
        cells = Cells((3.5, *[3.38] * 15))
        full = measured(3.38, soc=98.0, current=5.0, cells=cells, voltage=54.2)
        assert life.at(14.1, full).ccl.rule == "charge to SoC"

    def test_a_soc_of_100_is_full(self) -> None:
        life = Calendar(**WINDOW)
        life.at(0, HIGH)
        life.at(14, HIGH)
        assert life.at(14.1, measured(soc=100.0)).ccl.rule == "charge to SoC"

    def test_absorption_belongs_to_it(self) -> None:
        life = Calendar(**WINDOW, **PLAN)
        life.at(0, HIGH)
        assert life.at(14, measured(3.45, soc=96.0)).charge_mode == "Absorption, full charge"
        full = measured(3.5, soc=100.0, current=1.0)
        assert life.at(14 + 590 / DAY, full).charge_mode == "Absorption, full charge"
        assert life.at(14 + 610 / DAY, full).charge_mode == "Held at 80 %"

    def test_a_full_battery_counts_from_now_also_before_it_is_due(self) -> None:
        life = Calendar(**WINDOW)
        life.at(0, measured(soc=70.0))
        life.at(10, FULL)
        assert life.at(15, HIGH).ccl.value == 0
        assert life.at(24, HIGH).ccl.value == 100

    def test_it_can_be_switched_off(self) -> None:
        life = Calendar(**WINDOW, full_charge_every=0)
        life.at(0, HIGH)
        assert life.at(400, HIGH).ccl.value == 0

    def test_it_is_full_at_a_time_of_day(self) -> None:
        """Full at 16:00 each day: from noon on there is no window."""
        life = Calendar(**WINDOW, full_charge_every=1, full_charge_at="16:00")
        assert life.at(0, HIGH).ccl.value == 0
        noon = 0.25
        assert life.at(1 + noon - 0.01, HIGH).ccl.value == 0
        assert life.at(1 + noon + 0.01, HIGH).ccl.value == 100
        assert life.at(1.4, FULL).ccl.rule == "charge to SoC"
        assert life.at(2 + noon - 0.01, HIGH).ccl.value == 0
        assert life.at(2 + noon + 0.01, HIGH).ccl.value == 100

    def test_a_time_soon_after_midnight_begins_the_evening_before(self) -> None:
        life = Calendar(**WINDOW, full_charge_every=2, full_charge_at="02:00")
        life.at(0, HIGH)
        assert life.at(1 + 15.9 / 24, HIGH).ccl.value == 0
        assert life.at(1 + 16.1 / 24, HIGH).ccl.value == 100

    def test_with_a_clock_that_is_not_set_the_days_are_counted_in_seconds(self) -> None:
        life = Calendar(**WINDOW, full_charge_at="16:00")
        life.is_clock_set = False
        life.at(0, HIGH)
        assert life.at(13.99, HIGH).ccl.value == 0
        assert life.at(14.01, HIGH).ccl.value == 100

    def test_a_clock_that_is_set_later_knows_the_day_all_the_same(self) -> None:
        life = Calendar(**WINDOW)
        life.is_clock_set = False
        life.at(0, HIGH)
        life.at(10, HIGH)
        life.is_clock_set = True
        life.at(10.1, HIGH)
        assert life.at(13.5, HIGH).ccl.value == 0
        assert life.at(14.01, HIGH).ccl.value == 100

    def test_a_clock_that_is_set_back_counts_anew(self) -> None:
        life = Calendar(**WINDOW)
        life.at(0, HIGH)
        life.start -= datetime.timedelta(365)
        life.at(1, HIGH)
        assert life.at(14, HIGH).ccl.value == 0
        assert life.at(15, HIGH).ccl.value == 100


EVEN = {"balancing_voltage": 3.5, "voltage_hold": 0, "balancing_time": 3600}


class TestBalancing:
    """At the top of a charge the cells are held until they are close together."""

    @staticmethod
    def top(spread: float, high: float = 3.46, **others: object) -> Measurements:
        low = high - spread
        cells = Cells((high, *[low] * 15))
        return measured(low, cells=cells, voltage=high + 15 * low, soc=98.0, **others)

    def test_it_begins_when_the_cells_are_apart_at_the_top(self) -> None:
        limiter = Limiter(**EVEN)
        assert limiter(self.top(0.04)).decision.charge_mode == "Bulk"
        apart_below = self.top(0.06, high=3.40)
        assert limiter(apart_below).decision.charge_mode == "Bulk"
        assert limiter(self.top(0.06)).decision.charge_mode == "Balancing"
        assert limiter.cvl(self.top(0.06), 120) == 56.0

    def test_it_ends_when_they_are_close_and_not_again_soon(self) -> None:
        limiter = Limiter(**EVEN)
        limiter(self.top(0.06))
        assert limiter(self.top(0.011, high=3.5)).decision.charge_mode == "Balancing"
        assert limiter(self.top(0.009, high=3.5)).decision.charge_mode == "Bulk"
        assert limiter(self.top(0.06)).decision.charge_mode == "Bulk", "absorption_pause"

    def test_on_the_way_up_close_cells_say_nothing(self) -> None:
        limiter = Limiter(**EVEN)
        limiter(self.top(0.06))
        assert limiter(self.top(0.0, high=3.40)).decision.charge_mode == "Balancing"

    def test_it_ends_after_its_time(self) -> None:
        limiter = Limiter(**EVEN)
        limiter(self.top(0.06))
        assert limiter(self.top(0.06), 3598).decision.charge_mode == "Balancing"
        assert limiter(self.top(0.06), 3).decision.charge_mode == "Bulk"

    def test_from_it_cvl_falls_slowly(self) -> None:
        limiter = Limiter(**EVEN)
        limiter(self.top(0.06), 3600)
        even = self.top(0.005, high=3.49)
        assert 55.97 < limiter.cvl(even, 2) <= 56.0
        assert limiter.cvl(even, 100) == pytest.approx(55.2)

    @pytest.mark.parametrize(
        "worse",
        [
            {"soc": 80.0},
            {"cells": Cells((None, *[3.45] * 15))},
            {"silent": frozenset({CELLS})},
            {"cells": Cells((3.24,) * 16), "voltage": 51.84, "soc": None},
        ],
    )
    def test_it_is_broken_off_when_the_top_is_left_or_the_cells_are_unknown(
        self, worse: dict[str, object]
    ) -> None:
        limiter = Limiter(**EVEN)
        limiter(self.top(0.06))
        assert limiter(changed(self.top(0.06), **worse)).decision.charge_mode == "Bulk"

    def test_nothing_uncertain_begins_it(self) -> None:
        limiter = Limiter(**EVEN)
        assert limiter(self.top(0.06, doubt="a cell")).decision.charge_mode == "Bulk"
        assert limiter(self.top(0.06), 1, Stage.AGING).decision.charge_mode == "Bulk"

    def test_it_belongs_to_a_full_charge(self) -> None:
        """Held before the window closes again, however close the cells are on the way."""
        life = Calendar(**EVEN, **WINDOW)
        life.at(0, HIGH)
        assert life.at(14, self.top(0.02, high=3.42)).charge_mode == "Bulk, full charge"
        held = life.at(14.1, self.top(0.02))
        assert held.charge_mode == "Balancing, full charge"
        assert life.at(14.11, self.top(0.005, high=3.5)).charge_mode == "Held at 80 %"
        assert life.at(15, self.top(0.06)).charge_mode == "Held at 80 %"

    def test_with_absorption_float_follows(self) -> None:
        limiter = Limiter(**PLAN, **EVEN)
        assert limiter(self.top(0.02)).decision.charge_mode == "Absorption"
        assert limiter(self.top(0.06, high=3.5)).decision.charge_mode == "Balancing"
        assert limiter(self.top(0.005, high=3.5)).decision.charge_mode == "Float"

    def test_a_cell_that_is_too_high_is_protected_all_the_same(self) -> None:
        limiter = Limiter(**EVEN)
        limiter(self.top(0.06), 120)
        assert limiter.cvl(self.top(0.1, high=3.53)) < 55.2


NOW = 1000.0
KEPT = st.builds(
    Plan,
    st.builds(
        Phase,
        st.sampled_from([*PHASES, "", "bulk", "x"]),
        st.floats(-1e9, NOW),
        st.none() | st.floats(-1e9, NOW),
        st.floats(-1e15, 1e15),
    ),
    st.builds(
        FullCharge,
        st.none() | st.floats(-1e9, NOW),
        st.none() | st.integers(-(10**9), 10**9),
        st.booleans(),
    ),
    st.builds(Window, st.booleans(), st.floats(-1e15, 1e15), st.floats(-1e9, NOW)),
)


@given(kept=KEPT, stage=st.sampled_from(Stage), date=st.sampled_from([None, Date(2026, 5, 4)]))
@settings(deadline=None)
def test_whatever_was_kept_over_a_restart_raises_no_limit(
    kept: Plan, stage: Stage, date: Date | None
) -> None:
    """Nor does it stop the process. The highest CVL is that of the highest phase."""
    limiter = Limiter(**PLAN, **EVEN, **WINDOW)
    limiter.state = LimiterState(PackState({LATCH.name: kept}))
    limiter.now, limiter.date = NOW, date
    for _ in range(3):
        decision = limiter(measured(3.4, soc=85.0, current=5.0), 1, stage).decision
        assert 16 * 3.25 <= decision.cvl.value <= 16 * 3.5
        assert 0 <= decision.ccl.value <= 100
        as_text(LATCH.of(limiter.state.pack.latches).full)


@pytest.mark.parametrize(
    ("day", "text"), [(1, "0001-01-01"), (739_740, "2026-05-04"), (0, ""), (None, ""), (10**9, "")]
)
def test_a_day_that_is_on_no_calendar_is_not_kept(day: int | None, text: str) -> None:
    assert as_text(FullCharge(0.0, day)) == text


class TestTimeOfDay:
    PATH = "/Settings/Limiter/FullChargeAt"

    @pytest.mark.parametrize(
        ("written", "shown"),
        [("16:00", "16:00"), ("7:05", "07:05"), ("off", "off"), (960, "16:00")],
    )
    def test_it_is_written_as_on_a_clock(self, written: object, shown: str) -> None:
        bench = Bench(limiter={"full_charge_at": "01:00"})
        assert bench[self.PATH] == "01:00"
        assert bench.dbus(self.PATH, written) == 0
        bench.settle()
        assert bench[self.PATH] == shown

    @pytest.mark.parametrize("wrong", ["24:00", "16.00", "noon", -1, 1440, 3.5, True, None, ""])
    def test_anything_else_is_refused(self, wrong: object) -> None:
        bench = Bench()
        assert bench.dbus(self.PATH, wrong) == 2

    def test_yaml_without_quotes_means_the_same(self) -> None:
        assert battery_config(limiter={"full_charge_at": 960}).limiter.full_charge_at == "16:00"


PAGE = Path(__file__).parents[2] / "docs" / "charging.md"
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_the_examples_of_the_page_are_configurations(example: str) -> None:
    """Also with the defaults that they show in comments."""
    for text in (example, re.sub(r"^( +)# ", r"\1", example, flags=re.MULTILINE)):
        limiter = yaml.safe_load(text)["limiter"]
        config = battery_config(limiter=limiter)
        for name, value in limiter.items():
            assert getattr(config.limiter, name) == value
        assert explanation(config)
