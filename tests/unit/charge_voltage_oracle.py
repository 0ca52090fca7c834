"""The rules that lower CVL over time, once more, plainly and independently.

Written from docs/protections.md and docs/trust.md. They need what the limiter has decided: the last
CVL, and CCL of this moment. A limit is never below the floor, which the caller sees to.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from bridge.core.limiter.situation import LimiterConfig

EPSILON = 1e-6


class Moment(NamedTuple):
    """What is known at one moment, in s, V and A; None: unknown."""

    now: float
    high: float | None
    pack: float | None  # the more careful of the pack voltage and the sum of the cells
    written: float | None  # the pack voltage alone
    amps: float | None
    ccl: float
    blind: bool  # waiting, stale or lost
    silent: bool  # the cells or the pack voltage
    trusted: bool  # fresh and without a doubt
    others: float  # what the protections without a past allow CVL
    last_cvl: float | None


@dataclass
class LoweredVoltage:
    """Follows one limiter from outside; infinite levels are at rest."""

    stays: float = math.inf
    stays_high: float = 0.0
    slid: float = math.inf
    fallen: float = math.inf
    last_pack: float | None = None
    clock: float | None = None

    def bounds(self, m: Moment, config: LimiterConfig) -> dict[str, float]:
        """What each of these rules allows CVL now."""
        passed = 2.0 if self.clock is None else min(2.0, max(0.0, m.now - self.clock))
        self.clock = m.now if self.clock is None else max(m.now, self.clock)
        self._push(m, config, passed)
        self._fail(m, config, passed)
        self._slide(m, config, passed)
        self.last_pack = self.last_pack if m.pack is None else m.pack
        return {"high cell stays": self.stays, "slide": self.slid, "failsafe": self.fallen}

    def _push(self, m: Moment, config: LimiterConfig, passed: float) -> None:
        """Down by a fifth of the excess, for each cell and second, as long as it is charged."""
        limit, floor = config.limiter.max_cell_voltage, config.floor
        if m.blind or m.high is None:
            return
        if m.high < limit - EPSILON:
            if m.trusted and m.high < limit - 0.020 - EPSILON:
                self.stays = math.inf
            return
        is_new = math.isinf(self.stays)
        last = m.others if m.last_cvl is None else m.last_cvl
        self.stays = min(self.stays, last)
        is_discharged = m.amps is not None and m.amps <= 0
        if is_new or not is_discharged or m.high > self.stays_high:
            self.stays -= config.cells * max(0.0, m.high - limit) / 5 * passed
        self.stays, self.stays_high = max(self.stays, floor), m.high

    def _slide(self, m: Moment, config: LimiterConfig, passed: float) -> None:
        """Slowly to the pack voltage, while next to no charge is allowed and some flows."""
        s = config.limiter
        if m.blind:
            return
        if s.slide == "off" or m.ccl > s.current_release * s.max_charge_current:
            self.slid = math.inf
            return
        if math.isinf(self.slid):
            self.slid = min(m.others, self.stays, self.fallen)
        is_charged = m.amps is None or m.amps > 0
        if m.written is not None and is_charged and self.slid > m.written:
            self.slid = max(self.slid - s.voltage_rise * passed, m.written)

    def _fail(self, m: Moment, config: LimiterConfig, passed: float) -> None:
        """At once to 3 % below the last pack voltage, and then slowly to the failsafe's."""
        end = config.failsafe.charge_voltage * config.cells
        if not (m.blind or m.silent):
            self.fallen = math.inf
            return
        below = math.inf if self.last_pack is None else 0.97 * self.last_pack
        if math.isinf(self.fallen):
            self.fallen = end if m.last_cvl is None else m.last_cvl
        else:
            self.fallen -= config.limiter.voltage_rise * passed
        self.fallen = max(end, min(self.fallen, below))
