"""Curves of (x, share of the maximum)."""

from __future__ import annotations

from itertools import pairwise

from bridge.core.settings import Table


def share(table: Table, x: float, steps: bool = False) -> float:
    """The share at x, 0 to 1: straight lines between the points, the ends held.

    In steps, the safer (smaller) neighbour of the two points around x. The table must have been
    checked: at least two points, x rising.
    """
    if x <= table[0][0]:
        return table[0][1]
    for (x0, y0), (x1, y1) in pairwise(table):
        if x == x1:
            return y1
        if x < x1:
            return min(y0, y1) if steps else y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return table[-1][1]


def most_careful(table: Table) -> float:
    """The smallest share of a curve: what an unknown x gets."""
    return min(y for _, y in table)
