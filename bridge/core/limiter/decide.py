"""The decision: the smallest cap of all protections and requests, loosened slowly, then ceilings.

`decide` is pure: equal arguments give equal results. What must be kept from one decision to the
next is passed in and returned as a `LimiterState`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from bridge.core.limiter.caps import Caps, PackCaps, PackState, caps_of
from bridge.core.limiter.ceiling import lower
from bridge.core.limiter.ceiling_caps import ceiling_caps, newest_voltage_age
from bridge.core.limiter.charging import plan
from bridge.core.limiter.protection import updated
from bridge.core.limiter.protections import PROTECTIONS, failsafe, maintained_soc
from bridge.core.limiter.recovery import NOISE, Certainty, Pace, Recovering, recover, seconds_to
from bridge.core.limiter.situation import LatchState, LimiterConfig, Situation
from bridge.core.measurements.inputs import Measurements
from bridge.core.model import (
    Cap,
    Date,
    Decision,
    Limit,
    Limits,
    Request,
    Stage,
)

Requests = Limits[Request | None]
"""What clients ask for, by limit; None: no request."""

NO_REQUESTS: Requests = Limits(None, None, None)

_NEVER_DECIDED: Limits[Recovering | None] = Limits(None, None, None)
"""Before the first data, if there was no time to wait for them."""

_AFTER_CCL = tuple(p for p in PROTECTIONS if p.after_ccl)

_NOT_LASTING = (failsafe.WAITING.name, "ceiling")
"""The caps for lack of the first measurements: the ceiling too is low without a voltage."""


@dataclass(frozen=True)
class BatteryState:
    """What is kept from one decision to the next, apart from the packs.

    limits: how far each limit has recovered. latches: of the protections that need CCL. at: when
    the decision was made (monotonic s). voltage: the last known pack voltage, in V.
    """

    limits: Limits[Recovering | None] = Limits(None, None, None)
    latches: LatchState = field(default_factory=dict)
    at: float = float("-inf")
    voltage: float | None = None


def battery_state(limits: Limits[float | None], latches: LatchState, at: float) -> BatteryState:
    """The state that a restart begins with. limits: how far each had risen, in V and A.

    latches: all that were kept. at: the time of the start (monotonic s). The hold before a rise
    begins anew.
    """
    cvl, ccl, dcl = (None if v is None else Recovering(v, None, at) for v in limits)
    names = {p.latch.name for p in _AFTER_CCL if p.latch}
    own = {name: state for name, state in latches.items() if name in names}
    return BatteryState(Limits(cvl, ccl, dcl), own, at)


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


def decide(
    measurements: Measurements,
    config: LimiterConfig,
    requests: Requests,
    stage: Stage,
    state: LimiterState,
    now: float,
    date: Date | None = None,
    suspected: Measurements | None = None,
    voltage_age: float | None = None,
) -> Outcome:
    """The limits of a battery of one pack, for these measurements at this moment.

    measurements: V, A, °C, percent, finite or None for unknown. now: monotonic seconds; a time
    before the last decision counts as the time of that decision. date: for the seasons; None: none.
    suspected: what would be measured if the readings in doubt were right; they may only tighten.
    voltage_age: s since the newest voltage; None: every voltage in the measurements is new.
    """
    now = max(now, state.battery.at)
    if voltage_age is None:
        voltage_age = newest_voltage_age(measurements)
    allowed = caps_of(measurements, suspected, config, stage, state.pack, now, date)
    decision, battery = limits_from(allowed, config, requests, state.battery, now, voltage_age)
    return Outcome(decision, LimiterState(allowed.state, battery))


def limits_from(
    allowed: PackCaps,
    config: LimiterConfig,
    requests: Requests,
    before: BatteryState,
    now: float,
    voltage_age: float,
) -> tuple[Decision, BatteryState]:
    """From what the pack allows to the limits: requests, then recovery, then the ceilings.

    A request is one more cap. So a limit rises as slowly after a request was raised or withdrawn as
    after a protection: the write may be an error.

    now: monotonic s, not before the state's own time. voltage_age: s since the newest voltage of a
    cell or of the pack; infinite if there was none.
    """
    paces, ceilings = config.paces, ceiling_caps(allowed, config, voltage_age)
    situation = allowed.situation
    stage, certainty = situation.stage, situation.certainty

    caps = _with_others(allowed.caps.ccl, ceilings.ccl, requests.ccl)
    ccl, ccl_after = _limited(caps, ceilings.ccl, before.limits.ccl, paces.ccl, now, certainty)
    is_waiting = failsafe.WAITING.name in caps and before.limits.ccl is None
    caps = _with_others(allowed.caps.dcl, ceilings.dcl, requests.dcl)
    dcl, dcl_after = _limited(caps, ceilings.dcl, before.limits.dcl, paces.dcl, now, certainty)

    assert ccl.value is not None, "withdrawing comes last"
    caps, latches = _after_ccl(allowed.caps.cvl, before, situation, ccl.value)
    floor = config.floor
    caps = _with_others(_floored(caps, floor), ceilings.cvl, requests.cvl, floor)
    if situation.measurements.silent:
        certainty = Certainty.NOT_FRESH  # CVL rises only while no input is silent
    cvl, cvl_after = _limited(caps, ceilings.cvl, before.limits.cvl, paces.cvl, now, certainty)

    if situation.measurements.half_counts:
        of_half = allowed.of_half
        cvl = _meanwhile(cvl, _floored(of_half.cvl, floor))
        ccl, dcl = _meanwhile(ccl, of_half.ccl), _meanwhile(dcl, of_half.dcl)

    after: Limits[Recovering | None] = Limits(cvl_after, ccl_after, dcl_after)
    # The limits before the first data are for no danger: after them the limits may rise at once.
    if is_waiting:
        after = Limits(None, None, dcl_after)
    elif stage >= Stage.STALE and before.limits == _NEVER_DECIDED:
        after = _NEVER_DECIDED
    pack = situation.volts.pack
    last_voltage = before.voltage if pack is None else pack
    if stage is Stage.LOST and config.withdraw_when_lost:
        cvl, ccl, dcl = _withdrawn(cvl), _withdrawn(ccl), _withdrawn(dcl)
    return (
        Decision(cvl, ccl, dcl, _charge_mode(allowed), _charge_request(allowed)),
        BatteryState(after, latches, now, last_voltage),
    )


def _charge_mode(allowed: PackCaps) -> str | None:
    settings = allowed.situation.settings
    if not plan.is_in_use(settings):
        return None
    return plan.words_of(plan.LATCH.of(allowed.latches), settings)


def _charge_request(allowed: PackCaps) -> int | None:
    situation = allowed.situation
    is_seasonal = situation.settings.maintain_soc_by_month
    if not is_seasonal or not maintained_soc.least_soc(situation):
        return None
    return int(maintained_soc.LATCH.of(allowed.latches))


def _after_ccl(
    caps: Caps, before: BatteryState, situation: Situation, ccl: float
) -> tuple[Caps, LatchState]:
    """The caps of CVL with those of the protections that need CCL (A), and their latches."""
    latches = before.latches
    for protection in _AFTER_CCL:
        latch = protection.latch
        is_at_rest = latch is None or latch.name not in latches
        if is_at_rest and not protection.is_on(situation):
            continue
        cvl = min([cap.value for cap in caps.values()])
        given = None if before.limits.cvl is None else before.limits.cvl.value
        seen = replace(
            situation, ccl=ccl, cvl=cvl, given=given, last_voltage=before.voltage,
            since=before.at, latches=latches,
        )  # fmt: skip
        if latch is not None:
            latches = updated(latch, latches, seen)
            seen = replace(seen, latches=latches)
        cap = protection.cap(seen)
        if cap is not None:
            caps = {**caps, protection.name: cap}
    return caps, latches


def _floored(caps: Caps, floor: float) -> Caps:
    """Raise caps to the floor (V): a CVL far below the battery's voltage would empty it."""
    if min([cap.value for cap in caps.values()], default=floor) >= floor:
        return caps
    return {
        name: cap if cap.value >= floor else Cap(floor, f"{cap.reason}; the floor is {floor:.2f} V")
        for name, cap in caps.items()
    }


def _with_others(caps: Caps, ceiling: Cap, request: Request | None, floor: float = 0.0) -> Caps:
    """The caps with those of the ceiling and the request. floor: no request goes below it.

    All in V or A. The ceiling is one of the caps too, so that a limit rises slowly after it.
    """
    if request is None:
        return {**caps, "ceiling": ceiling}
    words = "a client asks for it"
    if request.value < floor:
        words = f"a client asks for {request.value:g}, the floor is {floor:.2f}"
    return {**caps, "ceiling": ceiling, "request": Cap(max(request.value, floor), words)}


def _limited(
    caps: Caps,
    ceiling: Cap,
    before: Recovering | None,
    pace: Pace,
    now: float,
    certainty: Certainty,
) -> tuple[Limit, Recovering]:
    """The limit that is published, and how far it has recovered. The ceiling has the last word.

    CCL is 0 A while the pack waits for its first measurements. That is no danger, so CCL goes back
    at once to what it was before a restart.
    """
    waiting = caps.get(failsafe.WAITING.name)
    left_out = () if waiting is None else _NOT_LASTING
    rule, smallest = "", None
    for name, cap in caps.items():  # of equal caps the first
        if (smallest is None or cap.value < smallest.value) and name not in left_out:
            rule, smallest = name, cap
    assert smallest is not None, "each limit has a protection that always gives a cap"
    after = recover(before, max(0.0, smallest.value), pace, now, certainty)
    value, reason = after.value, smallest.reason
    if value < smallest.value - NOISE:
        rule, reason = "recovery", _why_not_yet(after, smallest, pace, certainty)
    if waiting is not None and value > waiting.value:
        value, rule, reason = waiting.value, failsafe.WAITING.name, waiting.reason
    lowered = lower(value, ceiling.value)
    if lowered != value:
        value, rule, reason = lowered, "ceiling", ceiling.reason
    return Limit(value, rule, reason, caps), after


def _meanwhile(limit: Limit, caps: Caps) -> Limit:
    """The limit while these caps count too. Its recovery knows nothing of them."""
    lowest = min(caps.items(), key=lambda item: item[1].value, default=None)
    if lowest is None or limit.value is None or lowest[1].value >= limit.value:
        return limit
    name, cap = lowest
    return Limit(max(0.0, cap.value), name, cap.reason, {**limit.caps, name: cap})


def _why_not_yet(after: Recovering, smallest: Cap, pace: Pace, certainty: Certainty) -> str:
    """Why a limit is still below its smallest cap."""
    if certainty is Certainty.IN_DOUBT:
        return "does not rise while a measurement is in doubt"
    if certainty is Certainty.NOT_FRESH:
        return "does not rise while not all measurements are fresh"
    if after.rising_since is None:
        return f"stays at 0 A, {smallest.value:.2f} A is less than current_release"
    wait = seconds_to(after, smallest.value, pace)
    return f"rises to {smallest.value:.1f} within {wait:.0f} s ({smallest.reason})"


def _withdrawn(limit: Limit) -> Limit:
    return Limit(None, "lost", "withdrawn, the measurements are lost", limit.caps)
