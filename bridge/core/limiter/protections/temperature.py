"""Less current for a cold or a hot battery: the curve at the coldest and at the hottest sensor."""

from __future__ import annotations

from bridge.core.limiter.curves import cap_of_silence
from bridge.core.limiter.protection import Protection
from bridge.core.limiter.situation import Situation
from bridge.core.limiter.sweeps import BATTERY_TEMPERATURE
from bridge.core.measurements.inputs import TEMPERATURE
from bridge.core.model import CCL, DCL, Cap
from bridge.core.settings.declarations import Table
from bridge.core.settings.tables import value_at


def _charge(situation: Situation) -> Cap | None:
    settings = situation.settings
    return _cap(situation, settings.charge_temperature, settings.max_charge_current)


def _discharge(situation: Situation) -> Cap | None:
    settings = situation.settings
    return _cap(situation, settings.discharge_temperature, settings.max_discharge_current)


def _cap(situation: Situation, table: Table, maximum: float) -> Cap | None:
    """Maximum (A) times the share at the coldest or at the hottest place, whichever is less."""
    degrees = situation.of(TEMPERATURE)
    if not table:
        return None
    if degrees is None or situation.is_silent(TEMPERATURE):
        return cap_of_silence(situation, table, maximum, TEMPERATURE)
    cold = value_at(table, degrees.coldest)
    hot = value_at(table, degrees.hottest)
    if cold == 1 and hot == 1:
        return None
    at = degrees.coldest if cold < hot else degrees.hottest
    return Cap(maximum * min(cold, hot), f"battery at {at:.1f} °C")


CHARGE = Protection(
    "temperature",
    CCL,
    "max_charge_current times charge_temperature, at the coldest and at the hottest place",
    frozenset({TEMPERATURE}),
    _charge,
    sweeps=(BATTERY_TEMPERATURE,),
)
DISCHARGE = Protection(
    "temperature",
    DCL,
    "max_discharge_current times discharge_temperature, at the coldest and at the hottest place",
    frozenset({TEMPERATURE}),
    _discharge,
    sweeps=(BATTERY_TEMPERATURE,),
)
