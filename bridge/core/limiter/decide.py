"""The decision: the smallest cap of all protections, loosened slowly, then requests and ceilings.

`decide` is pure: equal arguments, equal answers. What it must remember comes in and goes out as a
`LimiterState`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from bridge.core.limiter.caps import Caps, PackAnswer, PackState, answer_of
from bridge.core.limiter.protection import followed
from bridge.core.limiter.protections import PROTECTIONS, charge_voltage, maintained_soc
from bridge.core.limiter.recovery import NOISE, Pace, Recovering, follow, seconds_to
from bridge.core.limiter.situation import LatchState, LimiterConfig, Situation
from bridge.core.measurements.inputs import Measurements
from bridge.core.model import (
    CVL,
    Cap,
    Date,
    Decision,
    Limit,
    Limits,
    Request,
    Stage,
)
from bridge.core.settings.declarations import LimiterSettings

Requests = Limits[Request | None]
"""What clients ask for; None: nothing."""

NO_REQUESTS: Requests = Limits(None, None, None)

_AFTER_CCL = tuple(p for p in PROTECTIONS if p.after_ccl)


@dataclass(frozen=True)
class BatteryState:
    """What one decision leaves to the next, apart from the packs: each limit on its way up, the
    latches of the protections that look at CCL, and when it was made (monotonic s)."""

    limits: Limits[Recovering | None] = Limits(None, None, None)
    latches: LatchState = field(default_factory=dict)
    at: float = float("-inf")


@dataclass(frozen=True)
class LimiterState:
    """The state of a battery of one pack."""

    pack: PackState = field(default_factory=PackState)
    battery: BatteryState = field(default_factory=BatteryState)


@dataclass(frozen=True)
class Outcome:
    """A decision, and the state for the next one."""

    decision: Decision
    state: LimiterState


@dataclass(frozen=True)
class Trust:
    """may_loosen: the measurements are new and beyond doubt. is_blind: they are not even known,
    so that nothing that happens now counts towards a recovery."""

    may_loosen: bool
    is_blind: bool


def decide(
    measurements: Measurements,
    config: LimiterConfig,
    requests: Requests,
    stage: Stage,
    state: LimiterState,
    now: float,
    date: Date | None = None,
    suspected: Measurements | None = None,
) -> Outcome:
    """The limits of a battery of one pack, for these measurements at this moment.

    measurements: V, A, °C, percent, finite or None for unknown. now: monotonic seconds; a
    clock that runs backwards stands still here. date: for the seasons; None: no season.
    suspected: what would be measured if the readings in doubt were right; they may only tighten.
    """
    now = max(now, state.battery.at)
    answer = answer_of(measurements, suspected, config, stage, state.pack, now, date)
    decision, battery = settle(answer, config, requests, state.battery, now)
    return Outcome(decision, LimiterState(answer.state, battery))


def settle(
    answer: PackAnswer,
    config: LimiterConfig,
    requests: Requests,
    before: BatteryState,
    now: float,
) -> tuple[Decision, BatteryState]:
    """From what the pack allows to the limits: recovery, then requests, then the ceilings.

    now: monotonic s, not before the state's own time.
    """
    settings, ceiling, situation = config.limiter, config.ceiling, answer.situation
    stage = situation.stage
    trust = Trust(situation.is_certain, is_blind=stage > Stage.AGING)

    pace = _current_pace(settings, settings.max_charge_current)
    ccl, ccl_after = _recovered(answer.caps.ccl, before.limits.ccl, pace, now, trust)
    # While waiting, 0 A for want of data is no tightening that must be recovered from.
    is_unheard = stage is Stage.WAITING and before.limits.ccl is None
    pace = _current_pace(settings, settings.max_discharge_current)
    dcl, dcl_after = _recovered(answer.caps.dcl, before.limits.dcl, pace, now, trust)
    ccl = _bounded(ccl, requests.ccl, ceiling.charge_current)
    dcl = _bounded(dcl, requests.dcl, ceiling.discharge_current)

    assert ccl.value is not None, "withdrawing comes last"
    caps, latches = _after_ccl(answer.caps.cvl, before, situation, ccl.value)
    floor = settings.min_charge_voltage * config.cells
    pace = Pace(settings.voltage_hold, settings.voltage_rise)
    if situation.measurements.silent:
        trust = Trust(False, trust.is_blind)
    cvl, cvl_after = _recovered(_floored(caps, floor), before.limits.cvl, pace, now, trust)
    cvl = _bounded(cvl, requests.cvl, ceiling.cell_voltage * config.cells, floor)

    if stage is Stage.LOST and config.withdraw_when_lost:
        cvl, ccl, dcl = _withdrawn(cvl), _withdrawn(ccl), _withdrawn(dcl)
    return (
        Decision(cvl, ccl, dcl, _charge_mode(answer), _charge_request(answer)),
        BatteryState(Limits(cvl_after, None if is_unheard else ccl_after, dcl_after), latches, now),
    )


def without_request(
    state: BatteryState, config: LimiterConfig, limit: str, request: Request, now: float
) -> BatteryState:
    """The state after a client has taken its request back: what that held down rises as slowly as
    after any protection. A flow that sends a null for want of a number lifts nothing at once.

    limit: CVL, CCL or DCL. now: monotonic s.
    """
    before = state.limits[limit]
    floor = config.limiter.min_charge_voltage * config.cells if limit == CVL else 0.0
    held = max(request.value, floor)
    if before is None or before.value <= held:
        return state
    risen = Recovering(held, None, max(now, before.at))
    return replace(state, limits=state.limits.with_(limit, risen))


def _charge_mode(answer: PackAnswer) -> str | None:
    if answer.situation.settings.absorption_voltage is None:
        return None
    return charge_voltage.LATCH.of(answer.latches).name


def _charge_request(answer: PackAnswer) -> int | None:
    if not maintained_soc.least_soc(answer.situation):
        return None
    return int(maintained_soc.LATCH.of(answer.latches))


def _after_ccl(
    caps: Caps, before: BatteryState, situation: Situation, ccl: float
) -> tuple[Caps, LatchState]:
    """The caps of CVL with those of the protections that look at CCL (A), and their latches."""
    latches = before.latches
    for protection in _AFTER_CCL:
        cvl = min([cap.value for cap in caps.values()])
        seen = replace(
            situation, ccl=ccl, cvl=cvl, since=before.at, latches=latches
        )
        if protection.latch is not None:
            latches = followed(protection.latch, latches, seen)
            seen = replace(seen, latches=latches)
        cap = protection.cap(seen)
        if cap is not None:
            caps = {**caps, protection.name: cap}
    return caps, latches


def _floored(caps: Caps, floor: float) -> Caps:
    """A CVL of 0, or far below the battery, makes an inverter empty it: no cap goes below."""
    if min([cap.value for cap in caps.values()]) >= floor:
        return caps
    return {
        name: cap if cap.value >= floor else Cap(floor, f"{cap.reason}; the floor is {floor:.2f} V")
        for name, cap in caps.items()
    }


def _current_pace(settings: LimiterSettings, maximum: float) -> Pace:
    """How CCL and DCL recover: in shares of their maximum (A)."""
    return Pace(
        hold=settings.current_hold,
        rise=settings.current_rise * maximum,
        release=settings.current_release * maximum,
    )


def _recovered(
    caps: Caps, before: Recovering | None, pace: Pace, now: float, trust: Trust
) -> tuple[Limit, Recovering]:
    """The smallest cap, or the limit on its way back up to it."""
    rule, smallest = _smallest(caps)
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


def _smallest(caps: Caps) -> tuple[str, Cap]:
    """The cap that allows least; of equal ones the first."""
    held: tuple[str, Cap] | None = None
    for name, cap in caps.items():
        if held is None or cap.value < held[1].value:
            held = name, cap
    assert held is not None, "each limit has a protection that always has an opinion"
    return held


def _bounded(limit: Limit, request: Request | None, ceiling: float, floor: float = 0.0) -> Limit:
    """Last of all: what a client asks for, then what only the file can change. All in V or A."""
    caps, value = dict(limit.caps), limit.value
    rule, reason = limit.rule, limit.reason
    assert value is not None, "withdrawing comes after this"
    if request is not None:
        asked = max(request.value, floor)
        words = "a client asks for it"
        if asked > request.value:
            words = f"a client asks for {request.value:g}, the floor is {floor:.2f}"
        caps["request"] = Cap(asked, words)
        if asked < value:
            value, rule, reason = asked, "request", words
    caps["ceiling"] = Cap(ceiling, "the ceiling of the configuration")
    if ceiling < value:
        value, rule, reason = ceiling, "ceiling", caps["ceiling"].reason
    return Limit(max(0.0, value), rule, reason, caps)


def _withdrawn(limit: Limit) -> Limit:
    return Limit(None, "lost", "withdrawn: nothing was heard for too long", limit.caps)
