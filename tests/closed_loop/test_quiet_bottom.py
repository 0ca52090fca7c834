"""DCL is quiet near empty: few reversals in an evening, and the battery gives as much charge.

The numbers of `Before` were measured with COMES_BACK = 1, which remembers nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import pytest

from bridge.core.limiter import falls
from tests.closed_loop.loop import CALM, EACH_SECOND, FRESHNESS, HOUR, Pace, live
from tests.pack.charger import Day
from tests.pack.meters import Part, noise
from tests.pack.model import Pack, Weakness, build
from tests.pack.reversals import Reversals
from tests.pack.simulation import Simulation
from tests.unit.doubles import Bench

START, END = 18 * HOUR, 20 * HOUR
MOST = 10  # reversals an evening
LOAD = 8000.0  # W
LESS = 0.001  # of the capacity, that the battery may give less
CURRENTS = {
    "max_charge_current": 100,
    "max_discharge_current": 150,
    "dv1": 3.05,
    "max_discharge_current_below_dv1": 75,
    "dv2": 2.95,
    "max_discharge_current_below_dv2": 15,
}


@dataclass(frozen=True)
class Evening(Day):
    """No sun, and a load of 8 kW.

    pulse: s; the load is a third of that for one of three pulses. None: it is constant.
    """

    solar_peak: float = 0.0
    pulse: float | None = None

    def load(self, t: float) -> float:
        is_low = self.pulse is not None and int(t // self.pulse) % 3 == 0
        return LOAD / 3 if is_low else LOAD


@dataclass(frozen=True)
class Scenario:
    """An evening with a pack at 12 %. meters: makes what the BMS gets wrong."""

    day: Day = field(default_factory=Evening)
    weak: Weakness | None = field(default_factory=lambda: Weakness(7))
    meters: Callable[[], Sequence[Part]] = tuple
    taper: str = "steps"


class Seen(NamedTuple):
    """Reversals of DCL, the lowest true cell (V), and the SoC that is left (0 to 1)."""

    reversals: int
    lowest: float
    left: float


SCENARIOS = {
    "a weak cell": (Scenario(), Seen(32, 2.837, 0.0223)),
    "equal cells": (Scenario(weak=None), Seen(28, 2.829, 0.0223)),
    "linear": (Scenario(taper="linear"), Seen(16, 2.832, 0.0218)),
    "noise of 5 mV": (Scenario(meters=lambda: (noise(0.005),)), Seen(26, 2.838, 0.0224)),
    "a load in pulses": (Scenario(day=Evening(pulse=300.0)), Seen(26, 2.837, 0.0223)),
}


def _pace(pack: Pack) -> Pace:
    return EACH_SECOND if min(pack.voltages) < 3.1 and pack.current < -3.0 else CALM


def _evening(scenario: Scenario) -> Seen:
    bench = Bench(freshness=FRESHNESS, limiter={**CURRENTS, "taper": scenario.taper})
    pack = build(weak=scenario.weak, soc=0.12)
    dcl = Reversals()

    def watch(_simulation: Simulation, bench: Bench) -> None:
        bench.bus.signals.clear()
        bench.client.published.clear()
        assert bench.dcl is not None
        dcl.follow(bench.dcl)

    life = live(
        bench,
        pack,
        day=scenario.day,
        start=START,
        until=END,
        parts=scenario.meters(),
        pace=_pace,
        watch=watch,
    )
    return Seen(dcl.count, life.lowest, pack.soc)


@pytest.mark.parametrize("name", SCENARIOS)
def test_dcl_is_quiet_and_the_battery_gives_as_much(name: str) -> None:
    scenario, before = SCENARIOS[name]
    seen = _evening(scenario)
    assert seen.reversals <= MOST
    assert seen.lowest >= before.lowest - 0.001
    assert seen.left <= before.left + LESS


def test_without_a_memory_it_is_not_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(falls, "COMES_BACK", 1.0)
    scenario, before = SCENARIOS["a load in pulses"]
    assert _evening(scenario).reversals == pytest.approx(before.reversals, abs=5)
