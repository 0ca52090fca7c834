"""The whole battery core at a simulated pack, through weeks of solar days.

Time is simulated, so weeks take seconds. The pack lives within the limits that it reads back and
publishes as a BMS does, with glitches and dropouts. CLOSED_LOOP_DAYS in the environment asks for
more days.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

import pytest

from tests.pack.charger import Day, Limits, System
from tests.pack.client import readings
from tests.pack.model import Balancing, Pack, Weakness, build
from tests.pack.simulation import Simulation
from tests.unit.doubles import Bench

DAYS = max(14, int(os.environ.get("CLOSED_LOOP_DAYS", "14")))
FRESHNESS = {"aging": 65, "stale": 120, "lost": 600}  # for a client as slow as those below
DAY = 86400.0


class Pace(NamedTuple):
    """How finely time is cut, in seconds."""

    interval: float  # between two publications
    step: float  # of the physics, in which a current settles


CLOSE = Pace(30.0, 10.0)
CALM = Pace(60.0, 30.0)  # where no cell can get near a limit within an interval
CALM_CELL = (3.15, 3.34)  # V; the flat middle of LFP

OVERVOLTAGE, MIN_CELL = 3.55, 2.80  # of the LFP preset
AT_ONCE = 0.03  # V that a cell may move in one interval before anybody can know of it


@dataclass
class Life:
    """What a pack went through."""

    highest: float = 0.0
    lowest: float = 9.0
    fullest: float = 0.0
    charged_cold: float = 0.0  # the highest charge current below 0 °C, in A
    full_days: set[int] = field(default_factory=set)
    coldest: float = 99.0
    silences: int = 0


def live(
    bench: Bench,
    pack: Pack,
    *,
    system: System | None = None,
    day: Day | None = None,
    days: float = DAYS,
    glitches: float = 0.0,
    dropouts: float = 0.0,
    seed: int = 1,
) -> Life:
    """Let a pack live under the limits of a battery, which it feeds; glitches and dropouts are
    the shares of publications (each 30 s) that go wrong or begin a silence."""
    simulation = Simulation(pack, system or System(), day or Day(), t=9 * 3600.0)
    life, random, silent_until = Life(), Random(seed), 0.0
    while simulation.t < days * DAY:
        pace = _pace(pack)
        simulation.advance(pace.interval, _limits(bench), step=pace.step)
        bench.clock.now += pace.interval
        if random.random() < dropouts * pace.interval / CLOSE.interval:
            silent_until = simulation.t + random.uniform(30, 900)
            life.silences += 1
        if simulation.t >= silent_until:
            bench.batch(_with_glitch(readings(pack), random, glitches))
        bench.battery.on_tick(bench.clock.now)
        _note(life, simulation)
    return life


def _pace(pack: Pack) -> Pace:
    lowest, highest = CALM_CELL
    voltages = pack.voltages
    return CALM if lowest < min(voltages) and max(voltages) < highest else CLOSE


def _limits(bench: Bench) -> Limits:
    return Limits(bench.cvl, bench.ccl, bench.dcl)  # type: ignore[arg-type]


def _with_glitch(measured: dict[str, float], random: Random, share: float) -> dict[str, float]:
    if random.random() < share:
        path = random.choice(sorted(measured))
        measured[path] = random.choice((0.0, 0.7, 12.0, 100.0, -20.0, 655.35))
    return measured


def _note(life: Life, simulation: Simulation) -> None:
    pack = simulation.pack
    life.highest = max(life.highest, *pack.voltages)
    life.lowest = min(life.lowest, *pack.voltages)
    life.fullest = max(life.fullest, pack.soc)
    life.coldest = min(life.coldest, *pack.temperatures)
    if min(pack.temperatures) < -0.5:
        life.charged_cold = max(life.charged_cold, pack.current)
    if pack.soc > 0.97:
        life.full_days.add(int(simulation.t // DAY))


def _within_limits(life: Life) -> None:
    assert life.highest <= OVERVOLTAGE + AT_ONCE
    assert life.lowest >= MIN_CELL - AT_ONCE


def test_a_weak_cell_through_weeks_of_sun() -> None:
    pack = build(weak=Weakness(7), balancing=Balancing(1.0), soc=0.5)
    life = live(Bench(freshness=FRESHNESS), pack)
    _within_limits(life)
    assert len(life.full_days) >= DAYS - 2, "and still it gets full"


def test_cold_mornings() -> None:
    pack = build(
        weak=Weakness(7), balancing=Balancing(1.0), soc=0.4, temperature=3.0, capacity=140.0
    )
    winter = Day(mean_ambient=2.5, load_peak=1200.0)
    life = live(Bench(freshness=FRESHNESS), pack, day=winter, days=DAYS / 4)
    _within_limits(life)
    assert life.coldest < -0.5, "the mornings were not cold"
    assert life.charged_cold <= 0.5
    assert life.full_days


@pytest.mark.parametrize("seed", [1, 2])
def test_dropouts_and_glitches(seed: int) -> None:
    pack = build(weak=Weakness(7), balancing=Balancing(1.0), soc=0.5, seed=seed)
    life = live(
        Bench(freshness=FRESHNESS),
        pack,
        days=DAYS / 4,
        glitches=0.02,
        dropouts=0.001,
        seed=seed,
    )
    _within_limits(life)
    assert life.silences > 3
    assert life.full_days, "and still it gets full"


def test_loads_that_would_empty_it() -> None:
    pack = build(weak=Weakness(7, capacity=0.8), soc=0.4)
    dark = Day(solar_peak=300.0, load_peak=6000.0)
    life = live(Bench(freshness=FRESHNESS), pack, day=dark, days=DAYS / 6)
    _within_limits(life)
    assert life.lowest < MIN_CELL + 0.2, "the loads never got that far"


def test_solar_chargers_that_feed_in_and_ignore_ccl() -> None:
    limiter = {"max_charge_current": 100, "max_discharge_current": 150, "slide": "on"}
    pack = build(weak=Weakness(7), balancing=Balancing(1.0), soc=0.7)
    bench = Bench(freshness=FRESHNESS, limiter=limiter)
    life = live(bench, pack, system=System(feed_in=True), days=DAYS / 6)
    _within_limits(life)
