"""CVL falls slowly to the pack voltage while CCL is near 0 A and the battery is still charged.

A solar charger that feeds in to the grid obeys only CVL.
"""

from __future__ import annotations

from bridge.core.limiter.protection import Latch, Protection
from bridge.core.limiter.situation import Situation, is_blind
from bridge.core.measurements.inputs import PACK_CURRENT, PACK_VOLTAGE
from bridge.core.model import CVL, Cap


def _update(before: float | None, situation: Situation) -> float | None:
    """How far CVL has fallen, in V; None while it does not slide.

    CVL falls to the pack voltage, at the rate at which it otherwise rises, and only while the
    battery is still charged. With a discharging battery, CVL and pack voltage would both fall,
    one after the other, down to the floor.
    """
    settings = situation.settings
    if is_blind(situation):
        return before
    near_zero = situation.ccl <= settings.current_release * settings.max_charge_current
    if settings.slide == "off" or not near_zero:
        return None
    start = situation.cvl if before is None else before
    voltage, current = situation.of(PACK_VOLTAGE), situation.of(PACK_CURRENT)
    if voltage is None or (current is not None and current <= 0):
        return start
    fallen = start - settings.voltage_rise * situation.elapsed
    return max(situation.config.floor, min(start, max(voltage, fallen)))


LATCH = Latch("slide", None, _update)


def _cap(situation: Situation) -> Cap | None:
    volts = LATCH.of(situation.latches)
    return None if volts is None else Cap(volts, "CCL is near 0 A, CVL falls to the pack voltage")


CHARGE_VOLTAGE = Protection(
    "slide",
    CVL,
    "slowly down to the pack voltage while CCL is near 0 A and the battery is still charged",
    frozenset({PACK_VOLTAGE, PACK_CURRENT}),
    _cap,
    latch=LATCH,
    changes_with_time=True,
    after_ccl=True,
    is_on=lambda situation: situation.settings.slide == "on",
)
