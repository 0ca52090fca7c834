"""The closed loop: a simulated pack lives under the limits of a battery, which it feeds.

Time is simulated, so weeks take seconds. What a pack went through is noted in a `Life`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.pack.charger import Day, Limits, System
from tests.pack.meters import Part, measured
from tests.pack.model import Pack
from tests.pack.reversals import Reversals
from tests.pack.simulation import Simulation
from tests.unit.doubles import Bench

DAY, HOUR = 86400.0, 3600.0
FRESHNESS = {"aging": 65, "stale": 120, "lost": 600}  # for a client as slow as CALM


class Pace(NamedTuple):
    """How finely time is cut, in seconds."""

    interval: float  # between two publications
    step: float  # of the physics, in which a current settles


EACH_SECOND = Pace(1.0, 1.0)
CLOSE = Pace(30.0, 10.0)
CALM = Pace(60.0, 30.0)  # where no cell can get near a limit within an interval
CALM_CELL = (3.15, 3.34)  # V; the flat middle of LFP


def as_needed(pack: Pack) -> Pace:
    """Calm in the flat middle of LFP, else close."""
    lowest, highest = CALM_CELL
    voltages = pack.voltages
    return CALM if lowest < min(voltages) and max(voltages) < highest else CLOSE


def each_second(_pack: Pack) -> Pace:
    """As a usual BMS publishes."""
    return EACH_SECOND


def each_second_at_the_top(pack: Pack) -> Pace:
    """As a usual BMS publishes, and calm while nothing can happen: a day takes less time."""
    return EACH_SECOND if as_needed(pack) is CLOSE else CALM


@dataclass
class Life:
    """What a pack went through, by its true values.

    limit: V per cell; above it a pack should be for a short time only.
    """

    limit: float = 9.0
    highest: float = 0.0
    lowest: float = 9.0
    fullest: float = 0.0
    charged_cold: float = 0.0  # the highest charge current below 0 °C, in A
    full_days: set[int] = field(default_factory=set)
    full_at: float | None = None  # s; when the pack first had 97 %
    coldest: float = 99.0
    longest_above: float = 0.0  # s without a break above the limit
    _above: float = 0.0
    _ccl: Reversals = field(default_factory=Reversals)

    @property
    def reversals(self) -> int:
        """How often CCL changed its direction, small moves left out."""
        return self._ccl.count

    def note(self, simulation: Simulation, limits: Limits, seconds: float) -> None:
        """Note one interval of so many seconds that has just ended."""
        pack, voltages = simulation.pack, simulation.pack.voltages
        self.highest = max(self.highest, *voltages)
        self.lowest = min(self.lowest, *voltages)
        self.fullest = max(self.fullest, pack.soc)
        self.coldest = min(self.coldest, *pack.temperatures)
        if min(pack.temperatures) < -0.5:
            self.charged_cold = max(self.charged_cold, pack.current)
        if pack.soc > 0.97:
            self.full_days.add(int(simulation.t // DAY))
            self.full_at = simulation.t if self.full_at is None else self.full_at
        self._above = self._above + seconds if max(voltages) > self.limit else 0.0
        self.longest_above = max(self.longest_above, self._above)
        if limits.ccl is not None:
            self._ccl.follow(limits.ccl)


Watcher = Callable[[Simulation, Bench], None]
"""Looks at the loop after each interval."""


def live(
    bench: Bench,
    pack: Pack,
    *,
    system: System | None = None,
    day: Day | None = None,
    start: float = 9 * HOUR,
    until: float,
    parts: Sequence[Part] = (),
    pace: Callable[[Pack], Pace] = as_needed,
    limit: float = 9.0,
    watch: Watcher = lambda simulation, bench: None,
) -> Life:
    """Let a pack live under the limits of a battery, which it feeds, from `start` to `until` (s
    after the first midnight). parts: what its meters get wrong. limit: V per cell, see `Life`.
    """
    simulation = Simulation(pack, system or System(), day or Day(), t=start)
    life = Life(limit)
    while simulation.t < until:
        now = pace(pack)
        limits = limits_of(bench)
        simulation.advance(now.interval, limits, step=now.step)
        bench.timer.run(now.interval)
        if said := measured(pack, simulation.t, parts):
            bench.batch(said)
        bench.battery.on_tick(bench.clock.now)
        life.note(simulation, limits, now.interval)
        watch(simulation, bench)
    return life


def limits_of(bench: Bench) -> Limits:
    """The limits on the bus."""
    return Limits(bench.cvl, bench.ccl, bench.dcl)  # type: ignore[arg-type]
