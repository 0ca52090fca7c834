"""A value as it was some seconds ago: a slow meter, or a charger that acts late."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Delay(Generic[T]):
    """Gives back each value `seconds` (0 or more) after it was put in."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._values: deque[tuple[float, T]] = deque()

    def at(self, t: float, value: T) -> T:
        """Put in the value of the moment t (s, never falling); returns the delayed one.

        Before `seconds` have passed, the first value that was put in.
        """
        values = self._values
        values.append((t, value))
        while len(values) > 1 and values[1][0] <= t - self.seconds:
            values.popleft()
        return values[0][1]
