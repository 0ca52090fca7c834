"""The law of dbus-aggregate-batteries with OWN_CHARGE_PARAMETERS, for one battery of LFP cells.

Numbers and conditions are of commit 01311d3: `dbus-aggregate-batteries.py`, `config_LFP.ini`. It
reads another driver's values on D-Bus once a second; here that driver is dbus-serialbattery. Only
the months in which the charge voltage is at least the balancing voltage are here: then the
balancing of every tenth day changes no limit.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.pack.charger import Limits
from tests.pack.curve import Curve
from tests.peers.measured import Measured

CHARGE_VOLTAGE_BY_MONTH = (3.55, 3.50, 3.50, 3.45, 3.40, 3.40, 3.40, 3.40, 3.45, 3.50, 3.50, 3.55)
MAX_CELL, MIN_CELL, HYSTERESIS = 3.45, 2.90, 0.1  # V
BALANCED = 0.025  # V of spread

# Share of the maximum current over the highest or lowest cell in V.
CHARGE_CELLS = Curve(((2.90, 0.2), (2.95, 1.0), (3.30, 1.0), (3.40, 0.1), (3.45, 0.0)))
DISCHARGE_CELLS = Curve(((2.90, 0.0), (3.00, 0.05), (3.10, 1.0)))

NOTHING_AFTER = 16  # s: 6 until dbus-serialbattery notices, 10 until its values become nothing
READ_TRIALS = 10  # s: one reading without a value each second
BEFORE_RESTART = 15  # s that it still sleeps before it ends


@dataclass
class Aggregate:
    """The whole law, with the maximum currents of the pack that it steers, in A.

    month: 1 to 12. feeds_in: the GX's setting "DC-coupled PV - feed in excess", which it changes.
    """

    charge_current: float
    discharge_current: float
    month: int = 4
    feeds_in: bool = True
    _last: Measured | None = field(default=None, init=False)
    _heard_at: float = field(default=0.0, init=False)
    _limits: Limits = field(default_factory=Limits, init=False)
    _is_clamped: bool = field(default=False, init=False)
    _is_empty: bool = field(default=False, init=False)
    _fed_in_before: bool | None = field(default=None, init=False)  # None: not touched

    def hear(self, measured: Measured, now: float) -> None:
        """New values of the battery. If it had ended, it starts again with them."""
        if self._is_over(now):
            # What feed-in was before is forgotten, so it stays as it is.
            self._is_clamped, self._is_empty, self._fed_in_before = False, False, None
        self._last, self._heard_at = measured, now

    def tick(self, now: float) -> None:
        """Once a second."""
        if self._is_over(now):
            self._limits = Limits()
        elif self._last is not None and now - self._heard_at <= NOTHING_AFTER:
            self._limits = Limits(
                self._charge_voltage(self._last),
                self._charge_limit(self._last),
                self._discharge_limit(self._last),
            )

    def limits(self) -> Limits:
        """What is on the bus: the last limits while it tries to read, nothing after its end."""
        return self._limits

    def _is_over(self, now: float) -> bool:
        return now - self._heard_at > NOTHING_AFTER + READ_TRIALS + BEFORE_RESTART

    def _charge_voltage(self, measured: Measured) -> float:
        target = CHARGE_VOLTAGE_BY_MONTH[self.month - 1] * len(measured.cells)
        if measured.highest < MAX_CELL:
            if self._is_clamped:
                self._end_clamp(measured)
            return target
        self._is_clamped = True
        if self._fed_in_before is None:
            self._fed_in_before, self.feeds_in = self.feeds_in, False
        excess = sum(max(0.0, v - MAX_CELL) for v in measured.cells)
        return min(measured.sum - excess, target)

    def _end_clamp(self, measured: Measured) -> None:
        """Only in this moment feed-in may come back; else not before the next clamp has ended."""
        self._is_clamped = False
        if measured.spread < BALANCED and self._fed_in_before is not None:
            self.feeds_in, self._fed_in_before = self._fed_in_before, None

    def _charge_limit(self, measured: Measured) -> float:
        if not measured.may_charge:
            return 0.0
        return self.charge_current * CHARGE_CELLS.at(measured.highest)

    def _discharge_limit(self, measured: Measured) -> float:
        if measured.lowest <= MIN_CELL:
            self._is_empty = True
        elif measured.lowest > MIN_CELL + HYSTERESIS:
            self._is_empty = False
        if not measured.may_discharge or self._is_empty:
            return 0.0
        return self.discharge_current * DISCHARGE_CELLS.at(measured.lowest)
