"""The phases of charging: bulk, absorption for a fixed time, balancing, float.

Absorption begins at a SoC, balancing at the top of a charge. When one of them has ended, neither
begins for absorption_pause, unless a full charge is due.
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.core.limiter.charging import balancing
from bridge.core.limiter.charging.target import (
    ABSORPTION,
    BALANCING,
    BULK,
    FLOAT,
    PHASES,
    per_cell_of,
)
from bridge.core.limiter.situation import Situation
from bridge.core.measurements.inputs import SOC
from bridge.core.model import Stage
from bridge.core.typed_json import Past


@dataclass(frozen=True)
class Phase:
    """The phase, since when, and when absorption or balancing last ended (None: never).

    Both in monotonic s. falls_from: the voltage of the phase before, in V of the whole pack.
    """

    name: str = BULK
    since: Past = 0.0
    absorbed_at: Past | None = None
    falls_from: float = 0.0


def next_phase(before: Phase, situation: Situation, is_due: bool) -> Phase:
    """The phase now. is_due: a full charge is due."""
    settings, now = situation.settings, situation.now
    if settings.absorption_voltage is None and settings.balancing_voltage is None:
        return Phase()
    if before.name not in PHASES:  # what was kept over a restart may be anything
        return Phase(absorbed_at=before.absorbed_at)
    name = _next_name(before, situation, is_due)
    if name == before.name:
        return before
    is_ended = before.name == ABSORPTION or is_complete(before, situation)
    ended_at = now if is_ended and name != BALANCING else before.absorbed_at
    return Phase(name, now, ended_at, volts_of(before, situation))


def is_complete(phase: Phase, situation: Situation) -> bool:
    """Whether absorption or balancing has done its work, and has not been broken off."""
    seconds = situation.now - phase.since
    if phase.name == BALANCING:
        return not balancing.has_left(situation) and balancing.is_done(situation, seconds)
    if phase.name == ABSORPTION:
        return not _has_left(situation) and seconds >= situation.settings.absorption_time
    return False


def volts_of(phase: Phase, situation: Situation) -> float:
    """What the phase charges to now, in V of the whole pack.

    From a higher phase it falls as slowly as CVL rises. With feed-in, an inverter would discharge
    the battery at full power to follow a CVL that drops at once.
    """
    settings, cells = situation.settings, situation.cells
    target = per_cell_of(phase.name, situation) * cells
    if phase.falls_from <= target:
        return target
    fallen = settings.voltage_rise * max(0.0, situation.now - phase.since)
    return max(target, min(phase.falls_from, settings.max_cell_voltage * cells) - fallen)


def _next_name(before: Phase, situation: Situation, is_due: bool) -> str:
    has_absorption = situation.settings.absorption_voltage is not None
    if situation.stage is Stage.WAITING:  # after a restart, until the first data
        return before.name
    if before.name == BALANCING:
        if balancing.has_left(situation):
            return BULK
        if not is_complete(before, situation):
            return BALANCING
        return FLOAT if has_absorption else BULK
    is_paused = _is_paused(before, situation) and not is_due
    if before.name != FLOAT and balancing.is_wanted(before.name, situation, is_due, is_paused):
        return BALANCING
    if not has_absorption:
        return BULK
    if before.name == ABSORPTION:
        is_over = _has_left(situation) or is_complete(before, situation)
        return FLOAT if is_over else ABSORPTION
    return _by_soc(before, situation, is_paused)


def _by_soc(before: Phase, situation: Situation, is_paused: bool) -> str:
    """From bulk or float: absorption begins only with a certain SoC."""
    settings, soc = situation.settings, situation.of(SOC)
    if soc is None or not situation.is_certain:
        return before.name
    if soc >= settings.absorption_soc:
        return FLOAT if is_paused else ABSORPTION
    return BULK if before.name == FLOAT and soc < settings.rebulk_soc else before.name


def _has_left(situation: Situation) -> bool:
    """Whether the SoC is too low for absorption, or unknown."""
    soc = situation.of(SOC)
    return soc is None or soc < situation.settings.rebulk_soc


def _is_paused(phase: Phase, situation: Situation) -> bool:
    ended_at = phase.absorbed_at
    return ended_at is not None and situation.now - ended_at < situation.settings.absorption_pause
