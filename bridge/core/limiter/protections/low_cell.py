"""Less discharge current below dv1, and less again below dv2; falls are remembered.

Off without dv1.
"""

from __future__ import annotations

from bridge.core.limiter.curves import line
from bridge.core.limiter.falls import Falls, followed, with_falls
from bridge.core.limiter.protection import Latch, Protection
from bridge.core.limiter.protections.discharge_stop import is_empty
from bridge.core.limiter.situation import Situation, name_of, reached
from bridge.core.limiter.sweeps import EVERY_CELL, ONE_CELL
from bridge.core.measurements.inputs import CELLS, PACK_VOLTAGE
from bridge.core.model import DCL, Cap
from bridge.core.settings.declarations import LimiterSettings

ABOVE = 0.03
"""V above dv1 at which a cell is no longer near empty.

Ours: as at the top. A cell that stays higher for so long at the smaller current may be tried again.
"""


def _update(before: Falls | None, situation: Situation) -> Falls | None:
    """Also remembers that the battery was empty, where discharge_stop ends the discharge."""
    settings, lowest = situation.settings, situation.volts.lowest
    if settings.dv1 is None or (before is None and lowest is None):
        return None
    allowed, is_near = None, False
    if lowest is not None:
        allowed = 0.0 if is_empty(situation) else _allowed(settings, lowest)
        is_near = reached(-lowest, -settings.dv1 - ABOVE)
    return followed(before, situation, allowed, settings.max_discharge_current, is_near)


LATCH = Latch("low cell", None, _update)


def _cap(situation: Situation) -> Cap | None:
    settings, lowest = situation.settings, situation.volts.lowest
    if settings.dv1 is None:
        return None
    now = None
    if lowest is not None and reached(-lowest, -settings.dv1):
        name = f"{name_of(situation.of(CELLS), lowest)} at {lowest:.3f} V"
        now = Cap(_allowed(settings, lowest), f"{name}, {_passed(settings, lowest)}")
    threshold = f"dv1 {settings.dv1:g} V, until all are {1000 * ABOVE:.0f} mV above it"
    return with_falls(now, LATCH.of(situation.latches), threshold)


def _passed(settings: LimiterSettings, lowest: float) -> str:
    if settings.taper == "linear":
        return f"past dv1 {settings.dv1:g} V"
    if settings.dv2 is not None and reached(-lowest, -settings.dv2):
        return f"dv2 is {settings.dv2:g} V"
    return f"dv1 is {settings.dv1:g} V"


def _allowed(settings: LimiterSettings, lowest: float) -> float:
    """The current (A) of the curve at this lowest cell (V), without what is remembered."""
    below_dv1 = settings.max_discharge_current_below_dv1
    if settings.dv1 is None or below_dv1 is None or not reached(-lowest, -settings.dv1):
        return settings.max_discharge_current
    dv2, below_dv2 = settings.dv2, settings.max_discharge_current_below_dv2
    if settings.taper == "linear":
        middle = () if dv2 is None or below_dv2 is None else ((dv2, below_dv2),)
        points = ((settings.min_cell_voltage, 0.0), *middle, (settings.dv1, below_dv1))
        return max(0.0, line(points, lowest))
    if dv2 is not None and below_dv2 is not None and reached(-lowest, -dv2):
        return below_dv2
    return below_dv1


DISCHARGE = Protection(
    "cell voltage",
    DCL,
    "less from the first cell at dv1 on downwards, and less again at dv2: in steps, or along"
    " straight lines that end at 0 A at min_cell_voltage; after each fall, also that of discharge"
    " stop, DCL comes back by a quarter of it only, until every cell has been 30 mV above dv1 for"
    " 15 minutes",
    frozenset({CELLS, PACK_VOLTAGE}),
    _cap,
    latch=LATCH,
    sweeps=(EVERY_CELL, ONE_CELL),
)
