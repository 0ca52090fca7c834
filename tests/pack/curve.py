"""Straight lines between points, the shape of every table of the simulation."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise


class Curve:
    """A function of one variable, given by points (x, y) with x strictly rising.

    Outside the points the ends are held, or with `extend` the outermost line goes on.
    Raises ValueError for fewer than two points or an x that does not rise.
    """

    def __init__(self, points: tuple[tuple[float, float], ...], *, extend: bool = False) -> None:
        if len(points) < 2:
            raise ValueError("a curve needs at least two points")
        if any(left[0] >= right[0] for left, right in pairwise(points)):
            raise ValueError("the x of a curve must rise from point to point")
        self.points = points
        self._extend = extend
        self._xs = [x for x, _ in points]
        self._slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in pairwise(points)]

    def at(self, x: float) -> float:
        """The y that belongs to x."""
        if not self._extend:
            x = min(max(x, self._xs[0]), self._xs[-1])
        segment = min(max(bisect_right(self._xs, x) - 1, 0), len(self._slopes) - 1)
        left_x, left_y = self.points[segment]
        return left_y + self._slopes[segment] * (x - left_x)
