"""Where values come from. Each source has its own liveness, and a shelf life for its values.

What clients write (by MQTT or D-Bus) is the first source, and for now the only one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple


class ShelfLife(NamedTuple):
    """Ages in s, rising.

    When a value is older than `aging`, nothing may loosen. Older than `stale`, it counts as
    unknown. Older than `lost`, the setting on_lost decides. single_cells: of a cell's value while
    fresher extremes stand in for it; until then it still tightens. It is never less than `stale`.
    """

    aging: float
    stale: float
    lost: float
    single_cells: float = 0.0


@dataclass
class Counter:
    """A value of a source that must advance, or else the source repeats itself.

    path: of the value; within: s; moved_at: monotonic s, at first the start.
    """

    path: str
    within: float
    moved_at: float

    def words(self, now: float) -> str:
        """That it stands still, in words; "" while it does not. now: monotonic s."""
        stood = now - self.moved_at
        return f"{self.path} has not changed for {stood:.0f} s" if stood > self.within else ""


class Source:
    """One origin of values. name: for people; shelf_life: of its values; counter: None for none."""

    def __init__(self, name: str, shelf_life: ShelfLife, counter: Counter | None = None) -> None:
        self.name = name
        self.shelf_life = shelf_life
        self.counter = counter
        self._heard_at = -math.inf

    def note_value(self, now: float) -> None:
        """Note that a valid value has come from this source. now: monotonic seconds."""
        self._heard_at = max(self._heard_at, now)

    def age(self, now: float) -> float:
        """Seconds since its last valid value; infinite if there was none. Never negative."""
        return max(0.0, now - self._heard_at)


CLIENTS = "clients"
"""The name of the source of everything that clients write."""
