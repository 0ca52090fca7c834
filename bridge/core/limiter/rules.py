"""The protections. Each rule looks at the situation and answers a cap, or None: no opinion.

A rule whose input was seen once and went silent answers its most careful value; one whose input
was never configured, or is covered by the failsafe, stays out. N cells in series, v their
voltages, V the pack's. Currents in A, voltages in V.
"""

from __future__ import annotations

from collections.abc import Mapping

from bridge.core.limiter import curves
from bridge.core.limiter.latches import Block
from bridge.core.limiter.phases import phase_voltage
from bridge.core.limiter.situation import Rule, Situation, excess, name_of
from bridge.core.limiter.stop import reached, why_discharge_stops
from bridge.core.limiter.taper import line
from bridge.core.model import Cap, Input
from bridge.core.settings.declarations import LimiterSettings

# --- CVL --------------------------------------------------------------------------------------


def charge_voltage(situation: Situation) -> Cap:
    """charge_voltage of the season times N; in absorption and float, the voltage of the phase."""
    return Cap(
        *phase_voltage(
            situation.memory.phase,
            situation.settings,
            situation.season_voltage,
            situation.cells,
            situation.now,
        )
    )


def high_cell_clamp(situation: Situation) -> Cap | None:
    """From the first cell at max_cell_voltage: the battery's own voltage, less what the cells
    are above it: V - sum of max(0, v - max_cell_voltage)."""
    limit, highest, voltage = (
        situation.settings.max_cell_voltage,
        situation.highest,
        situation.voltage,
    )
    if highest is None or not reached(highest, limit):
        return None
    name = f"{name_of(situation.measurements.known, highest)} at {highest:.3f} V"
    if voltage is None:
        floor = situation.settings.min_charge_voltage * situation.cells
        return Cap(floor, f"{name} and no pack voltage known")
    clamped = voltage - excess(situation, limit)
    return Cap(clamped, f"{name} clamps CVL, limit {limit:g} V")


# --- CCL --------------------------------------------------------------------------------------


def max_charge_current(situation: Situation) -> Cap:
    """max_charge_current."""
    return Cap(situation.settings.max_charge_current, "maximum charge current")


def cell_voltage_charge(situation: Situation) -> Cap | None:
    """Less current from cv1, and less again from cv2: in steps, or along straight lines that
    end at 0 A at cell_overvoltage."""
    settings, highest = situation.settings, situation.highest
    if highest is None or not reached(highest, settings.cv1):
        return None
    name = f"{name_of(situation.measurements.known, highest)} at {highest:.3f} V"
    if settings.taper == "linear":
        current = max(0.0, _charge_line(settings, highest))
        return Cap(current, f"{name}, past cv1 {settings.cv1:g} V")
    if reached(highest, settings.cv2):
        return Cap(settings.max_charge_current_above_cv2, f"{name}, cv2 is {settings.cv2:g} V")
    return Cap(settings.max_charge_current_above_cv1, f"{name}, cv1 is {settings.cv1:g} V")


def _charge_line(settings: LimiterSettings, highest: float) -> float:
    """Straight lines through (cv1, above_cv1), (cv2, above_cv2), (cell_overvoltage, 0)."""
    points = (
        (settings.cv1, settings.max_charge_current_above_cv1),
        (settings.cv2, settings.max_charge_current_above_cv2),
        (settings.cell_overvoltage, 0.0),
    )
    return line(points, highest)


def cell_overvoltage(situation: Situation) -> Cap | None:
    """0 A from cell_overvoltage: the last line of defence. Also when the cells, once known, are
    known no more."""
    limit, highest = situation.settings.cell_overvoltage, situation.highest
    if highest is not None and reached(highest, limit):
        name = name_of(situation.measurements.known, highest)
        return Cap(0.0, f"{name} at {highest:.3f} V, overvoltage is {limit:g} V")
    return curves.silence(Input.CELLS) if situation.silent(Input.CELLS) else None


def charge_blocked(situation: Situation) -> Cap | None:
    """0 A while at least one BMS blocks charging, or its permission went silent."""
    return _blocked(situation, situation.memory.charge_block, Input.CHARGE_FLAGS)


def charge_temperature(situation: Situation) -> Cap | None:
    """max_charge_current times the curve at the coldest and at the hottest sensor."""
    settings = situation.settings
    return curves.over_temperature(
        situation, settings.charge_temperature, settings.max_charge_current
    )


def charge_mosfet(situation: Situation) -> Cap | None:
    """max_charge_current times the curve over the MOSFETs' temperature."""
    return curves.over_mosfet(situation, situation.settings.max_charge_current)


def charge_soc(situation: Situation) -> Cap | None:
    """max_charge_current times the curve over SoC."""
    settings = situation.settings
    return curves.over_soc(situation, settings.charge_soc, settings.max_charge_current)


def imbalance(situation: Situation) -> Cap | None:
    """max_charge_current times the curve over highest less lowest cell."""
    settings = situation.settings
    return curves.over_spread(situation, settings.imbalance, settings.max_charge_current)


# --- DCL --------------------------------------------------------------------------------------


def max_discharge_current(situation: Situation) -> Cap:
    """max_discharge_current."""
    return Cap(situation.settings.max_discharge_current, "maximum discharge current")


def discharge_stop(situation: Situation) -> Cap | None:
    """0 A when V is at or below discharge_voltage times N, or the lowest cell is at or below
    min_cell_voltage. Latched until both are discharge_hysteresis above their thresholds."""
    if situation.memory.discharge_stopped:
        return Cap(0.0, why_discharge_stops(situation))
    for source in (Input.CELLS, Input.VOLTAGE):
        if situation.silent(source):
            return curves.silence(source)
    return None


def cell_voltage_discharge(situation: Situation) -> Cap | None:
    """Less current below dv1, and less again below dv2, likewise; off without dv1."""
    settings, lowest = situation.settings, situation.lowest
    below_dv1 = settings.max_discharge_current_below_dv1
    if settings.dv1 is None or below_dv1 is None or lowest is None:
        return None
    if not reached(-lowest, -settings.dv1):
        return None
    name = f"{name_of(situation.measurements.known, lowest)} at {lowest:.3f} V"
    dv2, below_dv2 = settings.dv2, settings.max_discharge_current_below_dv2
    if settings.taper == "linear":
        middle = () if dv2 is None or below_dv2 is None else ((dv2, below_dv2),)
        points = ((settings.min_cell_voltage, 0.0), *middle, (settings.dv1, below_dv1))
        return Cap(max(0.0, line(points, lowest)), f"{name}, past dv1 {settings.dv1:g} V")
    if dv2 is not None and below_dv2 is not None and reached(-lowest, -dv2):
        return Cap(below_dv2, f"{name}, dv2 is {dv2:g} V")
    return Cap(below_dv1, f"{name}, dv1 is {settings.dv1:g} V")


def maintained_soc(situation: Situation) -> Cap | None:
    """0 A while the battery is below the SoC that the season wants maintained, or its SoC went
    silent in such a season."""
    settings, least = situation.settings, situation.season_soc
    if not least:
        return None
    if situation.memory.maintaining:
        soc = situation.measurements.soc
        end = min(100.0, least + settings.maintain_soc_hysteresis)
        shown = "unknown" if soc is None else f"at {soc:.1f} %"
        return Cap(0.0, f"SoC {shown}, {least:g} % are maintained, ends at {end:g} %")
    return curves.silence(Input.SOC) if situation.silent(Input.SOC) else None


def discharge_blocked(situation: Situation) -> Cap | None:
    """0 A while at least one BMS blocks discharging, or its permission went silent."""
    return _blocked(situation, situation.memory.discharge_block, Input.DISCHARGE_FLAGS)


def discharge_temperature(situation: Situation) -> Cap | None:
    """max_discharge_current times the curve, likewise."""
    settings = situation.settings
    return curves.over_temperature(
        situation, settings.discharge_temperature, settings.max_discharge_current
    )


def discharge_mosfet(situation: Situation) -> Cap | None:
    """max_discharge_current times the same curve."""
    return curves.over_mosfet(situation, situation.settings.max_discharge_current)


def discharge_soc(situation: Situation) -> Cap | None:
    """max_discharge_current times the curve over SoC."""
    settings = situation.settings
    return curves.over_soc(situation, settings.discharge_soc, settings.max_discharge_current)


def _blocked(situation: Situation, block: Block | None, source: Input) -> Cap | None:
    if block is not None:
        return Cap(0.0, block.words)
    return curves.silence(source) if situation.silent(source) else None


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
    "maintained SoC": maintained_soc,
    "blocked": discharge_blocked,
    "temperature": discharge_temperature,
    "MOSFET temperature": discharge_mosfet,
    "SoC": discharge_soc,
}
