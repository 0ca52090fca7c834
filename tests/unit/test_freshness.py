"""Silence is never permission: the stages, what they do, and the way back.

All with a clock in the test's hand; tests/faults drives the same stages with real processes.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from doubles import Bench
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.core.model import Stage

CABLE = "/Alarms/BmsCable"


def stage(bench: Bench) -> object:
    return bench["/Freshness/Stage"]


def fed(**changes: object) -> Bench:
    bench = Bench(**changes)
    bench.feed()
    bench.pass_time(1, bench.feed)
    return bench


# --- the stages -------------------------------------------------------------------------------


def test_waiting_permits_discharge_but_no_charge_and_ends_with_the_grace() -> None:
    bench = Bench()
    for _ in range(58):
        bench.pass_time(1)
        assert (stage(bench), bench.ccl, bench.dcl, bench.cvl) == ("waiting", 0.0, 150.0, 52.0)
        assert bench[CABLE] == 0
    bench.pass_time(3)
    assert (stage(bench), bench.ccl, bench.dcl) == ("stale", 0.0, 0.0)
    assert bench[CABLE] == 1


def test_grace_zero_removes_the_exception() -> None:
    bench = Bench(freshness={"grace": 0})
    bench.pass_time(1)
    assert (stage(bench), bench.ccl, bench.dcl) == ("stale", 0.0, 0.0)


@pytest.mark.promise("silence")
def test_silence_goes_through_all_stages_at_their_times() -> None:
    bench = fed()
    seen = {}
    for second in range(1, 700):
        bench.pass_time(1)
        seen.setdefault(stage(bench), second)
    assert seen["aging"] in (15, 16)
    assert seen["stale"] in (60, 61)
    assert seen["lost"] in (600, 601)
    assert bench[CABLE] == 2


def test_each_battery_has_its_own_times() -> None:
    bench = fed(freshness={"aging": 2, "stale": 4, "lost": 8})
    bench.pass_time(3)
    assert stage(bench) == "aging"
    bench.pass_time(2)
    assert stage(bench) == "stale"
    bench.pass_time(4)
    assert stage(bench) == "lost"


@pytest.mark.promise("loosen")
def test_aging_lets_nothing_loosen() -> None:
    bench = fed()
    bench.mqtt("/Voltages/Cell1", "3.46")
    bench.pass_time(1)
    assert bench.ccl == 10.0
    everything_but_cell_2 = [n for n in range(1, 17) if n != 2]

    def most() -> None:
        bench.batch({f"Voltages/Cell{n}": 3.3 for n in everything_but_cell_2})
        bench.batch({"Dc/0/Voltage": 52.8})

    bench.pass_time(55, most)
    assert stage(bench) == "aging"
    assert bench.ccl == 10.0


def test_stale_brings_the_failsafe_and_takes_measurements_off_the_bus() -> None:
    bench = fed(failsafe={"charge_current": 5, "discharge_current": 20})
    bench.mqtt("/Dc/0/Temperature", "21")
    bench.pass_time(61)
    assert (stage(bench), bench.ccl, bench.dcl) == ("stale", 5.0, 20.0)
    assert bench["/Info/ChargeLimitation"] == "failsafe"
    for path in ("/Dc/0/Voltage", "/Dc/0/Current", "/Dc/0/Power", "/Soc", "/Voltages/Cell1",
                 "/System/MaxCellVoltage", "/Battery/1/Cell/1/Voltage"):  # fmt: skip
        assert bench[path] is None, path
    assert bench["/Info/BatteryLowVoltage"] == 46.4
    assert bench.cvl == 52.0
    assert bench["/System/NrOfModulesOnline"] == 0
    assert bench["/State"] == 10


@pytest.mark.parametrize("before", [0.0, 0.9, 3.0, 14.0])
def test_a_sensor_that_dies_in_the_same_outage_does_not_undo_the_failsafe(before: float) -> None:
    """Everything comes from one publisher, and its last words are never quite simultaneous."""
    bench = fed(failsafe={"charge_current": 5, "discharge_current": 20})
    bench.mqtt("/Dc/0/Temperature", "21")
    bench.timer.run(before)
    bench.feed()
    bench.pass_time(90)
    assert (stage(bench), bench.ccl, bench.dcl) == ("stale", 5.0, 20.0)


def test_the_failsafe_never_permits_more_than_there_was_before() -> None:
    bench = fed(failsafe={"charge_current": 50, "discharge_current": 50})
    bench.mqtt("/Voltages/Cell1", "3.56")
    bench.mqtt("/Io/AllowToDischarge", "0")
    assert (bench.ccl, bench.dcl) == (0.0, 0.0)
    bench.pass_time(900)
    assert (bench.ccl, bench.dcl) == (0.0, 0.0)


def test_cvl_is_not_raised_while_stale() -> None:
    bench = fed()
    for cell in range(1, 17):
        bench.mqtt(f"/Voltages/Cell{cell}", "3.3")
    bench.batch({"Voltages/Cell1": 3.52, "Dc/0/Voltage": 54.0})
    bench.settle()
    before = bench.cvl
    assert before == 53.0
    for _ in range(30):
        bench.pass_time(30)
        assert isinstance(bench.cvl, float) and bench.cvl <= before
        before = bench.cvl


def test_lost_holds_the_failsafe() -> None:
    bench = fed(failsafe={"charge_current": 5})
    bench.pass_time(700)
    assert (stage(bench), bench.ccl, bench.dcl, bench.cvl) == ("lost", 5.0, 0.0, 52.0)


def test_lost_withdraws_all_three_limits_together_if_told_so() -> None:
    bench = fed(freshness={"on_lost": "withdraw"})
    bench.pass_time(599)
    bench.bus.signals.clear()
    bench.pass_time(3)
    assert (stage(bench), bench.ccl, bench.dcl, bench.cvl) == ("lost", None, None, None)
    limits = {"/Info/MaxChargeVoltage", "/Info/MaxChargeCurrent", "/Info/MaxDischargeCurrent"}
    assert any(limits <= set(signal) for signal in bench.bus.signals), "in one signal"
    assert set(bench.state["reasons"].values()) == {"withdrawn, the measurements are lost"}
    assert bench.state["caps"]["CCL"] == {"maximum": 100.0, "failsafe": 0.0, "ceiling": 0.0}
    assert bench["/Info/BatteryLowVoltage"] == 46.4
    bench.pass_time(5, bench.feed)
    assert (bench.ccl, bench.dcl) == (0.0, 0.0)
    assert bench.cvl == 52.0


def test_limits_that_come_back_do_not_wait_for_the_interval() -> None:
    bench = fed(freshness={"on_lost": "withdraw"})
    bench.pass_time(602)
    bench.batch({f"Voltages/Cell{n}": 3.3 for n in range(1, 17)})
    assert bench.ccl is None, "half of what is required"
    bench.mqtt("/Dc/0/Voltage", "52.8")
    assert (bench.ccl, bench.dcl) == (0.0, 0.0)


# --- what counts as life ----------------------------------------------------------------------


def test_a_repeated_equal_value_is_a_sign_of_life_on_both_ways_in() -> None:
    by_mqtt = fed()
    by_mqtt.pass_time(300, by_mqtt.feed)
    assert stage(by_mqtt) == "fresh"
    by_dbus = fed()

    def repeat() -> None:
        for n in range(1, 17):
            assert by_dbus.dbus(f"/Voltages/Cell{n}", 3.3) == 0
        assert by_dbus.dbus("/Dc/0/Voltage", 52.8) == 0

    by_dbus.pass_time(300, repeat)
    assert stage(by_dbus) == "fresh"


@pytest.mark.parametrize("garbage", ["NaN", "unknown", "{}", "", "99999", "[3.3]", "null", "true"])
def test_invalid_packets_are_no_sign_of_life(garbage: str) -> None:
    bench = fed()

    def publish_garbage() -> None:
        for n in range(1, 17):
            bench.mqtt(f"/Voltages/Cell{n}", garbage)
        bench.mqtt("/Dc/0/Voltage", garbage)

    bench.pass_time(62, publish_garbage)
    assert (stage(bench), bench.ccl, bench.dcl) == ("stale", 0.0, 0.0)


@pytest.mark.parametrize("dead", [[5], list(range(9, 17))], ids=["one cell", "one BMS of two"])
def test_half_a_pack_is_an_unknown_pack(dead: list[int]) -> None:
    bench = fed()
    alive = [n for n in range(1, 17) if n not in dead]

    def the_living() -> None:
        bench.batch({f"Voltages/Cell{n}": 3.3 for n in alive})
        bench.batch({"Dc/0/Voltage": 52.8})

    bench.pass_time(62, the_living)
    assert (stage(bench), bench.ccl, bench.dcl) == ("stale", 0.0, 0.0)
    assert bench["/Voltages/Cell1"] == 3.3
    assert bench[f"/Voltages/Cell{dead[0]}"] is None
    assert bench["/System/MaxCellVoltage"] is None


def test_the_cells_are_also_known_by_both_their_extremes() -> None:
    bench = Bench()

    def extremes() -> None:
        bench.batch({"System/MinCellVoltage": 3.3, "System/MaxCellVoltage": 3.32})
        bench.batch({"Dc/0/Voltage": 52.9})

    bench.pass_time(2, extremes)
    assert (stage(bench), bench.ccl) == ("fresh", 100.0)
    bench.mqtt("/System/MaxCellVoltage", "3.46")
    assert bench.ccl == 10.0


def test_living_extremes_do_not_cover_a_dead_cell() -> None:
    """The BMS of the high cell died; another client still tells some extremes."""
    bench = fed()
    bench.mqtt("/Voltages/Cell7", "3.58")
    assert bench.ccl == 0.0
    alive = [n for n in range(1, 17) if n != 7]

    def the_rest() -> None:
        bench.batch({f"Voltages/Cell{n}": 3.3 for n in alive})
        bench.batch({"System/MinCellVoltage": 3.3, "System/MaxCellVoltage": 3.31})
        bench.batch({"Dc/0/Voltage": 53.0})

    bench.pass_time(300, the_rest)
    assert (stage(bench), bench.ccl) == ("fresh", 0.0)
    assert bench.state["doubt"] == "some of the cell voltages are missing"


def test_longer_times_revive_nothing_that_was_stale() -> None:
    bench = fed()
    bench.pass_time(400)
    assert (stage(bench), bench.ccl) == ("stale", 0.0)
    bench.batch({"Settings": {"Freshness": {"Aging": 86400, "Stale": 86400, "Lost": 86400}}})
    bench.pass_time(300)
    assert stage(bench) in ("stale", "lost")
    assert (bench.ccl, bench.dcl, bench["/Dc/0/Voltage"]) == (0.0, 0.0, None)
    bench.pass_time(2, bench.feed)
    assert stage(bench) == "fresh"


@pytest.mark.parametrize("name", ["/Dc/0/Temperature", "Dc/0/Temperature", "temperature"])
def test_a_sensor_that_is_gone_for_good_can_be_forgotten(name: str) -> None:
    """One stray write must not stop a house until the next restart."""
    bench = fed()
    bench.mqtt("/Dc/0/Temperature", "20")
    bench.pass_time(62, bench.feed)
    assert (bench.ccl, bench.dcl) == (0.0, 0.0)
    assert bench.dbus("/Freshness/Forget", "nonsense") == 2
    assert bench.dbus("/Freshness/Forget", name) == 0
    bench.pass_time(100, bench.feed)
    assert (bench.ccl, bench.dcl) == (100.0, 150.0)
    assert bench["/Freshness/Forget"] is None


@pytest.mark.parametrize("group", ["cells", "dc"])
def test_what_is_required_cannot_be_forgotten_away(group: str) -> None:
    bench = fed()
    bench.pass_time(70, bench.feed)
    bench.mqtt("/Freshness/Forget", group)
    bench.pass_time(2)
    assert (stage(bench), bench.ccl, bench.dcl) == ("stale", 0.0, 0.0)


def test_one_extreme_is_not_enough() -> None:
    bench = Bench()
    bench.pass_time(62, lambda: bench.batch({"System/MaxCellVoltage": 3.3, "Dc/0/Voltage": 52.8}))
    assert (stage(bench), bench.ccl, bench.dcl) == ("stale", 0.0, 0.0)


def test_a_group_that_is_required_and_never_heard_ends_the_waiting_in_the_failsafe() -> None:
    bench = Bench()
    bench.pass_time(62, lambda: bench.mqtt("/Dc/0/Voltage", "52.8"))
    assert (stage(bench), bench.ccl, bench.dcl) == ("stale", 0.0, 0.0)


def test_what_was_never_heard_of_a_required_group_is_not_missed() -> None:
    """A battery that tells its temperature, but has no transistors to tell of."""
    bench = Bench(freshness={"required": ["temperature"]})
    bench.pass_time(62, lambda: bench.mqtt("/Dc/0/Temperature", "20"))
    assert stage(bench) == "fresh"


def test_half_a_group_that_is_not_required_is_silent_a_grace_after_its_first_value() -> None:
    bench = Bench(freshness={"required": ["dc"], "grace": 10})
    bench.pass_time(100, lambda: bench.mqtt("/Dc/0/Voltage", "52.8"))
    half = {"Voltages/Cell1": 3.3, "Dc/0/Voltage": 52.8}
    bench.pass_time(10, lambda: bench.batch(half))
    assert bench.ccl == 100.0, "it may still become whole"
    bench.pass_time(2, lambda: bench.batch(half))
    assert (bench.ccl, bench.dcl) == (0.0, 0.0)
    assert bench.state["reasons"]["CCL"] == "the cell voltages went silent"


def test_the_oldest_of_several_required_groups_says_what_comes_next() -> None:
    bench = fed()
    for _ in range(4):
        bench.pass_time(5, lambda: bench.mqtt("/Dc/0/Voltage", "52.8"))
    assert (stage(bench), bench.state["next"]) == ("aging", {"stage": "stale", "in": 40.0})
    assert (bench.state["ages"]["cells"], bench.state["ages"]["dc"]) == (20.0, 0.0)


def test_a_battery_without_cell_data_is_limited_by_its_voltage_alone() -> None:
    bench = Bench(freshness={"required": ["dc"]})
    bench.pass_time(2, lambda: bench.mqtt("/Dc/0/Voltage", "52.8"))
    assert (stage(bench), bench.ccl, bench.dcl) == ("fresh", 100.0, 150.0)
    bench.mqtt("/Dc/0/Voltage", "46.4")
    assert bench.dcl == 0.0


def test_null_takes_a_value_off_the_bus_at_once_and_counts_as_silence() -> None:
    bench = fed()
    bench.mqtt("/Dc/0/Voltage", "null")
    bench.settle()
    assert bench["/Dc/0/Voltage"] is None
    assert (stage(bench), bench.ccl) == ("aging", 100.0)

    def the_rest() -> None:
        bench.batch({f"Voltages/Cell{n}": 3.3 for n in range(1, 17)})

    bench.pass_time(62, the_rest)
    assert (stage(bench), bench.ccl, bench.dcl) == ("stale", 0.0, 0.0)


# --- inputs that are not required -------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "good", "silent_ccl", "silent_dcl"),
    [
        ("/Io/AllowToCharge", 1, 0.0, 150.0),
        ("/Io/AllowToDischarge", 1, 100.0, 0.0),
        ("/System/NrOfModulesBlockingCharge", 0, 0.0, 150.0),
        ("/Dc/0/Temperature", 20, 0.0, 0.0),
        ("/Soh", 99, 100.0, 150.0),
        ("/System/MOSTemperature", 40, 100.0, 150.0),  # no rule looks at it: the curve is off
    ],
)
def test_an_input_seen_once_and_silent_gets_the_most_careful_answer(
    path: str, good: float, silent_ccl: float, silent_dcl: float
) -> None:
    bench = fed()
    bench.pass_time(2, lambda: (bench.feed(), bench.mqtt(path, str(good))))
    assert (bench.ccl, bench.dcl) == (100.0, 150.0)
    bench.pass_time(62, bench.feed)
    assert stage(bench) == "fresh"
    assert (bench.ccl, bench.dcl) == (silent_ccl, silent_dcl)


def test_an_input_never_configured_stays_out() -> None:
    bench = fed()
    bench.pass_time(900, bench.feed)
    assert (bench.ccl, bench.dcl) == (100.0, 150.0)


def test_a_second_sensor_that_died_is_not_made_good_by_the_first() -> None:
    bench = fed()
    bench.mqtt("/System/MinCellTemperature", "1")
    bench.pass_time(62, lambda: (bench.feed(), bench.mqtt("/Dc/0/Temperature", "20")))
    assert bench.ccl == 0.0


@pytest.mark.promise("permission")
def test_a_blocking_flag_that_goes_silent_goes_on_blocking() -> None:
    bench = fed()
    bench.mqtt("/Io/AllowToCharge", "0")
    bench.pass_time(900, bench.feed)
    assert bench.ccl == 0.0


def test_kept_groups_stay_on_show() -> None:
    bench = fed(freshness={"keep": ["soc"]})
    bench.pass_time(900)
    assert bench["/Soc"] == 50.0
    assert bench["/Dc/0/Voltage"] is None


def test_an_alarm_of_the_clients_is_not_ended_by_silence() -> None:
    bench = fed()
    bench.mqtt("/Alarms/HighTemperature", "2")
    bench.pass_time(900)
    assert bench["/Alarms/HighTemperature"] == 2


# --- coming back ------------------------------------------------------------------------------


def test_recovery_holds_and_then_rises_without_a_jump() -> None:
    bench = fed()
    bench.pass_time(61)
    assert (bench.ccl, bench.dcl) == (0.0, 0.0)
    currents = []

    def feed() -> None:
        bench.feed()
        currents.append(float(bench.ccl or 0))

    bench.pass_time(70, feed)
    held = [current for current in currents if current == 0.0]
    assert 28 <= len(held) <= 33
    steps = [b - a for a, b in zip(currents, currents[1:])]  # noqa: B905, RUF007
    assert max(steps) <= 5.1
    assert min(steps) >= 0
    assert (bench.ccl, bench.dcl) == (100.0, 150.0)


@pytest.mark.parametrize("period", [3, 5, 8, 20, 40])
def test_a_flapping_input_moves_no_limit_and_raises_one_alarm(period: int) -> None:
    """Fresh, stale, fresh, stale: with times so short that each silence is a stale one."""
    bench = fed(freshness={"aging": 0.5, "stale": 1, "lost": 300})
    bench.pass_time(3)
    assert bench.dcl == 0.0
    alarms, currents = [], []
    for _ in range(600 // period):
        for second in range(period):
            bench.pass_time(1, bench.feed if second < period // 2 else None)
            alarms.append(bench[CABLE])
            currents.append(bench.dcl)
    assert set(alarms) == {1}
    changes = sum(a != b for a, b in zip(currents, currents[1:]))  # noqa: B905, RUF007
    assert changes == 0, "the input is never fresh for as long as the hold"


def test_the_alarm_ends_after_a_minute_of_data_once() -> None:
    bench = fed()
    bench.pass_time(700)
    assert bench[CABLE] == 2
    levels = []
    for _ in range(120):
        bench.pass_time(1, bench.feed)
        levels.append(bench[CABLE])
    assert sorted(levels, reverse=True) == levels
    assert levels[50] == 2 and levels[70] == 0


def test_with_clear_0_the_alarm_ends_with_the_first_fresh_look() -> None:
    bench = Bench(freshness={"clear": 0})
    bench.feed()
    bench.pass_time(61)
    assert bench[CABLE] == 1
    bench.feed()
    assert (stage(bench), bench[CABLE]) == ("fresh", 0)


def test_the_alarm_of_a_client_is_combined_with_ours_by_the_worst() -> None:
    bench = fed()
    bench.mqtt(CABLE, "2")
    bench.settle()
    assert bench[CABLE] == 2
    bench.mqtt(CABLE, "0")
    bench.pass_time(61)
    assert bench[CABLE] == 1


# --- what can be seen of it -------------------------------------------------------------------


def test_stage_ages_and_the_next_stage_are_on_the_state_topic() -> None:
    bench = fed()
    bench.pass_time(20)
    assert bench.state["stage"] == "aging"
    assert bench.state["next"]["stage"] == "stale"
    assert 40 <= bench.state["next"]["in"] <= 45
    assert 15 <= bench.state["ages"]["cells"] <= 20
    assert bench.state["ages"]["flags"] is None


def test_the_next_stage_is_on_the_bus_while_not_fresh() -> None:
    bench = fed()
    assert (bench["/Freshness/NextStage"], bench["/Freshness/NextStageIn"]) == (None, None)
    bench.pass_time(21)
    assert (bench["/Freshness/NextStage"], bench["/Freshness/NextStageIn"]) == ("stale", 40)
    bench.pass_time(80)
    assert (bench["/Freshness/NextStage"], bench["/Freshness/NextStageIn"]) == ("lost", 500)
    bench.pass_time(600)
    assert (bench["/Freshness/NextStage"], bench["/Freshness/NextStageIn"]) == (None, None)


def test_ages_on_the_bus_cost_no_signal_while_all_is_well() -> None:
    bench = fed()
    bench.bus.signals.clear()
    bench.pass_time(100, bench.feed)
    assert bench.bus.signals == []
    assert bench["/Freshness/Cells"] == 0
    bench.pass_time(33)
    assert bench["/Freshness/Cells"] == 30


def test_each_transition_is_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    bench = fed()
    bench.pass_time(700)
    lines = [record.getMessage() for record in caplog.records]
    for word in ("fresh", "aging", "stale", "lost"):
        assert sum(f"test: measurements are {word}" in line for line in lines) == 1


# --- for every course of events ---------------------------------------------------------------

events = st.lists(
    st.tuples(
        st.sampled_from(["feed", "garbage", "null", "half", "silence"]),
        st.integers(min_value=1, max_value=70),
    ),
    max_size=12,
)


def play(bench: Bench, event: str) -> Callable[[], None] | None:
    return {
        "feed": bench.feed,
        "garbage": lambda: bench.mqtt("/Voltages/Cell1", "NaN"),
        "null": lambda: bench.mqtt("/Dc/0/Voltage", "null"),
        "half": lambda: bench.batch({f"Voltages/Cell{n}": 3.3 for n in range(1, 9)}),
        "silence": None,
    }[event]


@pytest.mark.promise("silence")
@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(events)
def test_no_course_of_events_permits_what_only_fresh_data_may(
    course: list[tuple[str, int]],
) -> None:
    bench = Bench(freshness={"aging": 5, "stale": 20, "lost": 60})
    last = None
    whole_at = float("-inf")
    for event, seconds in course:
        for _ in range(seconds):
            bench.pass_time(1, play(bench, event))
            if event == "feed":
                whole_at = bench.clock.now
            silent_for = bench.clock.now - whole_at
            now = (float(bench.ccl or 0), float(bench.dcl or 0), float(bench.cvl or 0))
            if silent_for > 21 and bench.clock.now - 1000 > 63:
                assert now[:2] == (0.0, 0.0)
                assert bench[CABLE] in (1, 2)
            if last is not None and silent_for > 6:
                assert all(new <= old for new, old in zip(now, last, strict=True)), "it loosened"
            last = now


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=30))
@settings(max_examples=50, deadline=None)
def test_a_clock_that_jumps_about_permits_nothing_more(jumps: list[float]) -> None:
    bench = fed()
    bench.mqtt("/Voltages/Cell1", "3.46")
    bench.settle()
    assert bench.ccl == 10.0
    for jump in jumps:
        bench.clock.now += jump
        bench.battery.on_tick(bench.clock.now)
        assert (bench.ccl or 0) <= 10.0
        assert (bench.dcl or 0) <= 150.0


def test_a_clock_that_runs_back_makes_no_battery_stale_that_is_fed() -> None:
    bench = fed()
    bench.pass_time(200, bench.feed)
    bench.clock.now -= 100
    for _ in range(90):
        bench.pass_time(1, bench.feed)
        assert (stage(bench), bench.ccl, bench.dcl) == ("fresh", 100.0, 150.0)


def test_stages_are_ordered_from_best_to_worst() -> None:
    assert sorted(Stage) == [Stage.FRESH, Stage.AGING, Stage.WAITING, Stage.STALE, Stage.LOST]
