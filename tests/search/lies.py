"""A simulated pack whose meters lie in one way, chosen and measured by a random number.

The pack is small and near its end, so that a limit that is too high shows within minutes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tests.closed_loop.loop import HOUR, Life, each_second_at_the_top, live
from tests.pack.charger import Day, System
from tests.pack.meters import CELL, CURRENT, PACK_VOLTAGE, Part, Readings, lag, offset
from tests.pack.model import Weakness, build
from tests.pack.simulation import Simulation
from tests.unit.doubles import Bench

CELLS, CAPACITY = 4, 100.0  # in series; Ah
LASTS = 0.4  # h
NOON, NIGHT = 12.0, 20.0  # h: the sun charges, or the loads discharge
SUN = Day(solar_peak=1800.0, load_peak=200.0)
LOADS = Day(solar_peak=0.0, load_peak=1500.0)


@dataclass
class Truth:
    """What really happened: the extreme cells in V, the extreme shares of charge (1: full)."""

    highest: float
    lowest: float
    fullest: float = 0.0
    emptiest: float = 1.0


Lie = Callable[[Random, float], tuple[Part, ...]]
"""Makes the parts of one lie. The number is when the run begins (s)."""


def play(lie: Lie, seed: int, is_charging: bool) -> Truth:
    """What a pack goes through while its BMS tells this lie."""
    random = Random(f"{seed}:{is_charging}")
    bench = Bench(
        cells=CELLS,
        capacity=CAPACITY,
        limiter={"max_charge_current": 100, "max_discharge_current": 100},
    )
    soc = random.uniform(0.80, 0.90) if is_charging else random.uniform(0.08, 0.20)
    pack = build(
        cells=CELLS,
        capacity=CAPACITY,
        soc=soc,
        weak=Weakness(random.randint(1, CELLS), capacity=0.85),
        seed=seed,
    )
    start = (NOON if is_charging else NIGHT) * HOUR
    system = System(
        feed_in=is_charging and random.random() < 0.5,
        overshoot=random.choice((0.0, 0.01)),
        late=random.choice((0.0, 3.0)),
    )
    truth = Truth(0.0, 0.0)

    def watch(simulation: Simulation, _bench: Bench) -> None:
        cells = simulation.pack.cells
        share = sum(cell.charge for cell in cells) / sum(cell.capacity for cell in cells)
        truth.fullest = max(truth.fullest, share)
        truth.emptiest = min(truth.emptiest, share)

    life: Life = live(
        bench,
        pack,
        system=system,
        day=SUN if is_charging else LOADS,
        start=start,
        until=start + LASTS * HOUR,
        parts=lie(random, start),
        pace=each_second_at_the_top,
        watch=watch,
    )
    truth.highest, truth.lowest = life.highest, life.lowest
    return truth


# --- the lies ----------------------------------------------------------------------------------


def _pack_voltage(random: Random, _start: float) -> tuple[Part, ...]:
    return (offset(PACK_VOLTAGE, share=random.choice((-0.1, -0.02, -0.01, 0.01, 0.02, 0.1))),)


def _all_cells(random: Random, _start: float) -> tuple[Part, ...]:
    """All cells are wrong by one share, and the pack voltage is right."""
    share = random.choice((-0.08, -0.03, -0.01, 0.01, 0.03))

    def part(said: Readings, _t: float) -> Readings:
        return {
            key: round(value * (1 + share), 3) if key.startswith(CELL) else value
            for key, value in said.items()
        }

    return (part,)


def _slow(path: str) -> Lie:
    return lambda random, _start: (lag(random.uniform(1.0, 5.0), path),)


def _wrong_sign(_random: Random, _start: float) -> tuple[Part, ...]:
    return (lambda said, _t: {**said, CURRENT: -said[CURRENT]},)


def _no_current(_random: Random, _start: float) -> tuple[Part, ...]:
    return (lambda said, _t: {**said, CURRENT: 0.0},)


def _half_full(_random: Random, _start: float) -> tuple[Part, ...]:
    return (lambda said, _t: {**said, "Soc": 50.0},)


def _swapped_extremes(_random: Random, _start: float) -> tuple[Part, ...]:
    def part(said: Readings, _t: float) -> Readings:
        cells = [value for key, value in said.items() if key.startswith(CELL)]
        swapped = {"System/MinCellVoltage": max(cells), "System/MaxCellVoltage": min(cells)}
        return {**{key: v for key, v in said.items() if not key.startswith(CELL)}, **swapped}

    return (part,)


def _swapped_cells(random: Random, _start: float) -> tuple[Part, ...]:
    """The cells come in another order each time."""

    def part(said: Readings, _t: float) -> Readings:
        keys = [key for key in said if key.startswith(CELL)]
        values = [said[key] for key in keys]
        random.shuffle(values)
        return {**said, **dict(zip(keys, values, strict=True))}

    return (part,)


def _second_writer(random: Random, _start: float) -> tuple[Part, ...]:
    """Every other time, all cells are those of a battery that rests at half charge."""
    turns = random.choice((2, 3))

    def part(said: Readings, t: float) -> Readings:
        if int(t) % turns:
            return said
        return {key: 3.30 if key.startswith(CELL) else value for key, value in said.items()}

    return (part,)


def _stands_still(*paths: str) -> Lie:
    """From some moment on, the values whose paths begin so are repeated.

    It is a moment in which a current flows: 0 A and nothing that moves is a battery at rest.
    """

    def lie(random: Random, start: float) -> tuple[Part, ...]:
        since, last, stands = start + random.uniform(0.0, 600.0), Readings(), False

        def part(said: Readings, t: float) -> Readings:
            nonlocal stands
            stands = stands or (t >= since and abs(last.get(CURRENT, said[CURRENT])) >= 1.0)
            if not stands:
                last.clear()
                last.update({key: v for key, v in said.items() if key.startswith(paths)})
            return {**said, **last}

        return (part,)

    return lie


LIES: dict[str, Lie] = {
    "the pack voltage is wrong": _pack_voltage,
    "all cells are wrong": _all_cells,
    "the cells are late": _slow(CELL),
    "the pack voltage is late": _slow(PACK_VOLTAGE),
    "the current has the wrong sign": _wrong_sign,
    "the current is 0": _no_current,
    "the SoC is always 50 %": _half_full,
    "the extremes are swapped": _swapped_extremes,
    "the cells are swapped": _swapped_cells,
    "a second writer": _second_writer,
}
"""Lies about one thing: the other meters tell the truth."""

STANDING: dict[str, Lie] = {
    "the cells stand still": _stands_still(CELL),
    "the pack voltage stands still": _stands_still(PACK_VOLTAGE),
    "the SoC stands still": _stands_still("Soc"),
    "everything stands still": _stands_still(""),
}
"""Meters that stand still: the charge that is counted is the other witness."""
