"""Less current for hot transistors of the BMS."""

from __future__ import annotations

from bridge.core.limiter.curves import cap_of_silence, share_at
from bridge.core.limiter.protection import Protection
from bridge.core.limiter.situation import Situation
from bridge.core.limiter.sweeps import MOSFET_TEMPERATURE
from bridge.core.measurements.inputs import MOSFET
from bridge.core.model import CCL, DCL, Cap


def _charge(situation: Situation) -> Cap | None:
    return _cap(situation, situation.settings.max_charge_current)


def _discharge(situation: Situation) -> Cap | None:
    return _cap(situation, situation.settings.max_discharge_current)


def _cap(situation: Situation, maximum: float) -> Cap | None:
    """Maximum (A) times the share at the MOSFETs' temperature."""
    table, degrees = situation.settings.mosfet_temperature, situation.of(MOSFET)
    if not table:
        return None
    if degrees is None:
        return cap_of_silence(situation, table, maximum, MOSFET)
    share = share_at(situation, table, degrees)
    return None if share == 1 else Cap(maximum * share, f"MOSFETs at {degrees:.1f} °C")


CHARGE = Protection(
    "MOSFET temperature",
    CCL,
    "max_charge_current times mosfet_temperature",
    frozenset({MOSFET}),
    _charge,
    sweeps=(MOSFET_TEMPERATURE,),
)
DISCHARGE = Protection(
    "MOSFET temperature",
    DCL,
    "max_discharge_current times mosfet_temperature",
    frozenset({MOSFET}),
    _discharge,
    sweeps=(MOSFET_TEMPERATURE,),
)
