"""The search finds defects: the bridge is broken in one place, and a script must show it.

Each defect is one that a change could bring in unseen. The words of the law say what it allows.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import pytest

from bridge.battery import control, requests, restart_memory
from bridge.battery.battery import Battery
from bridge.battery.kept_requests import KeptRequests
from bridge.battery.requests import RequestDesk
from bridge.core.limiter import caps, decide, situation
from bridge.core.limiter.decide import NO_REQUESTS, BatteryState
from bridge.core.limiter.kept import KeptState
from bridge.core.limiter.protections import failsafe_voltage
from bridge.core.limiter.recovery import Certainty
from bridge.core.measurements import freshness, frozen_watch
from bridge.core.measurements.contradictions import Contradictions
from bridge.core.measurements.frozen_verdict import NOT_FROZEN
from bridge.core.measurements.input_state import InputState
from bridge.core.measurements.refusals import Refusals
from bridge.core.measurements.store import MeasurementStore
from bridge.core.measurements.voltages import volts_of
from bridge.core.model import Cap, Limits, Stage
from bridge.core.settings import live
from tests.search.search import search
from tests.search.world import WALL

SCRIPTS = 240  # within which each defect must be found

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


def _a_damaged_memory_is_a_first_start(patch: Patch) -> None:
    patch.setattr(restart_memory, "nothing_known", lambda cells: KeptState(1e9, cells))


def _requests_expire_by_the_wall_clock(patch: Patch) -> None:
    def broken(battery: Any, now: float) -> None:
        wall = battery._wall()
        if wall is not None:
            battery._control.requests.expire(now + wall - WALL)
        on_tick(battery, now)

    on_tick = Battery.on_tick
    patch.setattr(Battery, "on_tick", broken)


def _a_null_withdraws_a_request(patch: Patch) -> None:
    take = RequestDesk.take

    def broken(desk: Any, limit: str, spec: Any, raw: Any, *others: Any) -> None:
        take(desk, limit, spec, "off" if raw is None else raw, *others)

    patch.setattr(RequestDesk, "take", broken)


def _a_copy_ends_the_expiry_of_another_request(patch: Patch) -> None:
    """The request that is asked for again without an expiry ends with the first one."""
    patch.setattr(requests, "COPY_WITHIN", 1e9)


def _requests_are_lost_with_a_boot(patch: Patch) -> None:
    patch.setattr(KeptRequests, "due", lambda *_: None)


def _with_volts(**changes: Callable[[Any], Any]) -> Callable[[Patch], None]:
    """Some of what follows from both the cells and the pack voltage is another value."""

    def plant(patch: Patch) -> None:
        def broken(cells: Any, written: Any, count: int) -> Any:
            volts = volts_of(cells, written, count)
            return volts._replace(**{name: change(cells) for name, change in changes.items()})

        patch.setattr(situation, "volts_of", broken)

    return plant


def _highest_of_the_cells(cells: Any) -> float | None:
    return max(cells.known, default=None)


def _lfp_has_no_such_cell(cells: Any) -> float | None:
    return max((volts for volts in cells.known if volts < 3.9), default=None)


def _values_may_stand_still(patch: Patch) -> None:
    patch.setattr(frozen_watch, "judged", lambda *_: NOT_FROZEN)


def _a_good_reading_ends_every_doubt(patch: Patch) -> None:
    patch.setattr(Refusals, "note_good", lambda self, path, _now: self.troubles.pop(path))


def _a_battery_is_never_unknown(patch: Patch) -> None:
    patch.setattr(failsafe_voltage, "_is_unknown", lambda _: False)


def _the_offset_is_added_last(patch: Patch) -> None:
    limits_from = decide.limits_from

    def broken(allowed: Any, config: Any, *others: Any) -> Any:
        decision, state = limits_from(allowed, config, *others)
        cvl = decision.cvl
        if cvl.value is not None:
            offset = config.limiter.voltage_offset
            cvl = dataclasses.replace(cvl, value=max(0.0, cvl.value + offset))
        return dataclasses.replace(decision, cvl=cvl), state

    patch.setattr(control, "limits_from", broken)


DEFECTS: tuple[tuple[Callable[[Patch], None], str, str], ...] = (
    (_silence_is_ignored_while_aging, "silence", "silent"),
    (_a_group_is_as_young_as_its_newest_value, "silence", "no charge without each required group"),
    (_a_request_is_lifted_at_once, "requests", "a request never lifts a limit in the same call"),
    (_with_pace(hold=0.0), "", "no limit rises within its hold"),
    (_with_pace(rise=1e6), "", "a limit never rises faster than its rise"),
    (
        _a_limit_rises_in_doubt_and_while_aging,
        "",
        "no limit rises while something required is not fresh",
    ),
    (_the_ceilings_are_left_out, "settings", "no limit above the file's ceiling"),
    (_settings_may_be_beyond_the_ceilings, "settings", "required group"),
    (
        _an_empty_battery_may_discharge_as_soon_as_it_rests,
        "",
        "until an empty battery has recovered",
    ),
    (_longer_times_revive_what_was_stale, "settings", "silent"),
    (_a_null_is_a_sign_of_life, "silence", "no charge without each required group"),
    (_a_restart_forgets_the_limits, "restarts", "a restart never allows more than before"),
    (_a_restart_renews_the_grace, "restarts", "no discharge after a required group is gone"),
    (_two_writers_are_not_noticed, "lies", "bounds the charge"),
    (_what_is_refused_again_and_again_lives_on, "silence", "silent"),
    (
        _a_setting_lets_limits_rise_at_once,
        "settings",
        "a setting never lifts a limit in the same call",
    ),
    (_a_damaged_memory_is_a_first_start, "restarts", "a restart never allows more than before"),
    (_requests_expire_by_the_wall_clock, "requests", "no limit above a request"),
    (_a_null_withdraws_a_request, "requests", "no limit above a request"),
    (_a_copy_ends_the_expiry_of_another_request, "requests", "no limit above a request"),
    (_requests_are_lost_with_a_boot, "requests", "no limit above a request"),
    (_with_volts(highest=_highest_of_the_cells), "lies", "the highest cell bounds the charge"),
    (_with_volts(highest=_lfp_has_no_such_cell), "lies", "the highest cell bounds the charge"),
    (_with_volts(mismatch=lambda _: None), "lies", "contradict each other"),
    (_values_may_stand_still, "lies", "by the charge counted"),
    (_a_good_reading_ends_every_doubt, "lies", "silent"),
    (_a_battery_is_never_unknown, "silence", "charged to the failsafe's voltage"),
    (_the_offset_is_added_last, "settings", "no limit above"),
)
"""Each defect, the theme of the scripts that find it soon, and words of the law that it breaks."""


@pytest.mark.slow
@pytest.mark.parametrize(("plant", "theme", "law"), DEFECTS)
def test_a_planted_defect_is_found(
    plant: Callable[[Patch], None], theme: str, law: str, monkeypatch: Patch
) -> None:
    plant(monkeypatch)
    found = (one.broken.law for one in search(range(SCRIPTS), theme))
    assert any(law in broken for broken in found)
