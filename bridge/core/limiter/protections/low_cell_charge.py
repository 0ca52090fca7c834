"""Less charge current while a cell is very low, and none for a cell that may be damaged."""

from __future__ import annotations

from bridge.core.limiter.curves import cap_of_silence
from bridge.core.limiter.protection import Protection
from bridge.core.limiter.situation import Situation, name_of
from bridge.core.limiter.sweeps import EVERY_CELL, ONE_CELL
from bridge.core.measurements.inputs import CELLS, PACK_VOLTAGE
from bridge.core.model import CCL, Cap
from bridge.core.settings.tables import value_at


def _cap(situation: Situation) -> Cap | None:
    """Maximum (A) times the share at the lowest cell."""
    settings, lowest = situation.settings, situation.volts.lowest
    table, maximum = settings.low_cell_charge, settings.max_charge_current
    if not table:
        return None
    if lowest is None:
        return cap_of_silence(situation, table, maximum, CELLS)
    share_of_lowest = value_at(table, lowest)
    if share_of_lowest == 1:
        return None
    words = f"{name_of(situation.of(CELLS), lowest)} at {lowest:.3f} V"
    if share_of_lowest == 0:
        words += ", a cell this low must not be charged without inspection"
    return Cap(maximum * share_of_lowest, words)


CHARGE = Protection(
    "low cell",
    CCL,
    "max_charge_current times low_cell_charge, at the lowest cell",
    frozenset({CELLS, PACK_VOLTAGE}),
    _cap,
    sweeps=(EVERY_CELL, ONE_CELL),
)
