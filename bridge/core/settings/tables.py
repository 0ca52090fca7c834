"""Curves: points of rising x, with straight lines between them.

Before the first point its value holds, after the last point the last one's.
"""

from __future__ import annotations

from itertools import pairwise

from bridge.core.settings.declarations import Table


def value_at(table: Table, x: float) -> float:
    """The curve at x: straight lines between the points; beyond the ends, the end's value.

    The table must have been checked: at least two points, x rising.
    """
    if x <= table[0][0]:
        return table[0][1]
    for (x0, y0), (x1, y1) in pairwise(table):
        if x == x1:
            return y1
        if x < x1:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return table[-1][1]


def most_careful(table: Table) -> float:
    """The smallest share of a curve, 0 to 1, for an x that is unknown."""
    return min([y for _, y in table])


def allowed_range(table: Table) -> tuple[float, float] | None:
    """From which to which x the points themselves allow something; None where they never do.

    Where the curve goes on beyond its ends does not count: the table names no x there.
    """
    xs = [x for x, y in table if y > 0]
    for (x0, y0), (x1, y1) in pairwise(table):
        if y0 > 0 or y1 > 0:
            xs += [x0, x1]
    return (min(xs), max(xs)) if xs else None
