"""The last valid value of every measurement: when it came, and which source brought it.

Ages count from the last valid write, on the monotonic clock; a repeated equal value is a write.
A null takes the value off the display. Apart from that it counts as silence: the age goes on from
the last valid write, and nothing may loosen until a new value comes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from bridge.core.measurements.input_state import InputState
from bridge.core.measurements.inputs import Input, Numbers
from bridge.core.measurements.source import ShelfLife, Source
from bridge.core.model import Group, Value
from bridge.core.paths.gate import PathSpec
from bridge.core.paths.table import Paths

LONG_AGO = -math.inf
"""The time of a value that never counts again."""


class MeasurementStore:
    """Stores values with their times. Time is passed in; there is no clock here.

    inputs: the inputs in use. at, sources: when each path was last written (monotonic s), and by
    which source; LONG_AGO once a value has expired, whatever its age. withdrawn: the paths whose
    last value was withdrawn by a null. touched: the paths whose display may have changed since the
    display was last brought up to date. moved: when the values came (monotonic s) that have changed
    since `take_moved`, by path.
    """

    def __init__(self, paths: Paths, inputs: tuple[Input[Any], ...], cells: int) -> None:
        self.inputs = {input_: InputState(input_, cells) for input_ in inputs}
        self.groups = {path: spec.group for path, spec in paths.items()}
        self.touched: set[str] = set()
        self.moved: dict[str, float] = {}
        self._compared: dict[str, Value] = {}  # kept when a value is forgotten: that is no movement
        self.shown: dict[str, Value] = {}
        self.at: dict[str, float] = {}
        self.sources: dict[str, Source] = {}
        self._values: dict[str, Value] = {}
        self.withdrawn: set[str] = set()
        self._expired: dict[str, float] = {}
        self._inputs_of: dict[str, list[InputState]] = {}
        for one in self.inputs.values():
            for path in one.paths:
                self._inputs_of.setdefault(path, []).append(one)
        self.replaceable = [one for one in self.inputs.values() if one.input.stand_ins]
        self._readings: dict[Input[Any], Any] = {
            one.input: one.reading for one in self.inputs.values()
        }

    # --- writes --------------------------------------------------------------------------

    def write(self, spec: PathSpec, value: Value, source: Source, now: float) -> None:
        """Store a value that has passed the gate. None withdraws it from the display.

        now: monotonic s.
        """
        path = spec.path
        if value is None:
            if self.shown.pop(path, None) is not None:
                self.withdrawn.add(path)
                self.touched.add(path)
                for state in self._inputs_of.get(path, ()):
                    state.reconsider()
            return
        is_rearranged = self.sources.get(path) is not source or path not in self.at
        if self._compared.get(path) != value:
            self._compared[path] = value
            self.moved[path] = now
        self._values[path] = value
        self.shown[path] = spec.show(value)
        self.at[path] = now
        self._expired.pop(path, None)
        self.sources[path] = source
        self.withdrawn.discard(path)
        self.touched.add(path)
        source.note_value(now)
        for state in self._inputs_of.get(path, ()):
            if isinstance(value, (int, float)):
                state.write(path, float(value), now, source)
            if is_rearranged:
                state.rearrange(self.at, self.sources)

    def expire(self, now: float) -> None:
        """Mark what is stale now (monotonic s), so that only a new write can make it fresh."""
        stale = [path for path, source in self.sources.items() if self._is_stale(path, source, now)]
        self._expire_paths(stale)
        self.look_at_all()

    def compare_with(self, values: Mapping[str, float]) -> None:
        """Take these as the last values, by path: an equal one that comes is no movement."""
        self._compared.update(values)

    def last_compared(self, paths: Iterable[str]) -> dict[str, float]:
        """The last numbers of these paths, also of those that were forgotten or are stale."""
        found = {path: self._compared.get(path) for path in paths}
        return {path: float(v) for path, v in found.items() if isinstance(v, (int, float))}

    def take_moved(self) -> dict[str, float]:
        """When the values came (monotonic s) that have changed since the last call, by path.

        The first value of a path has changed too.
        """
        moved, self.moved = self.moved, {}
        return moved

    def refuse(self, paths: Iterable[str]) -> None:
        """These paths are refused again and again: what they said before counts no longer."""
        for path in paths:
            for state in self._inputs_of.get(path, ()):
                state.refuse(path)
        self._expire_paths(paths)

    def _expire_paths(self, paths: Iterable[str]) -> None:
        for path in paths:
            at = self.at.get(path, LONG_AGO)
            if at > LONG_AGO:
                self._expired[path], self.at[path] = at, LONG_AGO
                self.touched.add(path)
                for state in self._inputs_of.get(path, ()):
                    state.reconsider()

    def look_at_all(self) -> None:
        """Check every value again for staleness, because the freshness times have changed."""
        for state in self.inputs.values():
            state.reconsider()

    def named(self, what: str) -> list[str]:
        """The written paths that a path or a group names."""
        return [path for path in self.at if what in (path, path[1:], self._group_name(path))]

    def forget(self, what: str) -> list[str]:
        """Forget one path or a group, as if never written. Returns the forgotten paths."""
        gone = self.named(what)
        for path in gone:
            for known in (self._values, self.shown, self.at, self.sources, self._expired):
                known.pop(path, None)
            self.withdrawn.discard(path)
            self.touched.add(path)
        for state in self.inputs.values():
            state.rearrange(self.at, self.sources)
        self.look_at_all()
        return gone

    # --- what is known ---------------------------------------------------------------------

    def last(self, path: str) -> tuple[Value, float] | None:
        """The last valid value and when it came (monotonic s); None if there was none."""
        if path not in self.at:
            return None
        return self._values[path], self._expired.get(path, self.at[path])

    def came_at(self, path: str) -> float:
        """When the last valid value of a written path came (monotonic s), expired or not."""
        return self._expired.get(path, self.at[path])

    def blocking(self, path: str, now: float) -> str:
        """Why the last value of a written path must not be forgotten; "" if it may be.

        A value is forgotten because its sensor is gone: so it must be stale (now: monotonic s). And
        a BMS that has blocked goes on blocking until somebody says otherwise.
        """
        states, value = self._inputs_of.get(path, ()), self._values[path]
        if states and not self._is_stale(path, self.sources[path], now):
            return f"{path} has a fresh value, only what is silent can be forgotten"
        for state in states:
            if state.input.is_permission and isinstance(value, (int, float)):
                words = state.input.read({path: value}, ())
                if words:
                    return f"{words}; write another value to {path} before it is forgotten"
        return ""

    def readings(self, now: float) -> Mapping[Input[Any], Any]:
        """The reading of every input, without stale values. The same object while none changes."""
        changed = {}
        for input_, state in self.inputs.items():
            if now >= state.look_at:
                state.renew(self.at, self.sources, self.withdrawn, now)
            if state.reading is not self._readings[input_]:
                changed[input_] = state.reading
        if changed:
            self._readings = {**self._readings, **changed}
        return self._readings

    def readings_with(self, others: Numbers, now: float) -> Mapping[Input[Any], Any]:
        """The readings if these numbers, by path, had been measured instead."""
        self.readings(now)
        return {input_: one.with_others(others) for input_, one in self.inputs.items()}

    def last_numbers(self, paths: Iterable[str]) -> Numbers:
        """The last values of these paths, however old; without those that have none."""
        return {path: value for path in paths if isinstance(value := self._values.get(path), float)}

    def limit_of(self, path: str, life: ShelfLife) -> float:
        """The age (s) beyond which the value of a path does not count."""
        states = self._inputs_of.get(path, ())
        return max([state.limit_of(path, life) for state in states], default=life.stale)

    def _is_stale(self, path: str, source: Source, now: float) -> bool:
        return now - self.at[path] > self.limit_of(path, source.shelf_life)

    def _group_name(self, path: str) -> str:
        group: Group | None = self.groups[path]
        return "" if group is None else group.value
