"""The charge plan once more, plainly: phases, full charge and SoC window, from their words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

DAY = 86400.0


@dataclass
class View:
    """What the plan looks at in one decision; None for what is not known. V, A, %, s."""

    soc: float | None
    volts: float | None
    high: float | None
    spread: float | None  # None while not all cells are known
    amps: float | None
    trusted: bool  # fresh and beyond doubt
    blind: bool  # waiting, stale or lost
    now: float
    day: int | None  # on the calendar; None while the clock is not set
    minute: int = 0
    waiting: bool = False  # for the first data after a start


@dataclass
class ChargePlan:
    """Follows the plan of one battery."""

    mode: str = "bulk"
    since: float = 0.0
    ended: float = -math.inf
    comes_down_from: float = 0.0
    counted: float | None = None
    counted_day: int | None = None
    due: bool = False
    closed: bool = False
    lowered: float = 0.0
    lowered_at: float = 0.0

    def follow(self, s: Any, n: int, season: float, v: View) -> None:
        """One decision. season: charge_voltage of the month."""
        if s.charge_to_soc is None and s.absorption_voltage is None and s.balancing_voltage is None:
            self.__init__()  # type: ignore[misc]
            return
        full = self._phase(s, n, season, v)
        self._full_charge(s, v, full)
        self._window(s, n, season, v)

    def volts(self, s: Any, n: int, season: float, now: float) -> float:
        """The voltage of the phase: from a higher one it comes down slowly."""
        target = self._target(s, season, self.mode) * n
        gone = s.voltage_rise * max(0.0, now - self.since)
        return max(target, min(self.comes_down_from, s.max_cell_voltage * n) - gone)

    @staticmethod
    def _target(s: Any, season: float, mode: str) -> float:
        own = {
            "absorption": s.absorption_voltage,
            "balancing": s.balancing_voltage,
            "float": s.float_voltage,
        }.get(mode)
        return season if own is None else own

    def _enter(self, s: Any, n: int, season: float, v: View, mode: str) -> None:
        if mode != self.mode:
            self.comes_down_from = self.volts(s, n, season, v.now)
            self.mode, self.since = mode, v.now

    def _phase(self, s: Any, n: int, season: float, v: View) -> bool:
        """The next phase; whether the battery turns out to be full."""
        if s.absorption_voltage is None and s.balancing_voltage is None:
            self.mode, self.since, self.comes_down_from, self.ended = "bulk", 0.0, 0.0, -math.inf
            return self._full_by_itself(s, n, season, v)
        if v.waiting:
            return False

        def top(mode: str) -> bool:
            target = self._target(s, season, mode)
            by_cell = v.high is not None and v.high >= target - 1e-6
            return by_cell or (v.volts is not None and v.volts >= 0.995 * target * n)

        lasted = v.now - self.since
        away = v.soc is None or v.soc < s.rebulk_soc
        if self.mode == "balancing":
            lost = s.balancing_voltage is None or v.spread is None
            lost = lost or (v.soc is not None and v.soc < s.rebulk_soc)
            lost = lost or (v.volts is not None and v.volts < s.min_charge_voltage * n)
            if lost:
                self._enter(s, n, season, v, "bulk")
                return self._full_by_itself(s, n, season, v)
            even = v.trusted and top("balancing") and v.spread <= s.balancing_spread
            if lasted >= s.balancing_time or even:
                self._enter(s, n, season, v, "bulk" if s.absorption_voltage is None else "float")
                self.ended = v.now
                return True
            return False
        paused = v.now - self.ended < s.absorption_pause and not self.due
        if self.mode != "float" and s.balancing_voltage is not None and v.trusted:
            apart = v.spread is not None and v.spread >= s.balancing_start - 1e-6
            if v.spread is not None and (self.due or (apart and not paused)) and top(self.mode):
                self._enter(s, n, season, v, "balancing")
                return False
        if s.absorption_voltage is None:
            self._enter(s, n, season, v, "bulk")
        elif self.mode == "absorption":
            if away or lasted >= s.absorption_time:
                self._enter(s, n, season, v, "float")
                self.ended = v.now
                return not away or self._full_by_itself(s, n, season, v)
        elif v.soc is not None and v.trusted:
            if v.soc >= s.absorption_soc:
                self._enter(s, n, season, v, "float" if paused else "absorption")
            elif self.mode == "float" and v.soc < s.rebulk_soc:
                self._enter(s, n, season, v, "bulk")
        return self._full_by_itself(s, n, season, v)

    def _full_by_itself(self, s: Any, n: int, season: float, v: View) -> bool:
        if not v.trusted or self.mode in ("absorption", "balancing"):
            return False
        if s.balancing_voltage is not None and v.spread is not None:
            return False
        if v.soc is not None and v.soc >= 100:
            return True
        few = v.amps is not None and v.amps <= s.max_charge_current_above_cv2
        cell_full = v.high is not None and v.high >= s.max_cell_voltage - 1e-6
        return few and (cell_full or (v.volts is not None and v.volts >= 0.995 * season * n))

    def _full_charge(self, s: Any, v: View, full: bool) -> None:
        wanted = s.charge_to_soc is not None or s.balancing_voltage is not None
        if not wanted or not s.full_charge_every:
            self.counted, self.counted_day, self.due = None, None, False
            return
        if self.counted is None or (full and (self.due or v.now - self.counted >= 3600)):
            self.counted, self.counted_day, self.due = v.now, v.day, False
            return
        if v.day is not None:
            if self.counted_day is None:
                self.counted_day = v.day - int((v.now - self.counted) / DAY)
            self.counted_day = min(self.counted_day, v.day)
        if self.due or not v.trusted:
            return
        if v.day is None or self.counted_day is None:
            self.due = v.now - self.counted >= s.full_charge_every * DAY
            return
        begin = s.full_charge_every * 24.0
        if s.full_charge_at is not None:
            hours, minutes = map(int, s.full_charge_at.split(":"))
            begin += hours + minutes / 60 - s.full_charge_hours
        self.due = (v.day - self.counted_day) * 24 + v.minute / 60 >= begin - 1e-9

    def _window(self, s: Any, n: int, season: float, v: View) -> None:
        was, most = self.closed, s.charge_to_soc
        if most is None or self.due:
            self.closed = False
            return
        if v.soc is not None and v.soc >= most:
            self.closed = True
        elif v.soc is not None and v.trusted and v.soc < most - s.charge_to_soc_hysteresis:
            self.closed = False
        if not self.closed:
            return
        if not was:
            self.lowered = self.volts(s, n, season, v.now) + s.voltage_offset
            self.lowered_at = v.now
            return
        goes_on = (v.soc is None or v.soc >= most) and (v.amps is None or v.amps > 0)
        if v.blind or not goes_on:
            return
        end = s.min_charge_voltage * n
        if v.amps is None and v.volts is not None:
            end = max(end, v.volts)
        step = s.voltage_rise * min(max(0.0, v.now - self.lowered_at), 2.0)
        self.lowered = min(self.lowered, max(end, self.lowered - step))
        self.lowered_at = v.now
