"""The rules of the limiter once more, plainly and independently: what no limit may ever pass.

Written from the words of the rules, not from the code: no latch, ramp or reason is shared with it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from bridge.core.limiter.situation import LimiterConfig
from bridge.core.measurements.inputs import (
    CELLS,
    CHARGE_PERMISSION,
    DISCHARGE_PERMISSION,
    MOSFET,
    PACK_VOLTAGE,
    SOC,
    TEMPERATURE,
    Cells,
    Input,
    Measurements,
)
from bridge.core.model import Date, Limits, Stage
from bridge.core.settings.declarations import Table

EPSILON = 1e-6


class Seen:
    """What is measured, by the names that the words of the rules use."""

    def __init__(self, measurements: Measurements) -> None:
        readings, degrees = measurements.readings, measurements.readings[TEMPERATURE]
        self.known: Cells = readings[CELLS]
        self.cells = self.known if self.known.is_whole else None
        self.voltage, self.soc, self.mosfet = (readings[s] for s in (PACK_VOLTAGE, SOC, MOSFET))
        self.coldest, self.hottest = (None, None) if degrees is None else degrees
        self.charge_blocked_by = readings[CHARGE_PERMISSION]
        self.discharge_blocked_by = readings[DISCHARGE_PERMISSION]
        self.silent, self.doubt = measurements.silent, measurements.doubt


Bounds = dict[str, float]
"""What each protection allows, by its name; infinite where it has no opinion."""


@dataclass
class Oracle:
    """Follows one limiter from outside and knows the bounds of each moment."""

    stopped: bool = False
    maintaining: bool = False
    blocked_until: tuple[float, float] = (-math.inf, -math.inf)
    clock: float = -math.inf

    def bounds(
        self,
        measurements: Measurements,
        config: LimiterConfig,
        stage: Stage,
        now: float,
        date: Date | None,
    ) -> Limits[Bounds]:
        """What each protection allows now, before ceilings and requests."""
        m = Seen(measurements)
        self.clock = now = max(self.clock, now)
        s, n = config.limiter, config.cells
        steps = s.taper == "steps"
        high, low, volts = _extremes(m, n)
        ccl, dcl = {"maximum": s.max_charge_current}, {"maximum": s.max_discharge_current}

        ccl["cell voltage"] = math.inf if high is None else _charge_by_cell(s, high, steps)
        is_over = high is not None and high >= s.cell_overvoltage - EPSILON
        ccl["cell overvoltage"] = 0 if is_over or CELLS in m.silent else math.inf
        has_dv1 = low is not None and s.dv1 is not None
        dcl["cell voltage"] = _discharge_by_cell(s, low, steps) if has_dv1 else math.inf
        self._latch(m, s, n, low, volts, stage)
        is_stopped = self.stopped or CELLS in m.silent or PACK_VOLTAGE in m.silent
        dcl["discharge stop"] = 0 if is_stopped else math.inf

        charge_until, discharge_until = self.blocked_until
        charge_until = min(charge_until, now + s.block_release)
        discharge_until = min(discharge_until, now + s.block_release)
        if m.charge_blocked_by:
            charge_until = now + s.block_release
        if m.discharge_blocked_by:
            discharge_until = now + s.block_release
        self.blocked_until = (charge_until, discharge_until)
        blocks = m.charge_blocked_by or now < charge_until or CHARGE_PERMISSION in m.silent
        ccl["blocked"] = 0 if blocks else math.inf
        blocks = m.discharge_blocked_by or now < discharge_until
        dcl["blocked"] = 0 if blocks or DISCHARGE_PERMISSION in m.silent else math.inf

        for limits, most, temperature, soc in (
            (ccl, s.max_charge_current, s.charge_temperature, s.charge_soc),
            (dcl, s.max_discharge_current, s.discharge_temperature, s.discharge_soc),
        ):
            both, mosfet = (m.coldest, m.hottest), s.mosfet_temperature
            limits["temperature"] = most * _worst(temperature, both, TEMPERATURE, m)
            limits["SoC"] = most * _worst(soc, (m.soc,), SOC, m)
            limits["MOSFET temperature"] = most * _worst(mosfet, (m.mosfet,), MOSFET, m)
        spread = None if m.cells is None or high is None or low is None else high - low
        ccl["imbalance"] = s.max_charge_current * _worst(s.imbalance, (spread,), CELLS, m)

        lows = [v for v in (low, None if m.voltage is None else m.voltage / n) if v is not None]
        lowest = min(lows, default=None)
        ccl["low cell"] = s.max_charge_current * _worst(s.low_cell_charge, (lowest,), CELLS, m)

        least = _monthly(s.maintain_soc_by_month, date)
        self._maintain(m.soc, least, s.maintain_soc_hysteresis, stage, m.doubt)
        maintains = self.maintaining or (least and SOC in m.silent)
        dcl["maintained SoC"] = 0 if maintains else math.inf

        is_stale, failsafe = stage >= Stage.STALE, config.failsafe
        ccl["failsafe"] = failsafe.charge_current if is_stale else math.inf
        dcl["failsafe"] = failsafe.discharge_current if is_stale else math.inf
        ccl["waiting"] = 0 if stage is Stage.WAITING else math.inf
        ccl["ceiling"], dcl["ceiling"] = _ceilings(m, config)
        return Limits(self._cvl(m, config, high, volts, date), ccl, dcl)

    def _latch(self, m, s, n, low, volts, stage) -> None:
        low_cell = low is not None and low <= s.min_cell_voltage + EPSILON
        low_pack = volts is not None and volts <= s.discharge_voltage * n + EPSILON
        if low_cell or low_pack:
            self.stopped = True
        elif self.stopped and stage is Stage.FRESH and not m.doubt:
            in_part = m.cells is None and any(
                v is not None for v in (*m.known.voltages, m.known.lowest, m.known.highest)
            )
            silent = CELLS in m.silent or PACK_VOLTAGE in m.silent
            unknown = low is None and volts is None
            margin = s.discharge_hysteresis
            cell_ok = low is None or low >= s.min_cell_voltage + margin - EPSILON
            pack_ok = volts is None or volts >= (s.discharge_voltage + margin) * n - EPSILON
            self.stopped = in_part or silent or unknown or not (cell_ok and pack_ok)

    def _maintain(self, soc, least, hysteresis, stage, doubt) -> None:
        if not least:
            self.maintaining = False
        elif soc is not None and soc < least:
            self.maintaining = True
        elif soc is not None and stage is Stage.FRESH and not doubt:
            self.maintaining = self.maintaining and soc < min(100, least + hysteresis)

    def _cvl(self, m, config, high, volts, date) -> Bounds:
        s, n = config.limiter, config.cells
        volts_per_cell = _monthly(s.charge_voltage_by_month, date) or s.charge_voltage
        if s.absorption_voltage is not None:
            volts_per_cell = max(volts_per_cell, s.absorption_voltage)
        clamp = math.inf
        if high is not None and high >= s.max_cell_voltage - EPSILON:
            known = [v for v in m.known.voltages if v is not None]
            over = sum(max(0.0, v - s.max_cell_voltage) for v in known)
            over = max(over, high - s.max_cell_voltage)
            clamp = -math.inf if volts is None else volts - over
        floor = s.min_charge_voltage * n
        bounds = {"charge voltage": volts_per_cell * n + s.voltage_offset, "high cell": clamp}
        return {name: max(bound, floor) for name, bound in bounds.items()}


def _ceilings(m: Seen, config: LimiterConfig) -> tuple[float, float]:
    """What the file allows at most, whatever the protections say: CCL and DCL in A."""
    c = config.ceiling
    cells = [v for v in (*m.known.voltages, m.known.lowest, m.known.highest) if v is not None]
    cells += [] if m.voltage is None else [m.voltage / config.cells]
    places = [d for d in (m.coldest, m.hottest) if d is not None]
    charge, discharge = c.charge_current, c.discharge_current
    if not cells:
        charge = min(charge, c.failsafe.charge_current)
    if any(v >= c.cell_voltage or v <= c.dead_cell for v in cells):
        charge = 0.0
    if any(v <= c.min_cell_voltage for v in cells):
        discharge = 0.0
    if not all(c.charge_temperature[0] <= d <= c.charge_temperature[1] for d in places):
        charge = 0.0
    if not all(c.discharge_temperature[0] <= d <= c.discharge_temperature[1] for d in places):
        discharge = 0.0
    return charge, discharge


def _extremes(m: Seen, n: int) -> tuple[float | None, float | None, float | None]:
    singles = [v for v in m.known.voltages if v is not None]
    extremes = [v for v in (m.known.lowest, m.known.highest) if v is not None]
    highs, lows = singles + extremes, singles + extremes
    if m.cells is None and m.voltage is not None:
        highs.append(m.voltage / n)
        lows.append(m.voltage / n)
    volts = m.voltage
    if volts is None and m.cells is not None:
        whole = len(singles) == len(m.known.voltages)
        volts = sum(singles) if whole else max(highs) + (n - 1) * min(lows)
    return max(highs, default=None), min(lows, default=None), volts


def _charge_by_cell(s, high: float, steps: bool) -> float:
    if high < s.cv1 - EPSILON:
        return s.max_charge_current
    if steps:
        reached = high >= s.cv2 - EPSILON
        return s.max_charge_current_above_cv2 if reached else s.max_charge_current_above_cv1
    points = [
        (s.cv1, s.max_charge_current_above_cv1),
        (s.cv2, s.max_charge_current_above_cv2),
        (s.cell_overvoltage, 0.0),
    ]
    return _interpolated(points, high)


def _discharge_by_cell(s, low: float, steps: bool) -> float:
    if low > s.dv1 + EPSILON:
        return s.max_discharge_current
    has_dv2 = s.dv2 is not None
    if steps:
        reached = has_dv2 and low <= s.dv2 + EPSILON
        return s.max_discharge_current_below_dv2 if reached else s.max_discharge_current_below_dv1
    middle = [(s.dv2, s.max_discharge_current_below_dv2)] if has_dv2 else []
    points = [(s.min_cell_voltage, 0.0), *middle, (s.dv1, s.max_discharge_current_below_dv1)]
    return _interpolated(points, low)


def _worst(table: Table, xs: tuple, source: Input, m: Seen) -> float:
    """The share of the worst of several x; 1 for a rule that is off or was never fed."""
    if not table:
        return 1.0
    if source in m.silent and (source is TEMPERATURE or None in xs):
        return min(y for _, y in table)
    if None in xs:
        return 1.0
    return min(_interpolated(table, x) for x in xs)


def _interpolated(points, x: float) -> float:
    if x <= points[0][0]:
        return points[0][1]
    if x >= points[-1][0]:
        return points[-1][1]
    for (x0, y0), (x1, y1) in pairwise(points):
        if x0 <= x <= x1:
            return min(y0, y1) if x0 == x1 else y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    raise AssertionError("x lies between the points")


def _monthly(table: Table, date: Date | None) -> float | None:
    if not table or date is None or date.year < 2024:
        return None
    value = table[-1][1]
    for month, at in table:
        if month <= date.month:
            value = at
    return value
