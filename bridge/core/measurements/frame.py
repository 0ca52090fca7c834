"""A frame: the voltages that were measured at one moment, and are written one after the other.

While a frame is coming, some values are new and others are of the frame before. Compared with each
other they show a difference that never was.
"""

from __future__ import annotations

from collections.abc import Iterable

QUIET = 0.05
"""Seconds without a value after which half a frame counts.

Ours: as long as the default of publish_interval, within which writes belong together.
"""

LONGEST = 1.0
"""Seconds after which half a frame counts in any case.

Ours: DVCC acts every 3 s, and in 1 s a charge of 1 C raises no cell by more than 4 mV (the rates
in inputs.py).
"""

PATIENCE = 4.0
"""Usual pauses between two values after which a frame is over.

Ours: a value may come late, or be lost. A pause between frames is longer.
"""

WEIGHT = 1 / 8
"""The share of the newest pause in the usual one. Ours: a frame of 8 cells and more teaches it."""

GAP = 3.0
"""Seconds without a value after which a frame is over in any case.

Ours: with the longest pause that is usual between two topics, 1 s, two may be lost.
"""

SLOWEST = 30.0
"""Seconds after which a frame is over in any case.

Ours: 24 topics with a pause of 1 s take less. A limit that fell for half a frame begins its hold
this much later at the most.
"""

ROUNDING = 1e-6
"""Seconds. Ours: far more than the rounding of a sum of times, far less than QUIET."""

OVER = (None, False)


class Frame:
    """Whether a frame of voltages is coming. cells: their paths. pack: that of the pack voltage.

    A frame is over when every voltage that was ever written has come again, when a cell that has
    come already comes with another value, when nothing has come for PATIENCE times the usual pause,
    or after SLOWEST. The pack voltage may come more often than the cells, because another device
    may measure it. What comes before `close` still belongs to a frame that is over by time, so each
    frame is looked at before the next one begins.
    """

    def __init__(self, cells: Iterable[str], pack: str) -> None:
        self._pack = pack
        self._paths = frozenset((*cells, pack))
        self._known: set[str] = set()
        self._missing: set[str] = set()
        self._again: set[str] = set()
        self._began: float | None = None
        self._last = 0.0
        self._pause = GAP / PATIENCE

    def note(self, path: str, now: float, *, is_other: bool) -> bool:
        """A value has come. now: monotonic s. is_other: it is not the one before.

        Returns whether the frame before is over only now, so that nobody has looked at it yet.
        """
        self._pause += WEIGHT * (min(GAP, now - self._last) - self._pause)
        self._last = now  # the current and the SoC are part of a frame too
        if path not in self._paths:
            return False
        if path not in self._known:
            self._known.add(path)
            return False
        is_first, missing = self._began is None, self._missing
        if not is_first:
            if path in missing:
                missing.discard(path)
                return False
            if missing and (path == self._pack or not is_other):
                self._again.add(path)
                return False
        self._began = now
        self._missing = self._known - {path}
        if missing:
            self._missing -= self._again  # they came last in the frame before, or first in this one
        self._again = set()
        return not is_first

    def forget(self, paths: Iterable[str]) -> None:
        """These paths are not waited for any more, until they are written again."""
        self._known.difference_update(paths)
        self._missing.difference_update(paths)

    def close(self) -> None:
        """Its values have been looked at: the next value begins another frame."""
        self._began = None
        self._missing, self._again = set(), set()

    def waits(self, now: float) -> tuple[float | None, bool]:
        """Until when the rest of the frame is waited for (monotonic s), and whether its half counts.

        OVER if no frame is coming. A time at which half a frame begins to count is given first.
        """
        if self._began is None or not self._missing:
            return OVER
        until = min(self._last + QUIET, self._began + LONGEST)
        if now < until - ROUNDING:
            return until, False
        patience = min(GAP, max(QUIET, PATIENCE * self._pause))
        until = min(self._last + patience, self._began + SLOWEST)
        return (until, True) if now < until - ROUNDING else OVER
