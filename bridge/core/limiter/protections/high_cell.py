"""Less charge current from cv1 on, and less again from cv2.

When CCL falls, the cell voltage falls with it, by current times resistance. So without a memory CCL
would rise again, the cell would come back, and so on, many times an hour. The latch keeps the
charge current quiet: after each such fall CCL comes back only by a part of what it fell.
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.core.limiter.curves import line
from bridge.core.limiter.protection import Latch, Protection
from bridge.core.limiter.situation import Situation, name_of, reached
from bridge.core.limiter.sweeps import EVERY_CELL, ONE_CELL
from bridge.core.measurements.inputs import CELLS, PACK_VOLTAGE
from bridge.core.model import CCL, Cap, Stage
from bridge.core.settings.declarations import LimiterSettings
from bridge.core.typed_json import Past

COMES_BACK = 0.25
"""Share of a fall that CCL may rise again.

Ours: two falls find the current at which the cell stays below the threshold, within a few A. With
0 a single noisy reading would cost the whole difference between the steps.
"""

BELOW = 0.03
"""V below cv1 at which a cell is no longer near the top.

Ours: more than an LFP cell of 280 Ah relaxes when CCL falls from 100 A to 50 A.
"""

FORGET = 900.0
"""Seconds for which every cell must be so far below. Ours: longer than most clouds."""


@dataclass(frozen=True)
class Top:
    """What is remembered near the top.

    level: A, the most that CCL rises to. allowed: A, what the curve allowed last. below_since:
    since when every cell has been BELOW cv1 (monotonic s); None: one is not, or it is unknown.
    """

    level: float
    allowed: float
    below_since: Past | None


def _update(before: Top | None, situation: Situation) -> Top | None:
    """Lower the level each time the allowed current falls below it.

    It is forgotten when every cell has been BELOW cv1 for FORGET seconds. What is in doubt changes
    nothing: a single wrong reading would cost charge current for a long time.
    """
    settings, highest = situation.settings, situation.volts.highest
    if before is None and (highest is None or highest < settings.cv1 - BELOW):
        return None  # the usual case
    if situation.stage is not Stage.FRESH or highest is None:
        return None if before is None else Top(before.level, before.allowed, None)
    if not situation.is_certain:
        return before
    allowed = _allowed(settings, highest)
    if before is None:
        most = settings.max_charge_current
        return Top(_lowered(most, allowed), allowed, None) if allowed < most else None
    level = before.level
    if allowed < min(level, before.allowed):
        level = _lowered(level, allowed)
    if reached(highest, settings.cv1 - BELOW):
        return Top(level, allowed, None)
    since = situation.now if before.below_since is None else before.below_since
    return None if situation.now - since >= FORGET else Top(level, allowed, since)


def _lowered(level: float, allowed: float) -> float:
    return allowed + COMES_BACK * (level - allowed)


LATCH = Latch("cell voltage", None, _update)


def _cap(situation: Situation) -> Cap | None:
    settings, highest = situation.settings, situation.volts.highest
    if not situation.latches and (highest is None or highest < settings.cv1 - BELOW):
        return None  # the usual case
    top = LATCH.of(situation.latches)
    now = None
    if highest is not None and reached(highest, settings.cv1):
        name = f"{name_of(situation.of(CELLS), highest)} at {highest:.3f} V"
        now = Cap(_allowed(settings, highest), f"{name}, {_passed(settings, highest)}")
    if top is None or (now is not None and now.value <= top.level):
        return now
    return Cap(
        top.level,
        f"a cell was at cv1 {settings.cv1:g} V, until all are {1000 * BELOW:.0f} mV below it for"
        f" {FORGET / 60:.0f} min",
    )


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
