"""One contestant through one scenario, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from tests.comparison.contestants import Contestant
from tests.comparison.scenarios import HOUR, Scenario, weak_cell_pack
from tests.pack.charger import Limits, System
from tests.pack.meters import measured
from tests.pack.model import Pack
from tests.pack.reversals import Reversals
from tests.pack.simulation import Simulation

FULL = 0.99  # of the capacity of the fullest cell: from there on only balancing can add to the pack
TOO_HIGH = 3.505  # V: 5 mV above max_cell_voltage of this bridge, for all

TRACE_INTERVAL = 1 / 30  # h

CALM = 3.15, 3.37  # V: while all cells are between these, a BMS message each 5 s is enough
CLOSE_INTERVAL, CALM_INTERVAL = 1, 5  # s


@dataclass
class Outcome:
    """What a pack went through.

    highest, lowest: V of a true cell. too_high: s. full_after, lost_after: h, None: never. trace:
    (h, V), the highest cell of each TRACE_INTERVAL.
    """

    highest: float = 0.0
    lowest: float = 9.0
    too_high: float = 0.0
    full_after: float | None = None
    lost_after: float | None = None
    trace: list[tuple[float, float]] = field(default_factory=list)
    _reversals: Reversals = field(default_factory=Reversals)

    @property
    def reversals(self) -> int:
        return self._reversals.count

    def note(self, pack: Pack, limits: Limits, hours: float) -> None:
        """One second that ended so many hours after the start."""
        voltages = pack.voltages
        self.highest = max(self.highest, *voltages)
        self.lowest = min(self.lowest, *voltages)
        self.too_high += 1.0 if max(voltages) > TOO_HIGH else 0.0
        if self.full_after is None and max(cell.soc for cell in pack.cells) >= FULL:
            self.full_after = hours
        if None in (limits.cvl, limits.ccl, limits.dcl):
            self.lost_after = hours if self.lost_after is None else self.lost_after
        if limits.ccl is not None:
            self._reversals.follow(limits.ccl)
        self._draw(hours, max(voltages))

    def _draw(self, hours: float, highest: float) -> None:
        if not self.trace or hours - self.trace[-1][0] >= TRACE_INTERVAL:
            self.trace.append((hours, highest))
        start, before = self.trace[-1]
        self.trace[-1] = start, max(before, highest)


def live(scenario: Scenario, contestant: Contestant) -> Outcome:
    """Let a contestant steer the pack through the scenario. It hears the BMS before the start."""
    begin = scenario.begin * HOUR
    simulation = Simulation(weak_cell_pack(scenario.soc), scenario.system, scenario.day, t=begin)
    outcome, meters = Outcome(), scenario.meters()
    interval = CLOSE_INTERVAL
    while simulation.t < begin + scenario.hours * HOUR:
        if said := measured(simulation.pack, simulation.t, meters):
            contestant.hear(said, simulation.t)
        for _ in range(interval):
            contestant.tick(simulation.t)
            limits = contestant.limits()
            simulation.system = _system(scenario, contestant)
            simulation.advance(1.0, limits)
            outcome.note(simulation.pack, limits, (simulation.t - begin) / HOUR)
        interval = _interval(simulation.pack)
    return outcome


def _system(scenario: Scenario, contestant: Contestant) -> System:
    system = scenario.system
    return system if contestant.feeds_in else replace(system, feed_in=False)


def _interval(pack: Pack) -> int:
    lowest, highest = CALM
    voltages = pack.voltages
    is_calm = lowest < min(voltages) and max(voltages) < highest
    return CALM_INTERVAL if is_calm else CLOSE_INTERVAL
