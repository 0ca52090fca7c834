"""Where values come from. A source has a liveness of its own, and its values carry its shelf life.

What clients write (by MQTT or D-Bus) is the first source, and for now the only one.
"""

from __future__ import annotations

import math
from typing import NamedTuple


class ShelfLife(NamedTuple):
    """Ages in s, rising.

    A value older than `aging` lets nothing loosen, older than `stale` it is not known any more,
    older than `lost` on_lost decides.
    """

    aging: float
    stale: float
    lost: float


class Source:
    """One origin of values. name: how people call it; shelf_life: of the values it brings."""

    def __init__(self, name: str, shelf_life: ShelfLife) -> None:
        self.name = name
        self.shelf_life = shelf_life
        self._heard_at = -math.inf

    def hear(self, now: float) -> None:
        """A valid value has come from it. now: monotonic seconds."""
        self._heard_at = max(self._heard_at, now)

    def age(self, now: float) -> float:
        """Seconds since its last valid value; infinite if there was none. Never negative."""
        return max(0.0, now - self._heard_at)


CLIENTS = "clients"
"""The name of the source of everything that clients write."""
