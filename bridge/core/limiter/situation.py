"""What a protection may use: the measurements, what follows from them, and the latches.

N cells in series, v their voltages, V the pack's. Currents in A, voltages in V.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from bridge.core.limiter.ceiling import highest_charge_voltage
from bridge.core.limiter.recovery import Certainty, Pace, seconds_counted
from bridge.core.measurements.frozen_verdict import Frozen
from bridge.core.measurements.inputs import CELLS, PACK_VOLTAGE, Cells, Input, Measurements
from bridge.core.measurements.voltages import TINY, Volts, volts_of
from bridge.core.model import Cap, Date, Limits, Stage
from bridge.core.settings.configuration import BatteryConfig
from bridge.core.settings.declarations import Ceiling, FailsafeSettings, LimiterSettings

R = TypeVar("R")

LatchState = Mapping[str, Any]
"""The state of each latch that is not at rest, by name; kept from one decision to the next."""


@dataclass(frozen=True)
class LimiterConfig:
    """Everything about a battery that decides its limits besides the measurements.

    voltage_mismatch: % by which the pack voltage may differ from the sum of the cells.
    """

    cells: int  # in series
    limiter: LimiterSettings
    failsafe: FailsafeSettings
    ceiling: Ceiling
    withdraw_when_lost: bool = False
    voltage_mismatch: float = math.inf

    @classmethod
    def of(cls, config: BatteryConfig) -> LimiterConfig:
        """What the limiter needs of the settings in force."""
        mismatch = config.alarms.voltage_mismatch
        return cls(
            cells=config.cells,
            limiter=config.limiter,
            failsafe=config.failsafe,
            ceiling=config.ceiling,
            withdraw_when_lost=config.freshness.on_lost == "withdraw",
            voltage_mismatch=mismatch[0] if mismatch else math.inf,
        )

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
    def floor(self) -> float:
        """min_charge_voltage of the whole pack, in V: a lower CVL could empty the battery."""
        return self.limiter.min_charge_voltage * self.cells

    @cached_property
    def ceiling_of_cvl(self) -> Cap:
        """The ceiling of CVL, in V of the whole pack."""
        return Cap(*highest_charge_voltage(self.ceiling, self.cells))


@dataclass(frozen=True)
class Situation:
    """Everything that a protection may use.

    settings, cells: of the configuration, cells in series.
    volts: what the cells and the pack voltage say together.
    now: monotonic s. Only for protections with `after_ccl`: ccl in A; cvl in V, the smallest cap of
    the others; given: the last CVL, None before the first one; last_voltage:
    the last pack voltage that was known, in V; since: when the last decision
    was made (monotonic s). before_frame: while a frame of voltages is coming, the situation before
    it, for what compares voltages with each other: half a frame shows a difference that never was,
    and a limit that falls for it stays down for its hold.
    """

    measurements: Measurements
    config: LimiterConfig
    settings: LimiterSettings
    cells: int
    stage: Stage
    now: float
    date: Date | None
    volts: Volts
    latches: LatchState
    ccl: float = 0.0
    cvl: float = 0.0
    given: float | None = None
    last_voltage: float | None = None
    since: float = float("-inf")
    before_frame: Situation | None = None

    @property
    def certainty(self) -> Certainty:
        """How certain the measurements are."""
        if self.stage is not Stage.FRESH:
            return Certainty.NOT_FRESH
        return Certainty.IN_DOUBT if self.measurements.doubt else Certainty.CERTAIN

    @property
    def is_certain(self) -> bool:
        """Whether the measurements are fresh and beyond doubt: only then may anything loosen."""
        return self.certainty is Certainty.CERTAIN

    @property
    def elapsed(self) -> float:
        """The time since the last decision that counts for slow changes, in s."""
        return seconds_counted(self.since, self.now)

    @property
    def frozen(self) -> Frozen:
        """What stands still although charge has moved."""
        return self.measurements.frozen

    def of(self, input_: Input[R]) -> R:
        """The reading of an input."""
        reading: R = self.measurements.readings[input_]
        return reading

    def is_silent(self, input_: Input[Any]) -> bool:
        """Whether an input was written once and is stale now, while the required ones are not."""
        return input_ in self.measurements.silent

    def why_silent(self, input_: Input[Any]) -> str:
        """Why an input is silent, in words: no value comes, or each is refused."""
        if input_ in self.measurements.refused:
            return f"the values for {self.measurements.refused[input_]} are refused"
        return f"{input_.name} went silent"


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
    settings, count = config.limiter, config.cells
    readings = measurements.readings
    cells: Cells = readings[CELLS]
    written: float | None = readings[PACK_VOLTAGE]
    volts: Volts | None = None
    if before is not None and before.config is config:
        same = before.measurements.readings
        if same[CELLS] is cells and same[PACK_VOLTAGE] == written:
            volts = before.volts
    if volts is None:
        volts = volts_of(cells, written, count)
    earlier: Situation | None = None
    if measurements.before_frame is not None:
        earlier = None if before is None else before.before_frame or before
        known = None if earlier is None else earlier.measurements
        if (
            earlier is None
            or known is None
            or earlier.config is not config
            or known.readings is not measurements.before_frame
            or known.silent != measurements.silent
        ):
            earlier = _before_frame(measurements, config, stage, now, date, latches)
    return Situation(
        measurements, config, settings, count, stage, now, date, volts, latches,
        before_frame=earlier,
    )  # fmt: skip


def _before_frame(
    measurements: Measurements,
    config: LimiterConfig,
    stage: Stage,
    now: float,
    date: Date | None,
    latches: LatchState,
) -> Situation:
    """The situation before the frame that is coming."""
    readings, silent = measurements.before_frame, measurements.silent
    assert readings is not None, "only asked for while a frame is coming"
    known = Measurements(readings, silent, measurements.doubt, measurements.frozen)
    return build_situation(known, config, stage, now, date, latches)


def is_blind(situation: Situation) -> bool:
    """Whether nothing is known that is young enough: waiting, stale or lost."""
    return situation.stage > Stage.AGING


def name_of(cells: Cells, voltage: float) -> str:
    """Which cell has this voltage (V): "cell 7".

    "a cell" when only the extremes are known, "the mean cell" when nothing is.
    """
    if voltage in cells.voltages:
        return f"cell {cells.voltages.index(voltage) + 1}"
    return "a cell" if voltage in (cells.lowest, cells.highest) else "the mean cell"


def reached(value: float, threshold: float) -> bool:
    """Whether a value is at or above a threshold, within TINY. Both in V.

    So a rounding error can tighten, but never loosen.
    """
    return value >= threshold - TINY
