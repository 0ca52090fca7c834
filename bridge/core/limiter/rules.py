"""The protections. Each rule looks at the measurements and answers a cap, or None: no opinion.

A rule whose input was seen once and went silent answers its most careful value; one whose input
was never configured, or is covered by the failsafe, stays out. N cells in series, v their
voltages, V the pack's. Currents in A, voltages in V.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bridge.core.limiter.taper import most_careful, share
from bridge.core.model import Cap, Cells, Input, Measurements
from bridge.core.settings import LimiterSettings, Table


@dataclass(frozen=True)
class Situation:
    """All that a rule may look at."""

    measurements: Measurements
    settings: LimiterSettings
    cells: int  # in series
    discharge_stopped: bool  # the latch of the discharge stop


Rule = Callable[[Situation], "Cap | None"]

TINY = 1e-6
"""Volts. Sums and products of decimal fractions miss their threshold by less; a miss may tighten,
never loosen."""


# --- what is known of the cells ---------------------------------------------------------------


def highest_cell(cells: Cells) -> float | None:
    """The highest voltage known, from single cells and from the written extreme."""
    return max((v for v in (*cells.voltages, cells.highest) if v is not None), default=None)


def lowest_cell(cells: Cells) -> float | None:
    """The lowest voltage known, likewise."""
    return min((v for v in (*cells.voltages, cells.lowest) if v is not None), default=None)


def _name(cells: Cells, voltage: float) -> str:
    """Which cell has this voltage: "cell 7", or "a cell" when only the extremes are known."""
    if voltage in cells.voltages:
        return f"cell {cells.voltages.index(voltage) + 1}"
    return "a cell"


def pack_voltage(situation: Situation) -> float | None:
    """The written pack voltage; else the sum of the cells; else the least that the extremes
    allow: one cell at the highest voltage, all others at the lowest. None without any."""
    measurements = situation.measurements
    if measurements.voltage is not None:
        return measurements.voltage
    cells = measurements.cells
    if cells is None:
        return None
    if None not in cells.voltages:
        return sum(v for v in cells.voltages if v is not None)
    highest, lowest = highest_cell(cells), lowest_cell(cells)
    assert highest is not None and lowest is not None, "a known pack has both extremes"
    return highest + (situation.cells - 1) * lowest


def excess(cells: Cells, limit: float, voltage: float, count: int) -> float:
    """How far the cells are above the limit, all together: sum of max(0, v - limit).

    With the extremes alone, the most that they allow: as many cells at the highest voltage as
    the pack voltage has room for, the others at the lowest.
    """
    above = sum(max(0.0, v - limit) for v in cells.voltages if v is not None)
    highest, lowest = highest_cell(cells), lowest_cell(cells)
    if None not in cells.voltages and len(cells.voltages) == count:
        missed = 0.0 if cells.highest is None else max(0.0, cells.highest - limit)
        return max(above, missed)
    if highest is None or highest <= limit:
        return above
    if lowest is None or lowest >= highest:
        return max(above, count * (highest - limit))
    high_cells = min(count, max(1.0, (voltage - count * lowest) / (highest - lowest)))
    of_low_ones = (count - high_cells) * max(0.0, lowest - limit)
    return max(above, high_cells * (highest - limit) + of_low_ones)


# --- CVL --------------------------------------------------------------------------------------


def charge_voltage(situation: Situation) -> Cap:
    """charge_voltage times N."""
    per_cell, cells = situation.settings.charge_voltage, situation.cells
    return Cap(per_cell * cells, f"charge voltage {per_cell:g} V times {cells} cells")


def high_cell_clamp(situation: Situation) -> Cap | None:
    """From the first cell at max_cell_voltage: the battery's own voltage, less what the cells
    are above it: V - sum of max(0, v - max_cell_voltage)."""
    known, limit = situation.measurements.known, situation.settings.max_cell_voltage
    highest, voltage = highest_cell(known), pack_voltage(situation)
    if highest is None or highest < limit:
        return None
    if voltage is None:
        floor = situation.settings.min_charge_voltage * situation.cells
        return Cap(floor, f"{_name(known, highest)} at {highest:.3f} V and no pack voltage known")
    clamped = voltage - excess(known, limit, voltage, situation.cells)
    return Cap(clamped, f"{_name(known, highest)} at {highest:.3f} V clamps CVL, limit {limit:g} V")


# --- CCL --------------------------------------------------------------------------------------


def max_charge_current(situation: Situation) -> Cap:
    """max_charge_current."""
    return Cap(situation.settings.max_charge_current, "maximum charge current")


def cell_voltage_charge(situation: Situation) -> Cap | None:
    """Less current from cv1, and less again from cv2: in steps, or along straight lines that
    end at 0 A at cell_overvoltage."""
    settings, known = situation.settings, situation.measurements.known
    highest = highest_cell(known)
    if highest is None or highest < settings.cv1:
        return None
    name = f"{_name(known, highest)} at {highest:.3f} V"
    if settings.taper == "linear":
        current = max(0.0, _charge_line(settings, highest))
        return Cap(current, f"{name}, past cv1 {settings.cv1:g} V")
    if highest >= settings.cv2:
        return Cap(settings.max_charge_current_above_cv2, f"{name}, cv2 is {settings.cv2:g} V")
    return Cap(settings.max_charge_current_above_cv1, f"{name}, cv1 is {settings.cv1:g} V")


def _charge_line(settings: LimiterSettings, highest: float) -> float:
    """Straight lines through (cv1, above_cv1), (cv2, above_cv2), (cell_overvoltage, 0)."""
    points = (
        (settings.cv1, settings.max_charge_current_above_cv1),
        (settings.cv2, settings.max_charge_current_above_cv2),
        (settings.cell_overvoltage, 0.0),
    )
    return _line(points, highest)


def cell_overvoltage(situation: Situation) -> Cap | None:
    """0 A from cell_overvoltage: the last line of defence. Also when the cells, once known, are
    known no more."""
    known, limit = situation.measurements.known, situation.settings.cell_overvoltage
    highest = highest_cell(known)
    if highest is not None and highest >= limit:
        return Cap(0.0, f"{_name(known, highest)} at {highest:.3f} V, overvoltage is {limit:g} V")
    if Input.CELLS in situation.measurements.silent:
        return _silent(Input.CELLS)
    return None


def charge_blocked(situation: Situation) -> Cap | None:
    """0 A while at least one BMS blocks charging, or its permission went silent."""
    measurements = situation.measurements
    return _blocked(measurements, measurements.charge_blocked_by, Input.CHARGE_FLAGS)


# --- DCL --------------------------------------------------------------------------------------


def max_discharge_current(situation: Situation) -> Cap:
    """max_discharge_current."""
    return Cap(situation.settings.max_discharge_current, "maximum discharge current")


def discharge_stop(situation: Situation) -> Cap | None:
    """0 A when V is at or below discharge_voltage times N, or the lowest cell is at or below
    min_cell_voltage. Latched until both are discharge_hysteresis above their thresholds."""
    if situation.discharge_stopped:
        return Cap(0.0, _why_discharge_stops(situation))
    for source in (Input.CELLS, Input.VOLTAGE):
        if source in situation.measurements.silent:
            return _silent(source)
    return None


def is_discharge_stopped(
    measurements: Measurements, settings: LimiterSettings, cells: int, was: bool
) -> bool:
    """The latch: set at a threshold, ended only above it by the hysteresis, kept by the unknown."""
    margin = settings.discharge_hysteresis if was else 0.0
    lowest, voltage = lowest_cell(measurements.known), measurements.voltage
    low_cell = lowest is not None and _at_or_below(lowest, settings.min_cell_voltage, margin)
    low_pack = voltage is not None and _at_or_below(
        voltage, settings.discharge_voltage * cells, margin * cells
    )
    unknown = lowest is None and voltage is None
    return low_cell or low_pack or (was and unknown)


def _at_or_below(value: float, threshold: float, margin: float) -> bool:
    """At or below the threshold itself; with a margin, below the threshold plus margin."""
    return value <= threshold + TINY or value < threshold + margin - TINY


def _why_discharge_stops(situation: Situation) -> str:
    settings, known = situation.settings, situation.measurements.known
    lowest, voltage = lowest_cell(known), situation.measurements.voltage
    margin = settings.discharge_hysteresis
    if lowest is not None and _at_or_below(lowest, settings.min_cell_voltage, margin):
        return (
            f"{_name(known, lowest)} at {lowest:.3f} V, stop at {settings.min_cell_voltage:g} V,"
            f" ends at {settings.min_cell_voltage + margin:g} V"
        )
    stop = settings.discharge_voltage * situation.cells
    end = stop + margin * situation.cells
    shown = "unknown" if voltage is None else f"at {voltage:.2f} V"
    return f"pack {shown}, stop at {stop:.2f} V, ends at {end:.2f} V"


def cell_voltage_discharge(situation: Situation) -> Cap | None:
    """Less current below dv1, and less again below dv2, likewise; off without dv1."""
    settings, known = situation.settings, situation.measurements.known
    lowest = lowest_cell(known)
    below_dv1 = settings.max_discharge_current_below_dv1
    if settings.dv1 is None or below_dv1 is None or lowest is None or lowest > settings.dv1:
        return None
    name = f"{_name(known, lowest)} at {lowest:.3f} V"
    dv2, below_dv2 = settings.dv2, settings.max_discharge_current_below_dv2
    if settings.taper == "linear":
        middle = () if dv2 is None or below_dv2 is None else ((dv2, below_dv2),)
        points = ((settings.min_cell_voltage, 0.0), *middle, (settings.dv1, below_dv1))
        return Cap(max(0.0, _line(points, lowest)), f"{name}, past dv1 {settings.dv1:g} V")
    if dv2 is not None and below_dv2 is not None and lowest <= dv2:
        return Cap(below_dv2, f"{name}, dv2 is {dv2:g} V")
    return Cap(below_dv1, f"{name}, dv1 is {settings.dv1:g} V")


def discharge_blocked(situation: Situation) -> Cap | None:
    """0 A while at least one BMS blocks discharging, or its permission went silent."""
    measurements = situation.measurements
    return _blocked(measurements, measurements.discharge_blocked_by, Input.DISCHARGE_FLAGS)


# --- both directions --------------------------------------------------------------------------


def _blocked(measurements: Measurements, by: str, source: Input) -> Cap | None:
    if by:
        return Cap(0.0, by)
    return _silent(source) if source in measurements.silent else None


def _silent(source: Input) -> Cap:
    return Cap(0.0, f"{source.value} went silent")


def charge_temperature(situation: Situation) -> Cap | None:
    """max_charge_current times the curve at the coldest and at the hottest sensor."""
    settings = situation.settings
    return _temperature(situation, settings.charge_temperature, settings.max_charge_current)


def discharge_temperature(situation: Situation) -> Cap | None:
    """max_discharge_current times the curve, likewise."""
    settings = situation.settings
    return _temperature(situation, settings.discharge_temperature, settings.max_discharge_current)


def _temperature(situation: Situation, table: Table, maximum: float) -> Cap | None:
    measurements = situation.measurements
    coldest, hottest = measurements.coldest, measurements.hottest
    if not table:
        return None
    if coldest is None or hottest is None or Input.TEMPERATURE in measurements.silent:
        return _of_unknown(situation, table, maximum, Input.TEMPERATURE)
    cold, hot = share(table, coldest), share(table, hottest)
    if cold == 1 and hot == 1:
        return None
    degrees = coldest if cold < hot else hottest
    return Cap(maximum * min(cold, hot), f"battery at {degrees:.1f} °C")


def charge_soc(situation: Situation) -> Cap | None:
    """max_charge_current times the curve over SoC."""
    settings = situation.settings
    return _soc(situation, settings.charge_soc, settings.max_charge_current)


def discharge_soc(situation: Situation) -> Cap | None:
    """max_discharge_current times the curve over SoC."""
    settings = situation.settings
    return _soc(situation, settings.discharge_soc, settings.max_discharge_current)


def _soc(situation: Situation, table: Table, maximum: float) -> Cap | None:
    soc = situation.measurements.soc
    if not table:
        return None
    if soc is None:
        return _of_unknown(situation, table, maximum, Input.SOC)
    fraction = share(table, soc, steps=situation.settings.taper == "steps")
    return None if fraction == 1 else Cap(maximum * fraction, f"SoC at {soc:.1f} %")


def charge_mosfet(situation: Situation) -> Cap | None:
    """max_charge_current times the curve over the MOSFETs' temperature."""
    return _mosfet(situation, situation.settings.max_charge_current)


def discharge_mosfet(situation: Situation) -> Cap | None:
    """max_discharge_current times the same curve."""
    return _mosfet(situation, situation.settings.max_discharge_current)


def _mosfet(situation: Situation, maximum: float) -> Cap | None:
    table, mosfet = situation.settings.mosfet_temperature, situation.measurements.mosfet
    if not table:
        return None
    if mosfet is None:
        return _of_unknown(situation, table, maximum, Input.MOSFET)
    fraction = share(table, mosfet)
    return None if fraction == 1 else Cap(maximum * fraction, f"MOSFETs at {mosfet:.1f} °C")


def imbalance(situation: Situation) -> Cap | None:
    """max_charge_current times the curve over highest less lowest cell."""
    table, known = situation.settings.imbalance, situation.measurements.known
    maximum = situation.settings.max_charge_current
    if not table:
        return None
    highest, lowest = highest_cell(known), lowest_cell(known)
    if situation.measurements.cells is None or highest is None or lowest is None:
        return _of_unknown(situation, table, maximum, Input.CELLS)
    spread = highest - lowest
    fraction = share(table, spread)
    return None if fraction == 1 else Cap(maximum * fraction, f"cells {spread:.3f} V apart")


def _of_unknown(situation: Situation, table: Table, maximum: float, source: Input) -> Cap | None:
    """The most careful point of a curve whose x fell silent; no opinion on one never seen."""
    if source not in situation.measurements.silent:
        return None
    return Cap(maximum * most_careful(table), f"{source.value} went silent")


def _line(points: tuple[tuple[float, float], ...], x: float) -> float:
    """Straight lines through points of rising x, the ends held; of points at one x the safer."""
    below = [point for point in points if point[0] <= x]
    above = [point for point in points if point[0] >= x]
    if not below or not above:
        return points[-1][1] if below else points[0][1]
    (x0, y0), (x1, y1) = below[-1], above[0]
    if x0 == x1:
        return min(y for at, y in points if at == x)
    return y0 + (y1 - y0) * (x - x0) / (x1 - x0)


# --- the tables -------------------------------------------------------------------------------

CVL_RULES: Mapping[str, Rule] = {
    "charge voltage": charge_voltage,
    "high cell": high_cell_clamp,
}

CCL_RULES: Mapping[str, Rule] = {
    "maximum": max_charge_current,
    "cell voltage": cell_voltage_charge,
    "cell overvoltage": cell_overvoltage,
    "blocked": charge_blocked,
    "temperature": charge_temperature,
    "MOSFET temperature": charge_mosfet,
    "SoC": charge_soc,
    "imbalance": imbalance,
}

DCL_RULES: Mapping[str, Rule] = {
    "maximum": max_discharge_current,
    "cell voltage": cell_voltage_discharge,
    "discharge stop": discharge_stop,
    "blocked": discharge_blocked,
    "temperature": discharge_temperature,
    "MOSFET temperature": discharge_mosfet,
    "SoC": discharge_soc,
}
