"""The pack itself: cells in series with charge, resistance, temperature and a spread.

Each cell is a voltage source that follows its state of charge, behind a resistance. That leaves
out diffusion and hysteresis, and keeps what a limiter must cope with: a flat middle, a steep knee
where the cells diverge, a voltage step with the current, and cold cells that resist more.
Currents are in ampere, charging positive. All time comes in as an argument.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from tests.pack.curve import Curve

SECONDS_PER_HOUR = 3600.0
REFERENCE_C = 25.0
HALVING_K = 25.0  # a cell this much colder has twice the resistance
COOLING_S = 3 * SECONDS_PER_HOUR  # time constant towards the ambient temperature


@dataclass(frozen=True)
class Chemistry:
    """What cells of one kind share.

    ocv: open-circuit voltage in V over the state of charge (0 to 1, and a little past both ends).
    resistance: ohm times Ah at 25 °C; a cell has this divided by its capacity.
    heat: J/K per Ah.
    minimum, maximum: V per cell where a BMS would disconnect.
    balance_above: V per cell above which passive balancing works.
    """

    name: str
    ocv: Curve
    resistance: float
    heat: float
    minimum: float
    maximum: float
    balance_above: float


# Typical rested voltages as cell makers print them, rounded. The points outside 0 and 1 give the
# steep ends, so that an overcharge shows as a voltage and does not vanish in a clamp.
CHEMISTRIES = {
    "lfp": Chemistry(
        name="lfp",
        ocv=Curve(
            (
                (-0.02, 1.50),
                (0.00, 2.50),
                (0.02, 2.90),
                (0.05, 3.08),
                (0.10, 3.19),
                (0.20, 3.24),
                (0.30, 3.275),
                (0.45, 3.292),
                (0.60, 3.302),
                (0.70, 3.325),
                (0.90, 3.338),
                (0.96, 3.348),
                (0.98, 3.370),
                (0.99, 3.405),
                (1.00, 3.480),
                (1.01, 3.650),
            ),
            extend=True,
        ),
        resistance=0.12,
        heat=20.0,
        minimum=2.50,
        maximum=3.65,
        balance_above=3.38,
    ),
    "lto": Chemistry(
        name="lto",
        ocv=Curve(
            (
                (-0.02, 1.20),
                (0.00, 1.80),
                (0.02, 1.98),
                (0.05, 2.09),
                (0.10, 2.15),
                (0.20, 2.20),
                (0.40, 2.25),
                (0.60, 2.30),
                (0.80, 2.37),
                (0.90, 2.41),
                (0.97, 2.46),
                (1.00, 2.53),
                (1.02, 2.75),
            ),
            extend=True,
        ),
        resistance=0.03,
        heat=28.0,
        minimum=1.80,
        maximum=2.75,
        balance_above=2.42,
    ),
    "nmc": Chemistry(
        name="nmc",
        ocv=Curve(
            (
                (-0.02, 2.20),
                (0.00, 3.00),
                (0.05, 3.35),
                (0.10, 3.48),
                (0.20, 3.57),
                (0.30, 3.62),
                (0.40, 3.66),
                (0.50, 3.72),
                (0.60, 3.82),
                (0.70, 3.92),
                (0.80, 4.01),
                (0.90, 4.09),
                (1.00, 4.20),
                (1.02, 4.30),
            ),
            extend=True,
        ),
        resistance=0.08,
        heat=14.0,
        minimum=2.80,
        maximum=4.25,
        balance_above=4.05,
    ),
}


@dataclass
class Cell:
    """One cell: what it can hold, what it holds, what it resists and how warm it is.

    capacity and charge in Ah, resistance in ohm at 25 °C, temperature in °C, heat capacity in J/K,
    cooling in W/K. The charge is not clamped: a limiter that overcharges a cell must be seen to.
    """

    capacity: float
    charge: float
    resistance: float
    temperature: float
    heat: float
    cooling: float

    @property
    def soc(self) -> float:
        """State of charge: 0 is empty, 1 is full, outside of that the cell suffers."""
        return self.charge / self.capacity

    @property
    def warm_resistance(self) -> float:
        """Resistance in ohm at the present temperature."""
        return self.resistance * 2 ** ((REFERENCE_C - self.temperature) / HALVING_K)

    def warm_up(self, dt: float, loss_w: float, ambient_c: float) -> None:
        """Follow the losses and the surroundings; exact for any dt, so long steps stay stable."""
        settled = ambient_c + loss_w / self.cooling
        remaining = math.exp(-dt * self.cooling / self.heat)
        self.temperature = settled + (self.temperature - settled) * remaining


@dataclass(frozen=True)
class Weakness:
    """One cell (counted from 1) that is worse than the others by these factors.

    ahead: by how much of its capacity it is fuller than the others, 0 to 1.
    """

    cell: int
    capacity: float = 0.94
    resistance: float = 1.6
    ahead: float = 0.0


@dataclass(frozen=True)
class Balancing:
    """Passive balancing: a resistor across each cell that is well above the lowest one."""

    current: float  # A
    spread: float = 0.005  # V above the lowest cell


class Pack:
    """Cells in series, one current through all of them.

    `step` moves time; everything else reads the pack as it is now, under the last current.
    """

    def __init__(
        self, cells: Sequence[Cell], chemistry: Chemistry, balancing: Balancing | None = None
    ) -> None:
        self.cells = list(cells)
        self.chemistry = chemistry
        self.balancing = balancing
        self.current = 0.0
        self.charged_ah = 0.0
        self.discharged_ah = 0.0
        self.bled_ah = [0.0] * len(self.cells)
        self._settle()

    def step(self, dt: float, current_a: float, ambient_c: float) -> None:
        """Carry `current_a` for `dt` seconds (0 or more) in surroundings of `ambient_c`.

        Raises ValueError for a dt below 0.
        """
        if dt < 0:
            raise ValueError("time does not run backwards in a pack")
        self.current = current_a
        moved = current_a * dt / SECONDS_PER_HOUR
        self.charged_ah += max(moved, 0.0)
        self.discharged_ah += max(-moved, 0.0)
        bleeding = self._bleeding()
        for index, cell in enumerate(self.cells):
            bled = bleeding[index] * dt / SECONDS_PER_HOUR
            self.bled_ah[index] += bled
            cell.charge += moved - bled
            cell.warm_up(dt, current_a**2 * self.resistances[index], ambient_c)
        self._settle()

    @property
    def voltages(self) -> list[float]:
        """Cell voltages in V under the present current."""
        return [
            ocv + self.current * resistance
            for ocv, resistance in zip(self.ocvs, self.resistances, strict=True)
        ]

    @property
    def voltage(self) -> float:
        """Pack voltage in V under the present current."""
        return self.ocv + self.current * self.resistance

    @property
    def temperatures(self) -> list[float]:
        """Cell temperatures in °C."""
        return [cell.temperature for cell in self.cells]

    @property
    def capacity(self) -> float:
        """Mean capacity of the cells in Ah."""
        return sum(cell.capacity for cell in self.cells) / len(self.cells)

    @property
    def soc(self) -> float:
        """State of charge, 0 to 1, of all cells together, as a shunt would count it."""
        share = sum(cell.charge for cell in self.cells) / sum(cell.capacity for cell in self.cells)
        return min(max(share, 0.0), 1.0)

    def _bleeding(self) -> list[float]:
        if self.balancing is None:
            return [0.0] * len(self.cells)
        voltages = self.voltages
        threshold = max(self.chemistry.balance_above, min(voltages) + self.balancing.spread)
        return [self.balancing.current if v > threshold else 0.0 for v in voltages]

    def _settle(self) -> None:
        """Read the curves once per step; the properties above are asked far more often."""
        self.ocvs = [self.chemistry.ocv.at(cell.soc) for cell in self.cells]
        self.resistances = [cell.warm_resistance for cell in self.cells]
        self.ocv = sum(self.ocvs)
        self.resistance = sum(self.resistances)


def build(
    chemistry: str = "lfp",
    *,
    cells: int = 16,
    capacity: float = 280.0,
    soc: float = 0.5,
    temperature: float = 20.0,
    seed: int = 1,
    spread: float = 1.0,
    weak: Weakness | None = None,
    balancing: Balancing | None = None,
) -> Pack:
    """A pack of `cells` cells of `capacity` Ah each at `soc` (0 to 1) and `temperature` °C.

    `spread` scales how much the cells differ (1: as in a usual pack, 0: all the same); the same
    seed gives the same pack. Raises KeyError for an unknown chemistry, ValueError for a weak cell
    outside the pack.
    """
    if weak is not None and not 1 <= weak.cell <= cells:
        raise ValueError(f"there is no cell {weak.cell} in a pack of {cells}")
    kind = CHEMISTRIES[chemistry]
    random = Random(seed)
    made = []
    for number in range(1, cells + 1):
        own_capacity = capacity * _about_one(random, 0.006 * spread)
        own_soc = soc + _about_one(random, 0.003 * spread) - 1
        own_resistance = kind.resistance / capacity * _about_one(random, 0.05 * spread)
        own_cooling = kind.heat * capacity / COOLING_S * _about_one(random, 0.15 * spread)
        if weak is not None and weak.cell == number:
            own_capacity *= weak.capacity
            own_resistance *= weak.resistance
            own_soc += weak.ahead
        made.append(
            Cell(
                capacity=own_capacity,
                charge=own_capacity * own_soc,
                resistance=own_resistance,
                temperature=temperature,
                heat=kind.heat * capacity,
                cooling=own_cooling,
            )
        )
    return Pack(made, kind, balancing)


def _about_one(random: Random, deviation: float) -> float:
    """A factor around 1, never further away than twice the deviation."""
    return 1 + min(max(random.gauss(0, deviation), -2 * deviation), 2 * deviation)
