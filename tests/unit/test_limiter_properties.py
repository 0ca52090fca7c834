"""What must hold for every sequence of measurements, settings, silence, stages and time.

A program of bytes drives the limiter: hypothesis invents the programs, each three bytes are a
step. So a hundred thousand steps cost seconds.
LIMITER_STEPS in the environment asks for more steps.
"""

from __future__ import annotations

import math
import os
from dataclasses import replace

import pytest
from charge_voltage_oracle import LoweredVoltage, Moment
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from limiter_machine import CELLS, Machine, Step, config_of, run
from limiter_oracle import Bounds, Oracle, Seen, extremes
from measured import changed, measured

from bridge.core.limiter.caps import PackState
from bridge.core.limiter.decide import NO_REQUESTS, LimiterState, Outcome, decide
from bridge.core.limiter.protections import PROTECTIONS
from bridge.core.measurements.inputs import CELLS as CELL_VOLTAGES
from bridge.core.measurements.inputs import MOSFET, PACK_VOLTAGE, SOC, TEMPERATURE, Cells
from bridge.core.model import Date, Limits, Stage

STEPS = int(os.environ.get("LIMITER_STEPS", "100000"))
PROGRAM = 500  # steps
OVER_TIME = ("high cell stays", "slide", "failsafe")
EPSILON = 1e-6


class Judge:
    """Watches a limiter from outside and objects to what may not be."""

    def __init__(self) -> None:
        self.oracle = Oracle()
        self.lowered = LoweredVoltage()
        self.before: dict[str, float] = {}
        self.refused_rise_at: dict[str, float] = {}
        self.clock = -math.inf

    def judge(self, step: Step, outcome: Outcome) -> None:
        last, self.clock = self.clock, max(self.clock, step.now)
        elapsed = 0.0 if math.isinf(last) else self.clock - last
        config, decision = step.config, outcome.decision
        bounds = self.oracle.bounds(step.measurements, config, step.stage, step.now, step.date)
        if step.suspected is not None:
            worse = self.oracle.bounds(step.suspected, config, step.stage, step.now, step.date)
            bounds = Limits(*map(_less, bounds, worse))
        assert decision.ccl.value is not None
        # A cap of these may be lower than its words, and the slide begins at the lowest one.
        others = {r: cap.value for r, cap in decision.cvl.caps.items() if r in bounds.cvl}
        now = moment(step, others, decision.ccl.value, self.before.get("CVL"))
        bounds = bounds.with_("CVL", {**bounds.cvl, **self.lowered.bounds(now, config)})
        ceiling, n = config.ceiling, config.cells
        s = config.limiter
        floor = s.min_charge_voltage * n
        trusted = step.stage is Stage.FRESH and not step.measurements.doubt
        states = outcome.state.battery.limits
        for name, allowed, most, hold, rise in (
            ("CVL", bounds.cvl, ceiling.cell_voltage * n, s.voltage_hold, s.voltage_rise),
            ("CCL", bounds.ccl, ceiling.charge_current, s.current_hold,
             s.current_rise * s.max_charge_current),
            ("DCL", bounds.dcl, ceiling.discharge_current, s.current_hold,
             s.current_rise * s.max_discharge_current),
        ):  # fmt: skip
            limit = decision[name]
            value = limit.value
            assert value is not None and math.isfinite(value)
            assert 0 <= value <= most + EPSILON
            bound = max(min(allowed.values()), floor if name == "CVL" else 0)
            assert value <= bound + EPSILON, f"{name} {value} passes its rules' {bound}"
            most_of_rules = allowed.get("maximum", math.inf)
            for rule, words in allowed.items():
                cap = limit.caps[rule].value if rule in limit.caps else math.inf
                cap = min(cap, most_of_rules)
                words = max(words, floor if name == "CVL" else 0)
                assert cap <= words + EPSILON, f"{rule} of {name} is looser than its words"
                if (name != "CVL" or rule in OVER_TIME) and step.suspected is None:
                    is_as_loose = cap >= min(words, most_of_rules) - EPSILON
                    assert is_as_loose, f"{rule} of {name} is tighter than its words"
            for rule, cap in limit.caps.items():
                assert value <= max(cap.value, floor if name == "CVL" else 0) + EPSILON, rule
            wish = step.requests[name]
            if wish is not None:
                assert value <= max(wish.value, floor if name == "CVL" else 0) + EPSILON
            if name == "CVL":
                assert value >= floor - EPSILON
            assert limit.rule and limit.reason
            if step.stage > Stage.AGING:
                self.refused_rise_at[name] = self.clock
            self._judge_rise(name, states[name], bound, trusted, elapsed, hold, rise)

    def _judge_rise(self, name, state, bound, trusted, elapsed, hold, rise) -> None:
        """What lies beneath requests and ceilings rises only after its hold, at its rate."""
        if state is None:  # still waiting for the first measurement
            self.before.pop(name, None)
            return
        value, before = state.value, self.before.get(name)
        self.before[name] = value
        if before is None or value <= before:
            if before is None or value < before or bound <= before + EPSILON:
                self.refused_rise_at[name] = self.clock
            return
        assert trusted, f"{name} rose on measurements that are not fresh"
        assert self.clock - self.refused_rise_at[name] >= hold - EPSILON, f"{name} did not wait"
        assert value - before <= rise * min(elapsed, 2.0) + EPSILON, f"{name} rose too fast"


def moment(step: Step, others: Bounds, ccl: float, last_cvl: float | None) -> Moment:
    """What the rules that lower CVL over time depend on. V and A."""
    seen = Seen(step.measurements)
    high, _, pack = extremes(seen, step.config.cells)
    return Moment(
        now=step.now,
        high=high,
        pack=pack,
        written=seen.voltage,
        amps=seen.amps,
        ccl=ccl,
        blind=step.stage > Stage.AGING,
        silent=not seen.silent.isdisjoint({CELL_VOLTAGES, PACK_VOLTAGE}),
        trusted=step.stage is Stage.FRESH and not seen.doubt,
        others=min(others.values()),
        last_cvl=last_cvl,
    )


def _less(one: Bounds, other: Bounds) -> Bounds:
    return {name: min(one[name], other[name]) for name in one}


def test_the_oracle_knows_every_protection() -> None:
    """A new protection is written down there once more, by its words."""
    step = Machine().step(0, 0, 0)
    bounds = Oracle().bounds(step.measurements, step.config, step.stage, 0.0, Date(2026, 1))
    known = {(limit, name) for limit, names in bounds.items() for name in names}
    now = moment(step, bounds.cvl, 0.0, None)
    known |= {("CVL", name) for name in LoweredVoltage().bounds(now, step.config)}
    protections = {(p.limit, p.name) for p in PROTECTIONS}
    assert known == protections | {("CCL", "ceiling"), ("DCL", "ceiling")}


@pytest.mark.promise("loosen")
@pytest.mark.promise("rules")
@pytest.mark.slow
@settings(
    max_examples=max(1, STEPS // PROGRAM),
    phases=[Phase.reuse, Phase.generate],  # to shrink a life of 500 steps takes minutes
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(st.binary(min_size=3 * PROGRAM, max_size=3 * PROGRAM))
def test_no_sequence_passes_a_rule_or_loosens_too_soon(program: bytes) -> None:
    machine, judge, state = Machine(), Judge(), LimiterState()
    for at in range(0, len(program), 3):
        step = machine.step(*program[at : at + 3])
        outcome = run(step, state)
        judge.judge(step, outcome)
        if at % 21 == 0:
            assert run(step, state) == outcome, "equal arguments, equal answers"
        state = outcome.state


@settings(max_examples=300, deadline=None)
@given(st.binary(min_size=3 * 60, max_size=3 * 60))
def test_what_stands_from_the_last_decision_is_what_would_be_found_anew(program: bytes) -> None:
    """Caps that are kept because what they rest on is the same make the same decisions, to the
    last bit, as finding every cap again."""
    machine, kept, anew = Machine(), LimiterState(), LimiterState()
    for at in range(0, len(program), 3):
        step = machine.step(*program[at : at + 3])
        outcome = run(step, kept)
        full = run(step, replace(anew, pack=PackState(anew.pack.latches)))
        assert outcome.decision == full.decision
        assert outcome.state.battery == full.state.battery
        assert outcome.state.pack.latches == full.state.pack.latches
        kept, anew = outcome.state, full.state


@pytest.mark.promise("rules")
@settings(max_examples=300, deadline=None)
@given(st.binary(min_size=60, max_size=60))
def test_without_a_past_the_limits_are_exactly_the_rules(program: bytes) -> None:
    """No tighter than the rules either."""
    machine = Machine()
    for at in range(0, len(program), 3):
        step = machine.step(*program[at : at + 3])
        decision = run(replace_requests(step), LimiterState()).decision
        bounds = Oracle().bounds(
            step.measurements, step.config, step.stage, step.now, step.date
        )
        if step.suspected is None:
            assert decision.ccl.value == pytest.approx(min(bounds.ccl.values()))
            assert decision.dcl.value == pytest.approx(min(bounds.dcl.values()))


def replace_requests(step: Step) -> Step:
    return step._replace(requests=NO_REQUESTS)


@settings(max_examples=500, deadline=None)
@given(st.binary(min_size=60, max_size=60), st.integers(0, CELLS - 1), st.floats(0, 1.5))
def test_charging_is_monotone_in_each_cell(program: bytes, cell: int, more: float) -> None:
    """A higher cell never allows more charging, a lower one never more discharging."""
    machine = Machine()
    for at in range(0, len(program), 3):
        step = machine.step(*program[at : at + 3])
    step = replace_requests(step)._replace(suspected=None)
    voltage = step.measurements.readings[CELL_VOLTAGES].voltages[cell]
    if voltage is None:
        return
    # A lone odd cell also changes the spread and the sum, and a very low cell charges slowly; apart
    # from these protections both directions are monotone.
    limiter = replace(step.config.limiter, imbalance=(), low_cell_charge=())
    config = replace(step.config, limiter=limiter, voltage_mismatch=math.inf)
    step = step._replace(config=config)
    state = LimiterState()
    before = run(step, state).decision
    higher = run(_with_cell(step, cell, voltage + more), state).decision
    lower = run(_with_cell(step, cell, max(0.0, voltage - more)), state).decision
    assert higher.ccl.value <= before.ccl.value + EPSILON
    assert lower.dcl.value <= before.dcl.value + EPSILON


def _with_cell(step: Step, cell: int, voltage: float) -> Step:
    voltages = list(step.measurements.readings[CELL_VOLTAGES].voltages)
    voltages[cell] = voltage
    cells = step.measurements.readings[CELL_VOLTAGES]._replace(voltages=tuple(voltages))
    return step._replace(measurements=changed(step.measurements, cells=cells))


@given(st.floats(-60, 150), st.floats(0, 100), st.sampled_from(["steps", "linear"]))
def test_currents_are_monotone_in_the_excursion_of_temperature(
    degrees: float, further: float, taper: str
) -> None:
    config = config_of(taper=taper)

    def limits(coldest: float, hottest: float) -> tuple[float, float]:
        told = measured(
            cells=Cells((3.3,) * CELLS), voltage=13.2, coldest=coldest, hottest=hottest
        )
        decision = decide(told, config, NO_REQUESTS, Stage.FRESH, LimiterState(), 0.0).decision
        return decision.ccl.value, decision.dcl.value

    ccl, dcl = limits(degrees, degrees)
    for coldest, hottest in ((degrees, degrees + further), (degrees - further, degrees)):
        wider = limits(coldest, hottest)
        assert wider[0] <= ccl + EPSILON and wider[1] <= dcl + EPSILON


@pytest.mark.promise("unknown")
@settings(max_examples=200, deadline=None)
@given(
    st.binary(min_size=90, max_size=90), st.sampled_from(["coldest", "soc", "mosfet", "voltage"])
)
def test_what_falls_silent_never_allows_more(program: bytes, name: str) -> None:
    """An input that goes from known to unknown, and is said to be silent, loosens nothing."""
    sources = {
        "coldest": TEMPERATURE,
        "soc": SOC,
        "mosfet": MOSFET,
        "voltage": PACK_VOLTAGE,
    }
    machine, state = Machine(), LimiterState()
    for at in range(0, len(program), 3):
        step = machine.step(*program[at : at + 3])
        outcome = run(step, state)
        state = outcome.state
    silent = step.measurements.silent | {sources[name]}
    told = changed(step.measurements, silent=silent, **{name: None})
    after = run(step._replace(measurements=told, suspected=None), state).decision
    assert after.ccl.value <= outcome.decision.ccl.value + EPSILON
    assert after.dcl.value <= outcome.decision.dcl.value + EPSILON


def test_a_battery_that_stays_well_gets_everything_back() -> None:
    """Slow is not never: after any tightening the limits return to what the rules allow."""
    machine = Machine()
    for op, a, b in ((4, 0, 15), (6, 10, 17), (9, 1, 1), (4, 0, 28)):
        step = machine.step(op, a, b)
        state = run(step, LimiterState()).state
    machine = Machine()
    machine.now = step.now
    for _ in range(400):
        step = machine.step(7, 0, 0)._replace(now=machine.now)
        machine.now += 1.0
        outcome = run(step, state)
        state = outcome.state
    decision = outcome.decision
    assert (decision.ccl.value, decision.dcl.value) == (100.0, 150.0)
    assert decision.cvl.value == pytest.approx(3.45 * CELLS)
