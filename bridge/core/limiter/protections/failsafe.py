"""The limits while nothing is known: before the first measurements, and when they are stale."""

from __future__ import annotations

from bridge.core.limiter.protection import Protection
from bridge.core.limiter.situation import Situation
from bridge.core.model import CCL, DCL, Cap, Stage


def _waiting(situation: Situation) -> Cap | None:
    if situation.stage is not Stage.WAITING:
        return None
    return Cap(0.0, "waiting for the first measurements")


def _charge(situation: Situation) -> Cap | None:
    return _cap(situation, situation.config.failsafe.charge_current)


def _discharge(situation: Situation) -> Cap | None:
    return _cap(situation, situation.config.failsafe.discharge_current)


def _cap(situation: Situation, current: float) -> Cap | None:
    if situation.stage < Stage.STALE:
        return None
    return Cap(current, f"the measurements are {situation.stage.word}")


WAITING = Protection("waiting", CCL, "0 A before the first measurements", frozenset(), _waiting)
"""Only for CCL: a restart must not switch off an off-grid inverter."""

CHARGE = Protection("failsafe", CCL, "failsafe.charge_current while stale", frozenset(), _charge)
DISCHARGE = Protection(
    "failsafe", DCL, "failsafe.discharge_current while stale", frozenset(), _discharge
)
