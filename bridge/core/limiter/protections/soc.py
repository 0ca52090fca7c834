"""Less current for a full or an empty battery, by its SoC."""

from __future__ import annotations

from bridge.core.limiter.curves import cap_over
from bridge.core.limiter.protection import Protection
from bridge.core.limiter.situation import Situation
from bridge.core.limiter.sweeps import STATE_OF_CHARGE
from bridge.core.measurements.inputs import SOC
from bridge.core.model import CCL, DCL, Cap

WORDS = "SoC at {:.1f} %"


def _charge(situation: Situation) -> Cap | None:
    settings = situation.settings
    return cap_over(situation, SOC, settings.charge_soc, settings.max_charge_current, WORDS)


def _discharge(situation: Situation) -> Cap | None:
    settings = situation.settings
    most = settings.max_discharge_current
    return cap_over(situation, SOC, settings.discharge_soc, most, WORDS)


CHARGE = Protection(
    "SoC",
    CCL,
    "max_charge_current times charge_soc",
    frozenset({SOC}),
    _charge,
    sweeps=(STATE_OF_CHARGE,),
)
DISCHARGE = Protection(
    "SoC",
    DCL,
    "max_discharge_current times discharge_soc",
    frozenset({SOC}),
    _discharge,
    sweeps=(STATE_OF_CHARGE,),
)
