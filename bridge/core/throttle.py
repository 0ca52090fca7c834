"""Limits how often something is logged, published or sent."""

from __future__ import annotations


class Throttle:
    """A token bucket: `burst` at once, then `per_second` on average. Time is injected."""

    def __init__(self, per_second: float, burst: int) -> None:
        self._per_second = per_second
        self._burst = float(burst)
        self._tokens = float(burst)
        self._at: float | None = None
        self.withheld = 0

    def allows(self, now: float) -> bool:
        """Take a token if there is one; else count one more as withheld. now: s."""
        if self._at is not None:
            self._tokens = min(
                self._burst, self._tokens + max(0.0, now - self._at) * self._per_second
            )
        self._at = now
        if self._tokens < 1.0:
            self.withheld += 1
            return False
        self._tokens -= 1.0
        return True

    def take_withheld(self) -> int:
        """How many were withheld since this was last asked."""
        withheld, self.withheld = self.withheld, 0
        return withheld
