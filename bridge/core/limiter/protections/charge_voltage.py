"""What the pack is to be charged to: the voltage of the season, or of the phase of charging.

The phases are bulk, absorption for a fixed time, float, and a pause in between. Absorption begins
at a SoC, when the pause after the last one is over.
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.core.limiter import seasons
from bridge.core.limiter.protection import Latch, Protection
from bridge.core.limiter.situation import Situation
from bridge.core.limiter.sweeps import MONTH, PHASES
from bridge.core.measurements.inputs import SOC
from bridge.core.model import CVL, Cap, Stage
from bridge.core.typed_json import Past

BULK, ABSORPTION, FLOAT = "Bulk", "Absorption", "Float"


@dataclass(frozen=True)
class Phase:
    """The phase, since when, and when the last absorption ended (monotonic s; None: never)."""

    name: str = BULK
    since: Past = 0.0
    absorbed_at: Past | None = None


def _update(before: Phase, situation: Situation) -> Phase:
    """The phase now. Absorption begins only with a certain SoC, and ends when it is unknown.

    Before the first data after a restart the phase of before goes on.
    """
    settings, soc, now = situation.settings, situation.of(SOC), situation.now
    if settings.absorption_voltage is None:
        return Phase()
    if before.name == ABSORPTION:
        over = now - before.since >= settings.absorption_time
        is_unknown = soc is None and situation.stage is not Stage.WAITING
        left = is_unknown or (soc is not None and soc < settings.rebulk_soc)
        return Phase(FLOAT, now, now) if over or left else before
    if soc is None or not situation.is_certain:
        return before
    if soc >= settings.absorption_soc:
        paused = before.absorbed_at is not None and (
            now - before.absorbed_at < settings.absorption_pause
        )
        if not paused:
            return Phase(ABSORPTION, now, before.absorbed_at)
        return before if before.name == FLOAT else Phase(FLOAT, now, before.absorbed_at)
    if before.name == FLOAT and soc < settings.rebulk_soc:
        return Phase(BULK, now, before.absorbed_at)
    return before


LATCH = Latch("charge phase", Phase(), _update)


def _cap(situation: Situation) -> Cap:
    """The voltage of the phase plus voltage_offset, in V of the whole pack.

    The offset is part of this cap, and of no other. A cap that protects a cell stays what it is.
    """
    cap, offset = _of_phase(situation), situation.settings.voltage_offset
    return cap if not offset else Cap(cap.value + offset, f"{cap.reason}, offset {offset:+g} V")


def _of_phase(situation: Situation) -> Cap:
    """V per cell times cells.

    From absorption to float, CVL falls as slowly as it rises: with feed-in, an inverter would
    discharge the battery at full power to follow a CVL that drops at once.
    """
    settings, cells, now = situation.settings, situation.cells, situation.now
    phase, absorption = LATCH.of(situation.latches), settings.absorption_voltage
    per_cell = settings.charge_voltage
    if settings.charge_voltage_by_month:
        season = seasons.of_month(settings.charge_voltage_by_month, situation.date)
        per_cell = per_cell if season is None else season
    if absorption is None or phase.name == BULK:
        return Cap(per_cell * cells, f"charge voltage {per_cell:g} V times {cells} cells")
    if phase.name == ABSORPTION:
        minutes = max(0.0, settings.absorption_time - (now - phase.since)) / 60
        words = f"absorption, {absorption:g} V times {cells} cells for {minutes:.0f} min"
        return Cap(absorption * cells, words)
    if settings.float_voltage is not None:
        per_cell = settings.float_voltage
    since = phase.since if phase.absorbed_at is None else phase.absorbed_at
    falling = absorption * cells - settings.voltage_rise * max(0.0, now - since)
    return Cap(max(per_cell * cells, falling), f"float, {per_cell:g} V times {cells} cells")


CHARGE_VOLTAGE = Protection(
    "charge voltage",
    CVL,
    "charge_voltage of the season times the cells; in absorption and float, the phase's voltage;"
    " plus voltage_offset",
    frozenset({SOC}),
    _cap,
    latch=LATCH,
    sweeps=(MONTH, PHASES),
    changes_with_time=True,
)
