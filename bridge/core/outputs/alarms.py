"""Our own alarms: 0 OK, 1 warning, 2 alarm, with hysteresis and delay.

On a GX every change of an alarm is a notification and a beep. So a level counts only when it has
been passed for `delay` seconds, and ends only when the value has left it by the hysteresis for
`clear` seconds. A value that becomes unknown changes nothing; one that was never known makes no
alarm at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bridge.core.measurements.inputs import (
    CELLS,
    MOSFET,
    PACK_CURRENT,
    PACK_VOLTAGE,
    SOC,
    TEMPERATURE,
    Input,
    Measurements,
)
from bridge.core.measurements.voltages import mismatch, spread, sums_of
from bridge.core.settings.declarations import AlarmSettings, Levels

SENSOR_LEVELS: Levels = (1.0, 2.0)  # a silent sensor counts as 1: a warning
CELL_V, DEGREES, PERCENT, AMPS = 0.02, 2.0, 2.0, 2.0  # how far a value must recede

Measure = Callable[[Measurements, int], "float | None"]
"""The value that an alarm watches, from the measurements and the number of cells; None: unknown."""


@dataclass(frozen=True)
class Watched:
    """One alarm.

    path: its D-Bus path. inputs, measure: the watched value. hysteresis: how far the value must
    leave a level, in its unit. setting: the name of its levels, or levels: fixed ones. falling: low
    values are bad.
    """

    path: str
    inputs: tuple[Input[Any], ...]
    measure: Measure
    hysteresis: float
    setting: str = ""
    falling: bool = False
    levels: Levels = ()


@dataclass
class Following:
    """An alarm's level, and since when the value has been at another one (monotonic s)."""

    level: int = 0
    since: float | None = None
    upwards: bool = False


def _highest(m: Measurements, _cells: int) -> float | None:
    cells = m.readings[CELLS]
    return max([v for v in (*cells.voltages, cells.highest) if v is not None], default=None)


def _lowest(m: Measurements, _cells: int) -> float | None:
    cells = m.readings[CELLS]
    return min([v for v in (*cells.voltages, cells.lowest) if v is not None], default=None)


def _spread(m: Measurements, _cells: int) -> float | None:
    return spread(m.readings[CELLS])


def _per_cell(m: Measurements, cells: int) -> float | None:
    voltage: float | None = m.readings[PACK_VOLTAGE]
    return None if voltage is None else voltage / cells


def _mismatch(m: Measurements, cells: int) -> float | None:
    sums, voltage = sums_of(m.readings[CELLS], cells), m.readings[PACK_VOLTAGE]
    return None if sums is None or voltage is None else mismatch(sums, voltage)


def _soc(m: Measurements, _cells: int) -> float | None:
    soc: float | None = m.readings[SOC]
    return soc


def _charge(m: Measurements, _cells: int) -> float | None:
    current: float | None = m.readings[PACK_CURRENT]
    return current


def _discharge(m: Measurements, cells: int) -> float | None:
    current = _charge(m, cells)
    return None if current is None else -current


def _coldest(m: Measurements, _cells: int) -> float | None:
    degrees = m.readings[TEMPERATURE]
    return None if degrees is None else degrees.coldest


def _hottest(m: Measurements, _cells: int) -> float | None:
    degrees = m.readings[TEMPERATURE]
    return None if degrees is None else degrees.hottest


def _mosfet(m: Measurements, _cells: int) -> float | None:
    degrees: float | None = m.readings[MOSFET]
    return degrees


def _sensor_silence(m: Measurements, _cells: int) -> float | None:
    if TEMPERATURE in m.silent:
        return 1.0
    return None if m.readings[TEMPERATURE] is None else 0.0


def _watched(
    name: str, input_: Input[Any], measure: Measure, hysteresis: float, setting: str,
    falling: bool = False,
) -> Watched:  # fmt: skip
    return Watched(f"/Alarms/{name}", (input_,), measure, hysteresis, setting, falling)


WATCHED = (
    _watched("HighCellVoltage", CELLS, _highest, CELL_V, "high_cell_voltage"),
    _watched("LowCellVoltage", CELLS, _lowest, CELL_V, "low_cell_voltage", True),
    _watched("HighVoltage", PACK_VOLTAGE, _per_cell, CELL_V, "high_voltage"),
    _watched("LowVoltage", PACK_VOLTAGE, _per_cell, CELL_V, "low_voltage", True),
    _watched("LowSoc", SOC, _soc, PERCENT, "low_soc", True),
    _watched("HighChargeCurrent", PACK_CURRENT, _charge, AMPS, "high_charge_current"),
    _watched("HighDischargeCurrent", PACK_CURRENT, _discharge, AMPS, "high_discharge_current"),
    _watched(
        "LowChargeTemperature", TEMPERATURE, _coldest, DEGREES, "low_charge_temperature", True
    ),
    _watched("HighChargeTemperature", TEMPERATURE, _hottest, DEGREES, "high_charge_temperature"),
    _watched("LowTemperature", TEMPERATURE, _coldest, DEGREES, "low_temperature", True),
    _watched("HighTemperature", TEMPERATURE, _hottest, DEGREES, "high_temperature"),
    _watched("HighInternalTemperature", MOSFET, _mosfet, DEGREES, "high_internal_temperature"),
    _watched("CellImbalance", CELLS, _spread, CELL_V, "cell_imbalance"),
    Watched(
        "/Alarms/InternalFailure", (CELLS, PACK_VOLTAGE), _mismatch, PERCENT, "voltage_mismatch"
    ),
    Watched(
        "/Alarms/BatteryTemperatureSensor", (TEMPERATURE,), _sensor_silence, 0.5,
        levels=SENSOR_LEVELS,
    ),
)  # fmt: skip
"""BmsCable is not among them: it follows the freshness of the measurements."""


class Alarms:
    """The alarms of one battery. `levels` holds those whose value was ever known, by path."""

    def __init__(self) -> None:
        self._following: dict[str, Following] = {}
        self.levels: dict[str, int] = {}
        self._before: Measurements | None = None
        self._settings: AlarmSettings | None = None

    def update(self, m: Measurements, settings: AlarmSettings, cells: int, now: float) -> None:
        """Look at the measurements as they are now (monotonic s).

        A clock that runs backwards only delays a change. An alarm is skipped if no input of it has
        changed and it is not waiting to change its level.
        """
        before, is_same = self._before, settings is self._settings
        changed = m.changed_since(before) if before is not None and is_same else None
        self._before, self._settings = m, settings
        for watched in WATCHED:
            if changed is not None and changed.isdisjoint(watched.inputs):
                following = self._following.get(watched.path)
                if following is None or following.since is None:
                    continue
            self._look_at(watched, m, settings, cells, now)

    def _look_at(
        self, watched: Watched, m: Measurements, settings: AlarmSettings, cells: int, now: float
    ) -> None:
        limits: Levels = watched.levels or getattr(settings, watched.setting)
        value = watched.measure(m, cells)
        if not limits:
            self._following.pop(watched.path, None)
            self.levels.pop(watched.path, None)
        elif value is not None:
            following = self._following.get(watched.path)
            if following is None:
                following = self._following[watched.path] = Following()
            sign = -1 if watched.falling else 1
            is_well = following.level == 0 and following.since is None
            if is_well and sign * value < sign * limits[0]:
                self.levels[watched.path] = 0  # the usual case, made short
                return
            wanted = _wanted(value, limits, watched, following.level)
            _follow(following, wanted, settings, now)
            self.levels[watched.path] = following.level
        elif watched.path in self._following:
            self._following[watched.path].since = None


def _wanted(value: float, limits: tuple[float, ...], watched: Watched, held: int) -> int:
    """The level that the value is at, with the hysteresis of the level that is held."""
    sign = -1 if watched.falling else 1
    for level in (2, 1):
        margin = watched.hysteresis if held >= level else 0.0
        if sign * value >= sign * limits[level - 1] - margin:
            return level
    return 0


def _follow(following: Following, wanted: int, settings: AlarmSettings, now: float) -> None:
    if wanted == following.level:
        following.since = None
        return
    upwards = wanted > following.level
    if following.since is None or upwards is not following.upwards:
        following.since, following.upwards = now, upwards
    following.since = min(following.since, now)
    if now - following.since >= (settings.delay if upwards else settings.clear):
        following.level, following.since = wanted, None
