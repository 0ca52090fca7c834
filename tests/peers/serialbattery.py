"""The law of dbus-serialbattery: `battery.py`, `dbushelper.py` and `config.default.ini`.

Numbers and conditions are of commit 358d3c7, in linear mode, for LFP. Its driver for MQTT runs once
a second with the last message. Time is read in whole seconds, as there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from tests.pack.charger import Limits
from tests.pack.curve import Curve
from tests.peers.measured import Measured

MIN_CELL, MAX_CELL, FLOAT_CELL = 2.900, 3.450, 3.375  # V

# Share of the maximum current over the highest or lowest cell in V.
CHARGE_CELLS = Curve(((3.375, 1.0), (3.400, 0.25), (3.425, 0.05), (3.450, 0.005), (3.500, 0.0)))
DISCHARGE_CELLS = Curve(((2.80, 0.0), (2.90, 0.005), (3.00, 0.05), (3.10, 0.25), (3.19, 1.0)))
# Over the hottest and the coldest sensor in °C; the smaller share counts.
_WARM = ((5, 0.5), (10, 1.0), (40, 1.0), (45, 0.5), (50, 0.25), (55, 0.0))
CHARGE_TEMPERATURE = Curve(((0, 0.0), (2, 0.25), *_WARM))
DISCHARGE_TEMPERATURE = Curve(((-10, 0.0), (0, 0.25), *_WARM))

RECALCULATED_EVERY = 60  # s: a limit that falls by less than the share below waits so long
AT_ONCE = 0.33  # of the present limit
RELEASE = 0.015  # of the maximum: what must be allowed before a limit rises from 0
CURRENT_HOLD, CURRENT_RISE = 30, 5.0  # s, A/s
VOLTAGE_HOLD, VOLTAGE_RISE, TO_FLOAT = 60, 0.001, 0.001  # s, V/s, V/s

BALANCED, STILL_BALANCED = 0.010, 0.013  # V of spread
ABSORPTION = 900  # s
LEAVES_ABSORPTION = 0.5  # V of the pack below its maximum
BULK_BELOW_SOC, BULK_FROM_SPREAD = 80, 0.080  # %, V
INTEGRAL = 0.2  # of the excess, each second

SILENT = 6  # s without a message
GIVES_UP, GIVES_UP_IF_SAFE = 60, 1800  # s after that; the second if all cells are between:
SAFE_LOWEST, SAFE_HIGHEST = 3.225, 3.375  # V


class Clamp(Enum):
    """CVL_CONTROLLER_MODE: what a cell above the maximum does to CVL."""

    PENALTY = 1  # the sum of the cells less what is above
    INTEGRAL = 2  # falls on while a cell is above
    CLIPPED_SUM = 3  # the sum with each cell cut at the maximum


@dataclass
class Current:
    """CCL or DCL in A: it falls by the publication rule, and rises after a hold, then slowly."""

    maximum: float
    value: float | None = None
    set_at: int = 0
    held_since: int | None = None
    rise: tuple[int, float] | None = None  # since when and from which value

    def update(self, share: float, now: int) -> None:
        target = round(self.maximum * share, 3)
        rises = self.value is not None and target > self.value
        if not rises and not self._is_due(target, now):
            return
        self.set_at = now
        if rises and target > 0:
            self._rise(target, now)
        else:
            self.value, self.held_since, self.rise = target, None, None

    def _is_due(self, target: float, now: int) -> bool:
        if self.value is None or now - self.set_at >= RECALCULATED_EVERY:
            return True
        return abs(self.value - target) >= self.value * AT_ONCE or target == 0

    def _rise(self, target: float, now: int) -> None:
        assert self.value is not None
        if self.value == 0 and target < self.maximum * RELEASE:
            self.held_since = self.rise = None
            return
        if self.held_since is None:
            self.held_since = now
        if now - self.held_since < CURRENT_HOLD:
            self.rise = None
            return
        if self.rise is None:
            self.rise = now, self.value
        since, base = self.rise
        self.value = round(min(target, base + CURRENT_RISE * (now - since)), 3)
        if self.value >= target:
            self.held_since = self.rise = None


@dataclass
class Voltage:
    """CVL in V: bulk, absorption, then float; less while a cell is above the maximum."""

    clamp: Clamp = Clamp.PENALTY
    value: float | None = None
    allows_maximum: bool = True
    full_since: int | None = None
    limited_at: int | None = None
    rises_from: float | None = None
    to_float: tuple[int, float] | None = None  # since when and from which value

    def update(self, measured: Measured, now: int) -> None:
        maximum = round(MAX_CELL * len(measured.cells), 2)
        self._choose_mode(measured, maximum, now)
        if self.allows_maximum:
            self.to_float = None
            self._bulk(self._clamped(measured, maximum), maximum, now)
        else:
            self._float(round(FLOAT_CELL * len(measured.cells), 2), now)

    def _choose_mode(self, measured: Measured, maximum: float, now: int) -> None:
        if self.full_since is None:
            is_full = measured.sum >= maximum and _spread(measured) <= BALANCED
            if self.allows_maximum and is_full:
                self.full_since = now
            elif measured.soc < BULK_BELOW_SOC or _spread(measured) >= BULK_FROM_SPREAD:
                self.allows_maximum = True
            return
        if _spread(measured) > STILL_BALANCED:
            self.full_since = now
        if now - self.full_since > ABSORPTION:
            self.allows_maximum, self.full_since = False, None
        if measured.sum < maximum - LEAVES_ABSORPTION:
            self.full_since = None

    def _clamped(self, measured: Measured, maximum: float) -> float:
        minimum = round(MIN_CELL * len(measured.cells), 2)
        if self.clamp is Clamp.INTEGRAL:
            if self.value is None:
                return maximum
            above = _highest(measured) - MAX_CELL - BALANCED
            return min(max(self.value - INTEGRAL * above, minimum), maximum)
        if _highest(measured) <= MAX_CELL:
            return maximum
        if self.clamp is Clamp.CLIPPED_SUM:
            return sum(min(v, MAX_CELL) for v in measured.cells) + 0.010
        excess = sum(max(0.0, v - MAX_CELL) for v in measured.cells)
        return min(max(measured.sum - excess, minimum), maximum)

    def _bulk(self, target: float, maximum: float, now: int) -> None:
        if target >= maximum and self.limited_at is None:
            self.value, self.rises_from = maximum, None
        elif self.value is None or target <= self.value:
            self.value, self.rises_from, self.limited_at = round(target, 6), None, now
        else:
            self._rise(maximum, now)

    def _rise(self, maximum: float, now: int) -> None:
        """After the hold CVL rises by time alone, whatever the clamp allows, until that is less."""
        assert self.value is not None
        if self.limited_at is None:
            self.limited_at = now
        waited = now - self.limited_at
        if waited < VOLTAGE_HOLD:
            self.rises_from = self.value
            return
        base = self.value if self.rises_from is None else self.rises_from
        self.rises_from = base
        self.value = round(min(base + VOLTAGE_RISE * (waited - VOLTAGE_HOLD), maximum), 6)
        if self.value == maximum:
            self.limited_at = self.rises_from = None

    def _float(self, voltage: float, now: int) -> None:
        if self.value is None:
            self.value = voltage
        if self.to_float is None:
            self.to_float = now, self.value
        since, base = self.to_float
        self.value = max(voltage, base - TO_FLOAT * (now - since))


@dataclass
class Connection:
    """How long the driver lives without messages. At its end it leaves the bus."""

    heard_at: int
    first_error: int | None = None
    last_error: int = 0
    is_safe: bool | None = None
    is_over: bool = False

    def update(self, measured: Measured, now: int) -> bool:
        """Whether the laws run now."""
        if now - self.heard_at <= SILENT:
            self.is_safe = None
            if self.first_error is not None and self.last_error < now - 60:
                self.first_error = None
            return True
        if self.first_error is None:
            self.first_error = now
        elif self.is_safe is None:
            self.is_safe = measured.lowest > SAFE_LOWEST and measured.highest < SAFE_HIGHEST
        self.last_error = now
        silent = now - self.first_error
        self.is_over = silent >= (GIVES_UP_IF_SAFE if self.is_safe else GIVES_UP)
        return False


@dataclass
class Serialbattery:
    """The whole law, with the maximum currents of the pack that it steers, in A."""

    charge_current: float
    discharge_current: float
    clamp: Clamp = Clamp.PENALTY
    feeds_in: bool = field(default=True, init=False)  # it never changes the GX's settings
    _last: Measured | None = field(default=None, init=False)
    _connection: Connection | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._start()

    def hear(self, measured: Measured, now: float) -> None:
        """A message of the BMS. After the end of the driver it starts again with the next one."""
        if self._connection is None or self._connection.is_over:
            self._start()
            self._connection = Connection(int(now))
        self._last, self._connection.heard_at = measured, int(now)

    def tick(self, now: float) -> None:
        """Once a second."""
        if self._last is None or self._connection is None or self._connection.is_over:
            return
        if self._connection.update(self._last, int(now)):
            self._decide(self._last, int(now))

    def limits(self) -> Limits:
        """What is on the bus. While the driver waits for messages, the last limits stay."""
        if self._connection is None or self._connection.is_over or self._voltage.value is None:
            return Limits()
        return Limits(round(self._voltage.value, 2), self._charge.value, self._discharge.value)

    def _start(self) -> None:
        self._voltage = Voltage(self.clamp)
        self._charge = Current(self.charge_current)
        self._discharge = Current(self.discharge_current)

    def _decide(self, measured: Measured, now: int) -> None:
        self._voltage.update(measured, now)
        self._charge.update(_charge_share(measured), now)
        self._discharge.update(_discharge_share(measured), now)


def _charge_share(measured: Measured) -> float:
    if not measured.may_charge:
        return 0.0
    temperatures = measured.coldest, measured.hottest
    warm = min(CHARGE_TEMPERATURE.at(t) for t in temperatures)
    return min(CHARGE_CELLS.at(_highest(measured)), warm)


def _discharge_share(measured: Measured) -> float:
    if not measured.may_discharge:
        return 0.0
    temperatures = measured.coldest, measured.hottest
    warm = min(DISCHARGE_TEMPERATURE.at(t) for t in temperatures)
    return min(DISCHARGE_CELLS.at(measured.lowest), warm)


def _highest(measured: Measured) -> float:
    """A cell of more than twice the maximum is left out."""
    return max(v for v in measured.cells if v <= 2 * MAX_CELL)


def _spread(measured: Measured) -> float:
    return _highest(measured) - measured.lowest
