"""A reading that is hard to believe may tighten, never loosen."""

from __future__ import annotations

import pytest
from doubles import Bench, battery_config

from bridge.battery.control import INPUTS
from bridge.core.measurements.plausibility import COPY_WITHIN, Plausibility
from bridge.core.model import Refused


def fed(**changes: object) -> Bench:
    bench = Bench(**changes)
    bench.feed(Dc_0_Temperature=20)
    bench.pass_time(1)
    return bench


def feed_without_cell_7(bench: Bench) -> None:
    cells = {f"Voltages/Cell{n}": 3.3 for n in range(1, 17) if n != 7}
    bench.batch({**cells, "Dc/0/Voltage": 52.8, "Dc/0/Current": -10, "Dc/0/Temperature": 20})


class TestOneGlitch:
    @pytest.mark.promise("doubt")
    @pytest.mark.parametrize(
        ("path", "odd", "good"),
        [
            ("/Voltages/Cell7", 0.0, 3.3),
            ("/Voltages/Cell7", 4.9, 3.3),
            ("/Dc/0/Voltage", 0.0, 52.8),
            ("/Dc/0/Temperature", 100, 20),
            ("/Dc/0/Temperature", -20, 20),
            ("/Soc", 0, 50),
        ],
    )
    def test_is_refused_and_changes_nothing(self, path: str, odd: float, good: float) -> None:
        bench = fed()
        before = (bench.cvl, bench.ccl, bench.dcl)
        assert bench.dbus(path, odd) == 2
        assert f"{odd:g} after {good:g} is hard to believe" in bench.rejected[-1]["reason"]
        bench.pass_time(1)
        assert bench[path] == good
        assert bench.dbus(path, good) == 0
        bench.pass_time(5, bench.feed)
        assert (bench.cvl, bench.ccl, bench.dcl) == before

    @pytest.mark.parametrize("odd", [12.0, -1.0, "unknown", "NaN", [1]])
    def test_that_the_gate_refuses_each_second_lets_nothing_rise(self, odd: object) -> None:
        bench = fed()
        bench.mqtt("/Voltages/Cell7", "3.46")
        bench.settle()
        assert bench.ccl == 10.0
        bench.mqtt("/Voltages/Cell7", "3.30")
        for _ in range(50):  # without the doubt, CCL would be back after 30 s
            bench.dbus("/Voltages/Cell7", odd)
            bench.pass_time(1, lambda: feed_without_cell_7(bench))
        assert (bench["/Freshness/Stage"], bench.ccl) == ("stale", 0.0)

    def test_does_not_make_its_group_fresher(self) -> None:
        bench = fed()
        for second in range(70):
            bench.dbus("/Voltages/Cell7", 12.0 if second % 2 else "unknown")
            bench.pass_time(1, lambda: feed_without_cell_7(bench))
        assert bench["/Freshness/Stage"] == "stale"
        assert (bench.ccl, bench.dcl) == (0.0, 0.0)


class TestAReadingThatTheGateRefuses:
    """Nobody knows what it was, so nothing may loosen."""

    def rising(self) -> Bench:
        bench = fed(freshness={"aging": 300, "stale": 300})  # silence shall not hold the limit
        bench.dbus("/Info/MaxChargeCurrent", 40)
        bench.dbus("/Info/MaxChargeCurrent", "off")
        bench.settle()
        assert bench.ccl == 40.0
        return bench

    def test_lets_nothing_rise(self) -> None:
        bench = self.rising()
        bench.dbus("/Voltages/Cell7", 12.0)
        bench.pass_time(100, lambda: feed_without_cell_7(bench))
        assert bench.ccl == 40.0

    def test_is_forgotten_when_the_reading_it_is_about_is_stale(self) -> None:
        bench = fed()
        bench.dbus("/Info/MaxChargeCurrent", 40)
        bench.dbus("/Info/MaxChargeCurrent", "off")
        bench.dbus("/Soc", 101)
        told = {f"Voltages/Cell{n}": 3.3 for n in range(1, 17)}
        told |= {"Dc/0/Voltage": 52.8, "Dc/0/Temperature": 20}
        bench.pass_time(60, lambda: bench.batch(told))
        assert bench.ccl == 40.0
        bench.pass_time(50, lambda: bench.batch(told))
        assert bench.ccl == 100.0

    def test_means_nothing_where_nothing_was_ever_read(self) -> None:
        bench = self.rising()
        bench.dbus("/System/MOSTemperature", 500)
        bench.pass_time(100, bench.feed)
        assert bench.ccl == 100.0


class TestARealJump:
    def test_is_taken_when_the_next_reading_agrees(self) -> None:
        bench = fed()
        assert bench.dbus("/Voltages/Cell7", 2.5) == 2
        bench.pass_time(1)
        assert bench.dbus("/Voltages/Cell7", 2.51) == 0
        bench.settle()
        assert bench["/Voltages/Cell7"] == 2.51
        assert bench.dcl == 0.0

    def test_a_copy_confirms_nothing(self) -> None:
        """On a GX each write comes by D-Bus and, a moment later, by MQTT."""
        bench = fed()
        bench.dbus("/Voltages/Cell7", 0.0)
        bench.timer.run(0.1)
        bench.mqtt("/Voltages/Cell7", "0.0")
        bench.settle()
        assert (bench["/Voltages/Cell7"], bench.dcl) == (3.3, 150.0)

    def test_counts_as_far_as_it_tightens_when_nobody_contradicts_it(self) -> None:
        bench = fed()
        bench.dbus("/Voltages/Cell7", 4.2)
        bench.pass_time(2)
        assert bench.ccl == 100.0
        bench.pass_time(2)
        assert bench.ccl == 0.0
        assert bench.dcl == 150.0
        assert "4.200 V" in bench.state["reasons"]["CCL"]

    def test_a_doubt_of_zero_seconds_tightens_in_the_same_call(self) -> None:
        bench = fed(plausibility={"doubt": 0})
        bench.dbus("/Voltages/Cell7", 4.2)
        bench.pass_time(1)
        assert bench.ccl == 0.0

    @pytest.mark.promise("doubt")
    @pytest.mark.promise("loosen")
    def test_never_loosens_before_it_is_confirmed(self) -> None:
        bench = fed(limiter={"charge_temperature": [[0, 0], [10, 1]]})
        bench.feed(Dc_0_Temperature=-5)
        bench.settle()
        assert bench.ccl == 0.0
        for _ in range(10):
            bench.dbus("/Dc/0/Temperature", 60)
            bench.pass_time(1)
            bench.dbus("/Dc/0/Temperature", -5)
            bench.pass_time(9, bench.feed)
        assert bench.ccl == 0.0

    def test_load_steps_are_believed(self) -> None:
        bench = fed()
        for cell in (3.05, 3.38, 3.1, 3.4):
            bench.feed(cell)
            bench.timer.run(1)
        assert not bench.rejected

    def test_after_a_long_silence_more_is_believed(self) -> None:
        bench = fed()
        assert bench.dbus("/Dc/0/Temperature", -15) == 2
        bench.pass_time(300)
        assert bench.dbus("/Dc/0/Temperature", -15) == 0


class TestAFirstReading:
    def test_is_taken_where_a_battery_can_be(self) -> None:
        bench = Bench()
        assert bench.dbus("/Voltages/Cell7", 3.3) == 0
        assert bench.dbus("/Dc/0/Temperature", -15) == 0

    def test_must_be_said_twice_elsewhere(self) -> None:
        bench = Bench()
        assert bench.dbus("/Voltages/Cell7", 0.0) == 2
        bench.pass_time(1)
        assert bench.dbus("/Voltages/Cell7", 0.0) == 0


def test_a_step_of_zero_believes_everything() -> None:
    off = {"cell_voltage_step": 0, "temperature_step": 0, "soc_step": 0}
    bench = fed(plausibility=off)
    assert bench.dbus("/Voltages/Cell7", 0.0) == 0
    assert bench.dbus("/Dc/0/Temperature", 100) == 0
    assert bench.dbus("/Soc", 0) == 0


def test_a_sensor_that_flaps_ends_the_currents_once_and_swings_no_limit() -> None:
    bench = fed()
    for second in range(120):
        bench.dbus("/Voltages/Cell7", 0.0 if second % 2 else 3.3)
        bench.pass_time(1, lambda: feed_without_cell_7(bench))
    limits = [
        signal["/Info/MaxDischargeCurrent"]
        for signal in bench.bus.signals[2:]
        if "/Info/MaxDischargeCurrent" in signal
    ]
    assert limits == [0.0]


# --- how far is too far, for each kind of reading -----------------------------------------------

CELLS = 4
SETTINGS = battery_config().plausibility


def believes(path: str, value: float, last: tuple[float, float] | None, now: float) -> bool:
    try:
        Plausibility(INPUTS, CELLS).check(path, value, last, SETTINGS, now)
    except Refused:
        return False
    return True


@pytest.mark.parametrize(
    ("path", "step", "rate"),
    [
        ("/Voltages/Cell4", 0.5, 0.01),
        ("/System/MinCellVoltage", 0.5, 0.01),
        ("/Dc/0/Voltage", 0.5 * CELLS, 0.01 * CELLS),
        ("/Soc", 30.0, 0.1),
        ("/Dc/0/Temperature", 30.0, 0.1),
        ("/System/MOSTemperature", 30.0, 1.0),
    ],
)
def test_a_reading_may_jump_by_its_step_and_drift_by_its_rate(
    path: str, step: float, rate: float
) -> None:
    for seconds in (0.0, 10.0):
        allowed = step + rate * seconds
        for jump in (allowed, -allowed):
            last, now = (50.0, 100.0), 100.0 + seconds
            assert believes(path, 50.0 + jump * 0.999, last, now)
            assert not believes(path, 50.0 + jump * 1.001, last, now)
    assert not believes(path, 50.0 + step * 1.001, (50.0, 100.0), 0.0), "the clock ran back"
    assert believes(path, 50.0 + step * 0.999, (50.0, 100.0), 0.0), "the clock ran back"


@pytest.mark.parametrize(
    ("path", "low", "high"),
    [
        ("/Voltages/Cell1", 1.0, 4.5),
        ("/System/MaxCellVoltage", 1.0, 4.5),
        ("/Dc/0/Voltage", 1.0 * CELLS, 4.5 * CELLS),
        ("/Soc", 0.0, 100.0),
        ("/System/MinCellTemperature", -40.0, 80.0),
        ("/System/MOSTemperature", -40.0, 120.0),
    ],
)
def test_a_first_reading_is_believed_where_a_battery_can_be(
    path: str, low: float, high: float
) -> None:
    assert believes(path, low, None, 0.0) and believes(path, high, None, 0.0)
    assert not believes(path, low - 0.01, None, 0.0)
    assert not believes(path, high + 0.01, None, 0.0)


class TestWhatIsInDoubt:
    """Without a battery around it. At 0 s a cell at 3.3 V was told to be at 2.0 V."""

    def setup_method(self) -> None:
        self.watch = Plausibility(INPUTS, CELLS)
        self.tell("/Voltages/Cell1", 2.0, 0.0)

    def tell(self, path: str, value: float, now: float) -> bool:
        """Whether it was believed."""
        try:
            self.watch.check(path, value, (3.3, 0.0), SETTINGS, now)
        except Refused:
            return False
        return True

    def test_it_is_named_with_how_many_more_until_it_ends_by_itself(self) -> None:
        self.tell("/Voltages/Cell2", 2.0, 1.0)
        self.watch.doubt("/Dc/0/Voltage", 2.0)
        assert self.watch.words(2.0, 60.0) == "Voltages/Cell1 (and 2 more) is in doubt"
        assert self.watch.words(60.0, 60.0) == "Voltages/Cell1 (and 2 more) is in doubt"
        assert self.watch.words(61.0, 60.0) == "Voltages/Cell2 (and 1 more) is in doubt"
        assert self.watch.words(62.0, 60.0) == "Dc/0/Voltage is in doubt"
        assert self.watch.words(62.5, 60.0) == ""

    def test_it_counts_when_nobody_has_contradicted_it_for_long_enough(self) -> None:
        self.watch.doubt("/Dc/0/Voltage", 0.0)  # refused by the gate: no value that could count
        assert self.watch.counting(SETTINGS, SETTINGS.doubt - 0.01) == {}
        assert self.watch.counting(SETTINGS, SETTINGS.doubt) == {"/Voltages/Cell1": 2.0}

    def test_a_reading_that_the_gate_refuses_leaves_the_value_in_doubt(self) -> None:
        self.watch.doubt("/Voltages/Cell1", 2.0)
        assert self.watch.counting(SETTINGS, 3.0) == {"/Voltages/Cell1": 2.0}

    def test_it_is_settled_by_a_near_one_that_is_no_copy(self) -> None:
        assert not self.tell("/Voltages/Cell1", 2.1, COPY_WITHIN - 0.01)
        assert self.tell("/Voltages/Cell1", 2.1, COPY_WITHIN)
        assert self.watch.words(COPY_WITHIN, 60.0) == ""

    def test_a_copy_does_not_start_the_waiting_anew(self) -> None:
        self.tell("/Voltages/Cell1", 2.0, COPY_WITHIN - 0.01)
        assert self.watch.counting(SETTINGS, SETTINGS.doubt) == {"/Voltages/Cell1": 2.0}

    def test_one_that_agrees_with_neither_takes_its_place(self) -> None:
        assert not self.tell("/Voltages/Cell1", 0.5, 1.0)
        assert self.watch.counting(SETTINGS, SETTINGS.doubt) == {}
        assert self.watch.counting(SETTINGS, 1.0 + SETTINGS.doubt) == {"/Voltages/Cell1": 0.5}

    def test_one_near_the_last_good_one_ends_it(self) -> None:
        assert self.tell("/Voltages/Cell1", 3.2, 1.0)
        assert self.watch.words(1.0, 60.0) == ""

    def test_what_nobody_looks_at_is_never_in_doubt(self) -> None:
        self.watch.doubt("/Soh", 0.0)
        assert self.watch.words(0.0, 60.0) == "Voltages/Cell1 is in doubt"
