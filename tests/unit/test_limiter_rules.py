"""Single rules of the limiter, each by the story that people tell of it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from doubles import Bench, battery_config
from hypothesis import given
from hypothesis import strategies as st
from measured import changed
from measured import measured as of

from bridge.core.limiter.decide import NO_REQUESTS, LimiterState, Outcome, decide
from bridge.core.limiter.situation import LimiterConfig
from bridge.core.measurements.inputs import SOC, Cells, Measurements
from bridge.core.model import Date, Decision, Stage

CURRENTS = {
    "max_charge_current": 100,
    "max_charge_current_above_cv1": 50,
    "max_charge_current_above_cv2": 10,
    "max_discharge_current": 150,
}
JANUARY, JULY = Date(2026, 1), Date(2026, 7)


def measured(cell: float = 3.3, **others: object) -> Measurements:
    return changed(of(cells=Cells((cell,) * 16), voltage=16 * cell, soc=50.0), **others)


class Limiter:
    """The limiter of sixteen LFP cells through time."""

    def __init__(self, **settings: object) -> None:
        config = battery_config(limiter={**CURRENTS, **settings})
        self.frame = LimiterConfig.of(config)
        self.state = LimiterState()
        self.now = 0.0
        self.date: Date | None = None

    def __call__(
        self, measurements: Measurements, seconds: float = 1.0, stage: Stage = Stage.FRESH
    ) -> Outcome:
        """So many seconds with these measurements, decided each second."""
        for _ in range(max(1, round(seconds))):
            self.now += min(1.0, seconds)
            outcome = decide(
                measurements, self.frame, NO_REQUESTS, stage, self.state, self.now, self.date
            )
            self.state = outcome.state
        return outcome

    def ccl(self, measurements: Measurements, seconds: float = 1.0) -> float | None:
        return self(measurements, seconds).decision.ccl.value

    def dcl(self, measurements: Measurements, seconds: float = 1.0) -> float | None:
        return self(measurements, seconds).decision.dcl.value

    def cvl(self, measurements: Measurements, seconds: float = 1.0) -> float:
        value = self(measurements, seconds).decision.cvl.value
        assert value is not None
        return round(value, 3)


class TestCurves:
    """Straight lines between the points, whatever `taper` says of the cell voltages."""

    CURVE = ((80, 1), (90, 0.5), (100, 0.1))

    @pytest.mark.parametrize("taper", ["steps", "linear"])
    @pytest.mark.parametrize(
        ("soc", "current"), [(79, 100), (80, 100), (85, 75), (90, 50), (95, 30), (100, 10)]
    )
    def test_over_soc(self, soc: float, current: float, taper: str) -> None:
        limiter = Limiter(charge_soc=self.CURVE, taper=taper)
        assert limiter.ccl(measured(soc=soc)) == pytest.approx(current)

    @pytest.mark.parametrize("taper", ["steps", "linear"])
    def test_over_the_spread_and_the_mosfets(self, taper: str) -> None:
        imbalance, mosfets = [[0.1, 1], [0.2, 0]], [[70, 1], [90, 0]]
        limiter = Limiter(taper=taper, imbalance=imbalance, mosfet_temperature=mosfets)
        apart = Cells((3.15, *[3.0] * 15))
        assert limiter.ccl(of(cells=apart, voltage=48.15)) == pytest.approx(50)
        assert limiter.dcl(measured(mosfet=80.0)) == pytest.approx(75)

    @pytest.mark.parametrize("chemistry", ["lfp", "nmc", "lto"])
    def test_a_tenth_of_a_degree_is_never_a_jump(self, chemistry: str) -> None:
        """With jumps, an inverter would be switched off at -0.1 degrees."""
        limits = [
            (decision.ccl.value or 0, decision.dcl.value or 0)
            for tenth in range(-400, 701)
            for decision in [decided_at(chemistry, tenth / 10)]
        ]
        for before, after in pairwise(limits):
            assert abs(after[0] - before[0]) <= 2.1  # the steepest line: a fifth in 2 degrees
            assert abs(after[1] - before[1]) <= 2.1

    def test_a_little_frost_leaves_a_quarter_of_the_discharge_current(self) -> None:
        frost = measured(coldest=-0.1, hottest=-0.1)
        assert Limiter().dcl(frost) == pytest.approx(150 * 0.2475)

    @pytest.mark.parametrize(
        ("chemistry", "charge", "discharge"),
        [("lfp", (0, 60), (-35, 60)), ("nmc", (0, 45), (-20, 60)), ("lto", (-30, 60), (-30, 60))],
    )
    def test_nothing_flows_where_a_maker_forbids_it(
        self, chemistry: str, charge: tuple[float, float], discharge: tuple[float, float]
    ) -> None:
        """Lishen for LFP, Samsung 20 for NMC, Nichicon for LTO: see presets.py."""
        for tenth in range(-500, 801):
            decision, degrees = decided_at(chemistry, tenth / 10), tenth / 10
            assert charge[0] <= degrees <= charge[1] or decision.ccl.value == 0
            assert discharge[0] <= degrees <= discharge[1] or decision.dcl.value == 0


def decided_at(chemistry: str, degrees: float) -> Decision:
    """A battery of 280 Ah that never decided before, at this temperature."""
    config = battery_config(chemistry=chemistry, ceiling={}, limiter={"max_charge_current": 84,
                            "max_discharge_current": 140})  # fmt: skip
    volts = config.limiter.min_charge_voltage
    told = measured(volts, coldest=degrees, hottest=degrees)
    frame = LimiterConfig.of(config)
    return decide(told, frame, NO_REQUESTS, Stage.FRESH, LimiterState(), 0.0).decision


class TestLowCellsChargeSlowly:
    @pytest.mark.parametrize(
        ("volts", "current"),
        [(2.8, 100), (2.65, 52.5), (2.5, 5), (2.3, 5), (2.05, 2.5), (2.0, 0), (1.6, 0), (0.33, 0)],
    )
    def test_one_cell_is_enough(self, volts: float, current: float) -> None:
        known = Cells((volts, *[3.2] * 15))
        told = of(cells=known, voltage=volts + 15 * 3.2)
        assert Limiter().ccl(told) == pytest.approx(current)

    def test_a_dead_battery_is_not_charged_and_the_reason_says_why(self) -> None:
        limit = Limiter()(measured(0.33)).decision.ccl
        assert (limit.value, limit.rule) == (0, "low cell")
        assert "must not be charged without inspection" in limit.reason

    def test_the_mean_cell_counts_where_no_cell_is_known(self) -> None:
        alone = of(cells=Cells((None,) * 16), voltage=16 * 2.4)
        assert Limiter().ccl(alone) == pytest.approx(5)

    def test_the_mean_cell_counts_against_cells_that_say_more(self) -> None:
        told = measured(3.3, voltage=16 * 1.9)
        assert Limiter().ccl(told) == 0

    @pytest.mark.parametrize("chemistry", ["lfp", "nmc", "lto"])
    def test_each_chemistry_has_such_a_curve(self, chemistry: str) -> None:
        settings = battery_config(chemistry=chemistry, ceiling={}, limiter={}).limiter
        assert settings.low_cell_charge[0][1] == 0
        assert settings.low_cell_charge[-1] == (settings.min_cell_voltage, 1)


class TestBatteryWithoutCells:
    """required: [dc]: the mean cell stands for the highest and the lowest."""

    @staticmethod
    def pack(voltage: float) -> Measurements:
        return of(cells=Cells((None,) * 16), voltage=voltage)

    def test_the_pack_voltage_alone_limits_charging(self) -> None:
        assert Limiter().ccl(self.pack(16 * 3.30)) == 100
        assert Limiter().ccl(self.pack(16 * 3.41)) == 50
        assert Limiter().ccl(self.pack(16 * 3.55)) == 0

    def test_a_first_cell_never_loosens_what_the_pack_says(self) -> None:
        half = Cells((3.2, *[None] * 15))
        known = of(cells=half, voltage=16 * 3.46)
        assert Limiter().ccl(known) == 10


class TestDischargeStop:
    def test_it_ends_above_its_threshold_by_the_hysteresis(self) -> None:
        limiter = Limiter()
        assert limiter.dcl(measured(2.80)) == 0
        assert limiter.dcl(measured(2.95), 300) == 0  # the pack's stop is at 2.9, ends at 3.0
        assert limiter.dcl(measured(3.05), 300) == 150

    def test_silence_does_not_end_it(self) -> None:
        limiter = Limiter()
        limiter(measured(2.80))
        limiter(of(cells=Cells((None,) * 16)), 120, Stage.STALE)
        assert limiter.dcl(measured(2.95), 300) == 0

    def test_the_cell_that_set_it_may_not_vanish_from_it(self) -> None:
        limiter = Limiter()
        low = measured(3.2)
        known = Cells((2.75, *[3.2] * 15))
        limiter(changed(low, cells=known))
        without = changed(low, cells=Cells((None, *[3.2] * 15)))
        assert limiter.dcl(without, 300) == 0


class TestDebounce:
    def test_a_block_acts_at_once_and_only_its_release_waits(self) -> None:
        limiter = Limiter(block_release=60, current_hold=0, current_rise=1.0)
        limiter(measured())
        assert limiter.ccl(measured(charge_blocked_by="a BMS")) == 0
        assert limiter.ccl(measured(), 59) == 0
        assert limiter.ccl(measured(), 3) == 100

    def test_a_flag_that_flutters_stays_blocked(self) -> None:
        limiter = Limiter(block_release=60, current_hold=0, current_rise=1.0)
        values = []
        for _ in range(20):
            values.append(limiter.dcl(measured(discharge_blocked_by="a BMS")))
            values.append(limiter.dcl(measured(), 30))
        assert set(values) == {0}


WINTER = {"maintain_soc_by_month": ((3, 0), (11, 40))}


class TestSeasons:
    def test_in_winter_a_soc_is_maintained(self) -> None:
        limiter = Limiter(**WINTER, current_hold=0, current_rise=1.0)
        limiter.date = JANUARY
        assert limiter.dcl(measured(soc=41.0)) == 150
        decision = limiter(measured(soc=39.9)).decision
        assert (decision.dcl.value, decision.charge_request) == (0, 1)
        assert limiter.dcl(measured(soc=44.0), 10) == 0
        decision = limiter(measured(soc=45.0), 5).decision
        assert (decision.dcl.value, decision.charge_request) == (150, 0)

    def test_not_in_summer_and_not_without_a_believable_date(self) -> None:
        for date in (JULY, None, Date(1970, 1)):
            limiter = Limiter(**WINTER)
            limiter.date = date
            decision = limiter(measured(soc=10.0)).decision
            assert (decision.dcl.value, decision.charge_request) == (150, None)

    def test_a_soc_that_went_silent_is_no_permission(self) -> None:
        limiter = Limiter(**WINTER)
        limiter.date = JANUARY
        silent = measured(soc=None, silent=frozenset({SOC}))
        assert limiter.dcl(silent) == 0

    def test_the_charge_voltage_follows_the_months(self) -> None:
        for date, volts in ((JANUARY, 55.52), (Date(2026, 3), 54.4), (JULY, 54.4), (None, 55.2)):
            limiter = Limiter(charge_voltage_by_month=((3, 3.40), (11, 3.47)))
            limiter.date = date
            assert limiter.cvl(measured()) == volts

    def test_on_the_bus(self) -> None:
        limiter = {**CURRENTS, "maintain_soc_by_month": [[1, 40], [12, 40]]}
        bench = Bench(limiter=limiter, today=JANUARY)
        bench.feed(Soc=39)
        assert (bench["/Info/ChargeRequest"], bench.dcl) == (1, 0.0)
        bench.feed(Soc=60)
        bench.settle()
        assert bench["/Info/ChargeRequest"] == 0
        bench.mqtt("/Info/ChargeRequest", "1")  # a client may ask too
        bench.settle()
        assert bench["/Info/ChargeRequest"] == 1


PLAN = {
    "absorption_voltage": 3.5,
    "absorption_time": 600,
    "absorption_pause": 7200,
    "float_voltage": 3.375,
}


class TestAbsorption:
    def test_above_a_soc_the_voltage_is_higher_for_a_fixed_time(self) -> None:
        limiter = Limiter(**PLAN)
        assert limiter.cvl(measured(soc=94.0)) == 55.2
        assert limiter(measured(soc=95.0)).decision.charge_mode == "Absorption"
        assert limiter.cvl(measured(soc=96.0), 58) == 55.2  # CVL holds before it rises
        assert limiter.cvl(measured(soc=97.0), 200) == 56.0
        assert limiter(measured(soc=99.0), 339).decision.charge_mode == "Absorption"
        assert limiter(measured(soc=99.0), 5).decision.charge_mode == "Float"

    def test_float_is_reached_slowly_and_lasts_for_the_pause(self) -> None:
        limiter = Limiter(**PLAN)
        limiter(measured(soc=96.0), 601)
        at_once = limiter.cvl(measured(soc=99.0), 2)
        assert 55.9 < at_once <= 56.0  # 10 mV/s, so that feed-in does not rush
        assert limiter.cvl(measured(soc=99.0), 300) == 54.0
        assert limiter(measured(soc=99.0), 6000).decision.charge_mode == "Float"
        assert limiter(measured(soc=99.0), 1000).decision.charge_mode == "Absorption"

    def test_a_lower_soc_ends_it(self) -> None:
        limiter = Limiter(**PLAN)
        limiter(measured(soc=96.0), 10)
        assert limiter(measured(soc=89.0)).decision.charge_mode == "Float"
        assert limiter(measured(soc=90.0)).decision.charge_mode == "Float"
        assert limiter(measured(soc=89.0)).decision.charge_mode == "Bulk"
        assert limiter(measured(soc=96.0)).decision.charge_mode == "Float"  # the pause holds

    def test_an_unknown_soc_is_no_permission(self) -> None:
        limiter = Limiter(**PLAN)
        limiter(measured(soc=96.0), 10)
        assert limiter(measured(soc=None)).decision.charge_mode == "Float"
        fresh = Limiter(**PLAN)
        assert fresh(measured(soc=None)).decision.charge_mode == "Bulk"

    def test_a_high_cell_rules_over_the_plan(self) -> None:
        limiter = Limiter(**PLAN)
        limiter(measured(soc=96.0), 300)
        high = Cells((3.53, *[3.48] * 15))
        assert limiter.cvl(measured(3.48, soc=96.0, cells=high)) == pytest.approx(16 * 3.48 - 0.03)

    def test_without_it_there_is_no_mode(self) -> None:
        assert Limiter()(measured(soc=99.0)).decision.charge_mode is None


class TestSlide:
    """CCL is 0 A and the battery is charged all the same."""

    @staticmethod
    def full(current: float) -> Measurements:
        return measured(3.43, current=current, charge_blocked_by="a BMS")

    def test_cvl_slides_to_the_battery_and_not_below(self) -> None:
        limiter = Limiter(slide="on")
        limiter(measured(3.43))
        assert limiter.cvl(self.full(5.0)) == 55.19
        assert limiter.cvl(self.full(5.0), 100) == 54.88

    def test_a_battery_under_discharge_does_not_pull_it_down(self) -> None:
        limiter = Limiter(slide="on")
        assert limiter.cvl(self.full(-20.0), 100) == 55.2

    def test_afterwards_it_rises_slowly(self) -> None:
        limiter = Limiter(slide="on")
        limiter(self.full(5.0), 100)
        assert limiter.cvl(measured(3.43), 50) == 54.88
        assert limiter.cvl(measured(3.43), 100) == 55.2

    def test_it_is_off_unless_wanted(self) -> None:
        assert Limiter().cvl(self.full(5.0), 100) == 55.2

    def test_switched_off_it_ends(self) -> None:
        limiter = Limiter(slide="on")
        limiter(self.full(5.0), 100)
        limiter.frame = Limiter().frame
        assert "slide" not in limiter(self.full(5.0)).decision.cvl.caps


class TestRecovery:
    def test_silence_does_not_count_as_waiting(self) -> None:
        """A hold is over only after that time of good measurements."""
        limiter = Limiter()
        limiter(measured(3.56))
        limiter(of(cells=Cells((None,) * 16)), 300, Stage.STALE)
        assert limiter.ccl(measured(3.3), 29) == 0
        assert limiter.ccl(measured(3.3), 3) in (5, 10)

    def test_noise_around_a_threshold_does_not_swing_the_limit(self) -> None:
        limiter = Limiter()
        values = [limiter.ccl(measured(3.40 + 0.004 * ((7 * i) % 5 - 2)), 1.0) for i in range(600)]
        changes = sum(a != b for a, b in pairwise(values))
        assert changes <= 1
        assert values[-1] == 50


VOLTS = st.floats(2.0, 3.8)


@given(VOLTS, VOLTS, st.none() | st.floats(32, 60), st.lists(VOLTS, max_size=16))
def test_extremes_that_a_client_confuses_mean_the_same(
    one: float, other: float, voltage: float | None, singles: list[float]
) -> None:
    told: tuple[float | None, ...] = (*singles, *[None] * (16 - len(singles)))
    right = Cells(told, lowest=min(one, other), highest=max(one, other))
    wrong = Cells(told, lowest=max(one, other), highest=min(one, other))
    first, second = (
        Limiter()(of(cells=cells, voltage=voltage)).decision for cells in (right, wrong)
    )
    assert (first.cvl, first.ccl, first.dcl) == (second.cvl, second.ccl, second.dcl)
