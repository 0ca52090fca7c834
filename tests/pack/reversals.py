"""How often a limit turns round: what makes chargers work harder for nothing."""

from __future__ import annotations

SWING = 5.0  # A; a smaller change is no reversal


class Reversals:
    """Counts how often a value has come back by more than SWING from its last turn."""

    def __init__(self) -> None:
        self.count = 0
        self._turn: float | None = None
        self._rises: bool | None = None

    def follow(self, value: float) -> None:
        """The value now."""
        if self._turn is None:
            self._turn = value
        moved = value - self._turn
        if self._rises is not None and moved * (1 if self._rises else -1) > 0:
            self._turn = value
        elif abs(moved) > SWING:
            self.count += self._rises is not None
            self._rises, self._turn = moved > 0, value
