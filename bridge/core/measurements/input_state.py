"""One input of one pack, kept up to date by writes: its reading, and the ages that it needs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from bridge.core.measurements.inputs import Input, Numbers
from bridge.core.measurements.source import Source

CHECK_EARLY = 0.001
"""Seconds. A look at what may have become stale comes a little early rather than late.

Our choice: far more than the rounding of a sum of times, far less than a tick.
"""


class InputState:
    """What is known of one input.

    reading: made of the numbers that are known and not stale. needed: the paths whose ages make
    the age of the input; empty while nothing was ever written. by_source: these paths by the
    source of their last value; empty while one is missing. look_at: when `renew` is due. newest:
    when the last number came (monotonic s); -inf before the first. oldest: for each source, when
    the oldest needed value came (monotonic s); empty until it is found again.
    """

    def __init__(self, input_: Input[Any], cells: int) -> None:
        self.input = input_
        self.own_paths = input_.paths_of(cells)
        self.paths = (*self.own_paths, *input_.stand_ins)
        self.needed: tuple[str, ...] = ()
        self.reading: Any = input_.read({}, self.own_paths)
        self.look_at = math.inf
        self.newest = -math.inf
        self._stale_from = math.inf
        self._numbers: dict[str, float] = {}
        self.by_source: list[tuple[Source, tuple[str, ...]]] = []
        self.oldest: list[tuple[Source, float]] = []

    def with_others(self, others: Numbers) -> Any:
        """The reading if these numbers, by path, were measured instead of the known ones."""
        instead = {path: others[path] for path in self.paths if path in others}
        if not instead:
            return self.reading
        return self.input.read({**self._numbers, **instead}, self.own_paths)

    def write(self, path: str, number: float, at: float, source: Source) -> None:
        """A valid number has come to one of its paths, in its unit. at: monotonic s."""
        self._numbers[path] = number
        self.newest = at
        self._stale_from = min(self._stale_from, at + source.shelf_life.stale - CHECK_EARLY)
        self.look_at = -math.inf
        self.oldest = []

    def find_oldest(self, at: Mapping[str, float]) -> None:
        """Find `oldest` again, after a write. at: when each path was written (monotonic s)."""
        for source, paths in self.by_source:
            self.oldest.append((source, min(map(at.__getitem__, paths))))

    def rearrange(self, at: Mapping[str, float], sources: Mapping[str, Source]) -> None:
        """Find again which paths the input needs.

        To be called when a path has a value for the first time, or from another source, or was
        forgotten. at (monotonic s), sources: of every path that was ever written.
        """
        self.needed = self._paths_needed(at)
        self.newest = max([at[path] for path in self.paths if path in at], default=-math.inf)
        paths_of: dict[Source, list[str]] = {}
        if all(path in at for path in self.needed):
            for path in self.needed:
                paths_of.setdefault(sources[path], []).append(path)
        self.by_source = [(source, tuple(paths)) for source, paths in paths_of.items()]
        self.oldest = []

    def renew(self, at: Mapping[str, float], sources: Mapping[str, Source], now: float) -> None:
        """Drop the numbers that are stale at `now` (monotonic s), and read the others."""
        if now >= self._stale_from:
            self._drop_stale(at, sources, now)
        self.look_at = self._stale_from
        reading = self.input.read(self._numbers, self.own_paths)
        if reading != self.reading:
            self.reading = reading

    def reconsider(self) -> None:
        """Make the next `renew` check every path: times have changed, or a path was forgotten."""
        self.oldest = []
        self.look_at = self._stale_from = -math.inf

    def _drop_stale(
        self, at: Mapping[str, float], sources: Mapping[str, Source], now: float
    ) -> None:
        self._numbers = {
            path: number
            for path, number in self._numbers.items()
            if path in at and now - at[path] <= sources[path].shelf_life.stale
        }
        ends = [at[path] + sources[path].shelf_life.stale for path in self._numbers]
        self._stale_from = min(ends, default=math.inf) - CHECK_EARLY

    def _paths_needed(self, at: Mapping[str, float]) -> tuple[str, ...]:
        """Every path that was ever written; with stand-ins, these or all own paths.

        Once all own paths were written, they are needed: so a missing cell is noticed although a
        client still writes the extremes.
        """
        written = tuple(path for path in self.paths if path in at)
        if not self.input.stand_ins or not written:
            return written
        by_own = all(path in at for path in self.own_paths)
        by_stand_ins = all(path in at for path in self.input.stand_ins)
        return self.own_paths if by_own or not by_stand_ins else self.input.stand_ins
