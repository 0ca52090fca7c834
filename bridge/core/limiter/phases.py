"""The phases of charging: bulk, absorption for a fixed time, float, and a pause in between.

Absorption begins at a SoC, when the pause after the last one is over. The phases say what the
charge voltage is meant to be; every other rule still holds.
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.core.settings.declarations import LimiterSettings

BULK, ABSORPTION, FLOAT = "Bulk", "Absorption", "Float"


@dataclass(frozen=True)
class Phase:
    """The phase, since when, and when the last absorption ended (monotonic s; None: never)."""

    name: str = BULK
    since: float = 0.0
    absorbed_at: float | None = None


def next_phase(
    before: Phase, soc: float | None, settings: LimiterSettings, now: float, trusted: bool
) -> Phase:
    """The phase now. soc in %, None where unknown; an untrusted SoC begins nothing."""
    if settings.absorption_voltage is None:
        return Phase()
    if before.name == ABSORPTION:
        over = now - before.since >= settings.absorption_time
        left = soc is None or soc < settings.rebulk_soc
        return Phase(FLOAT, now, now) if over or left else before
    if soc is None or not trusted:
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


def phase_voltage(
    phase: Phase, settings: LimiterSettings, charge_voltage: float, cells: int, now: float
) -> tuple[float, str]:
    """What the pack is to be charged to in this phase, in V, and in words why.

    charge_voltage: per cell, of the season. The way down from absorption to float is as slow as
    the way up: with feed-in, an inverter would rush to bring the battery down to a CVL that drops.
    """
    absorption = settings.absorption_voltage
    if absorption is None or phase.name == BULK:
        return charge_voltage * cells, f"charge voltage {charge_voltage:g} V times {cells} cells"
    if phase.name == ABSORPTION:
        minutes = max(0.0, settings.absorption_time - (now - phase.since)) / 60
        words = f"absorption, {absorption:g} V times {cells} cells for {minutes:.0f} min"
        return absorption * cells, words
    per_cell = charge_voltage if settings.float_voltage is None else settings.float_voltage
    words = f"float, {per_cell:g} V times {cells} cells"
    since = phase.since if phase.absorbed_at is None else phase.absorbed_at
    falling = absorption * cells - settings.voltage_rise * max(0.0, now - since)
    return max(per_cell * cells, falling), words
