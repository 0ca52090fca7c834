"""Readings that are refused again and again: the value of their path is missing.

A path whose readings are refused for longer than `doubt`, without a good one in between, counts as
silent from then on, whatever came before. So a sensor that sends only nonsense does not live on its
last good value. A single refused reading has no such effect, except for a permission: what a BMS
said about it could not be understood, so after `doubt` it does not permit.
"""

from __future__ import annotations

from typing import Any

from bridge.core.measurements.inputs import Input
from bridge.core.measurements.plausibility import COPY_WITHIN
from bridge.core.measurements.words import said_of


class Refusals:
    """The refused readings of one pack of so many cells, since the last good one of their path.

    since: when the first of them came (monotonic s), by path.
    """

    def __init__(self, inputs: tuple[Input[Any], ...], cells: int) -> None:
        self._inputs = {
            path: input_
            for input_ in inputs
            if not input_.may_be_silent
            for path in input_.all_paths_of(cells)
        }
        self.since: dict[str, float] = {}
        self._last: dict[str, float] = {}

    def note(self, path: str, now: float) -> None:
        """A reading of this path was refused. now: monotonic s."""
        if path in self._inputs:
            self.since.setdefault(path, now)
            self._last[path] = now

    def end(self, path: str) -> None:
        """A good reading of this path has come."""
        self.since.pop(path, None)

    def missing(self, doubt: float, forget: float, now: float) -> list[str]:
        """The paths that are refused for longer than doubt (s). now: monotonic s.

        When nothing was refused for longer than `forget` (s), it is over.
        """
        for path in [path for path in self.since if now - self._last[path] > forget]:
            del self.since[path]
        return [path for path in self.since if self._is_missing(path, doubt, now)]

    def _is_missing(self, path: str, doubt: float, now: float) -> bool:
        first, last = self.since[path], self._last[path]
        if self._inputs[path].is_permission and now - first >= doubt:
            return True
        return last - first >= max(doubt, COPY_WITHIN)

    def input_of(self, path: str) -> Input[Any]:
        """The input that a path belongs to."""
        return self._inputs[path]


def words_for(missing: list[str]) -> str:
    """Which paths are refused again and again, in words; "" for none."""
    return said_of(missing, " is refused again and again")
