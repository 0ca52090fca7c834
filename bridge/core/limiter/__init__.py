"""How much the chargers and inverters may do: the smallest cap of all rules, loosened slowly.

`decide` is pure: equal arguments, equal answers. What it must remember comes in and goes out as a
`LimiterState`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bridge.core.limiter.latches import LatchState
from bridge.core.limiter.recovery import NOISE, Pace, Recovering, follow, seconds_to
from bridge.core.limiter.remembering import remember, slide_down
from bridge.core.limiter.rules import CCL_RULES, CVL_RULES, DCL_RULES
from bridge.core.limiter.situation import Rule, Situation, build_situation
from bridge.core.model import Cap, Date, Decision, Limit, Measurements, Request, Stage
from bridge.core.settings.declarations import Ceiling, FailsafeSettings, LimiterSettings


@dataclass(frozen=True)
class LimiterState:
    """What one decision leaves to the next."""

    cvl: Recovering | None = None
    ccl: Recovering | None = None
    dcl: Recovering | None = None
    memory: LatchState = LatchState()


@dataclass(frozen=True)
class LimiterConfig:
    """Everything about a battery that decides its limits besides the measurements."""

    cells: int  # in series
    limiter: LimiterSettings
    failsafe: FailsafeSettings
    ceiling: Ceiling
    withdraw_when_lost: bool = False


@dataclass(frozen=True)
class Requests:
    """The clients' wishes; None: no wish."""

    cvl: Request | None = None
    ccl: Request | None = None
    dcl: Request | None = None


@dataclass(frozen=True)
class Outcome:
    """A decision, and the state for the next one."""

    decision: Decision
    state: LimiterState = field(default_factory=LimiterState)


def decide(
    measurements: Measurements,
    frame: LimiterConfig,
    requests: Requests,
    stage: Stage,
    state: LimiterState,
    now: float,
    date: Date | None = None,
    suspected: Measurements | None = None,
) -> Outcome:
    """The limits for these measurements at this moment.

    measurements: V, A, degrees C, percent, finite or None for unknown. now: monotonic seconds; a
    clock that runs backwards stands still here. date: for the seasons; None: no season.
    suspected: what would be measured if the readings in doubt were right; they may only tighten.
    """
    settings, cells = frame.limiter, frame.cells
    now = max(now, state.memory.at)
    memory = state.memory
    situations = []
    for measured in (measurements,) if suspected is None else (measurements, suspected):
        memory = remember(memory, measured, settings, cells, stage, now, date)
        situations.append(build_situation(measured, settings, cells, memory, now, date))
    trust = Trust(
        may_loosen=stage is Stage.FRESH and not measurements.doubt, is_blind=stage > Stage.AGING
    )

    ccl_caps = {**_caps(CCL_RULES, situations), **_charge_failsafe(frame, stage)}
    ccl_pace = _current_pace(settings, settings.max_charge_current)
    ccl, ccl_after = _settle(ccl_caps, state.ccl, ccl_pace, now, trust)
    # While waiting, 0 A for want of data is no tightening that must be recovered from.
    ccl_state = None if stage is Stage.WAITING and state.ccl is None else ccl_after

    dcl_caps = {**_caps(DCL_RULES, situations), **_discharge_failsafe(frame, stage)}
    dcl_pace = _current_pace(settings, settings.max_discharge_current)
    dcl, dcl_state = _settle(dcl_caps, state.dcl, dcl_pace, now, trust)

    ceiling = frame.ceiling
    ccl = _bounded(ccl, requests.ccl, ceiling.charge_current)
    dcl = _bounded(dcl, requests.dcl, ceiling.discharge_current)

    cvl_floor = settings.min_charge_voltage * cells
    cvl_caps = _caps(CVL_RULES, situations)
    if stage <= Stage.AGING:
        meant = min(cap.value for cap in cvl_caps.values())
        assert ccl.value is not None, "withdrawing comes after this"
        slide = slide_down(
            state.memory, measurements, settings, ccl.value, meant, cvl_floor, now
        )
        memory = replace(memory, slide=slide)
    if memory.slide is not None:
        cvl_caps["slide"] = Cap(memory.slide, "CCL is near 0 A, CVL follows the battery")
    cvl, cvl_state = _settle(
        _floored(cvl_caps, cvl_floor),
        state.cvl,
        Pace(settings.voltage_hold, settings.voltage_rise),
        now,
        replace(trust, may_loosen=trust.may_loosen and not measurements.silent),
    )
    cvl = _bounded(cvl, requests.cvl, ceiling.cell_voltage * cells, cvl_floor)

    if stage is Stage.LOST and frame.withdraw_when_lost:
        cvl, ccl, dcl = _withdrawn(cvl), _withdrawn(ccl), _withdrawn(dcl)
    least = situations[0].season_soc
    return Outcome(
        Decision(
            cvl,
            ccl,
            dcl,
            charge_mode=memory.phase.name if settings.absorption_voltage is not None else None,
            charge_request=int(memory.maintaining) if least else None,
        ),
        LimiterState(cvl_state, ccl_state, dcl_state, memory),
    )


@dataclass(frozen=True)
class Trust:
    """may_loosen: the measurements are new and beyond doubt. is_blind: they are not even known,
    so that nothing that happens now counts towards a recovery."""

    may_loosen: bool
    is_blind: bool


def without_request(
    state: LimiterState, frame: LimiterConfig, name: str, request: Request, now: float
) -> LimiterState:
    """The state after a client has taken its request back: what that held down rises as slowly as
    after any rule. A flow that sends a null for want of a number lifts nothing at once.

    name: cvl, ccl or dcl.
    """
    before: Recovering | None = getattr(state, name)
    floor = frame.limiter.min_charge_voltage * frame.cells if name == "cvl" else 0.0
    held = max(request.value, floor)
    if before is None or before.value <= held:
        return state
    changes: dict[str, Any] = {name: Recovering(held, None, max(now, before.at))}
    return replace(state, **changes)


def _caps(rules: Mapping[str, Rule], situations: list[Situation]) -> dict[str, Cap]:
    """Every rule's answer; of several situations the one that allows least."""
    caps: dict[str, Cap] = {}
    for situation in situations:
        for name, rule in rules.items():
            cap = rule(situation)
            if cap is not None and (name not in caps or cap.value < caps[name].value):
                caps[name] = cap
    return caps


def _floored(caps: dict[str, Cap], floor: float) -> dict[str, Cap]:
    """A CVL of 0, or far below the battery, makes an inverter empty it: no rule goes below."""
    return {
        name: cap if cap.value >= floor else Cap(floor, f"{cap.reason}; the floor is {floor:.2f} V")
        for name, cap in caps.items()
    }


def _charge_failsafe(frame: LimiterConfig, stage: Stage) -> dict[str, Cap]:
    if stage is Stage.WAITING:
        return {"waiting": Cap(0.0, "waiting for the first measurements")}
    return _failsafe(frame.failsafe.charge_current, stage)


def _discharge_failsafe(frame: LimiterConfig, stage: Stage) -> dict[str, Cap]:
    """While waiting nothing is added: a restart must not drop an off-grid inverter."""
    return _failsafe(frame.failsafe.discharge_current, stage)


def _failsafe(current: float, stage: Stage) -> dict[str, Cap]:
    if stage < Stage.STALE:
        return {}
    return {"failsafe": Cap(current, f"the measurements are {stage.word}")}


def _current_pace(settings: LimiterSettings, maximum: float) -> Pace:
    return Pace(
        hold=settings.current_hold,
        rise=settings.current_rise * maximum,
        release=settings.current_release * maximum,
    )


def _settle(
    caps: Mapping[str, Cap], before: Recovering | None, pace: Pace, now: float, trust: Trust
) -> tuple[Limit, Recovering]:
    """The smallest cap, or the limit on its way back up to it."""
    rule = min(caps, key=lambda name: caps[name].value)
    smallest = caps[rule]
    target = max(0.0, smallest.value)
    if trust.is_blind and before is not None:
        target = min(target, before.value)
    after = follow(before, target, pace, now, trust.may_loosen)
    if after.value >= smallest.value - NOISE:
        return Limit(after.value, rule, smallest.reason, caps), after
    if not trust.may_loosen:
        reason = "nothing may rise before the measurements are fresh and beyond doubt"
    elif after.rising_since is None:
        reason = f"not worth leaving 0 for {smallest.value:.2f}"
    else:
        wait = seconds_to(after, smallest.value, pace)
        reason = f"rises to {smallest.value:.1f} within {wait:.0f} s ({smallest.reason})"
    return Limit(after.value, "recovery", reason, caps), after


def _bounded(limit: Limit, request: Request | None, ceiling: float, floor: float = 0.0) -> Limit:
    """Last of all: what a client asks for, then what only the file can change."""
    caps, value = dict(limit.caps), limit.value
    rule, reason = limit.rule, limit.reason
    assert value is not None, "withdrawing comes after this"
    if request is not None:
        wish = max(request.value, floor)
        words = "a client asks for it"
        if wish > request.value:
            words = f"a client asks for {request.value:g}, the floor is {floor:.2f}"
        caps["request"] = Cap(wish, words)
        if wish < value:
            value, rule, reason = wish, "request", words
    caps["ceiling"] = Cap(ceiling, "the ceiling of the configuration")
    if ceiling < value:
        value, rule, reason = ceiling, "ceiling", caps["ceiling"].reason
    return Limit(max(0.0, value), rule, reason, caps)


def _withdrawn(limit: Limit) -> Limit:
    return Limit(None, "lost", "withdrawn: nothing was heard for too long", limit.caps)
