"""What must hold between settings: each set is checked as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bridge.core.settings.declarations import (
    AlarmSettings,
    FailsafeSettings,
    FreshnessSettings,
    LimiterSettings,
    PlausibilitySettings,
    RequestSettings,
)

Problems = list[tuple[str, str]]
"""What is wrong: the name of a setting, and words."""

_LIMITER_ORDER = (
    ("min_charge_voltage", "charge_voltage"),
    ("charge_voltage", "max_cell_voltage"),
    ("cv1", "cv2"),
    ("cv2", "max_cell_voltage"),
    ("max_cell_voltage", "cell_overvoltage"),
    ("max_charge_current_above_cv2", "max_charge_current_above_cv1"),
    ("max_charge_current_above_cv1", "max_charge_current"),
    ("discharge_voltage", "min_charge_voltage"),
    ("min_cell_voltage", "min_charge_voltage"),
    ("min_cell_voltage", "dv2"),
    ("dv2", "dv1"),
    ("max_discharge_current_below_dv2", "max_discharge_current_below_dv1"),
    ("max_discharge_current_below_dv1", "max_discharge_current"),
    ("min_charge_voltage", "absorption_voltage"),
    ("absorption_voltage", "max_cell_voltage"),
    ("min_charge_voltage", "float_voltage"),
    ("float_voltage", "absorption_voltage"),
    ("rebulk_soc", "absorption_soc"),
    ("min_charge_voltage", "balancing_voltage"),
    ("balancing_voltage", "max_cell_voltage"),
    ("balancing_spread", "balancing_start"),
)
"""Pairs of which the first may not be above the second."""

_TOGETHER = (
    ("dv1", "max_discharge_current_below_dv1"),
    ("dv2", "max_discharge_current_below_dv2"),
)
"""Pairs that are set together or not at all."""


def switched_off_with(name: str) -> tuple[str, ...]:
    """All settings of the limiter that must be switched off with this one, itself included.

    Empty where another setting of them is the one to name: dv1 stands for its current too, and for
    dv2, which needs dv1.
    """
    for place, pair in enumerate(_TOGETHER):
        if name in pair:
            return tuple(n for p in _TOGETHER[place:] for n in p) if name == pair[0] else ()
    return (name,)


def limiter_problems(settings: LimiterSettings) -> Problems:
    """What is wrong with the settings as a set: (name, words), empty when nothing is."""
    problems = _out_of_order(settings, _LIMITER_ORDER)
    for one, other in _TOGETHER:
        if (getattr(settings, one) is None) != (getattr(settings, other) is None):
            missing = one if getattr(settings, one) is None else other
            problems.append((missing, f"is missing: {one} and {other} belong together"))
    problems += _seasons_out_of_order(settings)
    problems += _soc_windows_apart(settings)
    if settings.dv2 is not None and settings.dv1 is None:
        problems.append(("dv1", "is missing: dv2 needs dv1 above it"))
    return problems


def _seasons_out_of_order(settings: LimiterSettings) -> Problems:
    low, high = settings.min_charge_voltage, settings.max_cell_voltage
    problems = []
    for month, volts in settings.charge_voltage_by_month:
        words = f"{volts:g} from month {month:g} is"
        if volts < low:
            words += f" below min_charge_voltage ({low:g})"
            problems.append(("charge_voltage_by_month", words))
        elif volts > high:
            words += f" above max_cell_voltage ({high:g})"
            problems.append(("charge_voltage_by_month", words))
    return problems


def _soc_windows_apart(settings: LimiterSettings) -> Problems:
    """Between charge_to_soc and the SoC to maintain, the battery must be able to do something."""
    if settings.charge_to_soc is None:
        return []
    resumes = settings.charge_to_soc - settings.charge_to_soc_hysteresis
    if resumes <= 0:
        words = f"{settings.charge_to_soc_hysteresis:g} is not below charge_to_soc"
        return [("charge_to_soc_hysteresis", f"{words}: charging would never go on")]
    least = max([soc for _, soc in settings.maintain_soc_by_month], default=0.0)
    ends = least + settings.maintain_soc_hysteresis
    if least == 0 or (least <= resumes and ends <= settings.charge_to_soc):
        return []
    words = f"{settings.charge_to_soc:g} is too close to maintain_soc_by_month ({least:g})"
    return [("charge_to_soc", f"{words}: neither charging nor discharging would be allowed")]


def freshness_problems(settings: FreshnessSettings) -> Problems:
    """What is wrong with the times as a set."""
    problems = _out_of_order(settings, (("aging", "stale"), ("stale", "lost")))
    if not settings.required:
        problems.append(("required", "must name at least one group"))
    return problems


@dataclass(frozen=True)
class Section:
    """A part of a battery's configuration that clients may change while it runs.

    problems: what is wrong with its settings as a set: (name, words). What a ceiling or the file
    allows is in bounds.py.
    """

    kind: type
    problems: Callable[[Any], Problems] = lambda settings: []


SECTIONS: Mapping[str, Section] = {
    "limiter": Section(LimiterSettings, limiter_problems),
    "failsafe": Section(FailsafeSettings),
    "freshness": Section(FreshnessSettings, freshness_problems),
    "plausibility": Section(PlausibilitySettings),
    "requests": Section(RequestSettings),
    "alarms": Section(AlarmSettings),
}
"""By the name that each has in the configuration and as a field of BatteryConfig."""


def _out_of_order(settings: object, pairs: tuple[tuple[str, str], ...]) -> Problems:
    problems = []
    for lower, upper in pairs:
        low, high = getattr(settings, lower), getattr(settings, upper)
        if low is not None and high is not None and low > high:
            problems.append((lower, f"{low:g} is above {upper} ({high:g})"))
    return problems
