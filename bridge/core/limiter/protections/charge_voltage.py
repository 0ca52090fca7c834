"""What the pack is to be charged to: the voltage of the phase of charging, or of the season."""

from __future__ import annotations

from bridge.core.limiter.charging import plan
from bridge.core.limiter.charging.phase import Phase, volts_of
from bridge.core.limiter.charging.target import ABSORPTION, BALANCING, FLOAT, per_cell_of
from bridge.core.limiter.protection import Protection
from bridge.core.limiter.situation import Situation
from bridge.core.limiter.sweeps import MONTH, PHASES, UNEVEN_AT_TOP
from bridge.core.model import CVL, Cap


def _cap(situation: Situation) -> Cap:
    """The voltage of the phase plus voltage_offset, in V of the whole pack.

    The offset is part of this cap, and of no other. A cap that protects a cell stays what it is.
    """
    phase, offset = plan.LATCH.of(situation.latches).phase, situation.settings.voltage_offset
    volts, words = volts_of(phase, situation), _words(phase, situation)
    return Cap(volts + offset, f"{words}, offset {offset:+g} V" if offset else words)


def _words(phase: Phase, situation: Situation) -> str:
    settings = situation.settings
    names = {ABSORPTION: "absorption,", BALANCING: "balancing,", FLOAT: "float,"}
    name = names.get(phase.name, "charge voltage")
    words = f"{name} {per_cell_of(phase.name, situation):g} V times {situation.cells} cells"
    lasts = {ABSORPTION: settings.absorption_time, BALANCING: settings.balancing_time}
    if phase.name not in lasts:
        return words
    left = max(0.0, lasts[phase.name] - (situation.now - phase.since)) / 60
    until = f" or to {settings.balancing_spread:g} V apart" if phase.name == BALANCING else ""
    return f"{words} for {left:.0f} min{until}"


CHARGE_VOLTAGE = Protection(
    "charge voltage",
    CVL,
    "charge_voltage of the season times the cells; in absorption, balancing and float, the phase's"
    " voltage; plus voltage_offset",
    plan.INPUTS,
    _cap,
    latch=plan.LATCH,
    cap_inputs=frozenset(),
    sweeps=(MONTH, PHASES, UNEVEN_AT_TOP),
    changes_with_time=True,
)
