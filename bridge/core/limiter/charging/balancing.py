"""When balancing begins and ends: at the top of a charge the cells show how far apart they are."""

from __future__ import annotations

from bridge.core.limiter.charging.target import BALANCING, is_pack_at_top, per_cell_of
from bridge.core.limiter.situation import Situation, reached
from bridge.core.measurements.inputs import CELLS, SOC
from bridge.core.measurements.voltages import spread


def is_wanted(phase: str, situation: Situation, is_due: bool, is_paused: bool) -> bool:
    """Whether balancing begins from this phase: at the top, and only with certain measurements.

    is_due: a full charge is due. is_paused: absorption or balancing ended not long ago.
    """
    start = situation.settings.balancing_start
    apart = spread_of(situation)
    if situation.settings.balancing_voltage is None or apart is None or not situation.is_certain:
        return False
    is_worth_it = is_due or (reached(apart, start) and not is_paused)
    return is_worth_it and _is_at_top(phase, situation)


def has_left(situation: Situation) -> bool:
    """Whether the battery is no longer near the top, or its cells are no longer known."""
    settings, soc, voltage = situation.settings, situation.of(SOC), situation.volts.pack
    if settings.balancing_voltage is None or spread_of(situation) is None:
        return True
    if soc is not None and soc < settings.rebulk_soc:
        return True
    return voltage is not None and voltage < situation.config.floor


def is_done(situation: Situation, seconds: float) -> bool:
    """Whether the cells are close together, or the time is over. seconds: since it began."""
    settings, apart = situation.settings, spread_of(situation)
    if seconds >= settings.balancing_time:
        return True
    if apart is None or not situation.is_certain or not _is_at_top(BALANCING, situation):
        return False
    return apart <= settings.balancing_spread


def spread_of(situation: Situation) -> float | None:
    """Highest less lowest cell, in V; None while not all cells are known."""
    if situation.is_silent(CELLS):
        return None
    return spread((situation.before_frame or situation).of(CELLS))


def _is_at_top(phase: str, situation: Situation) -> bool:
    """Whether the pack or its highest cell has reached the voltage of the phase."""
    highest = situation.volts.highest
    has_cell = highest is not None and reached(highest, per_cell_of(phase, situation))
    return has_cell or is_pack_at_top(phase, situation)
