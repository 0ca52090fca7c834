"""Which measurements are displayed on the bus: those that are not stale."""

from __future__ import annotations

import math

from bridge.core.measurements.input_state import CHECK_EARLY
from bridge.core.measurements.store import MeasurementStore
from bridge.core.model import Group, Value


class Display:
    """The values on display, by path. A value of no group never goes stale.

    values: as they were at the last `update`.
    """

    def __init__(self, store: MeasurementStore) -> None:
        self.values: dict[str, Value] = {}
        self._store = store
        self._keep: tuple[Group, ...] = ()
        self._look_at = math.inf
        self._stood_in = dict.fromkeys(store.replaceable, False)

    def update(self, now: float, keep: tuple[Group, ...]) -> dict[str, Value]:
        """Bring `values` up to date. Returns the changes by path, None for a value that is gone.

        now: monotonic seconds. keep: the groups whose last value stays although it is stale.
        """
        store = self._store
        paths = store.touched
        for state, stood_in in self._stood_in.items():
            if state.stands_in is not stood_in:
                self._stood_in[state], self._look_at = state.stands_in, -math.inf
        if keep != self._keep or now >= self._look_at - CHECK_EARLY:
            paths = paths | store.shown.keys()
            self._keep, self._look_at = keep, math.inf
        store.touched = set()
        changes: dict[str, Value] = {}
        for path in paths:
            value, group = store.shown.get(path), store.groups[path]
            if value is not None and group is not None and group not in keep:
                age, life = now - store.at[path], store.sources[path].shelf_life
                limit = life.stale if age <= life.stale else store.limit_of(path, life)
                if age > limit:
                    value = None
                else:
                    self._look_at = min(self._look_at, store.at[path] + limit)
            if value != self.values.get(path):
                changes[path] = value
                self.values[path] = value
        return changes

    def look_at_all(self) -> None:
        """Make the next update look at every value, because the freshness times have changed."""
        self._look_at = -math.inf
