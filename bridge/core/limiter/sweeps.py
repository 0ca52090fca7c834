"""What `explain` shows: one measurement varies while all others are normal.

A protection names the sweeps that show what it does.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from bridge.core.limiter.situation import LimiterConfig
from bridge.core.measurements.inputs import (
    CELLS,
    MOSFET,
    PACK_CURRENT,
    PACK_VOLTAGE,
    SOC,
    TEMPERATURE,
    Cells,
    Input,
    Measurements,
    Temperatures,
)
from bridge.core.model import Date


class Moment(NamedTuple):
    """What is measured at one point of a sweep, and the date there."""

    measurements: Measurements
    date: Date | None = None


Point = Callable[[Measurements, LimiterConfig, float], Moment]


@dataclass(frozen=True, eq=False)
class Sweep:
    """One measurement, or the time, over its range.

    title, unit: of the axis; decimals: of its numbers. xs: the points. at: the measurements at a
    point, made from those of a normal battery. is_shown: whether the sweep makes sense with this
    configuration. seconds_per_unit: above 0, x is a time, and each point continues the one before.
    is_stepped: whether the limits jump from point to point there.
    """

    title: str
    unit: str
    decimals: int
    xs: Callable[[LimiterConfig], Sequence[float]]
    at: Point
    is_shown: Callable[[LimiterConfig], bool] = lambda config: True
    seconds_per_unit: float = 0.0
    is_stepped: Callable[[LimiterConfig], bool] = lambda config: False


def normal_measurements(unknown: Mapping[Input[Any], Any], config: LimiterConfig) -> Measurements:
    """The measurements of a normal battery: every cell at min_charge_voltage.

    unknown: the readings of all inputs before the first write.
    """
    volts = config.limiter.min_charge_voltage
    return _every_cell(Measurements(unknown), config, volts).measurements


def with_readings(measurements: Measurements, readings: Mapping[Input[Any], Any]) -> Moment:
    """These measurements with some other readings."""
    return Moment(replace(measurements, readings={**measurements.readings, **readings}))


def _every_cell(base: Measurements, config: LimiterConfig, volts: float) -> Moment:
    cells = Cells((volts,) * config.cells)
    return with_readings(base, {CELLS: cells, PACK_VOLTAGE: volts * config.cells})


def _one_cell(base: Measurements, _config: LimiterConfig, volts: float) -> Moment:
    voltages = (volts, *base.readings[CELLS].voltages[1:])
    return with_readings(base, {CELLS: Cells(voltages), PACK_VOLTAGE: sum(voltages)})


def _apart(base: Measurements, config: LimiterConfig, volts: float) -> Moment:
    """Around a voltage at which no other protection limits."""
    s = config.limiter
    quiet = round((s.min_charge_voltage + s.min_cell_voltage) / 2, 3)
    cells = Cells((quiet + volts, *[quiet] * (config.cells - 1)))
    return with_readings(base, {CELLS: cells, PACK_VOLTAGE: quiet * config.cells + volts})


def _off_by(base: Measurements, config: LimiterConfig, percent: float) -> Moment:
    """Around a voltage at which no other protection limits, as far as possible."""
    s = config.limiter
    quiet = round((s.min_charge_voltage + s.min_cell_voltage) / 2, 3)
    cells = Cells((quiet,) * config.cells)
    return with_readings(
        base, {CELLS: cells, PACK_VOLTAGE: quiet * config.cells * (1 + percent / 100)}
    )


def _volts(config: LimiterConfig) -> Sequence[float]:
    low_points = [volts for volts, _ in config.limiter.low_cell_charge]
    lowest = int(min([config.limiter.min_cell_voltage, *low_points]) * 100) - 10
    highest = int(config.limiter.cell_overvoltage * 100) + 5
    return [x / 100 for x in range(lowest, highest + 1)]


def _has_steps(config: LimiterConfig) -> bool:
    return config.limiter.taper == "steps"


def _in_month(base: Measurements, config: LimiterConfig, month: float) -> Moment:
    """With a SoC below every SoC that a season maintains."""
    date = Date(2026, int(month))
    least = [soc for _, soc in config.limiter.maintain_soc_by_month if soc]
    return Moment(with_readings(base, {SOC: min(least) - 1 if least else None}).measurements, date)


def _minutes(config: LimiterConfig) -> Sequence[float]:
    """Long enough for absorption and for the way down to float."""
    s = config.limiter
    fall = ((s.absorption_voltage or 0) - (s.float_voltage or s.charge_voltage)) * config.cells
    minutes = s.absorption_time / 60 + max(0.0, fall) / s.voltage_rise / 60
    return [float(x) for x in range(int(minutes) + 3)]


def _days(config: LimiterConfig) -> Sequence[float]:
    """The hours around the full charge, after the time at which the battery was last full."""
    every = config.limiter.full_charge_every
    hours = range(int((every - 1) * 24), int((every + 1) * 24) + 1)
    return [0.0, *(hour / 24 for hour in hours if hour > 0)]


def _after_days(base: Measurements, config: LimiterConfig, days: float) -> Moment:
    """With the SoC at which charging ends. The battery was last full at midnight."""
    minutes = round(days * 24 * 60)
    day = datetime.date(2026, 1, 1) + datetime.timedelta(minutes // 1440)
    date = Date(day.year, day.month, day.day, minutes % 1440)
    readings = {SOC: config.limiter.charge_to_soc, PACK_CURRENT: 0.0}
    return Moment(with_readings(base, readings).measurements, date)


def _balancing_minutes(config: LimiterConfig) -> Sequence[float]:
    """Long enough for balancing, and for the way down from its voltage."""
    s = config.limiter
    fall = ((s.balancing_voltage or 0) - (s.float_voltage or s.charge_voltage)) * config.cells
    minutes = s.balancing_time / 60 + max(0.0, fall) / s.voltage_rise / 60
    return [float(x) for x in range(int(minutes) + 3)]


def _uneven_at_top(base: Measurements, config: LimiterConfig, _minutes: float) -> Moment:
    """One cell at the charge voltage, the others as far below as starts balancing."""
    s = config.limiter
    low = s.charge_voltage - s.balancing_start
    cells = Cells((s.charge_voltage, *[low] * (config.cells - 1)))
    voltage = s.charge_voltage + low * (config.cells - 1)
    return with_readings(base, {CELLS: cells, PACK_VOLTAGE: voltage})


EVERY_CELL = Sweep("every cell at", "V", 2, _volts, _every_cell, is_stepped=_has_steps)
ONE_CELL = Sweep(
    "one cell at",
    "V",
    2,
    _volts,
    _one_cell,
    lambda config: config.cells > 1,
    is_stepped=_has_steps,
)
BATTERY_TEMPERATURE = Sweep(
    "battery at",
    "°C",
    0,
    lambda config: [float(x) for x in range(-35, 71)],
    lambda base, config, x: with_readings(base, {TEMPERATURE: Temperatures(x, x)}),
)
STATE_OF_CHARGE = Sweep(
    "SoC at",
    "%",
    0,
    lambda config: [float(x) for x in range(101)],
    lambda base, config, x: with_readings(base, {SOC: x}),
    lambda config: bool(
        config.limiter.charge_soc
        or config.limiter.discharge_soc
        or config.limiter.charge_to_soc is not None
    ),
)
MOSFET_TEMPERATURE = Sweep(
    "MOSFETs at",
    "°C",
    0,
    lambda config: [float(x) for x in range(121)],
    lambda base, config, x: with_readings(base, {MOSFET: x}),
    lambda config: bool(config.limiter.mosfet_temperature),
)
CELL_SPREAD = Sweep(
    "cells apart by",
    "V",
    2,
    lambda config: [x / 100 for x in range(31)],
    _apart,
    lambda config: bool(config.limiter.imbalance),
)
PACK_MISMATCH = Sweep(
    "pack voltage off by",
    "%",
    0,
    lambda config: [float(x) for x in range(-10, 11)],
    _off_by,
    lambda config: config.voltage_mismatch <= 10,
)
MONTH = Sweep(
    "in month",
    "",
    0,
    lambda config: [float(x) for x in range(1, 13)],
    _in_month,
    lambda config: bool(
        config.limiter.charge_voltage_by_month or config.limiter.maintain_soc_by_month
    ),
    is_stepped=lambda config: True,
)
PHASES = Sweep(
    "at 100 % SoC for",
    "min",
    0,
    _minutes,
    lambda base, config, x: with_readings(base, {SOC: 100.0}),
    lambda config: config.limiter.absorption_voltage is not None,
    seconds_per_unit=60.0,
)

FULL_CHARGE = Sweep(
    "days since full",
    "d",
    2,
    _days,
    _after_days,
    lambda config: bool(config.limiter.charge_to_soc and config.limiter.full_charge_every),
    seconds_per_unit=86400.0,
)
UNEVEN_AT_TOP = Sweep(
    "cells apart at top for",
    "min",
    0,
    _balancing_minutes,
    _uneven_at_top,
    lambda config: config.limiter.balancing_voltage is not None and config.cells > 1,
    seconds_per_unit=60.0,
)

STANDARD_SWEEPS = (
    EVERY_CELL, ONE_CELL, BATTERY_TEMPERATURE, STATE_OF_CHARGE, MOSFET_TEMPERATURE, CELL_SPREAD,
    PACK_MISMATCH, MONTH, PHASES, FULL_CHARGE, UNEVEN_AT_TOP,
)  # fmt: skip
"""In the order in which they are shown; further sweeps that protections name follow."""
