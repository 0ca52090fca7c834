"""The rules of the limiter once more, plainly and independently: what no limit may ever pass.

Written from the words of the rules, not from the code: no latch, ramp or reason is shared with it.
"""

from __future__ import annotations

import datetime
import math
from dataclasses import dataclass, field
from itertools import pairwise

from charge_plan_oracle import ChargePlan, View

from bridge.core.limiter.situation import LimiterConfig
from bridge.core.measurements.inputs import (
    CELLS,
    CHARGE_PERMISSION,
    DISCHARGE_PERMISSION,
    MOSFET,
    PACK_CURRENT,
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
        self.amps = readings[PACK_CURRENT]
        self.charge_blocked_by = readings[CHARGE_PERMISSION]
        self.discharge_blocked_by = readings[DISCHARGE_PERMISSION]
        self.silent, self.doubt = measurements.silent, measurements.doubt
        self.frozen = measurements.frozen


Bounds = dict[str, float]
"""What each protection allows, by its name; infinite where it has no opinion."""


@dataclass
class Quiet:
    """A current that comes back by a quarter of each fall, until all cells were away for 15 min."""

    level: float = math.inf  # A, to which the current may come back
    allowed_before: float = math.inf  # A
    away_since: float | None = None  # s

    def follow(self, most, allowed, is_away, clock, stage, doubt) -> None:
        """allowed: by the cells, None while they are unknown. is_away: from the threshold."""
        if allowed is None or stage is not Stage.FRESH:
            self.away_since = None
        elif not doubt:
            has_memory = self.level < math.inf
            level = self.level if has_memory else most
            if allowed < level and (not has_memory or allowed < self.allowed_before):
                self.level = 0.75 * allowed + 0.25 * level
            self.allowed_before = allowed
            if not is_away:
                self.away_since = None
            elif self.away_since is None:
                self.away_since = clock
            if self.away_since is not None and clock - self.away_since >= 900:
                self.level = math.inf


@dataclass
class Oracle:
    """Follows one limiter from outside and knows the bounds of each moment."""

    stopped: bool = False
    maintaining: bool = False
    top: Quiet = field(default_factory=Quiet)
    bottom: Quiet = field(default_factory=Quiet)
    blocked_until: tuple[float, float] = (-math.inf, -math.inf)
    clock: float = -math.inf
    plan: ChargePlan = field(default_factory=ChargePlan)

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
        high, low, volts = extremes(m, n)
        ccl, dcl = {"maximum": s.max_charge_current}, {"maximum": s.max_discharge_current}

        by_cell = None if high is None else _charge_by_cell(s, high, steps)
        is_low = high is not None and high < s.cv1 - 0.03 - EPSILON
        self.top.follow(s.max_charge_current, by_cell, is_low, now, stage, m.doubt)
        ccl["cell voltage"] = min(self.top.level, math.inf if by_cell is None else by_cell)
        is_over = high is not None and high >= s.cell_overvoltage - EPSILON
        failsafe, is_fresh = config.failsafe, stage is Stage.FRESH
        no_charge = 0.0 if is_fresh else failsafe.charge_current
        no_discharge = 0.0 if is_fresh else failsafe.discharge_current
        is_silent = CELLS in m.silent or PACK_VOLTAGE in m.silent
        ccl["cell overvoltage"] = no_charge if is_silent else math.inf
        ccl["cell overvoltage"] = 0 if is_over else ccl["cell overvoltage"]
        dcl["cell voltage"] = self._discharge_by_cell(m, s, n, low, volts, stage)
        self._latch(m, s, n, low, volts, stage)
        dcl["discharge stop"] = 0 if self.stopped else no_discharge if is_silent else math.inf

        charge_until, discharge_until = self.blocked_until
        charge_until = min(charge_until, now + s.block_release)
        discharge_until = min(discharge_until, now + s.block_release)
        if m.charge_blocked_by:
            charge_until = now + s.block_release
        if m.discharge_blocked_by:
            discharge_until = now + s.block_release
        self.blocked_until = (charge_until, discharge_until)
        blocks = m.charge_blocked_by or now < charge_until
        ccl["blocked"] = 0 if blocks else no_charge if CHARGE_PERMISSION in m.silent else math.inf
        blocks = m.discharge_blocked_by or now < discharge_until
        is_silent = DISCHARGE_PERMISSION in m.silent
        dcl["blocked"] = 0 if blocks else no_discharge if is_silent else math.inf

        for limits, most, least, temperature, soc in (
            (ccl, s.max_charge_current, no_charge, s.charge_temperature, s.charge_soc),
            (dcl, s.max_discharge_current, no_discharge, s.discharge_temperature, s.discharge_soc),
        ):
            both, mosfet = (m.coldest, m.hottest), s.mosfet_temperature
            limits["temperature"] = _worst(temperature, both, TEMPERATURE, m, most, least)
            limits["SoC"] = _worst(soc, (m.soc,), SOC, m, most, least)
            limits["MOSFET temperature"] = _worst(mosfet, (m.mosfet,), MOSFET, m, most, least)
        most, least = s.max_charge_current, no_charge
        values = [v for v in (*m.known.voltages, m.known.lowest, m.known.highest) if v is not None]
        spread = None if m.cells is None else max(values) - min(values)
        ccl["imbalance"] = _worst(s.imbalance, (spread,), CELLS, m, most, least)

        lows = [v for v in (low, None if m.voltage is None else m.voltage / n) if v is not None]
        lowest = min(lows, default=None)
        ccl["low cell"] = _worst(s.low_cell_charge, (lowest,), CELLS, m, most, least)

        is_off = _percent_off(m, n) >= config.voltage_mismatch - EPSILON
        ccl["voltage mismatch"] = s.max_charge_current_above_cv2 if is_off else math.inf

        least = _monthly(s.maintain_soc_by_month, date)
        self._maintain(m.soc, least, s.maintain_soc_hysteresis, stage, m.doubt)
        is_silent = least and SOC in m.silent
        dcl["maintained SoC"] = 0 if self.maintaining else no_discharge if is_silent else math.inf

        is_stale = stage >= Stage.STALE
        ccl["failsafe"] = failsafe.charge_current if is_stale else math.inf
        dcl["failsafe"] = failsafe.discharge_current if is_stale else math.inf
        ccl["counted charge"] = 0 if m.frozen.full else math.inf
        dcl["counted charge"] = 0 if m.frozen.empty else math.inf
        ccl["waiting"] = 0 if stage is Stage.WAITING else math.inf
        ccl["ceiling"], dcl["ceiling"] = _ceilings(m, config)

        season = _monthly(s.charge_voltage_by_month, date) or s.charge_voltage
        self.plan.follow(s, n, season, _view(m, high, spread, volts, stage, now, date))
        held = self.plan.closed or (s.charge_to_soc is not None and SOC in m.silent)
        ccl["charge to SoC"] = 0 if held else math.inf
        return Limits(self._cvl(m, config, high, volts, season), ccl, dcl)

    def _discharge_by_cell(self, m, s, n, low, volts, stage) -> float:
        if s.dv1 is None:
            self.bottom = Quiet()
            return math.inf
        by_cell = None if low is None else _discharge_by_cell(s, low, s.taper == "steps")
        remembered = 0.0 if low is not None and _is_empty(s, n, low, volts) else by_cell
        is_high = low is not None and low > s.dv1 + 0.03 + EPSILON
        most = s.max_discharge_current
        self.bottom.follow(most, remembered, is_high, self.clock, stage, m.doubt)
        return min(self.bottom.level, math.inf if by_cell is None else by_cell)

    def _latch(self, m, s, n, low, volts, stage) -> None:
        if _is_empty(s, n, low, volts):
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

    def _cvl(self, m, config, high, volts, season) -> Bounds:
        s, n = config.limiter, config.cells
        charged_to = self.plan.volts(s, n, season, self.clock) + s.voltage_offset
        clamp = math.inf
        if high is not None and high >= s.max_cell_voltage - EPSILON:
            known = [v for v in m.known.voltages if v is not None]
            over = sum(max(0.0, v - s.max_cell_voltage) for v in known)
            over = max(over, high - s.max_cell_voltage)
            clamp = -math.inf if volts is None else volts - over
        floor = s.min_charge_voltage * n
        lowered = self.plan.lowered if self.plan.closed else math.inf
        safe, stands = config.failsafe.charge_voltage * n, m.frozen.voltage
        counted = min(safe, safe if stands is None else stands) if m.frozen.full else math.inf
        bounds = {
            "charge voltage": charged_to,
            "charge to SoC": lowered,
            "high cell": clamp,
            "counted charge": counted,
        }
        return {name: max(bound, floor) for name, bound in bounds.items()}


def _is_empty(s, n: int, low: float | None, volts: float | None) -> bool:
    low_cell = low is not None and low <= s.min_cell_voltage + EPSILON
    low_pack = volts is not None and volts <= s.discharge_voltage * n + EPSILON
    return low_cell or low_pack


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


def _view(m, high, spread, volts, stage, now, date) -> View:
    is_set = date is not None and date.year >= 2024
    return View(
        soc=m.soc,
        volts=volts,
        high=high,
        spread=None if CELLS in m.silent else spread,
        amps=m.amps,
        trusted=stage is Stage.FRESH and not m.doubt,
        blind=stage > Stage.AGING,
        now=now,
        day=datetime.date(*date[:3]).toordinal() if is_set else None,
        minute=date.minute if is_set else 0,
        waiting=stage is Stage.WAITING,
    )


def extremes(m: Seen, n: int) -> tuple[float | None, float | None, float | None]:
    singles = [v for v in m.known.voltages if v is not None]
    extremes = [v for v in (m.known.lowest, m.known.highest) if v is not None]
    highs, lows = singles + extremes, singles + extremes
    if m.voltage is not None:
        highs.append(m.voltage / n)
        lows.append(m.voltage / n)
    volts = m.voltage
    if m.cells is not None:
        whole = len(singles) == len(m.known.voltages)
        if whole:
            volts = min(sum(singles), math.inf if volts is None else volts)
        elif volts is None:
            volts = max(singles + extremes) + (n - 1) * min(singles + extremes)
        else:
            known = singles + extremes
            volts = min(volts, min(known) + (n - 1) * max(known))
    return max(highs, default=None), min(lows, default=None), volts


def _percent_off(m: Seen, n: int) -> float:
    """How many percent V is from the nearest sum that the cells can have."""
    singles = [v for v in m.known.voltages if v is not None]
    if m.voltage is None or m.cells is None:
        return 0.0
    sums = [sum(singles)]
    if len(singles) < len(m.known.voltages):
        one = min(*singles, m.known.lowest, m.known.highest)
        other = max(*singles, m.known.lowest, m.known.highest)
        sums = [one + (n - 1) * other, other + (n - 1) * one]
    if min(sums) <= 0:
        return 0.0
    over, under = m.voltage - max(sums), min(sums) - m.voltage
    return max(0.0, 100 * over / max(sums), 100 * under / min(sums))


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


def _worst(table: Table, xs: tuple, source: Input, m: Seen, most: float, least: float) -> float:
    """The current at the worst of several x; all of it for a rule that is off or was never fed.

    most: with a share of 1. least: what silence leaves in any case.
    """
    if not table:
        return most
    if source in m.silent and (source is TEMPERATURE or None in xs):
        return max(least, most * min(y for _, y in table))
    if None in xs:
        return most
    return most * min(_interpolated(table, x) for x in xs)


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
