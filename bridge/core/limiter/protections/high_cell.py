"""Less charge current from cv1 on, and less again from cv2; falls are remembered."""

from __future__ import annotations

from bridge.core.limiter.curves import line
from bridge.core.limiter.falls import Falls, followed, with_falls
from bridge.core.limiter.protection import Latch, Protection
from bridge.core.limiter.situation import Situation, name_of, reached
from bridge.core.limiter.sweeps import EVERY_CELL, ONE_CELL
from bridge.core.measurements.inputs import CELLS, PACK_VOLTAGE
from bridge.core.model import CCL, Cap
from bridge.core.settings.declarations import LimiterSettings

BELOW = 0.03
"""V below cv1 at which a cell is no longer near the top.

Ours: more than an LFP cell of 280 Ah relaxes when CCL falls from 100 A to 50 A.
"""


def _update(before: Falls | None, situation: Situation) -> Falls | None:
    settings, highest = situation.settings, situation.volts.highest
    if before is None and (highest is None or highest < settings.cv1 - BELOW):
        return None  # the usual case
    allowed = None if highest is None else _allowed(settings, highest)
    is_near = highest is not None and reached(highest, settings.cv1 - BELOW)
    return followed(before, situation, allowed, settings.max_charge_current, is_near)


LATCH = Latch("cell voltage", None, _update)


def _cap(situation: Situation) -> Cap | None:
    settings, highest = situation.settings, situation.volts.highest
    if not situation.latches and (highest is None or highest < settings.cv1 - BELOW):
        return None  # the usual case
    now = None
    if highest is not None and reached(highest, settings.cv1):
        name = f"{name_of(situation.of(CELLS), highest)} at {highest:.3f} V"
        now = Cap(_allowed(settings, highest), f"{name}, {_passed(settings, highest)}")
    threshold = f"cv1 {settings.cv1:g} V, until all are {1000 * BELOW:.0f} mV below it"
    return with_falls(now, LATCH.of(situation.latches), threshold)


def _passed(settings: LimiterSettings, highest: float) -> str:
    if settings.taper == "linear":
        return f"past cv1 {settings.cv1:g} V"
    if reached(highest, settings.cv2):
        return f"cv2 is {settings.cv2:g} V"
    return f"cv1 is {settings.cv1:g} V"


def _allowed(settings: LimiterSettings, highest: float) -> float:
    """The current (A) of the curve at this highest cell (V), without what is remembered."""
    if not reached(highest, settings.cv1):
        return settings.max_charge_current
    if settings.taper == "linear":
        return max(0.0, _on_line(settings, highest))
    if reached(highest, settings.cv2):
        return settings.max_charge_current_above_cv2
    return settings.max_charge_current_above_cv1


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
    " that end at 0 A at cell_overvoltage; after each fall CCL comes back by a quarter of it only,"
    " until every cell has been 30 mV below cv1 for 15 minutes",
    frozenset({CELLS, PACK_VOLTAGE}),
    _cap,
    latch=LATCH,
    sweeps=(EVERY_CELL, ONE_CELL),
)
