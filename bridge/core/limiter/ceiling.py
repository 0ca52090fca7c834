"""The last word on the limits: the ceilings of the configuration file, applied after all else.

This file shares no code with the protections, so that a mistake in them, in a setting, or in the
recovery cannot pass. It only compares numbers. tests/unit/test_ceiling_proof.py proves its laws for
all inputs, unknown values, NaN and infinity included.

Each comparison is written so that a NaN counts as the dangerous side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from bridge.core.settings.declarations import Ceiling

USUAL = "the ceiling of the configuration"


class Seen(NamedTuple):
    """What is measured, None where unknown.

    highest, lowest: of all cells that are known, in V. voltage: of the pack, in V. coldest,
    hottest: in °C. voltage_age: seconds since the newest voltage of a cell or of the pack; infinite
    if there was none.
    """

    highest: float | None
    lowest: float | None
    voltage: float | None
    coldest: float | None
    hottest: float | None
    voltage_age: float


def highest_charge_voltage(ceiling: Ceiling, cells: int) -> tuple[float, str]:
    """The highest CVL in V, and why. cells: in series."""
    return ceiling.cell_voltage * cells, USUAL


def highest_charge_current(seen: Seen, ceiling: Ceiling, cells: int) -> tuple[float, str]:
    """The highest CCL in A, and why. cells: in series.

    V / N counts like a cell: the highest cell is never below it, the lowest never above.
    """
    coldest, hottest = ceiling.charge_temperature
    if seen.highest is not None and not seen.highest < ceiling.cell_voltage:
        return 0.0, "a cell is at ceiling.cell_voltage"
    if seen.voltage is not None and not seen.voltage < ceiling.cell_voltage * cells:
        return 0.0, "the pack voltage is at ceiling.cell_voltage times the cells"
    if seen.lowest is not None and not seen.lowest > ceiling.dead_cell:
        return 0.0, "a cell is at ceiling.dead_cell, it must not be charged without inspection"
    if seen.voltage is not None and not seen.voltage > ceiling.dead_cell * cells:
        return 0.0, "the pack voltage is at ceiling.dead_cell times the cells"
    if seen.coldest is not None and not seen.coldest >= coldest:
        return 0.0, "colder than ceiling.charge_temperature"
    if seen.hottest is not None and not seen.hottest <= hottest:
        return 0.0, "hotter than ceiling.charge_temperature"
    if not seen.voltage_age <= ceiling.silence:
        blind = lower(ceiling.failsafe.charge_current, ceiling.charge_current)
        return blind, "no voltage within ceiling.silence"
    return ceiling.charge_current, USUAL


def highest_discharge_current(seen: Seen, ceiling: Ceiling, cells: int) -> tuple[float, str]:
    """The highest DCL in A, and why. cells: in series."""
    coldest, hottest = ceiling.discharge_temperature
    if seen.lowest is not None and not seen.lowest > ceiling.min_cell_voltage:
        return 0.0, "a cell is at ceiling.min_cell_voltage"
    if seen.voltage is not None and not seen.voltage > ceiling.min_cell_voltage * cells:
        return 0.0, "the pack voltage is at ceiling.min_cell_voltage times the cells"
    if seen.coldest is not None and not seen.coldest >= coldest:
        return 0.0, "colder than ceiling.discharge_temperature"
    if seen.hottest is not None and not seen.hottest <= hottest:
        return 0.0, "hotter than ceiling.discharge_temperature"
    return ceiling.discharge_current, USUAL


def lower(limit: float, highest: float) -> float:
    """The limit, but at most the highest (both V or A); 0 for one that is no number or negative."""
    if not limit >= 0.0:
        return 0.0
    if not limit <= highest:
        return highest
    return limit
