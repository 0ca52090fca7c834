"""CCL is quiet near the top: few reversals a day, and the battery is full as early as without it.

The numbers of `Before` were measured with COMES_BACK = 1, which remembers nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import pytest

from bridge.core.limiter import falls
from tests.closed_loop.loop import CALM, EACH_SECOND, FRESHNESS, HOUR, Life, Pace, live
from tests.pack.charger import Day, System
from tests.pack.meters import Part, measured, noise, resolution
from tests.pack.model import Balancing, Pack, Weakness, build
from tests.pack.simulation import Simulation
from tests.unit.doubles import Bench

START = 9 * HOUR
MOST = 10  # reversals a day
MINUTE = 1 / 60  # h
CURRENTS = {
    "max_charge_current": 100,
    "max_charge_current_above_cv1": 50,
    "max_charge_current_above_cv2": 10,
    "max_discharge_current": 150,
}
FULL = 0.99  # of the capacity of the fullest cell
SLOWLY = Pace(10.0, 5.0)  # with so little current, nothing changes within it


@dataclass(frozen=True)
class Scenario:
    """A day from 9:00 to 18:00, with a pack at 85 %.

    meters: makes what the BMS gets wrong.
    """

    weak: Weakness | None = field(default_factory=lambda: Weakness(7))
    system: System = field(default_factory=System)
    day: Day = field(default_factory=Day)
    meters: Callable[[], Sequence[Part]] = tuple
    taper: str = "steps"


class Before(NamedTuple):
    """Without a memory: hour at which the first cell is full, highest true cell (V), reversals."""

    full: float
    highest: float
    reversals: int


SCENARIOS = {
    "a weak cell": (Scenario(), Before(10.10, 3.501, 11)),
    "equal cells": (Scenario(weak=None), Before(10.14, 3.498, 7)),
    "clouds": (
        Scenario(day=Day(clouds=0.9, cloud_s=120.0, solar_peak=9000.0)),
        Before(10.08, 3.501, 47),
    ),
    "sun that comes and goes": (
        Scenario(day=Day(clouds=1.0, cloud_s=1200.0, solar_peak=8000.0)),
        Before(10.82, 3.501, 29),
    ),
    "noise of 1 mV": (Scenario(meters=lambda: (noise(0.001),)), Before(10.10, 3.501, 11)),
    "noise of 5 mV": (Scenario(meters=lambda: (noise(0.005),)), Before(10.10, 3.5023, 17)),
    "cells in 10 mV": (Scenario(meters=lambda: (resolution(0.01),)), Before(10.10, 3.500, 9)),
    "linear": (Scenario(taper="linear"), Before(10.11, 3.501, 3)),
    "linear, noise of 5 mV": (
        Scenario(taper="linear", meters=lambda: (noise(0.005),)),
        Before(10.12, 3.501, 29),
    ),
    "feed-in, late and too high": (
        Scenario(system=System(feed_in=True, late=3.0, overshoot=0.01)),
        Before(10.10, 3.510, 3),
    ),
}


def _pace(pack: Pack) -> Pace:
    if max(pack.voltages) < 3.36:
        return CALM
    return EACH_SECOND if pack.current > 12.0 else SLOWLY


def _day(scenario: Scenario) -> tuple[Life, float]:
    """The day of this scenario, and the hour at which its first cell is full."""
    bench = Bench(freshness=FRESHNESS, limiter={**CURRENTS, "taper": scenario.taper})
    pack = build(weak=scenario.weak, balancing=Balancing(1.0), soc=0.85)
    full: list[float] = []

    def watch(simulation: Simulation, bench: Bench) -> None:
        bench.bus.signals.clear()
        bench.client.published.clear()
        if not full and max(cell.soc for cell in simulation.pack.cells) >= FULL:
            full.append(simulation.t / HOUR)

    bench.batch(measured(pack, START))  # while waiting, an inverter that feeds in discharges it
    life = live(
        bench,
        pack,
        system=scenario.system,
        day=scenario.day,
        start=START,
        until=18 * HOUR,
        parts=scenario.meters(),
        pace=_pace,
        watch=watch,
    )
    return life, full[0]


@pytest.mark.parametrize("name", SCENARIOS)
def test_ccl_is_quiet_and_the_battery_as_early_full(name: str) -> None:
    scenario, before = SCENARIOS[name]
    life, full = _day(scenario)
    assert life.reversals <= MOST
    assert full <= before.full + MINUTE
    assert life.highest <= before.highest + 0.001


def test_without_a_memory_it_is_not_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(falls, "COMES_BACK", 1.0)
    scenario, before = SCENARIOS["clouds"]
    life, _ = _day(scenario)
    assert life.reversals == pytest.approx(before.reversals, abs=5)
