"""Two writers on one path: its values jump between two levels.

MQTT does not tell clients apart, so the values must show it. A path is in contradiction when its
values have jumped up and down by turns, JUMPS times, with at most WITHIN seconds between two jumps.
Then both values count, each where it tightens, until WITHIN seconds have passed without a jump.

What is not one: noise below the size of a jump, a load that starts and ends, one glitch a minute,
and the copy that a GX makes of each write. A load that pulses so strongly that it looks like two
writers does no harm here: it is limited by its worst moments.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bridge.core.measurements.inputs import Input
from bridge.core.measurements.words import said_of
from bridge.core.model import Value

JUMPS = 7
"""Our choice: two loads that start and end, each written twice by copies out of order, make 6."""

WITHIN = 15.0
"""Seconds. Our choice: the default of freshness.aging, so two writers of fresh values are seen."""

TINY = 1e-6
"""A difference of two decimal fractions is rounded. Ours: far below what any path shows."""


@dataclass(frozen=True)
class _Limits:
    """Of one path, in its unit: the size of a jump, and the values that could be meant."""

    jump: float
    low: float
    high: float


@dataclass
class _Course:
    """The last value of one path, and its last jumps: the size, how many, when (monotonic s)."""

    value: float
    size: float = 0.0
    jumps: int = 0
    at: float = float("-inf")


class Contradictions:
    """The contradictions of one pack of so many cells.

    other: by path, the value that contradicts the last one; the last one itself if that other value
    is impossible. Then nothing may loosen, but what cannot be does not switch off an inverter.
    """

    def __init__(self, inputs: tuple[Input[Any], ...], cells: int) -> None:
        self._limits = {
            path: _limits_of(input_, cells)
            for input_ in inputs
            if input_.jump is not None
            for path in input_.all_paths_of(cells)
        }
        self._courses: dict[str, _Course] = {}
        self.other: dict[str, float] = {}

    def note(self, path: str, value: Value, now: float) -> None:
        """Note a reading that has passed the gate, believed or not. now: monotonic s."""
        limits = self._limits.get(path)
        if limits is None or not isinstance(value, (int, float)):
            return
        course = self._courses.get(path)
        if course is None:
            self._courses[path] = _Course(float(value))
            return
        before, course.value = course.value, float(value)
        size = course.value - before
        if abs(size) < limits.jump:
            return
        is_back = size * course.size < 0 and now - course.at <= WITHIN
        course.jumps = course.jumps + 1 if is_back else 1
        course.size, course.at = size, now
        if course.jumps >= JUMPS:
            self.other[path] = before if limits.low <= before <= limits.high else course.value
        else:
            self.other.pop(path, None)

    def expire(self, now: float) -> None:
        """End the contradictions that are over. now: monotonic s."""
        for path in [path for path in self.other if now - self._courses[path].at > WITHIN]:
            del self.other[path]

    @property
    def words(self) -> str:
        """Which paths jump between two values; "" for none."""
        return said_of(self.other, " jumps between two values, perhaps of two clients")


def _limits_of(input_: Input[Any], cells: int) -> _Limits:
    rule, jump = input_.plausible, input_.jump
    assert jump is not None, "only asked for inputs with a jump"
    if rule is None:
        return _Limits(jump - TINY, float("-inf"), float("inf"))
    scale = cells if rule.of_pack else 1
    return _Limits(jump * scale - TINY, rule.low * scale, rule.high * scale)
