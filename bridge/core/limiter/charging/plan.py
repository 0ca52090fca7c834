"""The charge plan and its latch, which several protections share: one place decides all of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from bridge.core.limiter.charging.full_charge import FullCharge, is_full, next_full_charge
from bridge.core.limiter.charging.phase import Phase, next_phase, volts_of
from bridge.core.limiter.charging.window import Window, next_window
from bridge.core.limiter.protection import Latch
from bridge.core.limiter.situation import Situation
from bridge.core.measurements.inputs import CELLS, PACK_CURRENT, PACK_VOLTAGE, SOC
from bridge.core.settings.declarations import LimiterSettings


@dataclass(frozen=True)
class Plan:
    """The phase, the full charge that is due or not, and the SoC window."""

    phase: Phase = field(default_factory=Phase)
    full: FullCharge = field(default_factory=FullCharge)
    window: Window = field(default_factory=Window)


def is_in_use(settings: LimiterSettings) -> bool:
    """Whether there is more to the plan than the charge voltage."""
    voltages = (settings.absorption_voltage, settings.balancing_voltage)
    return settings.charge_to_soc is not None or voltages != (None, None)


def words_of(plan: Plan, settings: LimiterSettings) -> str:
    """The phase in words, for a person."""
    if plan.window.is_closed:
        return f"Held at {settings.charge_to_soc:g} %"
    return f"{plan.phase.name}, full charge" if plan.full.is_due else plan.phase.name


def _update(before: Plan, situation: Situation) -> Plan:
    if not is_in_use(situation.settings):
        return _AT_REST
    phase = next_phase(before.phase, situation, before.full.is_due)
    full = next_full_charge(before.full, situation, is_full(before.phase, phase, situation))
    volts = volts_of(phase, situation) + situation.settings.voltage_offset
    return Plan(phase, full, next_window(before.window, situation, full.is_due, volts))


_AT_REST = Plan()
LATCH = Latch("charge plan", _AT_REST, _update)
INPUTS = frozenset({SOC, CELLS, PACK_VOLTAGE, PACK_CURRENT})
"""What the plan depends on."""
