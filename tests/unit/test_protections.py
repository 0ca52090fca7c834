"""The table of protections: each says everything about itself, and everything else follows.

A protection that reads what it has not declared, or an input that nobody follows, fails here by
its name.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from doubles import Bench
from hypothesis import given, settings
from hypothesis import strategies as st
from limiter_machine import Machine, run

from bridge.battery.control import INPUTS
from bridge.core.limiter.caps import PackState, find_caps, least_caps
from bridge.core.limiter.decide import LimiterState
from bridge.core.limiter.protection import Protection
from bridge.core.limiter.protections import PROTECTIONS
from bridge.core.limiter.situation import Situation
from bridge.core.limiter.sweeps import STANDARD_SWEEPS
from bridge.core.measurements.inputs import CELLS, PACK_VOLTAGE, Input
from bridge.core.model import CCL, CVL, DCL, LIMIT_NAMES, Cap, Group, Limits
from bridge.core.paths.gate import Role
from bridge.core.paths.table import path_table

PROGRAMS = st.binary(min_size=90, max_size=90)


class Watched:
    """A situation that notes which inputs are looked at."""

    def __init__(self, situation: Situation) -> None:
        self._situation = situation
        self.looked_at: set[Input[Any]] = set()

    def of(self, source: Input[Any]) -> Any:
        self.looked_at.add(source)
        return self._situation.of(source)

    def is_silent(self, source: Input[Any]) -> bool:
        self.looked_at.add(source)
        return self._situation.is_silent(source)

    def __getattr__(self, name: str) -> Any:
        assert name != "measurements", "look at an input by `of` or `is_silent`"
        if name == "volts":
            self.looked_at |= {CELLS, PACK_VOLTAGE}
        return getattr(self._situation, name)


def situations(program: bytes) -> list[Situation]:
    """Every situation of a life of a battery, with its latches."""
    machine, state, found = Machine(), LimiterState(), []
    for at in range(0, len(program), 3):
        step = machine.step(*program[at : at + 3])
        state = run(step, state).state
        situation = state.pack.situation
        assert situation is not None
        latches = {**situation.latches, **state.battery.latches}
        found.append(replace(situation, latches=latches, ccl=0.0, cvl=13.8))
    return found


@pytest.mark.parametrize("protection", PROTECTIONS, ids=repr)
@settings(max_examples=30, deadline=None)
@given(program=PROGRAMS)
def test_it_rests_on_what_it_declares(protection: Protection, program: bytes) -> None:
    for situation in situations(program):
        watched: Any = Watched(situation)
        protection.cap(watched)
        undeclared = watched.looked_at - protection.renewed_by
        assert not undeclared, f"the cap of {protection} looks at {undeclared}"
        if protection.latch:
            protection.latch.update(protection.latch.of(situation.latches), watched)
        undeclared = watched.looked_at - protection.inputs
        assert not undeclared, f"{protection} looks at {undeclared} without declaring it"



@pytest.mark.parametrize("protection", PROTECTIONS, ids=repr)
@settings(max_examples=30, deadline=None)
@given(program=PROGRAMS, later=st.floats(0, 1e6))
def test_it_changes_with_time_only_if_it_says_so(
    protection: Protection, program: bytes, later: float
) -> None:
    for situation in situations(program):
        afterwards = replace(situation, now=situation.now + later)
        is_at_rest = protection.latch and protection.latch.name not in situation.latches
        if not protection.changes_with_time or is_at_rest:
            assert protection.cap(afterwards) == protection.cap(situation)
        latch = protection.latch
        if latch and latch.update(latch.at_rest, situation) == latch.at_rest:
            assert latch.update(latch.at_rest, afterwards) == latch.at_rest


def test_names_are_unique_for_each_limit_and_so_are_those_of_latches() -> None:
    names = [(p.limit, p.name) for p in PROTECTIONS]
    latches = [latch.name for latch in {p.latch for p in PROTECTIONS if p.latch}]
    assert len(names) == len(set(names))
    assert len(latches) == len(set(latches))
    assert all(p.limit in LIMIT_NAMES and p.what for p in PROTECTIONS)


@pytest.mark.parametrize("limit", [CVL, CCL, DCL])
def test_each_limit_has_a_protection_that_always_has_an_opinion(limit: str) -> None:
    step = Machine().step(0, 0, 0)
    state = find_caps(step.measurements, step.config, step.stage, PackState(), 0.0, None)
    assert state.caps[limit]


@pytest.mark.parametrize("source", INPUTS, ids=repr)
def test_what_rests_on_a_limit_can_be_written_and_tightens_at_once(source: Input[Any]) -> None:
    """A write to one of its paths that tightens does not wait for the publish interval."""
    bench = Bench()
    pack = bench.battery._control.pack
    for path in (*source.paths_of(16), *source.stand_ins):
        assert path in pack.limiter_paths
        row = path_table(16)[path]
        assert row.role is Role.MEASUREMENT and row.group is source.group


@pytest.mark.parametrize(
    ("path", "good", "bad", "limit"),
    [
        ("/Voltages/Cell7", 3.3, 3.56, "/Info/MaxChargeCurrent"),
        ("/System/MaxCellVoltage", 3.3, 3.56, "/Info/MaxChargeCurrent"),
        ("/System/MinCellVoltage", 3.3, 2.79, "/Info/MaxDischargeCurrent"),
        ("/Dc/0/Voltage", 52.8, 46.0, "/Info/MaxDischargeCurrent"),
        ("/Dc/0/Temperature", 20, 50, "/Info/MaxChargeCurrent"),
        ("/System/MinCellTemperature", 20, -10, "/Info/MaxDischargeCurrent"),
        ("/System/MaxCellTemperature", 20, 50, "/Info/MaxChargeCurrent"),
        ("/System/MOSTemperature", 60, 85, "/Info/MaxChargeCurrent"),
        ("/Soc", 60, 85, "/Info/MaxChargeCurrent"),
        ("/Io/AllowToCharge", 1, 0, "/Info/MaxChargeCurrent"),
        ("/Io/AllowToDischarge", 1, 0, "/Info/MaxDischargeCurrent"),
        ("/System/NrOfModulesBlockingCharge", 0, 1, "/Info/MaxChargeCurrent"),
        ("/System/NrOfModulesBlockingDischarge", 0, 1, "/Info/MaxDischargeCurrent"),
        ("/Info/MaxChargeCurrent", 60, 5, "/Info/MaxChargeCurrent"),
        ("/Info/MaxDischargeCurrent", 60, 5, "/Info/MaxDischargeCurrent"),
        ("/Info/MaxChargeVoltage", 55, 54, "/Info/MaxChargeVoltage"),
    ],
)
def test_a_write_that_tightens_is_published_within_the_interval(
    path: str, good: float, bad: float, limit: str
) -> None:
    """Each path that a limit rests on, one by one, in the middle of a frame."""
    curves = {"charge_soc": [[80, 1], [90, 0]], "mosfet_temperature": [[80, 1], [90, 0]]}
    bench = Bench(limiter={"max_charge_current": 100, "max_discharge_current": 150, **curves})
    bench.feed()
    bench.dbus(path, good)
    bench.pass_time(60, bench.feed)
    bench.dbus(path, good)
    bench.pass_time(1)
    bench.mqtt("/Soh", "99")  # the first of a frame is published, what follows is gathered
    before, signals = bench[limit], len(bench.bus.signals)
    bench.dbus(path, bad)
    bench.clock.now += 0.01
    assert bench[limit] < before
    assert len(bench.bus.signals) == signals + 1


def test_every_group_of_the_freshness_has_an_input_of_its_own() -> None:
    assert {source.group for source in INPUTS if not source.may_be_silent} == set(Group)


def test_every_protection_of_measurements_shows_itself_in_explain() -> None:
    """Blocks and silence have no curve; the others are about times and currents."""
    without = {p for p in PROTECTIONS if p.inputs and not p.sweeps}
    assert {p.name for p in without} == {"blocked", "high cell stays", "failsafe", "slide"}
    assert {sweep for p in PROTECTIONS for sweep in p.sweeps} == set(STANDARD_SWEEPS)


def test_of_two_equal_caps_the_measured_one_gives_the_reason() -> None:
    """What is only suspected may tighten; where it does not, it is not what holds a limit."""
    measured = Limits({}, {"SoC": Cap(20.0, "measured"), "maximum": Cap(50.0, "measured")}, {})
    suspected = Limits({}, {"SoC": Cap(20.0, "doubtful"), "maximum": Cap(40.0, "doubtful")}, {})
    caps = least_caps(measured, suspected).ccl
    assert caps == {"maximum": Cap(40.0, "doubtful"), "SoC": Cap(20.0, "measured")}
    assert list(caps) == ["maximum", "SoC"], "in the order of the table"
