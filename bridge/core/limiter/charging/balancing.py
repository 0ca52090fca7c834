"""When balancing begins and ends: at the top of a charge the cells show how far apart they are."""

from __future__ import annotations

from bridge.core.limiter.charging.target import BALANCING, is_pack_at_top, per_cell_of
from bridge.core.limiter.situation import Situation, reached
from bridge.core.measurements.inputs import CELLS, SOC


def is_wanted(phase: str, situation: Situation, is_due: bool, is_paused: bool) -> bool:
    """Whether balancing begins from this phase: at the top, and only with certain measurements.

    is_due: a full charge is due. is_paused: absorption or balancing ended not long ago.
    """
    start = situation.settings.balancing_start
    spread = spread_of(situation)
    if situation.settings.balancing_voltage is None or spread is None or not situation.is_certain:
        return False
    is_worth_it = is_due or (reached(spread, start) and not is_paused)
    return is_worth_it and _is_at_top(phase, situation)


def has_left(situation: Situation) -> bool:
    """Whether the battery is no longer near the top, or its cells are no longer known."""
    settings, soc, voltage = situation.settings, situation.of(SOC), situation.voltage
    if settings.balancing_voltage is None or spread_of(situation) is None:
        return True
    if soc is not None and soc < settings.rebulk_soc:
        return True
    return voltage is not None and voltage < settings.min_charge_voltage * situation.cells


def is_done(situation: Situation, seconds: float) -> bool:
    """Whether the cells are close together, or the time is over. seconds: since it began."""
    settings, spread = situation.settings, spread_of(situation)
    if seconds >= settings.balancing_time:
        return True
    if spread is None or not situation.is_certain or not _is_at_top(BALANCING, situation):
        return False
    return spread <= settings.balancing_spread


def spread_of(situation: Situation) -> float | None:
    """Highest less lowest cell, in V; None while not all cells are known."""
    highest, lowest = situation.highest, situation.lowest
    if not situation.of(CELLS).is_whole or situation.is_silent(CELLS):
        return None
    return None if highest is None or lowest is None else highest - lowest


def _is_at_top(phase: str, situation: Situation) -> bool:
    """Whether the pack or its highest cell has reached the voltage of the phase."""
    highest = situation.highest
    has_cell = highest is not None and reached(highest, per_cell_of(phase, situation))
    return has_cell or is_pack_at_top(phase, situation)
