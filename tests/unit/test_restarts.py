"""What a restart of the process must not lose: limits, latches, requests, and the spent grace."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from doubles import Bench
from limiter_machine import Machine, run

from bridge.battery.restart_memory import HEARD_EVERY
from bridge.core.limiter.charging.phase import Phase
from bridge.core.limiter.charging.plan import Plan
from bridge.core.limiter.decide import LimiterState
from bridge.core.limiter.kept import LATCH_TYPES, KeptState, decoded, encoded
from bridge.core.limiter.protections import PROTECTIONS
from bridge.core.model import Limits
from bridge.core.typed_json import to_json

CCL = "/Info/MaxChargeCurrent"
DCL = "/Info/MaxDischargeCurrent"


def killed(bench: Bench, after: float = 3.0) -> Bench:
    """The next process, so many s after this one was killed without a chance to write anything."""
    bench.clock.now += after
    return Bench(bench.config, before=bench)


def fed(cell: float = 3.3, **changes: Any) -> Bench:
    bench = Bench(**changes)
    bench.feed(cell=cell)
    return bench


# --- latches and limits ------------------------------------------------------------------------


@pytest.mark.promise("permission")
def test_a_discharge_stop_survives() -> None:
    bench = fed(cell=2.79)
    bench.pass_time(5, lambda: bench.feed(cell=2.86))
    bench = killed(bench)
    assert bench.dcl == 0.0, "from the first moment on the bus"
    bench.pass_time(300, lambda: bench.feed(cell=2.86))
    assert bench.dcl == 0.0, "2.86 V is not yet 0.1 V above the stop"
    bench.pass_time(300, lambda: bench.feed(cell=2.95))
    assert bench.dcl == 0.0, "the pack's own stop ends at 3.00 V"
    bench.pass_time(100, lambda: bench.feed(cell=3.1))
    assert bench.dcl == 150.0


@pytest.mark.promise("tighten")
def test_what_tightens_is_written_before_it_is_on_the_bus() -> None:
    bench = fed()
    publish, seen = bench.bus.publish, []

    def noted(changes: Any) -> None:
        if CCL in changes:
            seen.append((changes[CCL], json.loads(bench.memory.text or "")["limits"]["ccl"]))
        publish(changes)

    bench.bus.publish = noted  # type: ignore[method-assign]
    for cell in (3.41, 3.46, 3.56):
        bench.feed(cell=cell)
    assert seen == [(50.0, 50.0), (10.0, 10.0), (0.0, 0.0)]


def test_a_current_that_was_lowered_does_not_jump() -> None:
    bench = fed(cell=3.56)
    bench.pass_time(10, bench.feed)
    assert bench.ccl == 0.0
    bench = killed(bench)
    bench.pass_time(29, bench.feed)
    assert bench.ccl == 0.0, "the hold begins anew"
    rises = []
    for _ in range(40):
        before = bench.ccl
        bench.pass_time(1, bench.feed)
        rises.append(bench.ccl - before)
    assert max(rises) == pytest.approx(5.0)
    assert bench.ccl == 32.5, "what is remembered of the high cell survives too"


def test_a_charge_voltage_that_was_lowered_does_not_jump() -> None:
    bench = fed(cell=3.4)
    bench.pass_time(3, lambda: bench.feed(cell=3.4, Voltages_Cell1=3.6))
    low = bench.cvl
    bench = killed(bench)
    assert bench.cvl <= low < 55.0
    bench.pass_time(50, bench.feed)
    assert bench.cvl <= low
    bench.pass_time(60, bench.feed)
    assert low < bench.cvl < low + 0.65


def test_a_healthy_battery_has_its_current_back_with_the_first_data() -> None:
    bench = fed()
    bench.pass_time(5, bench.feed)
    bench = killed(bench)
    assert (bench.ccl, bench.dcl) == (0.0, 150.0)
    bench.feed()
    bench.settle()
    assert (bench.ccl, bench.dcl) == (100.0, 150.0)


def test_half_risen_limits_go_on_from_where_they_were() -> None:
    bench = fed(cell=3.56)
    bench.pass_time(42, bench.feed)
    before = bench.ccl
    assert 0 < before < 100
    bench = killed(bench)
    bench.pass_time(29, bench.feed)
    assert before - 5.0 <= bench.ccl <= before, "what loosens is written once a second"


@pytest.mark.promise("restart")
@pytest.mark.parametrize("gap", [0.1, 3.0, 50.0, 59.0, 61.0, 1000.0])
@pytest.mark.parametrize("low", [2.75, 3.05, 3.3])
def test_no_restart_permits_more_than_what_held_before(gap: float, low: float) -> None:
    limiter = {
        "max_charge_current": 100, "max_discharge_current": 150,
        "dv1": 3.1, "max_discharge_current_below_dv1": 60,
    }  # fmt: skip
    bench = fed(cell=low, limiter=limiter)
    bench.pass_time(3, lambda: bench.feed(cell=low))
    for _ in range(3):
        held = bench.dcl, bench.ccl, bench.cvl
        bench = killed(bench, gap)
        for _ in range(5):
            assert bench.dcl <= held[0] and bench.ccl <= held[1] and bench.cvl <= held[2]
            bench.pass_time(1)
        bench.pass_time(3, partial(bench.feed, cell=low))


@pytest.mark.promise("permission")
def test_a_block_of_a_bms_survives_for_its_time() -> None:
    bench = fed(limiter={"max_charge_current": 100, "block_release": 60})
    bench.mqtt("/Io/AllowToCharge", "0")
    bench.pass_time(3, lambda: bench.feed(Io_AllowToCharge=0))
    bench = killed(bench)
    bench.pass_time(50, lambda: bench.feed(Io_AllowToCharge=1))
    assert bench["/Info/ChargeLimitation"] == "blocked"
    bench.pass_time(20, lambda: bench.feed(Io_AllowToCharge=1))
    assert bench["/Info/ChargeLimitation"] != "blocked"


def test_an_absorption_goes_on_and_is_not_begun_anew() -> None:
    limiter = {"max_charge_current": 100, "absorption_voltage": 3.5, "absorption_time": 600}
    bench = fed(limiter=limiter)
    bench.pass_time(300, lambda: bench.feed(Soc=97))
    assert bench["/Info/ChargeMode"] == "Absorption"
    bench = killed(bench)
    bench.pass_time(290, lambda: bench.feed(Soc=97))
    assert bench["/Info/ChargeMode"] == "Absorption"
    bench.pass_time(20, lambda: bench.feed(Soc=97))
    assert bench["/Info/ChargeMode"] == "Float"
    bench = killed(bench)
    bench.pass_time(100, lambda: bench.feed(Soc=97))
    assert bench["/Info/ChargeMode"] == "Float", "the pause after it is not over"


# --- requests ----------------------------------------------------------------------------------


def test_requests_survive_with_what_is_left_of_their_time() -> None:
    bench = fed()
    bench.mqtt(CCL, '{"value": 20, "expires": 100}')
    bench.mqtt(DCL, "0")
    bench = killed(bench)
    bench.feed()
    bench.settle()
    assert (bench.ccl, bench.dcl) == (20.0, 0.0)
    bench.pass_time(90, bench.feed)
    assert bench.ccl == 20.0
    bench.pass_time(8, bench.feed)
    assert list(bench.state["requests"]) == ["DCL"]
    assert bench.ccl == 20.0, "it rises slowly"


def test_a_request_that_was_withdrawn_does_not_come_back() -> None:
    bench = fed()
    bench.mqtt(DCL, "0")
    bench.mqtt(DCL, "off")
    bench.settle()
    bench = killed(bench)
    bench.pass_time(2, bench.feed)
    assert bench.state["requests"] == {}
    assert bench.dcl == 0.0, "the limit rises slowly also over the restart"
    bench.pass_time(60, bench.feed)
    assert bench.dcl == 150.0


# --- grace -------------------------------------------------------------------------------------


def test_the_first_start_since_the_boot_waits_for_data_with_dcl_as_set() -> None:
    bench = Bench()
    assert (bench.state["stage"], bench.ccl, bench.dcl) == ("waiting", 0.0, 150.0)
    bench.pass_time(58)
    assert bench.dcl == 150.0
    bench.pass_time(4)
    assert (bench.state["stage"], bench.dcl) == ("stale", 0.0)


@pytest.mark.parametrize("every", [0.2, 7.0, 50.0])
def test_restarts_without_data_spend_the_grace_once(every: float) -> None:
    bench = Bench()
    started = bench.clock.now
    while bench.clock.now < started + 200:
        bench.pass_time(every)
        bench = killed(bench, 0.1)
        if bench.clock.now > started + 61:
            assert (bench.ccl, bench.dcl) == (0.0, 0.0)
    bench.pass_time(100)
    assert bench.dcl == 0.0


def test_the_grace_counts_from_the_last_fresh_data() -> None:
    bench = fed()
    moving = (bench.feed(cell=3.3 + n % 2 / 1000, current=10 + n % 2) for n in itertools.count())
    bench.pass_time(500, lambda: next(moving))
    bench = killed(bench)
    bench.pass_time(40)
    assert bench.dcl == 150.0
    bench = killed(bench)
    bench.pass_time(20)
    assert bench.dcl == 0.0


def test_data_that_died_before_a_crash_loop_give_no_permission() -> None:
    """Cells at 2.75 V, the publisher dies, and the process is killed every 8 s."""
    bench = fed(cell=2.75)
    bench.pass_time(3, lambda: bench.feed(cell=2.75))
    bench.pass_time(70)
    for _ in range(10):
        bench = killed(bench, 0.5)
        bench.pass_time(7.5)
        assert (bench.ccl, bench.dcl) == (0.0, 0.0)


@pytest.mark.parametrize("grace", [600, 3600])
def test_a_longer_grace_brings_no_current_back(grace: int) -> None:
    bench = Bench()
    bench.pass_time(70)
    assert bench.dcl == 0.0
    bench.mqtt("/Settings/Freshness/Grace", str(grace))
    bench.pass_time(5)
    assert bench.dcl == 0.0
    bench = killed(bench)
    bench.mqtt("/Settings/Freshness/Grace", str(grace))
    bench.pass_time(100)
    assert bench.dcl == 0.0


# --- how often it is written ---------------------------------------------------------------------


def test_what_changes_no_limit_is_not_written() -> None:
    bench = fed()
    bench.pass_time(3, bench.feed)
    writes = bench.memory.writes
    for n in range(100):
        bench.mqtt("/Voltages/Cell7", str(3.3 + n / 1000))
        bench.mqtt("/Soc", str(50 + n / 10))
    assert bench.memory.writes == writes


def test_a_battery_that_stays_fresh_is_written_seldom() -> None:
    bench = fed()
    bench.pass_time(3, bench.feed)
    writes = bench.memory.writes
    bench.pass_time(100, bench.feed)
    assert 0 < bench.memory.writes - writes <= 100 / HEARD_EVERY


def test_what_loosens_is_written_at_most_once_a_second() -> None:
    bench = fed(cell=3.56)
    bench.pass_time(33, bench.feed)
    writes = bench.memory.writes
    for _ in range(100):
        bench.timer.run(0.1)
        bench.feed()
        bench.battery.on_tick(bench.clock.now)
    assert bench.ccl > 0
    assert bench.memory.writes - writes <= 11


def test_a_memory_that_cannot_be_written_is_tried_once_a_second() -> None:
    bench = fed()
    bench.memory.works = False
    for n in range(50):
        bench.mqtt(CCL, str(90 - n))
    assert bench.ccl == 41.0
    assert bench.memory.writes <= 4
    bench.memory.works = True
    bench.pass_time(2, bench.feed)
    assert killed(bench).state["requests"]["CCL"]["value"] == 41.0


# --- what is read is foreign input ---------------------------------------------------------------


def _kept(**changes: Any) -> str:
    bench = fed(cell=2.79)
    bench.mqtt(CCL, "40")
    return json.dumps({**json.loads(bench.memory.text or ""), **changes})


WRONG: list[Callable[[], str]] = [
    lambda: "",
    lambda: "{",
    lambda: "null",
    lambda: "[" * 50_000,
    lambda: _kept()[:-40],
    lambda: _kept(version=2),
    lambda: _kept(version=None),
    lambda: _kept(at=1e9),
    lambda: _kept(heard_at=1e9),
    lambda: _kept(heard_at="soon"),
    lambda: _kept(at=True),
    lambda: _kept(cells=8),
    lambda: _kept(limits=None),
    lambda: _kept(limits={"cvl": 55.2, "ccl": 1e300, "dcl": 150}),
    lambda: _kept(limits={"cvl": 55.2, "ccl": 100}),
    lambda: _kept(limits={"cvl": 55.2, "ccl": 100, "dcl": [150]}),
    lambda: _kept().replace('"dcl": 0.0', '"dcl": NaN'),
    lambda: _kept(latches=None),
    lambda: _kept(latches={"discharge stop": "yes"}),
    lambda: _kept(latches={"charge plan": to_json(Plan(Phase("Bulk", since=1e9)))}),
    lambda: _kept(requests=[]),
    lambda: _kept(requests={"cvl": None, "ccl": {"value": 40}, "dcl": None}),
]


@pytest.mark.promise("memory")
@pytest.mark.parametrize("wrong", range(len(WRONG)))
def test_what_cannot_be_read_permits_nothing(wrong: int, caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    bench.pass_time(100, bench.feed)
    bench.memory.text = WRONG[wrong]()
    bench = killed(bench)
    assert (bench.ccl, bench.dcl) == (0.0, 0.0)
    assert caplog.text.count("what was kept of before the restart cannot be used") == 1
    bench.pass_time(29, bench.feed)
    assert (bench.ccl, bench.dcl) == (0.0, 0.0)
    moving = (bench.feed(cell=3.3 + n % 2 / 1000, current=10 + n % 2) for n in itertools.count())
    bench.pass_time(500, lambda: next(moving))
    assert (bench.ccl, bench.dcl, bench.cvl) == (100.0, 150.0, 55.2)


OF_AN_OLDER_VERSION = [
    lambda: json.dumps({k: v for k, v in json.loads(_kept()).items() if k != "written"}),
    lambda: _kept(limits={"cvl": 55.2, "ccl": 100}),
    lambda: _kept(limits=[55.2, 100, 150]),
    lambda: _kept(limits={"cvl": 55.2, "ccl": 100, "dcl": "150"}),
    lambda: _kept(latches={"charge plan": {"phase": "Bulk", "of\nnext": 1}}),
    lambda: _kept(cells="16"),
    lambda: _kept(heard_at="soon"),
    lambda: _kept(latches={"discharge stop": 1}),
    lambda: _kept().replace('"dcl": 0.0', '"dcl": 1e300'),
]


@pytest.mark.parametrize("kept", OF_AN_OLDER_VERSION)
def test_what_is_wrong_is_said_without_names_of_our_classes(
    kept: Callable[[], str], caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench()
    bench.memory.text = kept()
    caplog.clear()
    killed(bench)
    words = caplog.text.split("cannot be used (")[1].split("): the currents")[0]
    assert not re.search(r"\b_?[A-Z][a-z]+\b|\bfloat\b|\bint\b|\bNoneType\b", words), words


def test_a_latch_of_another_version_is_left_out() -> None:
    text = _kept(latches={"discharge stop": True, "of the next version": {"a": [1]}})
    assert decoded(text, 16, 2000.0).latches == {"discharge stop": True}


# --- every latch -----------------------------------------------------------------------------


def test_latches_have_names_of_their_own() -> None:
    latches = {p.latch for p in PROTECTIONS if p.latch}
    assert len({latch.name for latch in latches}) == len(latches)


def test_every_state_of_every_latch_can_be_kept() -> None:
    """A life of a battery of many steps; each of its states goes through the text."""
    machine, state, seen = Machine(), LimiterState(), set()
    for n in range(1500):
        step = machine.step(n * 7919 % 251, n * 104729 % 241, n * 1299709 % 239)
        state = run(step, state).state
        latches = {**state.pack.latches, **state.battery.latches}
        seen |= set(latches)
        now = max(state.battery.at, 0.0)
        kept = KeptState(now, 4, _values(state), latches, step.requests)
        assert decoded(encoded(kept, now), 4, now) == kept
    assert seen >= {"discharge stop", "charge plan", "slide", "CCL blocked", "DCL blocked"}
    assert set(LATCH_TYPES) >= seen


def _values(state: LimiterState) -> Limits[float | None]:
    return Limits(*(None if one is None else one.value for one in state.battery.limits))


# --- inputs that were written before, and have not come since ------------------------------------

ONCE_WRITTEN = [
    ("/Dc/0/Temperature", -5, 0.0, 0.0),
    ("/Dc/0/Temperature", 20, 0.0, 0.0),
    ("/Io/AllowToCharge", 0, 0.0, 150.0),
    ("/Io/AllowToCharge", 1, 0.0, 150.0),
    ("/System/NrOfModulesBlockingDischarge", 2, 100.0, 0.0),
]


@pytest.mark.parametrize(("path", "value", "ccl", "dcl"), ONCE_WRITTEN)
@pytest.mark.parametrize("lived", [0, 100])
def test_what_was_silent_stays_silent(
    path: str, value: float, ccl: float, dcl: float, lived: int
) -> None:
    bench = fed()
    bench.mqtt(path, str(value))
    bench.pass_time(20, lambda: bench.feed(**{path[1:].replace("/", "_"): value}))
    bench.pass_time(lived, bench.feed)
    before = (bench.ccl, bench.dcl)
    for _ in range(3):
        bench = killed(bench)
        for _ in range(45):
            bench.pass_time(1, bench.feed)
            assert bench.ccl <= before[0] and bench.dcl <= before[1]
    assert (bench.ccl, bench.dcl) == (ccl, dcl)
    assert "went silent" in bench.state["reasons"]["CCL" if ccl == 0 else "DCL"]


def test_one_of_two_sensors_does_not_stand_for_the_other() -> None:
    bench = fed()
    bench.pass_time(20, lambda: bench.feed(Dc_0_Temperature=-5, System_MinCellTemperature=20))
    bench = killed(bench)
    bench.pass_time(200, lambda: bench.feed(System_MinCellTemperature=20))
    assert bench.ccl == 0.0


@pytest.mark.promise("restart")
def test_nothing_rises_before_each_input_has_come() -> None:
    bench = fed()
    bench.pass_time(20, lambda: bench.feed(Dc_0_Temperature=4))
    low = bench.ccl
    assert low < 100
    bench = killed(bench)
    bench.pass_time(40, bench.feed)
    assert bench.ccl == low
    assert bench.state["doubt"] == "Dc/0/Temperature: no value since the restart"
    bench.pass_time(60, lambda: bench.feed(Dc_0_Temperature=20))
    assert bench.ccl == 100.0
    assert bench.state["doubt"] == ""


def test_cells_that_come_as_extremes_now_have_come() -> None:
    bench = Bench(freshness={"required": ["dc"]})
    bench.feed()
    bench = killed(bench)
    extremes = {"System/MinCellVoltage": 3.3, "System/MaxCellVoltage": 3.3, "Dc/0/Voltage": 52.8}
    bench.pass_time(200, lambda: bench.batch(extremes))
    assert (bench.ccl, bench.dcl) == (100.0, 150.0)


def test_a_sensor_that_is_gone_can_be_forgotten_but_not_a_permission() -> None:
    bench = fed()
    bench.pass_time(20, lambda: bench.feed(Dc_0_Temperature=20, Io_AllowToCharge=0))
    bench = killed(bench)
    bench.pass_time(5, bench.feed)
    bench.mqtt("/Freshness/Forget", "temperature")
    assert "nothing called" in bench.rejected[-1]["reason"], "it may still come"
    bench.pass_time(100, bench.feed)
    bench.mqtt("/Freshness/Forget", "temperature")
    bench.mqtt("/Freshness/Forget", "flags")
    bench.pass_time(100, bench.feed)
    assert (bench.ccl, bench.dcl) == (0.0, 150.0)
    bench = killed(bench)
    bench.pass_time(100, bench.feed)
    assert (bench.ccl, bench.dcl) == (0.0, 150.0), "what was forgotten stays forgotten"
