"""Our own alarms: 0 OK, 1 warning, 2 alarm, with hysteresis and delay.

On a GX every change of an alarm is a notification and a beep. So a level counts only when it has
been passed for `delay` seconds, and ends only when the value has left it by the hysteresis for
`clear` seconds. A value that becomes unknown changes nothing; one that was never known makes no
alarm at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bridge.core.model import Input, Measurements
from bridge.core.settings.declarations import AlarmSettings, Levels

SENSOR_LEVELS: Levels = (1.0, 2.0)  # a silent sensor measures 1: a warning
CELL_V, DEGREES, PERCENT, AMPS = 0.02, 2.0, 2.0, 2.0  # how far a value must recede


@dataclass(frozen=True)
class Watched:
    """One alarm: what it measures (None: unknown), in which direction it is bad, and how far the
    value must recede. Its levels are the setting of this name, or fixed."""

    path: str
    measure: Callable[[Measurements, int], float | None]
    hysteresis: float
    setting: str = ""
    falling: bool = False
    levels: Levels = ()


@dataclass
class Following:
    """An alarm's level, and since when the value wants another one (monotonic s)."""

    level: int = 0
    since: float | None = None
    upwards: bool = False


def _highest(m: Measurements, _cells: int) -> float | None:
    known = [v for v in (*m.known.voltages, m.known.highest) if v is not None]
    return max(known, default=None)


def _lowest(m: Measurements, _cells: int) -> float | None:
    known = [v for v in (*m.known.voltages, m.known.lowest) if v is not None]
    return min(known, default=None)


def _spread(m: Measurements, cells: int) -> float | None:
    highest, lowest = _highest(m, cells), _lowest(m, cells)
    if m.cells is None or highest is None or lowest is None:
        return None
    return highest - lowest


def _per_cell(m: Measurements, cells: int) -> float | None:
    return None if m.voltage is None else m.voltage / cells


def _mismatch(m: Measurements, _cells: int) -> float | None:
    """How far the pack's voltage is from the sum of its cells, in %."""
    known = [v for v in m.known.voltages if v is not None]
    if m.voltage is None or len(known) < len(m.known.voltages) or not sum(known):
        return None
    return abs(m.voltage / sum(known) - 1) * 100


def _discharge(m: Measurements, _cells: int) -> float | None:
    return None if m.current is None else -m.current


def _sensor_silence(m: Measurements, _cells: int) -> float | None:
    if Input.TEMPERATURE in m.silent:
        return 1.0
    return None if m.coldest is None else 0.0


WATCHED = (
    Watched("/Alarms/HighCellVoltage", _highest, CELL_V, "high_cell_voltage"),
    Watched("/Alarms/LowCellVoltage", _lowest, CELL_V, "low_cell_voltage", falling=True),
    Watched("/Alarms/HighVoltage", _per_cell, CELL_V, "high_voltage"),
    Watched("/Alarms/LowVoltage", _per_cell, CELL_V, "low_voltage", falling=True),
    Watched("/Alarms/LowSoc", lambda m, _: m.soc, PERCENT, "low_soc", falling=True),
    Watched("/Alarms/HighChargeCurrent", lambda m, _: m.current, AMPS, "high_charge_current"),
    Watched("/Alarms/HighDischargeCurrent", _discharge, AMPS, "high_discharge_current"),
    Watched(
        "/Alarms/LowChargeTemperature",
        lambda m, _: m.coldest,
        DEGREES,
        "low_charge_temperature",
        falling=True,
    ),
    Watched(
        "/Alarms/HighChargeTemperature", lambda m, _: m.hottest, DEGREES, "high_charge_temperature"
    ),
    Watched(
        "/Alarms/LowTemperature", lambda m, _: m.coldest, DEGREES, "low_temperature", falling=True
    ),
    Watched("/Alarms/HighTemperature", lambda m, _: m.hottest, DEGREES, "high_temperature"),
    Watched(
        "/Alarms/HighInternalTemperature",
        lambda m, _: m.mosfet,
        DEGREES,
        "high_internal_temperature",
    ),
    Watched("/Alarms/CellImbalance", _spread, CELL_V, "cell_imbalance"),
    Watched("/Alarms/InternalFailure", _mismatch, PERCENT, "voltage_mismatch"),
    Watched("/Alarms/BatteryTemperatureSensor", _sensor_silence, 0.5, levels=SENSOR_LEVELS),
)
"""BmsCable is not among them: it follows the freshness of the measurements."""


class Alarms:
    """The alarms of one battery. `levels` holds those whose value was ever known, by path."""

    def __init__(self) -> None:
        self._following: dict[str, Following] = {}
        self.levels: dict[str, int] = {}

    def follow(self, m: Measurements, settings: AlarmSettings, cells: int, now: float) -> None:
        """Look at the measurements as they are now. A clock that runs back only delays."""
        for watched in WATCHED:
            limits: Levels = watched.levels or getattr(settings, watched.setting)
            value = watched.measure(m, cells)
            if not limits:
                self._following.pop(watched.path, None)
                self.levels.pop(watched.path, None)
            elif value is not None:
                following = self._following.setdefault(watched.path, Following())
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
