"""What was written before a restart of the process, and has not come since.

A restart does not know the values of before, but it must know that there were some: an input that
was written and went silent gives its most careful answer, and a restart must not change that. Until
a value comes again, nothing may loosen. When the last one is stale, the input is silent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bridge.core.measurements.input_state import InputState
from bridge.core.measurements.inputs import Input
from bridge.core.measurements.store import MeasurementStore
from bridge.core.typed_json import Past

Written = tuple[tuple[str, Past], ...]
"""The paths that were written, and when the last value came (monotonic s)."""


class Unheard:
    """The paths of one pack that were written before the restart. kept: what `written` gave then.

    Of an input with stand-ins, one path stands for all: its values may come in another way now.
    at: when each path that has not come yet was last written (monotonic s).
    """

    def __init__(self, store: MeasurementStore, kept: Written) -> None:
        self._store = store
        self._states = [s for s in store.inputs.values() if not s.input.may_be_silent]
        self._state_of = {path: state for state in self._states for path in state.paths}
        self.at = {path: at for path, at in kept if path in self._state_of}

    def written(self, unclear: Mapping[str, float]) -> Written:
        """What the next restart must know.

        unclear: the permissions whose last word was refused, and when that came (monotonic s); they
        were written too.
        """
        came_at = self._store.came_at
        heard = {path: came_at(path) for state in self._states for path in self._needed(state)}
        return tuple({**unclear, **self.at, **heard}.items())

    def note(self, path: str) -> None:
        """A value of this path has come, or was forgotten."""
        if not self.at or path not in self._state_of:
            return
        state = self._state_of[path]
        for heard in state.paths if state.input.stand_ins else (path,):
            self.at.pop(heard, None)

    def named(self, what: str, stale: float, now: float) -> list[str]:
        """The paths that a path or a group names, if their last values are older than stale (s).

        No permission is among them: what a BMS said last is not known. now: monotonic s.
        """
        return [
            path
            for path in self._too_old(stale, now)
            if what in (path, path[1:], self.input_of(path).group.value)
            and not self.input_of(path).is_permission
        ]

    def silent(self, stale: float, now: float) -> frozenset[Input[Any]]:
        """The inputs whose last value is older than stale (s). now: monotonic s."""
        return frozenset(map(self.input_of, self._too_old(stale, now)))

    def words(self, stale: float, now: float) -> str:
        """Which path has not come since the restart, while it is not silent yet; "" for none."""
        waiting = [path for path, at in self.at.items() if now - at <= stale]
        if not waiting:
            return ""
        more = f", and {len(waiting) - 1} more" if len(waiting) > 1 else ""
        return f"{waiting[0][1:]}{more}: no value since the restart"

    def input_of(self, path: str) -> Input[Any]:
        """The input that a path belongs to."""
        return self._state_of[path].input

    def _needed(self, state: InputState) -> Iterable[str]:
        known = [path for path in state.needed if path in self._store.at]
        return known[:1] if state.input.stand_ins else known

    def _too_old(self, stale: float, now: float) -> list[str]:
        return [path for path, at in self.at.items() if now - at > stale]
