"""Less current for hot transistors of the BMS."""

from __future__ import annotations

from bridge.core.limiter.curves import cap_over
from bridge.core.limiter.protection import Protection
from bridge.core.limiter.situation import Situation
from bridge.core.limiter.sweeps import MOSFET_TEMPERATURE
from bridge.core.measurements.inputs import MOSFET
from bridge.core.model import CCL, DCL, Cap

WORDS = "MOSFETs at {:.1f} °C"


def _charge(situation: Situation) -> Cap | None:
    s = situation.settings
    return cap_over(situation, MOSFET, s.mosfet_temperature, s.max_charge_current, WORDS)


def _discharge(situation: Situation) -> Cap | None:
    s = situation.settings
    return cap_over(situation, MOSFET, s.mosfet_temperature, s.max_discharge_current, WORDS)


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
