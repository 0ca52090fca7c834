"""The search finds defects: the bridge is broken in one place, and a script must show it.

Each defect is one that a change could bring in unseen. The words of the law say what it allows.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import pytest

from bridge.battery import control
from bridge.core.limiter import caps, decide, situation
from bridge.core.limiter.decide import NO_REQUESTS, BatteryState
from bridge.core.limiter.recovery import Certainty
from bridge.core.measurements import freshness
from bridge.core.measurements.contradictions import Contradictions
from bridge.core.measurements.input_state import InputState
from bridge.core.measurements.refusals import Refusals
from bridge.core.measurements.store import MeasurementStore
from bridge.core.model import Cap, Limits, Stage
from bridge.core.settings import live
from tests.search.search import search

SCRIPTS = 200  # within which each defect must be found

Patch = pytest.MonkeyPatch


def _silence_is_ignored_while_aging(patch: Patch) -> None:
    assess = freshness.FreshnessWatch.assess

    def broken(*args: Any) -> Any:
        seen = assess(*args)
        is_aging = seen.stage is Stage.AGING
        return dataclasses.replace(seen, silent=frozenset()) if is_aging else seen

    patch.setattr(freshness.FreshnessWatch, "assess", broken)


def _a_group_is_as_young_as_its_newest_value(patch: Patch) -> None:
    find_oldest = InputState.find_oldest

    def broken(state: Any, at: Any, *others: Any) -> None:
        find_oldest(state, at, *others)
        newest = max(at[path] for path in state.needed)
        state.oldest = [(source, newest) for source, _ in state.oldest]

    patch.setattr(InputState, "find_oldest", broken)


def _a_request_is_lifted_at_once(patch: Patch) -> None:
    limits_from = decide.limits_from

    def broken(allowed: Any, config: Any, requests: Any, *others: Any) -> Any:
        decision, state = limits_from(allowed, config, NO_REQUESTS, *others)
        limits = {
            name.lower(): dataclasses.replace(limit, value=min(limit.value, request.value))
            for (name, limit), (_, request) in zip(decision.items(), requests.items(), strict=True)
            if request is not None and limit.value is not None
        }
        return dataclasses.replace(decision, **limits), state

    patch.setattr(control, "limits_from", broken)


def _with_pace(**changes: float) -> Callable[[Patch], None]:
    def plant(patch: Patch) -> None:
        recover = decide.recover

        def broken(before: Any, target: Any, pace: Any, *others: Any, **more: Any) -> Any:
            pace = dataclasses.replace(pace, **changes)
            return recover(before, target, pace, *others, **more)

        patch.setattr(decide, "recover", broken)

    return plant


def _a_limit_rises_in_doubt_and_while_aging(patch: Patch) -> None:
    patch.setattr(situation.Situation, "certainty", Certainty.CERTAIN)


def _settings_may_be_beyond_the_ceilings(patch: Patch) -> None:
    patch.setattr(live, "beyond_ceiling", lambda *_: ())
    patch.setattr(live, "too_loose", lambda *_: "")


def _the_ceilings_are_left_out(patch: Patch) -> None:
    none = Cap(99999.0, "no ceiling")
    _settings_may_be_beyond_the_ceilings(patch)
    patch.setattr(decide, "ceiling_caps", lambda *_: Limits(none, none, none))


def _an_empty_battery_may_discharge_as_soon_as_it_rests(patch: Patch) -> None:
    updated = caps.updated

    def broken(latch: Any, latches: Any, seen: Any) -> Any:
        kept = {name: state for name, state in latches.items() if name != "discharge stop"}
        return updated(latch, kept, seen)

    patch.setattr(caps, "updated", broken)


def _longer_times_revive_what_was_stale(patch: Patch) -> None:
    patch.setattr(MeasurementStore, "expire", lambda store, _now: store.look_at_all())


def _a_null_is_a_sign_of_life(patch: Patch) -> None:
    write = MeasurementStore.write

    def broken(store: Any, spec: Any, value: Any, source: Any, now: float) -> None:
        write(store, spec, value, source, now)
        if spec.path in store.at:
            store.at[spec.path] = now

    patch.setattr(MeasurementStore, "write", broken)


def _a_setting_lets_limits_rise_at_once(patch: Patch) -> None:
    change = control.Control.change_settings

    def broken(self: Any, writes: Any, now: float) -> Any:
        self._state = BatteryState(latches=self._state.latches, at=self._state.at)
        return change(self, writes, now)

    patch.setattr(control.Control, "change_settings", broken)


def _two_writers_are_not_noticed(patch: Patch) -> None:
    patch.setattr(Contradictions, "note", lambda *_: None)


def _what_is_refused_again_and_again_lives_on(patch: Patch) -> None:
    patch.setattr(Refusals, "missing", lambda *_: [])


def _a_restart_forgets_the_limits(patch: Patch) -> None:
    patch.setattr(control, "battery_state", lambda *_: BatteryState())


def _a_restart_renews_the_grace(patch: Patch) -> None:
    watch = freshness.FreshnessWatch.__init__
    started = itertools.count(1e9)  # s, after all that a script can last

    def broken(self: Any, store: Any, _started: float, _heard_at: float | None) -> None:
        later = next(started)
        watch(self, store, later, later)

    patch.setattr(freshness.FreshnessWatch, "__init__", broken)


DEFECTS: tuple[tuple[Callable[[Patch], None], str], ...] = (
    (_silence_is_ignored_while_aging, "silent"),
    (_a_group_is_as_young_as_its_newest_value, "no charge without each required group"),
    (_a_request_is_lifted_at_once, "a request never lifts a limit in the same call"),
    (_with_pace(hold=0.0), "no limit rises within its hold"),
    (_with_pace(rise=1e6), "a limit never rises faster than its rise"),
    (
        _a_limit_rises_in_doubt_and_while_aging,
        "no limit rises while something required is not fresh",
    ),
    (_the_ceilings_are_left_out, "no limit above the file's ceiling"),
    (_settings_may_be_beyond_the_ceilings, "required group"),
    (_an_empty_battery_may_discharge_as_soon_as_it_rests, "until an empty battery has recovered"),
    (_longer_times_revive_what_was_stale, "silent"),
    (_a_null_is_a_sign_of_life, "no charge without each required group"),
    (_a_restart_forgets_the_limits, "a restart never allows more than before"),
    (_a_restart_renews_the_grace, "no discharge after a required group is gone"),
    (_two_writers_are_not_noticed, "bounds the charge"),
    (_what_is_refused_again_and_again_lives_on, "silent"),
    (_a_setting_lets_limits_rise_at_once, "a setting never lifts a limit in the same call"),
)
"""Each defect, and words of the law that it breaks."""


@pytest.mark.slow
@pytest.mark.parametrize(("plant", "law"), DEFECTS)
def test_a_planted_defect_is_found(
    plant: Callable[[Patch], None], law: str, monkeypatch: Patch
) -> None:
    plant(monkeypatch)
    found = (one.broken.law for one in search(range(SCRIPTS)))
    assert any(law in broken for broken in found)
