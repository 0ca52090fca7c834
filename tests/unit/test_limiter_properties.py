"""What must hold for every sequence of measurements, settings, silence, stages and time.

A program of bytes drives the limiter: hypothesis invents the programs, each three bytes are a
step. So a hundred thousand steps cost seconds.
LIMITER_STEPS in the environment asks for more steps.
"""

from __future__ import annotations

import math
import os
from dataclasses import replace
from typing import NamedTuple

import pytest
from doubles import battery_config
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from limiter_oracle import Oracle
from measured import changed, measured

from bridge.battery.control import INPUTS
from bridge.core.limiter.caps import PackState
from bridge.core.limiter.decide import NO_REQUESTS, LimiterState, Outcome, Requests, decide
from bridge.core.limiter.situation import LimiterConfig
from bridge.core.measurements.inputs import (
    CELLS as CELL_VOLTAGES,
)
from bridge.core.measurements.inputs import (
    MOSFET,
    PACK_VOLTAGE,
    SOC,
    TEMPERATURE,
    Cells,
    Measurements,
)
from bridge.core.model import LIMIT_NAMES, Date, Request, Stage

STEPS = int(os.environ.get("LIMITER_STEPS", "100000"))
PROGRAM = 500  # steps
CELLS = 4
EPSILON = 1e-6

CURRENTS = {
    "max_charge_current": 100,
    "max_charge_current_above_cv1": 50,
    "max_charge_current_above_cv2": 10,
    "max_discharge_current": 150,
}
TAPERED = {
    "dv1": 3.1,
    "max_discharge_current_below_dv1": 75,
    "dv2": 3.0,
    "max_discharge_current_below_dv2": 20,
    "charge_soc": [[80, 1], [90, 0.5], [98, 0.1]],
    "discharge_soc": [[5, 0.1], [10, 0.2], [20, 1]],
    "mosfet_temperature": [[70, 1], [80, 0.25], [90, 0]],
    "imbalance": [[0.05, 1], [0.1, 0.3], [0.2, 0.02]],
}
SEASONAL = {
    "charge_voltage_by_month": [[3, 3.4], [11, 3.48]],
    "maintain_soc_by_month": [[3, 0], [11, 40]],
    "absorption_voltage": 3.5,
    "float_voltage": 3.37,
    "absorption_time": 120,
    "absorption_pause": 600,
    "block_release": 20,
    "slide": "on",
}


def frame_of(cells: int = CELLS, failsafe: float = 0.0, **limiter: object) -> LimiterConfig:
    config = battery_config(
        cells=cells,
        limiter={**CURRENTS, **limiter},
        failsafe={"charge_current": failsafe, "discharge_current": 2 * failsafe},
    )
    return LimiterConfig(cells, config.limiter, config.failsafe, config.ceiling)


FRAMES = [
    frame_of(),
    frame_of(taper="linear"),
    frame_of(**TAPERED),
    frame_of(**TAPERED, taper="linear", failsafe=20.0),
    frame_of(**SEASONAL),
    frame_of(**TAPERED, **SEASONAL, taper="linear", max_charge_current=60, current_hold=0),
]

VOLTS = [3.3, 3.25, 3.35, 3.39, 3.4, 3.41, 3.44, 3.45, 3.46, 3.49, 3.5, 3.51, 3.54, 3.55, 3.7, 5.0,
         3.2, 3.1, 3.05, 3.0, 2.95, 2.91, 2.9, 2.89, 2.81, 2.8, 2.79, 2.5, 0.0]  # fmt: skip
DEGREES = [20.0, 25.0, 9.9, 10.0, 5.0, 2.0, 1.0, 0.0, -5.0, -10.0, -20.0, 40.0, 41.0, 45.0, 50.0,
           54.9, 55.0, 70.0, 85.0, 100.0]  # fmt: skip
SOCS = [50.0, 0.0, 4.0, 7.0, 10.0, 15.0, 39.9, 40.0, 44.9, 45.0, 80.0, 89.9, 90.0, 95.0, 98.0,
        100.0]  # fmt: skip
JUMPS = [1.0, 1.0, 1.0, 1.0, 0.0, 0.05, 5.0, 31.0, 61.0, 700.0, -1.0, -1000.0, 1.0, 1.0, 1.0, 1.0]
DATES = [None, Date(1970, 1), Date(2026, 1), Date(2026, 7), Date(2026, 12), Date(2025, 3)]
VITAL = [source for source in INPUTS if not source.may_be_silent]
REQUESTS = [None, 0.0, 5.0, 40.0, 1000.0]


class Step(NamedTuple):
    """The arguments of one decision."""

    measurements: Measurements
    frame: LimiterConfig
    requests: Requests
    stage: Stage
    now: float
    date: Date | None
    suspected: Measurements | None


class Machine:
    """Turns bytes into a life of a battery."""

    def __init__(self) -> None:
        self.voltages: list[float | None] = [3.3] * CELLS
        self.lowest: float | None = None
        self.highest: float | None = None
        self.pack: float | None = None  # None: the sum of the cells
        self.has_pack = True
        self.rest = measured(soc=50.0)
        self.frame = FRAMES[0]
        self.requests = NO_REQUESTS
        self.stage = Stage.FRESH
        self.now = 100.0
        self.date: Date | None = None
        self.odd: float | None = None

    def step(self, op: int, a: int, b: int) -> Step:
        """Change one thing, let time pass, and tell what is measured then."""
        self._change(op % 18, a, b)
        self.now += JUMPS[(op // 18 + a) % len(JUMPS)]
        doubt = "" if self.odd is None else "a cell is in doubt"
        told = changed(self._measurements(), doubt=doubt)
        suspected = None
        if self.odd is not None:
            suspected = changed(self._measurements(self.odd), doubt=doubt)
        return Step(
            told, self.frame, self.requests, self.stage, self.now, self.date, suspected
        )

    def _measurements(self, odd: float | None = None) -> Measurements:
        voltages = list(self.voltages)
        if odd is not None:
            voltages[0] = odd
        cells = Cells(tuple(voltages), self.lowest, self.highest)
        pack = None
        if self.has_pack:
            pack = sum(v or 3.3 for v in self.voltages) if self.pack is None else self.pack
        return changed(self.rest, cells=cells, voltage=pack)

    def _change(self, op: int, a: int, b: int) -> None:
        if op <= 3:
            self.voltages[a % CELLS] = VOLTS[b % len(VOLTS)]
        elif op == 4:
            self.voltages = [VOLTS[b % len(VOLTS)]] * CELLS
        elif op == 5:
            self.has_pack = a % 4 != 0
            self.pack = None if a % 2 else VOLTS[b % len(VOLTS)] * CELLS
        elif op == 6:
            degrees = sorted((DEGREES[a % len(DEGREES)], DEGREES[b % len(DEGREES)]))
            known = (None, None) if a == 255 else degrees
            self.rest = changed(self.rest, coldest=known[0], hottest=known[1])
        elif op == 7:
            self.rest = changed(self.rest, soc=None if a == 255 else SOCS[b % len(SOCS)])
        elif op == 8:
            mosfet = None if a % 8 == 7 else DEGREES[b % len(DEGREES)]
            self.rest = changed(self.rest, mosfet=mosfet)
        elif op == 9:
            self.rest = changed(
                self.rest,
                charge_blocked_by="a BMS" if a % 4 == 1 else "",
                discharge_blocked_by="a BMS" if b % 4 == 1 else "",
            )
        elif op == 10:
            self.stage = Stage(b % 5) if a % 2 else Stage.FRESH
        elif op == 11:
            self.frame = FRAMES[b % len(FRAMES)]
        elif op == 12:
            wish = REQUESTS[b % len(REQUESTS)]
            request = None if wish is None else Request(wish, self.now)
            self.requests = self.requests.with_(LIMIT_NAMES[a % 3], request)
        elif op == 13:
            self.voltages[a % CELLS] = None
        elif op == 14:
            extremes = sorted((VOLTS[a % len(VOLTS)], VOLTS[b % len(VOLTS)]))
            self.lowest, self.highest = (None, None) if a % 2 else extremes
        elif op == 15:
            sources = [source for bit, source in enumerate(VITAL) if b >> bit & 1]
            self.rest = changed(self.rest, silent=frozenset(sources if a % 2 else ()))
        elif op == 16:
            self.date = DATES[b % len(DATES)]
        else:
            self.odd = VOLTS[b % len(VOLTS)] if a % 2 else None


def run(step: Step, state: LimiterState) -> Outcome:
    return decide(
        step.measurements,
        step.frame,
        step.requests,
        step.stage,
        state,
        step.now,
        step.date,
        step.suspected,
    )


class Judge:
    """Watches a limiter from outside and objects to what may not be."""

    def __init__(self) -> None:
        self.oracle = Oracle()
        self.before: dict[str, float] = {}
        self.refused_rise_at: dict[str, float] = {}
        self.clock = -math.inf

    def judge(self, step: Step, outcome: Outcome) -> None:
        last, self.clock = self.clock, max(self.clock, step.now)
        elapsed = 0.0 if math.isinf(last) else self.clock - last
        frame, decision = step.frame, outcome.decision
        bounds = self.oracle.bounds(
            step.measurements, frame, step.stage, step.now, step.date
        )
        if step.suspected is not None:
            worse = self.oracle.bounds(step.suspected, frame, step.stage, step.now, step.date)
            bounds = tuple(map(min, bounds, worse))
        ceiling, n = frame.ceiling, frame.cells
        s = frame.limiter
        floor = s.min_charge_voltage * n
        trusted = step.stage is Stage.FRESH and not step.measurements.doubt
        states = outcome.state.battery.limits
        for name, bound, most, hold, rise in (
            ("CVL", bounds[0], ceiling.cell_voltage * n, s.voltage_hold, s.voltage_rise),
            ("CCL", bounds[1], ceiling.charge_current, s.current_hold,
             s.current_rise * s.max_charge_current),
            ("DCL", bounds[2], ceiling.discharge_current, s.current_hold,
             s.current_rise * s.max_discharge_current),
        ):  # fmt: skip
            limit = decision[name]
            value = limit.value
            assert value is not None and math.isfinite(value)
            assert 0 <= value <= most + EPSILON
            assert value <= bound + EPSILON, f"{name} {value} passes its rules' {bound}"
            of_rules = min(
                cap.value for rule, cap in limit.caps.items() if rule not in ("request", "ceiling")
            )
            assert of_rules <= bound + EPSILON, f"a rule of {name} is looser than its words"
            if name != "CVL" and step.suspected is None:
                assert of_rules >= bound - EPSILON, f"tighter than its words: {name} {limit.caps}"
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


@settings(max_examples=300, deadline=None)
@given(st.binary(min_size=60, max_size=60))
def test_without_a_past_the_limits_are_exactly_the_rules(program: bytes) -> None:
    """No tighter than the rules either."""
    machine = Machine()
    for at in range(0, len(program), 3):
        step = machine.step(*program[at : at + 3])
        decision = run(replace_requests(step), LimiterState()).decision
        _, ccl, dcl = Oracle().bounds(
            step.measurements, step.frame, step.stage, step.now, step.date
        )
        if step.suspected is None:
            assert decision.ccl.value == pytest.approx(ccl)
            assert decision.dcl.value == pytest.approx(dcl)


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
    # A lone odd cell also changes the spread; apart from that rule both directions are monotone.
    limiter = replace(step.frame.limiter, imbalance=())
    step = step._replace(frame=replace(step.frame, limiter=limiter))
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
    frame = frame_of(taper=taper)

    def limits(coldest: float, hottest: float) -> tuple[float, float]:
        told = measured(
            cells=Cells((3.3,) * CELLS), voltage=13.2, coldest=coldest, hottest=hottest
        )
        decision = decide(told, frame, NO_REQUESTS, Stage.FRESH, LimiterState(), 0.0).decision
        return decision.ccl.value, decision.dcl.value

    ccl, dcl = limits(degrees, degrees)
    for coldest, hottest in ((degrees, degrees + further), (degrees - further, degrees)):
        wider = limits(coldest, hottest)
        assert wider[0] <= ccl + EPSILON and wider[1] <= dcl + EPSILON


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
