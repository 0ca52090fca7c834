"""How far a client may change a setting while the bridge runs, and what a change must not exceed.

No write disarms a protection. So each setting is of one of three kinds:

    within a ceiling    any value that does not exceed this ceiling of the file
    the file's          no looser than in the file: a client can only make it more careful
    free                any value in its range: it disarms nothing

A ceiling holds for the settings of the file too; the file may name a wider one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from bridge.core.settings.declarations import (
    CHOICE,
    LEVELS,
    TABLE,
    Ceiling,
    Spec,
    Table,
    fields_of,
)
from bridge.core.settings.tables import allowed_range, value_at

FREE, THE_FILES = "free", "the file's"

_BOUNDS: Mapping[str, tuple[str, ...]] = {
    "charge_current": (
        "limiter.max_charge_current",
        "limiter.max_charge_current_above_cv1",
        "limiter.max_charge_current_above_cv2",
    ),
    "discharge_current": (
        "limiter.max_discharge_current",
        "limiter.max_discharge_current_below_dv1",
        "limiter.max_discharge_current_below_dv2",
    ),
    "cell_voltage": (
        "limiter.charge_voltage",
        "limiter.max_cell_voltage",
        "limiter.cell_overvoltage",
        "limiter.cv1",
        "limiter.cv2",
        "limiter.charge_voltage_by_month",
        "limiter.absorption_voltage",
        "limiter.float_voltage",
        "limiter.balancing_voltage",
    ),
    "min_cell_voltage": ("limiter.min_cell_voltage", "limiter.discharge_voltage"),
    "min_charge_voltage": ("limiter.min_charge_voltage",),
    "charge_temperature": ("limiter.charge_temperature",),
    "discharge_temperature": ("limiter.discharge_temperature",),
    "silence": ("freshness.aging", "freshness.stale"),
    "grace": ("freshness.grace",),
    "required": ("freshness.required",),
    "doubt": ("plausibility.doubt",),
    "failsafe": (
        "failsafe.charge_voltage",
        "failsafe.charge_current",
        "failsafe.discharge_current",
    ),
    THE_FILES: (
        "limiter.mosfet_temperature",
        "limiter.imbalance",
        "limiter.low_cell_charge",
        "limiter.charge_soc",
        "limiter.discharge_soc",
        # A BMS that has just ended a block may set it again.
        "limiter.block_release",
        # A solar charger that feeds in obeys only CVL.
        "limiter.slide",
        # When the limits are withdrawn, an inverter may go on with the last ones.
        "freshness.on_lost",
        # A cell that is older is missing, and then nothing may loosen.
        "freshness.single_cells",
        # Beyond a step, a reading must be confirmed before it counts.
        "plausibility.cell_voltage_step",
        "plausibility.temperature_step",
        "plausibility.soc_step",
        # CCL is low while the pack voltage and the cells differ by more than its warning level.
        "alarms.voltage_mismatch",
    ),
    FREE: (
        # Between the thresholds, within which all hold.
        "limiter.taper",
        "limiter.dv1",
        "limiter.dv2",
        # How soon a limit rises to what every protection allows.
        "limiter.discharge_hysteresis",
        "limiter.current_hold",
        "limiter.current_rise",
        "limiter.current_release",
        "limiter.voltage_hold",
        "limiter.voltage_rise",
        # When and how far the battery is charged, below all protections.
        "limiter.maintain_soc_by_month",
        "limiter.maintain_soc_hysteresis",
        "limiter.absorption_soc",
        "limiter.absorption_time",
        "limiter.absorption_pause",
        "limiter.rebulk_soc",
        "limiter.charge_to_soc",
        "limiter.charge_to_soc_hysteresis",
        "limiter.full_charge_every",
        "limiter.full_charge_at",
        "limiter.full_charge_hours",
        "limiter.balancing_start",
        "limiter.balancing_spread",
        "limiter.balancing_time",
        # CVL stays below its ceiling with it, and the cells are measured without it.
        "limiter.voltage_offset",
        # What is told and shown.
        "freshness.lost",
        "freshness.clear",
        "freshness.keep",
        "requests.expire",
        "alarms.high_cell_voltage",
        "alarms.low_cell_voltage",
        "alarms.high_voltage",
        "alarms.low_voltage",
        "alarms.low_soc",
        "alarms.high_charge_current",
        "alarms.high_discharge_current",
        "alarms.low_charge_temperature",
        "alarms.high_charge_temperature",
        "alarms.low_temperature",
        "alarms.high_temperature",
        "alarms.high_internal_temperature",
        "alarms.cell_imbalance",
        "alarms.delay",
        "alarms.clear",
    ),
}

BOUND_OF: Mapping[str, str] = {
    setting: bound for bound, settings in _BOUNDS.items() for setting in settings
}
"""The bound of every setting: a ceiling's name, THE_FILES or FREE. By section and name."""

_WINDOWS = {"charge_temperature", "discharge_temperature"}
_CHECKED_FOR_CLIENTS = {FREE, THE_FILES, *_WINDOWS}
_LOWEST = {"min_cell_voltage", "min_charge_voltage"}
_CAREFUL_IF_LARGE = {"limiter.block_release"}
_STRICTER_CHOICE = {"limiter.slide": "on", "freshness.on_lost": "hold"}


def in_words(setting: str) -> str:
    """The bound of a setting ("limiter.cv1"), for people."""
    bound = BOUND_OF[setting]
    if bound == FREE:
        return "free"
    if bound == THE_FILES:
        return "only the file can loosen it"
    if bound == "min_charge_voltage":
        return "from ceiling.min_charge_voltage to ceiling.failsafe.charge_voltage, or the file's"
    name = setting.partition(".")[2]
    return f"within ceiling.{bound}" + (f".{name}" if bound == "failsafe" else "")


def beyond_ceiling(section: str, settings: object, ceiling: Ceiling) -> Iterator[tuple[str, str]]:
    """The settings of a section that exceed a ceiling: their names, and words."""
    for spec in fields_of(type(settings)):
        bound, value = BOUND_OF.get(f"{section}.{spec.name}", FREE), getattr(settings, spec.name)
        if bound in _CHECKED_FOR_CLIENTS or value is None:
            continue
        words = _beyond(bound, spec, value, ceiling)
        if words:
            yield spec.name, words


def _beyond(bound: str, spec: Spec, value: Any, ceiling: Ceiling) -> str:
    if bound == "required":
        if not value or set(value) & set(ceiling.required):
            return ""
        return f"names none of ceiling.required ({', '.join(ceiling.required)})"
    if bound == "failsafe":
        both = (
            (f"failsafe.{spec.name}", getattr(ceiling.failsafe, spec.name)),
            (spec.name, getattr(ceiling, spec.name, float("inf"))),
        )
        return next(filter(None, (_above(name, limit, spec, value) for name, limit in both)), "")
    limit = getattr(ceiling, bound)
    if bound in _LOWEST:
        below = f"{value:g} {spec.unit} is below ceiling.{bound} {limit:g} {spec.unit}"
        return below if value < limit else ""
    values = [y for _, y in value] if spec.kind == TABLE else [value]
    return _above(bound, limit, spec, max(values, default=0.0))


def _above(name: str, limit: float, spec: Spec, value: float) -> str:
    unit = spec.y_unit or spec.unit
    return f"{value:g} {unit} is above ceiling.{name} {limit:g} {unit}" if value > limit else ""


def too_loose(setting: str, spec: Spec, value: Any, in_file: Any, ceiling: Ceiling) -> str:
    """Why only the file may have this value of a setting, in words; "" where a client may set it.

    The file may have a temperature curve that is wider than its ceiling: the ceiling then ends the
    current.
    """
    bound = BOUND_OF[setting]
    if value == in_file or bound == FREE:
        return ""
    if bound in _WINDOWS:
        if not value:
            return "only the configuration file can switch this off"
        return _outside(bound, value, getattr(ceiling, bound))
    if bound == "min_charge_voltage":
        return _lifts_protections(value, max(in_file, ceiling.failsafe.charge_voltage))
    if bound == THE_FILES and _is_looser(setting, spec, value, in_file):
        return "looser than in the configuration file, and only the file can loosen this"
    return ""


def _lifts_protections(floor: float, highest: float) -> str:
    """No protection lowers CVL below its floor, so a high floor would switch them off. In V."""
    if floor <= highest:
        return ""
    return (
        f"{floor:g} V is above {highest:g} V: the protections could not lower CVL, so only the file"
        " can set this"
    )


def _outside(bound: str, table: Table, window: tuple[float, float]) -> str:
    """A curve whose points allow a current outside of the window.

    Beyond its ends a curve may go on: there the ceiling ends the current.
    """
    allowed = allowed_range(table)
    if allowed is None or (window[0] <= allowed[0] and allowed[1] <= window[1]):
        return ""
    return (
        f"allows a current from {allowed[0]:g} to {allowed[1]:g} °C, beyond ceiling.{bound}"
        f" {window[0]:g} to {window[1]:g} °C, which only the configuration file can change"
    )


def _is_looser(setting: str, spec: Spec, value: Any, in_file: Any) -> bool:
    if spec.kind == CHOICE:
        return bool(value != _STRICTER_CHOICE[setting])
    if spec.kind == TABLE:
        return _is_above(value, in_file)
    if spec.kind == LEVELS:
        return bool(in_file) and (not value or bool(value[0] > in_file[0]))
    if setting in _CAREFUL_IF_LARGE:
        return bool(value < in_file)
    return _distance(value) > _distance(in_file)


def _distance(step: float) -> float:
    """A step of 0 stands for any distance."""
    return step or float("inf")


def _is_above(table: Table, other: Table) -> bool:
    """Whether a curve allows more than another one somewhere.

    Between the points of both, both are straight lines, so the points are enough.
    """
    if not other:
        return False
    xs = {x for x, _ in chain(table, other)}
    return any((value_at(table, x) if table else 1.0) > value_at(other, x) + 1e-9 for x in xs)
