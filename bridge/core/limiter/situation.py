"""What a rule may look at: the measurements, what follows from them, and what is remembered.

N cells in series, v their voltages, V the pack's. Currents in A, voltages in V.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bridge.core.limiter import seasons
from bridge.core.limiter.latches import LatchState
from bridge.core.model import Cap, Cells, Date, Input, Measurements
from bridge.core.settings.declarations import LimiterSettings


@dataclass(frozen=True)
class Situation:
    """All that a rule may look at.

    highest, lowest: the extreme cells in V, None where nothing is known of them.
    voltage: the pack in V, written or made from the cells, None where neither is known.
    season_voltage, season_soc: V per cell to charge to and % to maintain in this season.
    """

    measurements: Measurements
    settings: LimiterSettings
    cells: int  # in series
    memory: LatchState
    now: float  # monotonic seconds
    highest: float | None
    lowest: float | None
    voltage: float | None
    season_voltage: float
    season_soc: float | None

    def silent(self, source: Input) -> bool:
        return source in self.measurements.silent


Rule = Callable[[Situation], "Cap | None"]


def build_situation(
    measurements: Measurements,
    settings: LimiterSettings,
    cells: int,
    memory: LatchState,
    now: float,
    date: Date | None,
) -> Situation:
    """The situation with everything that several rules need, found once."""
    return Situation(
        measurements,
        settings,
        cells,
        memory,
        now,
        highest_cell(measurements, cells),
        lowest_cell(measurements, cells),
        pack_voltage(measurements, cells),
        seasons.charge_voltage(settings, date),
        seasons.of_month(settings.maintain_soc_by_month, date),
    )


def highest_cell(measurements: Measurements, count: int) -> float | None:
    """The highest voltage known, from single cells and from the written extremes; from both, as
    a client may have confused them.

    Of a pack that is not wholly known the mean, V / N, counts too: no pack has a highest cell
    below its mean. So a battery without any cell data is limited by its pack voltage alone.
    """
    candidates = _told(measurements.known)
    if measurements.cells is None and measurements.voltage is not None:
        candidates.append(measurements.voltage / count)
    return max(candidates, default=None)


def lowest_cell(measurements: Measurements, count: int) -> float | None:
    """The lowest voltage known, likewise."""
    candidates = _told(measurements.known)
    if measurements.cells is None and measurements.voltage is not None:
        candidates.append(measurements.voltage / count)
    return min(candidates, default=None)


def _told(cells: Cells) -> list[float]:
    return [v for v in (*cells.voltages, cells.lowest, cells.highest) if v is not None]


def pack_voltage(measurements: Measurements, count: int) -> float | None:
    """The written pack voltage; else the sum of the cells; else the least that the extremes
    allow: one cell at the highest voltage, all others at the lowest. None without any."""
    if measurements.voltage is not None:
        return measurements.voltage
    cells = measurements.cells
    if cells is None:
        return None
    if None not in cells.voltages:
        return sum(v for v in cells.voltages if v is not None)
    highest, lowest = highest_cell(measurements, count), lowest_cell(measurements, count)
    if highest is None or lowest is None:
        return None
    return highest + (count - 1) * lowest


def name_of(cells: Cells, voltage: float) -> str:
    """Which cell has this voltage: "cell 7", or "a cell" when only the extremes are known, or
    "the mean cell" when nothing is."""
    if voltage in cells.voltages:
        return f"cell {cells.voltages.index(voltage) + 1}"
    return "a cell" if voltage in (cells.lowest, cells.highest) else "the mean cell"


def excess(situation: Situation, limit: float) -> float:
    """How far the cells are above the limit, all together: sum of max(0, v - limit).

    With the extremes alone, the most that they allow: as many cells at the highest voltage as
    the pack voltage has room for, the others at the lowest.
    """
    known, count = situation.measurements.known, situation.cells
    highest, lowest, voltage = situation.highest, situation.lowest, situation.voltage
    above = sum(max(0.0, v - limit) for v in known.voltages if v is not None)
    if None not in known.voltages and len(known.voltages) == count:
        missed = 0.0 if highest is None else max(0.0, highest - limit)
        return max(above, missed)
    if highest is None or highest <= limit:
        return above
    if lowest is None or lowest >= highest or voltage is None:
        return max(above, count * (highest - limit))
    high_cells = min(count, max(1.0, (voltage - count * lowest) / (highest - lowest)))
    of_low_ones = (count - high_cells) * max(0.0, lowest - limit)
    return max(above, high_cells * (highest - limit) + of_low_ones)
