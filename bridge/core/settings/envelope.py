"""The ceilings where the configuration file names none: the chemistry's, or its own settings.

The owner of the battery writes the file. So a setting of the file that is beyond a default
ceiling raises that ceiling; `check` shows it. Only the voltages of the cells are the chemistry's,
whatever the file says: beyond them, the chemistry is probably wrong, and the file must name the
ceiling.
"""

from __future__ import annotations

from bridge.core.model import Group
from bridge.core.settings.declarations import (
    Ceiling,
    FailsafeSettings,
    FreshnessSettings,
    LimiterSettings,
    PlausibilitySettings,
    Table,
    Window,
    fields_of,
)
from bridge.core.settings.presets import CEILINGS, PRESETS
from bridge.core.settings.tables import allowed_range


def default_ceiling(
    chemistry: str,
    limiter: LimiterSettings,
    freshness: FreshnessSettings,
    failsafe: FailsafeSettings,
    plausibility: PlausibilitySettings,
) -> Ceiling:
    """The ceilings of a file without ceilings. chemistry: lfp, lto or nmc."""
    usual = {spec.name: spec.default for spec in fields_of(Ceiling)} | dict(CEILINGS[chemistry])
    return Ceiling(
        charge_current=limiter.max_charge_current,
        discharge_current=limiter.max_discharge_current,
        cell_voltage=usual["cell_voltage"],
        min_cell_voltage=usual["min_cell_voltage"],
        dead_cell=_lowered(usual["dead_cell"], limiter.low_cell_charge),
        charge_temperature=_widened(usual["charge_temperature"], limiter.charge_temperature),
        discharge_temperature=_widened(
            usual["discharge_temperature"], limiter.discharge_temperature
        ),
        silence=max(usual["silence"], freshness.stale),
        grace=max(usual["grace"], freshness.grace),
        required=_required(tuple(Group(name) for name in usual["required"]), freshness.required),
        min_charge_voltage=min(
            PRESETS[chemistry]["min_charge_voltage"], limiter.min_charge_voltage
        ),
        doubt=max(usual["doubt"], plausibility.doubt),
        failsafe=failsafe,
    )


def _required(usual: tuple[Group, ...], in_file: tuple[Group, ...]) -> tuple[Group, ...]:
    return usual if set(usual) & set(in_file) else in_file


def _widened(window: Window, table: Table) -> Window:
    """The window, wide enough for every point at which the curve allows a current.

    A curve that is off names no point, so it widens nothing.
    """
    allowed = allowed_range(table)
    if allowed is None:
        return window
    return min(window[0], allowed[0]), max(window[1], allowed[1])


def _lowered(dead_cell: float, table: Table) -> float:
    allowed = allowed_range(table)
    return dead_cell if allowed is None else min(dead_cell, allowed[0])
