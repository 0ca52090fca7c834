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


class Frame:
    """Whether a frame of voltages is coming. cells: their paths. pack: that of the pack voltage.

    A frame is over when every voltage that was ever written has come again, when a cell that has
    come already comes with another value, when nothing has come for PATIENCE times the usual pause,
    or after SLOWEST. The pack voltage may come more often than the cells, because another device
    may measure it. Each frame
    is looked at once when it is over, even if the next one has begun.
    """

    def __init__(self, cells: Iterable[str], pack: str) -> None:
        self._pack = pack
        self._paths = frozenset((*cells, pack))
        self._known: set[str] = set()
        self._missing: set[str] = set()
        self._again: set[str] = set()
        self._began = self._last = 0.0
        self._over_at = float("-inf")
        self._pause = GAP / PATIENCE
        self._is_closed = True
        self._is_before_open = False

    def note(self, path: str, now: float, *, is_other: bool) -> bool:
        """A value has come. now: monotonic s. is_other: it is not the one before.

        Returns whether a frame begins while the one before is over and nobody has looked at it.
        """
        is_over = not self._missing or now >= self._over_at - ROUNDING
        self._pause += WEIGHT * (min(GAP, now - self._last) - self._pause)
        self._last = now  # the current and the SoC are part of a frame too
        begins = False
        if path in self._known:
            again = not is_over and path not in self._missing
            begins = is_over or (again and is_other and path != self._pack)
            if begins:
                carried = set() if is_over else self._again
                self._began, self._missing, self._again = now, self._known - carried, set()
            elif again:
                self._again.add(path)
            self._missing.discard(path)
        elif path in self._paths:
            self._known.add(path)
        patience = min(GAP, max(QUIET, PATIENCE * self._pause))
        self._over_at = min(now + patience, self._began + SLOWEST)
        if not begins:
            return False
        self._is_before_open = not self._is_closed
        self._is_closed = False
        return self._is_before_open

    def forget(self, paths: Iterable[str]) -> None:
        """These paths are not waited for any more, until they are written again."""
        self._known.difference_update(paths)
        self._missing.difference_update(paths)

    def look(self, now: float) -> None:
        """What `state` said has been used: a frame that is over is closed. now: monotonic s."""
        if self._is_before_open:
            self._is_before_open = False
        elif not self._missing or now >= self._over_at - ROUNDING:
            self._missing, self._is_closed = set(), True

    def state(self, now: float) -> tuple[bool, float | None]:
        """Whether a frame is coming, and when its half begins to count; None if it does already.

        Both in monotonic s. While nobody has looked at the frame before, this one is still coming.
        """
        if not self._missing or now >= self._over_at - ROUNDING:
            return self._is_before_open, None
        half_counts_at = min(self._last + QUIET, self._began + LONGEST)
        return True, half_counts_at if now < half_counts_at - ROUNDING else None
