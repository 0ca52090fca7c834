"""The discharge stop: a latch, because a battery recovers some volts as soon as it rests."""

from __future__ import annotations

from bridge.core.limiter.situation import Situation, lowest_cell, name_of, pack_voltage
from bridge.core.model import Input, Measurements
from bridge.core.settings.declarations import LimiterSettings

TINY = 1e-6
"""Volts. Sums and products of decimal fractions miss their threshold by less; a miss may tighten,
never loosen."""


def reached(value: float, threshold: float) -> bool:
    """Whether a value is at or above a threshold."""
    return value >= threshold - TINY


def is_discharge_stopped(
    measurements: Measurements, settings: LimiterSettings, cells: int, was: bool, certain: bool
) -> bool:
    """Set when V or the lowest cell is at its threshold; ended only when both are above it by
    the hysteresis, and certainly so: an unknown cell may be the one that set it."""
    lowest, voltage = lowest_cell(measurements, cells), pack_voltage(measurements, cells)
    low_cell = lowest is not None and reached(-lowest, -settings.min_cell_voltage)
    low_pack = voltage is not None and reached(-voltage, -settings.discharge_voltage * cells)
    if low_cell or low_pack:
        return True
    if not was:
        return False
    if not certain or _is_in_part(measurements) or (lowest is None and voltage is None):
        return True
    margin = settings.discharge_hysteresis
    cell_end, pack_end = settings.min_cell_voltage + margin, settings.discharge_voltage + margin
    return (lowest is not None and not reached(lowest, cell_end)) or (
        voltage is not None and not reached(voltage, pack_end * cells)
    )


def _is_in_part(measurements: Measurements) -> bool:
    known = measurements.known
    if Input.CELLS in measurements.silent or Input.VOLTAGE in measurements.silent:
        return True
    some = any(v is not None for v in (*known.voltages, known.lowest, known.highest))
    return some and measurements.cells is None


def why_discharge_stops(situation: Situation) -> str:
    """The latch in words: what holds it, and where it ends."""
    settings, lowest, voltage = situation.settings, situation.lowest, situation.voltage
    margin = settings.discharge_hysteresis
    cell_end = settings.min_cell_voltage + margin
    if lowest is not None and not reached(lowest, cell_end):
        name = name_of(situation.measurements.known, lowest)
        return (
            f"{name} at {lowest:.3f} V, stop at {settings.min_cell_voltage:g} V,"
            f" ends at {cell_end:g} V"
        )
    end_of_pack = (settings.discharge_voltage + margin) * situation.cells
    if voltage is not None and reached(voltage, end_of_pack):
        return "stopped before, until every cell and the pack voltage are known beyond doubt"
    stop = settings.discharge_voltage * situation.cells
    shown = "unknown" if voltage is None else f"at {voltage:.2f} V"
    return f"pack {shown}, stop at {stop:.2f} V, ends at {end_of_pack:.2f} V"
