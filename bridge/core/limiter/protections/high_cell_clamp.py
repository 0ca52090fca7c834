"""CVL falls to the pack voltage, and below it, when a cell is too high."""

from __future__ import annotations

from bridge.core.limiter.protection import Protection
from bridge.core.limiter.situation import Situation, name_of, reached
from bridge.core.limiter.sweeps import EVERY_CELL, ONE_CELL
from bridge.core.measurements.inputs import CELLS, PACK_VOLTAGE
from bridge.core.model import CVL, Cap


def _cap(situation: Situation) -> Cap | None:
    """V - sum of max(0, v - max_cell_voltage), from the first cell at max_cell_voltage."""
    situation = situation.before_frame or situation
    limit = situation.settings.max_cell_voltage
    highest, voltage = situation.volts.highest, situation.volts.pack
    if highest is None or not reached(highest, limit):
        return None
    name = f"{name_of(situation.of(CELLS), highest)} at {highest:.3f} V"
    if voltage is None:
        return Cap(situation.config.floor, f"{name} and no pack voltage known")
    clamped = voltage - excess(situation, limit)
    return Cap(clamped, f"{name} clamps CVL, limit {limit:g} V")


def excess(situation: Situation, limit: float) -> float:
    """How far all cells together are above the limit (V), in V: sum of max(0, v - limit).

    With only the extremes known, the largest possible sum: as many cells at the highest voltage as
    the pack voltage allows, the others at the lowest.
    """
    voltages, count = situation.of(CELLS).voltages, situation.cells
    highest, lowest, voltage = situation.volts.highest, situation.volts.lowest, situation.volts.pack
    above = sum([max(0.0, v - limit) for v in voltages if v is not None])
    if None not in voltages and len(voltages) == count:
        missed = 0.0 if highest is None else max(0.0, highest - limit)
        return max(above, missed)
    if highest is None or highest <= limit:
        return above
    if lowest is None or lowest >= highest or voltage is None:
        return max(above, count * (highest - limit))
    high_cells = min(count, max(1.0, (voltage - count * lowest) / (highest - lowest)))
    of_low_ones = (count - high_cells) * max(0.0, lowest - limit)
    return max(above, high_cells * (highest - limit) + of_low_ones)


CHARGE_VOLTAGE = Protection(
    "high cell",
    CVL,
    "from the first cell at max_cell_voltage: the pack voltage less what the cells are above it",
    frozenset({CELLS, PACK_VOLTAGE}),
    _cap,
    sweeps=(EVERY_CELL, ONE_CELL),
    compares=True,
)
