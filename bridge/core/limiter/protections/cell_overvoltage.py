"""No charge current from the first cell at cell_overvoltage on: the last protection of the cells.

Also none when the cell voltages or the pack voltage were written once and are silent now: then
only one of the two shows an overvoltage.
"""

from __future__ import annotations

from bridge.core.limiter.curves import nothing_for_silence
from bridge.core.limiter.protection import Protection
from bridge.core.limiter.situation import Situation, name_of, reached
from bridge.core.limiter.sweeps import EVERY_CELL, ONE_CELL
from bridge.core.measurements.inputs import CELLS, PACK_VOLTAGE
from bridge.core.model import CCL, Cap


def _cap(situation: Situation) -> Cap | None:
    limit, highest = situation.settings.cell_overvoltage, situation.volts.highest
    if highest is not None and reached(highest, limit):
        name = name_of(situation.of(CELLS), highest)
        return Cap(0.0, f"{name} at {highest:.3f} V, overvoltage is {limit:g} V")
    for input_ in (CELLS, PACK_VOLTAGE):
        if situation.is_silent(input_):
            return nothing_for_silence(situation, input_)
    return None


CHARGE = Protection(
    "cell overvoltage",
    CCL,
    "0 A from the first cell at cell_overvoltage",
    frozenset({CELLS, PACK_VOLTAGE}),
    _cap,
    sweeps=(EVERY_CELL, ONE_CELL),
)
