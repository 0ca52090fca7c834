"""The currents that hold while nothing else limits them."""

from __future__ import annotations

from bridge.core.limiter.protection import Protection
from bridge.core.limiter.situation import Situation
from bridge.core.model import CCL, DCL, Cap

NAME = "maximum"


def _charge(situation: Situation) -> Cap:
    return Cap(situation.settings.max_charge_current, "maximum charge current")


def _discharge(situation: Situation) -> Cap:
    return Cap(situation.settings.max_discharge_current, "maximum discharge current")


CHARGE = Protection(NAME, CCL, "max_charge_current", frozenset(), _charge)
DISCHARGE = Protection(NAME, DCL, "max_discharge_current", frozenset(), _discharge)
