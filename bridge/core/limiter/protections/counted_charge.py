"""No charge into a full battery, and no discharge from an empty one, by the charge counted.

Only while the voltages stand still although charge has moved: then the count stands in for them.
"""

from __future__ import annotations

from bridge.core.limiter.protection import Protection
from bridge.core.limiter.protections.failsafe_voltage import target_of
from bridge.core.limiter.situation import Situation
from bridge.core.model import CCL, CVL, DCL, Cap


def _voltage(situation: Situation) -> Cap | None:
    """The failsafe's voltage; not above a pack voltage that stands still.

    Chargers that share the voltage of the battery (shared voltage sense of a GX) would never see
    that a higher one has been reached.
    """
    frozen = situation.frozen
    if not frozen.full:
        return None
    volts = target_of(situation)
    if frozen.voltage is not None:
        volts = min(volts, frozen.voltage)
    return Cap(volts, frozen.full)


def _charge(situation: Situation) -> Cap | None:
    full = situation.frozen.full
    return Cap(0.0, full) if full else None


def _discharge(situation: Situation) -> Cap | None:
    empty = situation.frozen.empty
    return Cap(0.0, empty) if empty else None


CHARGE_VOLTAGE = Protection(
    "counted charge",
    CVL,
    "the failsafe's voltage while the voltages stand still and the battery is full by the charge"
    " counted",
    frozenset(),
    _voltage,
)
CHARGE = Protection(
    "counted charge",
    CCL,
    "0 A while the voltages stand still and the battery is full by the charge counted",
    frozenset(),
    _charge,
)
DISCHARGE = Protection(
    "counted charge",
    DCL,
    "0 A while the voltages stand still and the battery is empty by the charge counted",
    frozenset(),
    _discharge,
)
