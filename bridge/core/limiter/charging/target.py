"""The voltage that each phase of charging charges to, and whether the pack has reached it."""

from __future__ import annotations

from bridge.core.limiter import seasons
from bridge.core.limiter.situation import Situation

BULK, ABSORPTION, BALANCING, FLOAT = "Bulk", "Absorption", "Balancing", "Float"
PHASES = (BULK, ABSORPTION, BALANCING, FLOAT)

TOP = 0.995
"""From this share of the voltage that it is charged to, the pack is at the top.

Our choice: a charger and the meter of a BMS differ by some tenths of a percent. On LFP this is
17 mV per cell, well above the plateau.
"""


def per_cell_of(phase: str, situation: Situation) -> float:
    """The voltage of a phase, in V per cell."""
    settings = situation.settings
    if phase == ABSORPTION and settings.absorption_voltage is not None:
        return settings.absorption_voltage
    if phase == BALANCING and settings.balancing_voltage is not None:
        return settings.balancing_voltage
    if phase == FLOAT and settings.float_voltage is not None:
        return settings.float_voltage
    season = seasons.of_month(settings.charge_voltage_by_month, situation.date)
    return settings.charge_voltage if season is None else season


def is_pack_at_top(phase: str, situation: Situation) -> bool:
    """Whether the pack voltage has reached what the phase charges to."""
    voltage = situation.volts.pack
    target = per_cell_of(phase, situation) * situation.cells
    return voltage is not None and voltage >= TOP * target
