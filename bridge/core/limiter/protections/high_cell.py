"""Less charge current from cv1 on, and less again from cv2."""

from __future__ import annotations

from bridge.core.limiter.curves import line
from bridge.core.limiter.protection import Protection
from bridge.core.limiter.situation import Situation, name_of, reached
from bridge.core.limiter.sweeps import EVERY_CELL, ONE_CELL
from bridge.core.measurements.inputs import CELLS, PACK_VOLTAGE
from bridge.core.model import CCL, Cap
from bridge.core.settings.declarations import LimiterSettings


def _cap(situation: Situation) -> Cap | None:
    settings, highest = situation.settings, situation.volts.highest
    if highest is None or not reached(highest, settings.cv1):
        return None
    name = f"{name_of(situation.of(CELLS), highest)} at {highest:.3f} V"
    if settings.taper == "linear":
        current = max(0.0, _on_line(settings, highest))
        return Cap(current, f"{name}, past cv1 {settings.cv1:g} V")
    if reached(highest, settings.cv2):
        return Cap(settings.max_charge_current_above_cv2, f"{name}, cv2 is {settings.cv2:g} V")
    return Cap(settings.max_charge_current_above_cv1, f"{name}, cv1 is {settings.cv1:g} V")


def _on_line(settings: LimiterSettings, highest: float) -> float:
    """Straight lines through (cv1, above_cv1), (cv2, above_cv2), (cell_overvoltage, 0): A at V."""
    points = (
        (settings.cv1, settings.max_charge_current_above_cv1),
        (settings.cv2, settings.max_charge_current_above_cv2),
        (settings.cell_overvoltage, 0.0),
    )
    return line(points, highest)


CHARGE = Protection(
    "cell voltage",
    CCL,
    "less from the first cell at cv1, and less again at cv2: in steps, or along straight lines"
    " that end at 0 A at cell_overvoltage",
    frozenset({CELLS, PACK_VOLTAGE}),
    _cap,
    sweeps=(EVERY_CELL, ONE_CELL),
)
