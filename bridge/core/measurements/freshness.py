"""How fresh the measurements are, and what silence does.

    waiting   at start, nothing valid yet, at most `grace`
    fresh     every required group is younger than `aging`
    aging     one is older: nothing may loosen
    stale     older than `stale`, or grace is over: the failsafe limits
    lost      older than `lost`: `on_lost` decides

The clock may stand still or jump: an age is never negative, and a jump forward only makes values
older.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bridge.core.measurements.frozen_verdict import NOT_FROZEN, Frozen
from bridge.core.measurements.input_state import InputState
from bridge.core.measurements.inputs import Input
from bridge.core.measurements.source import ShelfLife
from bridge.core.measurements.store import MeasurementStore
from bridge.core.model import Group, Stage
from bridge.core.settings.declarations import FreshnessSettings

_ALARM_LEVELS = {Stage.STALE: 1, Stage.LOST: 2}


@dataclass(frozen=True)
class Freshness:
    """The stage of the battery and what led to it.

    ages: seconds per group that was ever written or is required; infinite where incomplete.
    worst_group: the required group that determines the stage, None while fresh.
    next_stage, next_in: what silence leads to, and in how many seconds; None when nothing more.
    silent: inputs of groups that are not required, written once and stale now. Empty while the
    battery itself is stale or lost: then the failsafe applies.
    alarm: 0, 1 or 2 for /Alarms/BmsCable. frozen: what stands still although charge has moved, in
    words. heard_at: the last moment of fresh data (monotonic s), or that from which the grace
    counts; None if there is neither.
    """

    stage: Stage
    ages: Mapping[Group, float]
    worst_group: Group | None
    next_stage: Stage | None
    next_in: float | None
    silent: frozenset[Input[Any]]
    alarm: int
    heard_at: float | None
    frozen: str = ""


_Judged = tuple[Stage, float, "ShelfLife | None"]
"""What an input needs of one source: its stage, the oldest value's age in s, its shelf life."""


class FreshnessWatch:
    """Follows the freshness of one pack over time.

    started: the start of the process. heard_at: the last moment of fresh data; if it lies before
    the start, what was left of the grace is left now. None: no grace is left. Both in monotonic s.
    """

    def __init__(self, store: MeasurementStore, started: float, heard_at: float | None) -> None:
        self._store = store
        self._has_grace = heard_at is not None
        self._silent_since = started if heard_at is None else heard_at
        self._heard_at = heard_at
        self._first_seen: dict[Input[Any], float] = {}
        self._whole_at: dict[Input[Any], float] = {}
        self._overdue: set[Input[Any]] = set()
        self._alarm = 0
        self._fresh_since: float | None = None
        self._inputs_of: dict[Group, list[InputState]] = {group: [] for group in Group}
        for state in store.inputs.values():
            if not state.input.may_be_silent:
                self._inputs_of[state.input.group].append(state)

    def assess(
        self, settings: FreshnessSettings, now: float, frozen: Frozen = NOT_FROZEN
    ) -> Freshness:
        """Judge the measurements as they are now (monotonic s). frozen: what stands still."""
        required: list[_Judged] = []
        ages: dict[Group, float] = {}
        stages: dict[Group, Stage] = {}
        silent: list[Input[Any]] = []
        for input_, judged in self._judge(settings, now):
            group = input_.group
            worst = Stage.STALE if group in frozen.stale else Stage.FRESH
            for stage, age, _ in judged:
                worst = max(worst, stage)
                ages[group] = max(age, ages.get(group, 0.0))
            stages[group] = max(worst, stages.get(group, Stage.FRESH))
            if group in settings.required:
                required.extend(judged)
            elif worst >= Stage.STALE:
                silent.append(input_)
        worst_group = _worst_group(settings.required, stages, ages)
        stage = stages[worst_group]
        next_stage, next_in = self._next(required, stage, settings, now)
        if stage is Stage.FRESH:
            self._heard_at = now
        return Freshness(
            stage=stage,
            ages=ages,
            worst_group=None if stage is Stage.FRESH else worst_group,
            next_stage=next_stage,
            next_in=next_in,
            silent=frozenset(silent if stage < Stage.STALE else ()),
            alarm=self._follow_alarm(stage, bool(frozen.words), settings, now),
            heard_at=self._heard_at,
            frozen=frozen.words,
        )

    def _judge(
        self, settings: FreshnessSettings, now: float
    ) -> list[tuple[Input[Any], list[_Judged]]]:
        """Each input that is missed when it is silent, with what it needs of each source.

        An input that was never written is missed only if nothing of its required group was.
        """
        found: list[tuple[Input[Any], list[_Judged]]] = []
        at, withdrawn = self._store.at, self._store.withdrawn
        for group, inputs in self._inputs_of.items():
            is_missed = group in settings.required
            for state in inputs:
                is_missed = is_missed and not state.needed
            for state in inputs:
                judged: list[_Judged] = []
                if state.is_whole and not state.oldest:
                    state.find_oldest(at, withdrawn)
                for source, since in state.oldest:
                    age, life = now - since, source.shelf_life
                    if age <= life.aging and (not withdrawn or withdrawn.isdisjoint(state.needed)):
                        judged.append((Stage.FRESH, max(0.0, age), life))
                    else:
                        judged.append(self._judge_late(state, age, life, now))
                if judged:
                    self._whole_at[state.input] = now
                elif state.needed or is_missed:
                    judged.append(self._judge_incomplete(state, settings, now))
                else:
                    self._first_seen.pop(state.input, None)
                    self._whole_at.pop(state.input, None)
                    self._overdue.discard(state.input)
                    continue
                found.append((state.input, judged))
        return found

    def _judge_late(self, state: InputState, age: float, life: ShelfLife, now: float) -> _Judged:
        """Values that are not fresh; age: s, infinite for one that has expired, at whatever age."""
        if age <= life.stale:
            return Stage.AGING, max(0.0, age), life
        if math.isinf(age):
            age = now - min(map(self._store.came_at, state.needed))
        return Stage.LOST if age > life.lost else Stage.STALE, max(0.0, age), life

    def _judge_incomplete(
        self, state: InputState, settings: FreshnessSettings, now: float
    ) -> _Judged:
        """An incomplete input: waiting for `grace`, then stale or lost.

        The time counts from the start for required groups, for others from the first value. An
        input that was complete once has no grace, and a grace that is over does not come back.
        """
        input_ = state.input
        is_required = input_.group in settings.required
        since = self._whole_at.get(input_)
        if since is None:
            first_seen = self._first_seen.setdefault(input_, now) if state.needed else now
            since = self._silent_since if is_required else first_seen
            has_grace = self._has_grace or not is_required
            if has_grace and now - since <= settings.grace and input_ not in self._overdue:
                return Stage.WAITING, math.inf, None
        self._overdue.add(input_)
        is_lost = now - since > max(settings.lost, settings.grace)
        return Stage.LOST if is_lost else Stage.STALE, math.inf, None

    def _next(
        self, required: list[_Judged], stage: Stage, settings: FreshnessSettings, now: float
    ) -> tuple[Stage | None, float | None]:
        """The next worse stage that silence leads to, and in how many seconds."""
        waited = max(0.0, now - self._silent_since)
        if stage is Stage.LOST:
            return None, None
        if stage is Stage.WAITING:
            return Stage.STALE, max(0.0, settings.grace - waited)
        if stage is Stage.STALE:
            left = [
                settings.lost - waited if life is None or math.isinf(age) else life.lost - age
                for _, age, life in required
            ]
            return Stage.LOST, max(0.0, min(left))
        if stage is Stage.AGING:
            left = [life.stale - age for _, age, life in required if life]
            return Stage.STALE, max(0.0, min(left))
        left = [life.aging - age for _, age, life in required if life]
        return Stage.AGING, max(0.0, min(left))

    def _follow_alarm(
        self, stage: Stage, is_suspect: bool, settings: FreshnessSettings, now: float
    ) -> int:
        """The alarm's level: rises at once when stale or suspect, ends after `clear` s of data.

        So one outage raises one alarm, even when data comes and goes.
        """
        level = max(_ALARM_LEVELS.get(stage, 0), int(is_suspect))
        self._alarm = max(self._alarm, level)
        if level or stage is Stage.WAITING:
            self._fresh_since = None
            return self._alarm
        if self._fresh_since is None:
            self._fresh_since = now
        if now - self._fresh_since >= settings.clear:
            self._alarm = 0
        return self._alarm


def _worst_group(
    required: tuple[Group, ...], stages: Mapping[Group, Stage], ages: Mapping[Group, float]
) -> Group:
    """The required group in the worst stage; of several the oldest."""
    worst = required[0]
    for group in required:
        if (stages[group], ages[group]) > (stages[worst], ages[worst]):
            worst = group
    return worst
