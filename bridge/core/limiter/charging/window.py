"""Charging ends at charge_to_soc, and goes on when the SoC is lower by its hysteresis.

CVL has its part in it: a solar charger that feeds in to the grid ignores CCL. So while the battery
is still charged, CVL falls, at the rate at which it otherwise rises, until the current is 0. It
does not follow the pack voltage: a charger that holds the pack at its own voltage charges on.
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.core.limiter.recovery import seconds_counted
from bridge.core.limiter.situation import Situation, is_blind
from bridge.core.measurements.inputs import PACK_CURRENT, SOC
from bridge.core.typed_json import Past


@dataclass(frozen=True)
class Window:
    """Whether charging has ended; how far CVL has fallen, and when (V, monotonic s)."""

    is_closed: bool = False
    cvl: float = 0.0
    at: Past = 0.0


OPEN = Window()


def next_window(before: Window, situation: Situation, is_lifted: bool, volts: float) -> Window:
    """The window now. is_lifted: a full charge is due. volts: what the phase charges to."""
    if is_lifted or not _is_closed(before, situation):
        return OPEN
    if not before.is_closed:
        return Window(True, volts, situation.now)
    if is_blind(situation) or not _is_charged_on(situation):
        return before
    lowest = situation.config.floor
    if situation.of(PACK_CURRENT) is None:
        lowest = max(lowest, situation.volts.pack or 0.0)
    seconds = seconds_counted(before.at, situation.now)
    fallen = before.cvl - situation.settings.voltage_rise * seconds
    return Window(True, min(before.cvl, max(lowest, fallen)), situation.now)


def _is_closed(before: Window, situation: Situation) -> bool:
    """A SoC that is unknown or uncertain opens nothing."""
    settings, soc = situation.settings, situation.of(SOC)
    if settings.charge_to_soc is None:
        return False
    if soc is not None and soc >= settings.charge_to_soc:
        return True
    if soc is None or not situation.is_certain:
        return before.is_closed
    resumes = settings.charge_to_soc - settings.charge_to_soc_hysteresis
    return before.is_closed and soc >= resumes


def _is_charged_on(situation: Situation) -> bool:
    """Whether the battery is still charged past charge_to_soc, or may be."""
    soc, most = situation.of(SOC), situation.settings.charge_to_soc
    current = situation.of(PACK_CURRENT)
    is_above = soc is None or most is None or soc >= most
    return is_above and (current is None or current > 0.0)
