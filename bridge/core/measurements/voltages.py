"""The cells and the pack voltage measure the same thing twice. The more careful one counts.

N cells in series. Their sum should be the pack voltage V, and their mean V / N. All in V.
"""

from __future__ import annotations

from typing import NamedTuple

from bridge.core.measurements.inputs import Cells

TINY = 1e-6
"""V. Rounding errors of sums and means are smaller."""


class Volts(NamedTuple):
    """What follows from both: V, None where nothing is known.

    highest, lowest: the extreme cells. pack: the pack voltage. mismatch: how far the written pack
    voltage is from what the cells can add up to, in % of that.
    """

    highest: float | None
    lowest: float | None
    pack: float | None
    mismatch: float | None


def volts_of(cells: Cells, written: float | None, count: int) -> Volts:
    """What follows from both. written: the pack voltage as written.

    Both written extremes count for both results, because a client may have swapped them. V / N
    counts too: the highest cell is never below the mean, and the lowest never above it.

    The pack voltage is the lower of the written one and of what the cells can add up to. Without a
    written one it is the sum of the cells, or with only the extremes the least possible sum.
    """
    known = cells.known
    mean = None if written is None else written / count
    if not known:
        return Volts(mean, mean, written, None)
    highest, lowest = max(known), min(known)
    if mean is not None:
        highest = mean if mean > highest + TINY else highest
        lowest = mean if mean < lowest - TINY else lowest
    sums = sums_of(cells, count)
    if sums is None:
        return Volts(highest, lowest, written, None)
    least, most = sums
    if written is None:
        return Volts(highest, lowest, least, None)
    return Volts(highest, lowest, min(written, most), mismatch(sums, written))


def mismatch(sums: tuple[float, float], written: float) -> float | None:
    """How far the pack voltage is from what the cells can add up to, in % of that."""
    least, most = sums
    if least <= 0.0 or most <= 0.0:
        return None  # the cells are at 0 V, or the extremes contradict the cells
    return max(0.0, written / most - 1, 1 - written / least) * 100


def sums_of(cells: Cells, count: int) -> tuple[float, float] | None:
    """The least and the largest voltage that so many cells can add up to.

    Both are the sum where all are known; with only the extremes, one cell is at each, and all
    others at the one or at the other. None unless something is known of every cell.
    """
    voltages, one, other = cells
    if voltages and None not in voltages:
        total = sum(voltages)  # type: ignore[arg-type]
        return total, total
    if one is None or other is None:
        return None
    known = cells.known
    low, high = min(known), max(known)
    return high + (count - 1) * low, max(high, low + (count - 1) * high)  # a lone cell: high twice


def spread(cells: Cells) -> float | None:
    """The highest less the lowest cell; None unless something is known of every cell."""
    if not cells.is_whole:
        return None
    known = cells.known
    return max(known) - min(known)
