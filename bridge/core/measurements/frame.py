"""A frame: the voltages that were measured at one moment, and are written one after the other.

While a frame is coming, some values are new and others are of the frame before. Compared with each
other they show a difference that never was.
"""

from __future__ import annotations

from collections.abc import Iterable

QUIET = 0.05
"""Seconds without a value after which a frame is over.

Ours: as long as the default of publish_interval, within which writes belong together.
"""

LONGEST = 1.0
"""Seconds after which a frame is over in any case.

Ours: DVCC acts every 3 s, and in 1 s a charge of 1 C raises no cell by more than 4 mV (the rates
in inputs.py).
"""

ROUNDING = 1e-6
"""Seconds. Ours: far more than the rounding of a sum of times, far less than QUIET."""


class Frame:
    """Whether a frame of voltages is coming. paths: those of the cells and of the pack voltage.

    A frame is over when every voltage that was ever written has come again, when nothing has come
    for QUIET, or after LONGEST. What comes before `close` still belongs to a frame that is over, so
    each frame is looked at before the next one begins.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = frozenset(paths)
        self._known: set[str] = set()
        self._missing: set[str] = set()
        self._began: float | None = None
        self._last = 0.0

    def note(self, path: str, now: float) -> None:
        """A value has come. now: monotonic s."""
        if path not in self._paths:
            self._last = now  # the current and the SoC are part of a frame too
            return
        if self._began is None or now - self._began > 2 * LONGEST:
            self._began, self._missing = now, set(self._known)
        self._last = now
        self._known.add(path)
        self._missing.discard(path)

    def forget(self, paths: Iterable[str]) -> None:
        """These paths are not waited for any more, until they are written again."""
        self._known.difference_update(paths)
        self._missing.difference_update(paths)

    def close(self) -> None:
        """Its values have been looked at: the next value begins another frame."""
        self._began = None

    def comes_until(self, now: float) -> float | None:
        """Until when it is waited for, at the longest; None if none is coming. In monotonic s."""
        if self._began is None or not self._missing:
            return None
        until = min(self._last + QUIET, self._began + LONGEST)
        return until if now < until - ROUNDING else None
