"""Less discharge current below dv1, and less again below dv2; off without dv1."""

from __future__ import annotations

from bridge.core.limiter.curves import line
from bridge.core.limiter.protection import Protection
from bridge.core.limiter.situation import Situation, name_of, reached
from bridge.core.limiter.sweeps import EVERY_CELL, ONE_CELL
from bridge.core.measurements.inputs import CELLS, PACK_VOLTAGE
from bridge.core.model import DCL, Cap


def _cap(situation: Situation) -> Cap | None:
    settings, lowest = situation.settings, situation.volts.lowest
    below_dv1 = settings.max_discharge_current_below_dv1
    if settings.dv1 is None or below_dv1 is None or lowest is None:
        return None
    if not reached(-lowest, -settings.dv1):
        return None
    name = f"{name_of(situation.of(CELLS), lowest)} at {lowest:.3f} V"
    dv2, below_dv2 = settings.dv2, settings.max_discharge_current_below_dv2
    if settings.taper == "linear":
        middle = () if dv2 is None or below_dv2 is None else ((dv2, below_dv2),)
        points = ((settings.min_cell_voltage, 0.0), *middle, (settings.dv1, below_dv1))
        return Cap(max(0.0, line(points, lowest)), f"{name}, past dv1 {settings.dv1:g} V")
    if dv2 is not None and below_dv2 is not None and reached(-lowest, -dv2):
        return Cap(below_dv2, f"{name}, dv2 is {dv2:g} V")
    return Cap(below_dv1, f"{name}, dv1 is {settings.dv1:g} V")


DISCHARGE = Protection(
    "cell voltage",
    DCL,
    "less from the first cell at dv1 on downwards, and less again at dv2: in steps, or along"
    " straight lines that end at 0 A at min_cell_voltage",
    frozenset({CELLS, PACK_VOLTAGE}),
    _cap,
    sweeps=(EVERY_CELL, ONE_CELL),
)
