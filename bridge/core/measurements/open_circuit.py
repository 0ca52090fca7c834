"""Between which bounds the SoC of a cell must be, by its voltage at rest.

Cells of one chemistry differ: at 40 % an LFP cell rests at 3.26 V in one table and at 3.31 V in
another, and after a charge it rests higher than after a discharge. So there are two curves: no cell
of the chemistry is fuller than the one says, and none is emptier than the other says.

The points are ours: outside of the curves of Libre Solar (bms-firmware, bms_common.c) and of the
rested voltages that makers print, rounded away from both. They only have to be careful.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from bridge.core.settings.declarations import Table
from bridge.core.settings.tables import value_at


class RestingCell(NamedTuple):
    """The lowest and the highest SoC in % over the voltage of a resting cell in V."""

    lowest: Table
    highest: Table


RESTING_CELLS: Mapping[str, RestingCell] = {
    "lfp": RestingCell(
        lowest=(
            (2.90, 0), (3.10, 3), (3.20, 8), (3.25, 15), (3.28, 25), (3.30, 35), (3.33, 55),
            (3.35, 70), (3.40, 93), (3.45, 97), (3.65, 100),
        ),
        highest=(
            (2.50, 0), (2.83, 2), (3.11, 6), (3.18, 12), (3.22, 25), (3.25, 37), (3.26, 42),
            (3.265, 52), (3.28, 70), (3.30, 80), (3.31, 93), (3.33, 97), (3.39, 100),
        ),
    ),
    "nmc": RestingCell(
        lowest=(
            (3.00, 0), (3.60, 5), (3.70, 14), (3.80, 38), (3.90, 60), (4.00, 75), (4.10, 90),
            (4.20, 98), (4.30, 100),
        ),
        highest=(
            (2.50, 0), (3.00, 1), (3.35, 6), (3.50, 13), (3.57, 22), (3.66, 42), (3.72, 52),
            (3.82, 62), (3.92, 72), (4.02, 83), (4.10, 93), (4.18, 100),
        ),
    ),
    "lto": RestingCell(
        lowest=(
            (1.90, 0), (2.09, 4), (2.15, 10), (2.20, 20), (2.25, 40), (2.30, 60), (2.37, 79),
            (2.46, 90), (2.52, 95), (2.80, 100),
        ),
        highest=(
            (1.50, 0), (1.80, 1), (2.00, 4), (2.09, 6), (2.12, 10), (2.15, 19), (2.18, 31),
            (2.20, 42), (2.25, 58), (2.30, 69), (2.37, 81), (2.41, 91), (2.46, 97), (2.53, 100),
        ),
    ),
}  # fmt: skip
"""By chemistry."""

READING_ERROR = 0.02
"""V. Ours: a digit of a BMS that shows 10 mV, and as much again for a cell that still relaxes."""

SAG = 1.0
"""V at a current of 1 C: how far a working cell may be from its voltage at rest.

Ours: eight times what a warm LFP cell of 0.12 ohm Ah loses, as a cold and old one loses far more.
"""


def soc_between(chemistry: str, lowest: float, highest: float, rate: float) -> tuple[float, float]:
    """The bounds of the SoC in %, by the extreme cells in V and the current.

    rate: current per capacity (1/h), positive charges. A charge only lifts the voltage of a cell,
    and a discharge only lowers it; so each makes one of the two bounds wider.
    """
    curves = RESTING_CELLS[chemistry]
    emptiest = lowest - READING_ERROR - SAG * max(0.0, rate)
    fullest = highest + READING_ERROR + SAG * max(0.0, -rate)
    return value_at(curves.lowest, emptiest), value_at(curves.highest, fullest)
