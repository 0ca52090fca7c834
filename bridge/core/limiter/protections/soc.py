"""Less current for a full or an empty battery, by its SoC."""

from __future__ import annotations

from bridge.core.limiter.curves import cap_of_silence, share_at
from bridge.core.limiter.protection import Protection
from bridge.core.limiter.situation import Situation
from bridge.core.limiter.sweeps import STATE_OF_CHARGE
from bridge.core.measurements.inputs import SOC
from bridge.core.model import CCL, DCL, Cap
from bridge.core.settings.declarations import Table


def _charge(situation: Situation) -> Cap | None:
    settings = situation.settings
    return _cap(situation, settings.charge_soc, settings.max_charge_current)


def _discharge(situation: Situation) -> Cap | None:
    settings = situation.settings
    return _cap(situation, settings.discharge_soc, settings.max_discharge_current)


def _cap(situation: Situation, table: Table, maximum: float) -> Cap | None:
    """Maximum (A) times the share at the SoC."""
    soc = situation.of(SOC)
    if not table:
        return None
    if soc is None:
        return cap_of_silence(situation, table, maximum, SOC)
    share = share_at(situation, table, soc)
    return None if share == 1 else Cap(maximum * share, f"SoC at {soc:.1f} %")


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
