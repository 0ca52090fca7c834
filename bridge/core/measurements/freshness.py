"""How much the measurements can be trusted, and what silence does.

    waiting   at start, nothing valid yet, at most `grace`
    fresh     every required group is younger than `aging`
    aging     one is older: nothing may loosen
    stale     older than `stale`, or grace is over: the failsafe limits
    lost      older than `lost`: `on_lost` decides

The clock may stand still or jump: an age is never negative, and a jump forward only ages.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from bridge.core.measurements.store import INPUTS, NEVER, MeasurementStore
from bridge.core.model import Group, Input, Stage
from bridge.core.settings.declarations import FreshnessSettings


@dataclass(frozen=True)
class Freshness:
    """The stage of the battery and what led to it.

    ages: seconds per group that was ever written or is required; infinite where incomplete.
    culprit: the group that makes the stage what it is, None while fresh.
    next_stage, next_in: what silence leads to, and in how many seconds; None when nothing more.
    silent: inputs of groups that are not required, seen once and silent now while the required
    ones speak. When those are silent too it is one outage, and the failsafe's business.
    alarm: 0, 1 or 2 for /Alarms/BmsCable.
    """

    stage: Stage
    ages: Mapping[Group, float]
    culprit: Group | None
    next_stage: Stage | None
    next_in: float | None
    silent: frozenset[Input]
    alarm: int

    @property
    def may_loosen(self) -> bool:
        return self.stage is Stage.FRESH


class FreshnessWatch:
    """Follows one battery's freshness over time."""

    def __init__(self, started: float) -> None:
        self._started = started
        self._first_seen: dict[Input, float] = {}
        self._alarm = 0
        self._fresh_since: float | None = None

    def assess(self, store: MeasurementStore, settings: FreshnessSettings, now: float) -> Freshness:
        """Judge the measurements as they are now."""
        ages_of = {source: store.input_age(source, now) for source in Input}
        stages = {
            source: self._stage(source, age, store, settings, now)
            for source, age in ages_of.items()
        }
        ages = _group_ages(ages_of, store, settings)
        of_groups = {group: _worst(stages, group, store) for group in settings.required}
        culprit = max(settings.required, key=lambda group: (of_groups[group], ages[group]))
        stage = of_groups[culprit]
        next_stage, next_in = self._next(ages, stage, settings, now)
        return Freshness(
            stage=stage,
            ages=ages,
            culprit=None if stage is Stage.FRESH else culprit,
            next_stage=next_stage,
            next_in=next_in,
            silent=_silent(stages, store, settings)
            if stage in (Stage.FRESH, Stage.WAITING)
            else frozenset(),
            alarm=self._follow_alarm(stage, settings, now),
        )

    def _stage(
        self,
        source: Input,
        age: float,
        store: MeasurementStore,
        settings: FreshnessSettings,
        now: float,
    ) -> Stage:
        if store.seen(source):
            self._first_seen.setdefault(source, now)
        if math.isinf(age):
            return self._stage_of_incomplete(source, settings, now)
        if age > settings.lost:
            return Stage.LOST
        if age > settings.stale:
            return Stage.STALE
        return Stage.AGING if age > settings.aging or store.withdrawn(source) else Stage.FRESH

    def _stage_of_incomplete(
        self, source: Input, settings: FreshnessSettings, now: float
    ) -> Stage:
        """An input that was never whole: it may wait for `grace`, then it is as stale as any.

        Inputs of required groups are awaited from the start, others from their first value.
        """
        required = any(source in INPUTS[group] for group in settings.required)
        since = self._started if required else self._first_seen.get(source, now)
        waited = max(0.0, now - since)
        if waited <= settings.grace:
            return Stage.WAITING
        return Stage.LOST if waited > max(settings.lost, settings.grace) else Stage.STALE

    def _next(
        self,
        ages: Mapping[Group, float],
        stage: Stage,
        settings: FreshnessSettings,
        now: float,
    ) -> tuple[Stage | None, float | None]:
        """The next worse stage that silence leads to, and when."""
        oldest = max(ages[group] for group in settings.required)
        waited = max(0.0, now - self._started)
        if stage is Stage.WAITING:
            return Stage.STALE, max(0.0, settings.grace - waited)
        if stage is Stage.LOST:
            return None, None
        if stage is Stage.STALE:
            age = waited if math.isinf(oldest) else oldest
            return Stage.LOST, max(0.0, settings.lost - age)
        limit = settings.stale if stage is Stage.AGING else settings.aging
        worse = Stage.STALE if stage is Stage.AGING else Stage.AGING
        return worse, max(0.0, limit - oldest)

    def _follow_alarm(self, stage: Stage, settings: FreshnessSettings, now: float) -> int:
        """Rises at once (stale has waited long enough), ends after `clear` seconds of data.

        So each episode raises it once, however the input flaps.
        """
        level = {Stage.STALE: 1, Stage.LOST: 2}.get(stage, 0)
        self._alarm = max(self._alarm, level)
        if level or stage is Stage.WAITING:
            self._fresh_since = None
        elif self._fresh_since is None:
            self._fresh_since = now
        elif now - self._fresh_since >= settings.clear:
            self._alarm = 0
        return self._alarm


def _group_ages(
    ages_of: Mapping[Input, float], store: MeasurementStore, settings: FreshnessSettings
) -> dict[Group, float]:
    """The oldest input of each group that is required or was ever seen."""
    ages = {}
    for group, sources in INPUTS.items():
        of_seen = [ages_of[source] for source in sources if store.seen(source)]
        if of_seen or group in settings.required:
            ages[group] = max(of_seen, default=NEVER)
    return ages


def _silent(
    stages: Mapping[Input, Stage], store: MeasurementStore, settings: FreshnessSettings
) -> frozenset[Input]:
    return frozenset(
        source
        for group, sources in INPUTS.items()
        if group not in settings.required
        for source in sources
        if store.seen(source) and stages[source] >= Stage.STALE
    )


def _worst(stages: Mapping[Input, Stage], group: Group, store: MeasurementStore) -> Stage:
    """A group's stage: the worst of its inputs that were ever heard of, else of all."""
    heard = [source for source in INPUTS[group] if store.seen(source)]
    return max(stages[source] for source in heard or INPUTS[group])
