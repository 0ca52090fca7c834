"""What a protection may use: the measurements, what follows from them, and the latches.

N cells in series, v their voltages, V the pack's. Currents in A, voltages in V.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from bridge.core.limiter.ceiling import highest_charge_voltage
from bridge.core.limiter.recovery import Pace
from bridge.core.measurements.inputs import CELLS, PACK_VOLTAGE, Cells, Input, Measurements
from bridge.core.model import Cap, Date, Limits, Stage
from bridge.core.settings.declarations import Ceiling, FailsafeSettings, LimiterSettings

R = TypeVar("R")

LatchState = Mapping[str, Any]
"""The state of each latch that is not at rest, by name; kept from one decision to the next."""

TINY = 1e-6
"""Volts. Rounding errors are smaller. A value this close to a threshold counts as having reached
it, so that a rounding error can tighten, but never loosen."""


@dataclass(frozen=True)
class LimiterConfig:
    """Everything about a battery that decides its limits besides the measurements."""

    cells: int  # in series
    limiter: LimiterSettings
    failsafe: FailsafeSettings
    ceiling: Ceiling
    withdraw_when_lost: bool = False

    @cached_property
    def paces(self) -> Limits[Pace]:
        """How each limit recovers: CVL in V, the others in shares of their maximum (A)."""
        s = self.limiter
        charge, discharge = (
            Pace(s.current_hold, s.current_rise * most, s.current_release * most)
            for most in (s.max_charge_current, s.max_discharge_current)
        )
        return Limits(Pace(s.voltage_hold, s.voltage_rise), charge, discharge)


    @cached_property
    def ceiling_of_cvl(self) -> Cap:
        """The ceiling of CVL, in V of the whole pack."""
        return Cap(*highest_charge_voltage(self.ceiling, self.cells))


@dataclass(frozen=True)
class Situation:
    """Everything that a protection may use.

    settings, cells: of the configuration, cells in series.
    highest, lowest: the extreme cells in V, None where nothing is known of them.
    voltage: the pack in V, written or made from the cells, None where neither is known.
    now: monotonic s. Only for protections with `after_ccl`: ccl in A; cvl in V, the smallest cap of
    the others; since: when the last decision was made (monotonic s).
    """

    measurements: Measurements
    config: LimiterConfig
    settings: LimiterSettings
    cells: int
    stage: Stage
    now: float
    date: Date | None
    highest: float | None
    lowest: float | None
    voltage: float | None
    latches: LatchState
    ccl: float = 0.0
    cvl: float = 0.0
    since: float = float("-inf")

    @property
    def is_certain(self) -> bool:
        """Whether the measurements are fresh and beyond doubt: only then may anything loosen."""
        return self.stage is Stage.FRESH and not self.measurements.doubt

    def of(self, input_: Input[R]) -> R:
        """The reading of an input."""
        reading: R = self.measurements.readings[input_]
        return reading

    def is_silent(self, input_: Input[Any]) -> bool:
        """Whether an input was written once and is stale now, while the required ones are not."""
        return input_ in self.measurements.silent


def build_situation(
    measurements: Measurements,
    config: LimiterConfig,
    stage: Stage,
    now: float,
    date: Date | None,
    latches: LatchState,
    before: Situation | None = None,
) -> Situation:
    """The situation with everything that several protections need, found once.

    before: the last one; what follows from the cells is taken from it while they are the same.
    """
    readings = measurements.readings
    cells: Cells = readings[CELLS]
    written: float | None = readings[PACK_VOLTAGE]
    if before is not None and before.config is config:
        same = before.measurements.readings
        if same[CELLS] is cells and same[PACK_VOLTAGE] == written:
            return Situation(
                measurements, config, config.limiter, config.cells, stage, now, date,
                before.highest, before.lowest, before.voltage, latches,
            )  # fmt: skip
    highest, lowest = extremes(cells, written, config.cells)
    voltage = pack_voltage(cells, written, config.cells, highest, lowest)
    return Situation(
        measurements, config, config.limiter, config.cells, stage, now, date,
        highest, lowest, voltage, latches,
    )  # fmt: skip


def extremes(cells: Cells, voltage: float | None, count: int) -> tuple[float | None, float | None]:
    """The highest and the lowest cell voltage known, in V.

    Both written extremes count for both results, because a client may have swapped them. While not
    all cells are known, the mean V / N counts too, because the highest cell is never below it. So
    a battery without any cell data is limited by its pack voltage alone.
    """
    known = [v for v in (*cells.voltages, cells.lowest, cells.highest) if v is not None]
    if voltage is not None and not cells.is_whole:
        known.append(voltage / count)
    return max(known, default=None), min(known, default=None)


def pack_voltage(
    cells: Cells, written: float | None, count: int, highest: float | None, lowest: float | None
) -> float | None:
    """The written pack voltage in V; else the sum of the cells; else the least by the extremes.

    The least is one cell at the highest voltage and all others at the lowest. None without any.
    """
    if written is not None:
        return written
    if not cells.is_whole:
        return None
    voltages = [v for v in cells.voltages if v is not None]
    if voltages and len(voltages) == len(cells.voltages):
        return sum(voltages)
    if highest is None or lowest is None:
        return None
    return highest + (count - 1) * lowest


def name_of(cells: Cells, voltage: float) -> str:
    """Which cell has this voltage (V): "cell 7".

    "a cell" when only the extremes are known, "the mean cell" when nothing is.
    """
    if voltage in cells.voltages:
        return f"cell {cells.voltages.index(voltage) + 1}"
    return "a cell" if voltage in (cells.lowest, cells.highest) else "the mean cell"


def reached(value: float, threshold: float) -> bool:
    """Whether a value is at or above a threshold, within TINY. Both in V."""
    return value >= threshold - TINY
