"""What the protections of one pack allow: updates their latches and collects their caps.

A cap depends on the protection's inputs, its latch, the settings, the stage and the date, and on
nothing else. So while these are the same, the cap of the last decision still holds, and a write
costs only the protections that depend on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bridge.core.limiter.protection import Protection, updated
from bridge.core.limiter.protections import PROTECTIONS
from bridge.core.limiter.situation import (
    LatchState,
    LimiterConfig,
    Situation,
    build_situation,
)
from bridge.core.measurements.inputs import Input, Measurements
from bridge.core.model import CCL, CVL, DCL, LIMIT_NAMES, Cap, Date, Limits, Stage

Caps = Mapping[str, Cap]
"""The caps of one limit by the protections' names, in V or A."""

_ALL = {
    limit: tuple(p for p in PROTECTIONS if p.limit == limit and not p.after_ccl)
    for limit in LIMIT_NAMES
}
_LATCHES = tuple(
    (latch, frozenset().union(*(p.inputs for p in PROTECTIONS if p.latch is latch)))
    for latch in dict.fromkeys(p.latch for p in PROTECTIONS if p.latch and not p.after_ccl)
)
"""Each latch once, with the inputs of all protections that share it."""
NO_CAPS: Limits[Caps] = Limits({}, {}, {})

_COMPARING = tuple(p for p in PROTECTIONS if p.compares)


@dataclass(frozen=True)
class PackState:
    """What is kept of a pack from one decision to the next.

    latches: the states of its latches. situation, caps: of the last decision; they save work, and
    never change the result.
    """

    latches: LatchState = field(default_factory=dict)
    situation: Situation | None = None
    caps: Limits[Caps] = NO_CAPS

    @property
    def at(self) -> float:
        """When that decision was made (monotonic s)."""
        return float("-inf") if self.situation is None else self.situation.now


@dataclass(frozen=True)
class PackCaps:
    """What one pack allows.

    caps: for what is measured and what is suspected, the smaller ones. state: for the next call.
    suspected: what would be measured if the readings in doubt were right; None: nothing counts.
    of_half: the caps for half a frame, which count while the rest is coming; no hold follows.
    """

    caps: Limits[Caps]
    situation: Situation
    latches: LatchState
    state: PackState
    suspected: Measurements | None = None
    of_half: Limits[Caps] = NO_CAPS


def pack_latches(latches: LatchState) -> LatchState:
    """Those of all latches that belong to the pack."""
    names = {latch.name for latch, _ in _LATCHES}
    return {name: state for name, state in latches.items() if name in names}


def caps_of(
    measurements: Measurements,
    suspected: Measurements | None,
    config: LimiterConfig,
    stage: Stage,
    before: PackState,
    now: float,
    date: Date | None,
) -> PackCaps:
    """The caps of one pack for these measurements. now: monotonic s.

    suspected: what would be measured if the readings in doubt were right; they may only tighten.
    """
    found = find_caps(measurements, config, stage, before, now, date)
    caps, latches, situation = found.caps, found.latches, found.situation
    assert situation is not None, "caps are found in a situation"
    if suspected is None:
        of_half = _of_half(situation) if measurements.half_counts else NO_CAPS
        return PackCaps(caps, situation, latches, found, None, of_half)
    if_right = find_caps(suspected, config, stage, PackState(latches), now, date)
    caps, latches = least_caps(caps, if_right.caps), if_right.latches
    state = PackState(latches, situation, found.caps)
    of_half = NO_CAPS
    if measurements.half_counts and if_right.situation is not None:
        of_half = least_caps(_of_half(situation), _of_half(if_right.situation))
    return PackCaps(caps, situation, latches, state, suspected, of_half)


def find_caps(
    measurements: Measurements,
    config: LimiterConfig,
    stage: Stage,
    before: PackState,
    now: float,
    date: Date | None,
) -> PackState:
    """Update the latches and collect the caps for these measurements. now: monotonic s."""
    last = before.situation
    built = build_situation(measurements, config, stage, now, date, before.latches, last)
    changed = _changed_inputs(built, last)
    latches = _all_updated(built, before.latches, changed)
    situation = built if latches is before.latches else replace(built, latches=latches)
    if changed is None or last is None:
        return PackState(latches, situation, _all_caps(situation))
    return PackState(
        latches,
        situation,
        Limits(
            _renewed(CVL, situation, last, before.caps.cvl, changed),
            _renewed(CCL, situation, last, before.caps.ccl, changed),
            _renewed(DCL, situation, last, before.caps.dcl, changed),
        ),
    )


def _of_half(situation: Situation) -> Limits[Caps]:
    """The caps of what compares voltages, for the half of a frame that is there."""
    half = replace(situation, before_frame=None)
    caps = [(p, p.cap(half)) for p in _COMPARING]
    return Limits(
        *({p.name: cap for p, cap in caps if cap and p.limit == limit} for limit in LIMIT_NAMES)
    )


def least_caps(one: Limits[Caps], other: Limits[Caps]) -> Limits[Caps]:
    """The smaller of each protection's two caps."""
    least: list[Caps] = []
    for limit, a, b in zip(LIMIT_NAMES, one, other, strict=True):
        names = [p.name for p in _ALL[limit] if p.name in a or p.name in b]
        least.append({name: _less(a.get(name), b.get(name)) for name in names})
    return Limits(*least)


def _less(one: Cap | None, other: Cap | None) -> Cap:
    caps = [cap for cap in (one, other) if cap is not None]
    return min(caps, key=lambda cap: cap.value)


def _changed_inputs(now: Situation, before: Situation | None) -> set[Input[Any]] | None:
    """The inputs whose reading or silence has changed.

    None if something else has changed, so that all caps must be computed again.
    """
    if (
        before is None
        or now.config is not before.config
        or now.stage is not before.stage
        or now.date != before.date
        or now.measurements.doubt != before.measurements.doubt
        or now.measurements.frozen is not before.measurements.frozen
    ):
        return None
    return now.measurements.changed_since(before.measurements)


def _all_updated(
    situation: Situation, before: LatchState, changed: set[Input[Any]] | None
) -> LatchState:
    """The latches now; the same object while none has changed.

    A latch at rest stays at rest while its inputs are the same, so it is skipped.
    """
    latches = before
    for latch, inputs in _LATCHES:
        is_at_rest = latch.name not in before
        if is_at_rest and changed is not None and changed.isdisjoint(inputs):
            continue
        if is_at_rest and latch.update(latch.at_rest, situation) is latch.at_rest:
            continue
        latches = updated(latch, latches, situation)
    return latches


def _all_caps(situation: Situation) -> Limits[Caps]:
    return Limits(*(_collected(situation, _ALL[limit]) for limit in LIMIT_NAMES))


def _collected(situation: Situation, protections: tuple[Protection, ...]) -> Caps:
    caps = {}
    for protection in protections:
        cap = protection.cap(situation)
        if cap is not None:
            caps[protection.name] = _graded(cap, protection, situation) if cap.of_silence else cap
    return caps


def _graded(cap: Cap, protection: Protection, situation: Situation) -> Cap:
    """The cap of a silent input, which is not below the failsafe while the pack itself ages.

    What one publisher sends does not become stale all at once. Without this, the first input that
    does would turn each outage into 0 A, and the failsafe limits would never be used.
    """
    failsafe = situation.config.failsafe
    currents = {CCL: failsafe.charge_current, DCL: failsafe.discharge_current}
    least = currents.get(protection.limit, 0.0)
    if situation.stage is Stage.FRESH or cap.value >= least:
        return cap
    return replace(cap, value=least)


def _renewed(
    limit: str, situation: Situation, before: Situation, caps: Caps, changed: set[Input[Any]]
) -> Caps:
    """The caps of one limit; only those that may have changed are computed again.

    The same object while none has changed.
    """
    renewed_caps: dict[str, Cap | None] = {}
    for protection in _ALL[limit]:
        if changed.isdisjoint(protection.renewed_by):
            if protection.latch is None:
                continue
            name = protection.latch.name
            state, old = situation.latches.get(name), before.latches.get(name)
            is_timed = protection.changes_with_time and state is not None
            if not is_timed and (state is old or state == old):
                continue
        cap = protection.cap(situation)
        if cap is not None and cap.of_silence:
            cap = _graded(cap, protection, situation)
        if cap != caps.get(protection.name):
            renewed_caps[protection.name] = cap
    if not renewed_caps:
        return caps
    renewed = {}
    for protection in _ALL[limit]:
        name = protection.name
        cap = renewed_caps[name] if name in renewed_caps else caps.get(name)
        if cap is not None:
            renewed[name] = cap
    return renewed
