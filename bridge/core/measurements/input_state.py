"""One input of one pack, kept up to date by writes: its reading, and the ages that it needs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Set
from typing import Any

from bridge.core.measurements.inputs import Input, Numbers
from bridge.core.measurements.source import ShelfLife, Source

CHECK_EARLY = 0.001
"""Seconds. A look at what may have become stale comes a little early rather than late.

Our choice: far more than the rounding of a sum of times, far less than a tick.
"""


_Way = tuple[tuple[str, ...], list[tuple[Source, tuple[str, ...]]]]
"""Paths that together make the whole input; the same by the source of their last value."""


class InputState:
    """What is known of one input.

    reading: made of the numbers that are known and not stale. needed: the paths whose ages make
    the age of the input; empty while nothing was ever written. is_whole: none of these is missing.
    stands_in: its stand-ins are fresher than its own paths, so older values of these only tighten.
    lacks: an own path is too old even for that, although all were written once. look_at: when
    `renew` is due. newest: when the last number came (monotonic s); -inf before the first. oldest:
    for each source, when the oldest needed value came (monotonic s); empty until it is found again.
    """

    def __init__(self, input_: Input[Any], cells: int) -> None:
        self.input = input_
        self.own_paths = input_.paths_of(cells)
        self.paths = input_.all_paths_of(cells)
        self.needed: tuple[str, ...] = ()
        self.is_whole = self.stands_in = self.lacks = False
        self.oldest: list[tuple[Source, float]] = []
        self.reading: Any = input_.read({}, self.own_paths)
        self.look_at = math.inf
        self.newest = -math.inf
        self._sort_at = math.inf
        self._ways: list[_Way] = []
        self._prefers_stand_ins = False
        self._refused: set[str] = set()
        self._every: dict[str, float] = {}
        self._numbers: dict[str, float] = {}
        self._older: dict[str, float] = {}

    # --- what comes in -------------------------------------------------------------------

    def write(self, path: str, number: float, at: float, source: Source) -> None:
        """A valid number has come to one of its paths, in its unit. at: monotonic s."""
        self._every[path] = self._numbers[path] = number
        self._older.pop(path, None)
        self._refused.discard(path)
        life = source.shelf_life
        lasts = life.aging if self.stands_in else life.stale
        self._sort_at = min(self._sort_at, at + lasts - CHECK_EARLY)
        self.newest = max(self.newest, at)
        self.look_at = -math.inf
        self.oldest = []

    def refuse(self, path: str) -> None:
        """A path is refused again and again; for an own path, no stand-in makes that good."""
        if path in self.own_paths:
            self._refused.add(path)

    def rearrange(self, at: Mapping[str, float], sources: Mapping[str, Source]) -> None:
        """Find again which paths the input needs.

        To be called when a path has a value for the first time, or from another source, or was
        forgotten. at (monotonic s), sources: of every path that was ever written.
        """
        written, stand_ins = tuple(path for path in self.paths if path in at), self.input.stand_ins
        wanted = (self.own_paths, stand_ins) if stand_ins else (written,)
        self._ways = [
            _by_source(way, sources) for way in wanted if way and all(path in at for path in way)
        ]
        self.is_whole, self._prefers_stand_ins = bool(self._ways), False
        self.needed = self.own_paths if stand_ins and written else written
        self.reconsider()

    def reconsider(self) -> None:
        """Make the next `renew` check every path: times have changed, or a path was forgotten."""
        self.oldest = []
        self.look_at = self._sort_at = -math.inf

    # --- what follows from it --------------------------------------------------------------

    def with_others(self, others: Numbers) -> Any:
        """The reading if these numbers, by path, were measured instead of the known ones."""
        instead = {path: others[path] for path in self.paths if path in others}
        return self._read({**self._numbers, **instead}) if instead else self.reading

    def find_oldest(self, at: Mapping[str, float], withdrawn: Set[str]) -> None:
        """Find `oldest` again, after a write: of its own paths, or of the stand-ins.

        Those that stay fresh for longer are needed. A path that is withdrawn is not fresh. at: when
        each path was written (monotonic s).
        """
        self.oldest, latest = [], -math.inf
        for paths, by_source in self._ways:
            oldest, fresh_until = [], math.inf
            for source, those in by_source:
                since = min(map(at.__getitem__, those))
                oldest.append((source, since))
                fresh_until = min(fresh_until, since + source.shelf_life.aging)
            if withdrawn and not withdrawn.isdisjoint(paths):
                fresh_until = -math.inf
            if not self.oldest or (fresh_until > latest and not self._refused):
                self.oldest, self.needed, latest = oldest, paths, fresh_until
        self._prefers_stand_ins = self.needed[0] in self.input.stand_ins
        if self._prefers_stand_ins is not self.stands_in:
            self.look_at = self._sort_at = -math.inf

    def renew(
        self,
        at: Mapping[str, float],
        sources: Mapping[str, Source],
        withdrawn: Set[str],
        now: float,
    ) -> None:
        """Drop the numbers that are stale at `now` (monotonic s), and read the others."""
        if self.is_whole and not self.oldest:
            self.find_oldest(at, withdrawn)
        if now >= self._sort_at:
            self._sort(at, sources, now)
        self.look_at = self._sort_at
        reading = self.input.read(self._numbers, self.own_paths)
        if self._older:
            reading = self._read(self._numbers)
        if reading != self.reading:
            self.reading = reading

    def limit_of(self, path: str, life: ShelfLife) -> float:
        """The age (s) beyond which the value of a path does not count."""
        if self.stands_in and path not in self.input.stand_ins:
            return max(life.stale, life.single_cells)
        return life.stale

    def _read(self, numbers: Numbers) -> Any:
        reading = self.input.read(numbers, self.own_paths)
        older = [number for path, number in self._older.items() if path not in numbers]
        return self.input.widen(reading, older) if older and self.input.widen else reading

    def _sort(self, at: Mapping[str, float], sources: Mapping[str, Source], now: float) -> None:
        """Sort the numbers by their age: known, only tightening, and too old."""
        self._every = {path: number for path, number in self._every.items() if path in at}
        ages = {path: now - at[path] for path in self._every}
        lives = {path: sources[path].shelf_life for path in self._every}
        stand_ins = self.input.stand_ins
        self.stands_in = self._prefers_stand_ins and all(
            ages[path] <= lives[path].stale for path in stand_ins
        )
        self._numbers, self._older, ends = {}, {}, []
        for path, number in self._every.items():
            age, life, limit = ages[path], lives[path], self.limit_of(path, lives[path])
            is_own = self.stands_in and path not in stand_ins
            if age <= (life.aging if is_own else limit):
                self._numbers[path] = number
                ends.append(at[path] + (life.aging if is_own else limit))
            elif age <= limit:
                self._older[path] = number
                ends.append(at[path] + limit)
        self.lacks = (
            self.stands_in
            and all(path in ages for path in self.own_paths)
            and any(ages[path] > self.limit_of(path, lives[path]) for path in self.own_paths)
        )
        self._sort_at = min(ends, default=math.inf) - CHECK_EARLY


def _by_source(paths: tuple[str, ...], sources: Mapping[str, Source]) -> _Way:
    paths_of: dict[Source, list[str]] = {}
    for path in paths:
        paths_of.setdefault(sources[path], []).append(path)
    return paths, [(source, tuple(those)) for source, those in paths_of.items()]
