"""A publisher that repeats itself for ever, while chargers and loads go on.

The pack lives under the limits of a battery that it feeds. From some moment on, some of what it
publishes no longer changes. Then its true charge may not leave full and empty by more than 2 % of
its capacity.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest

from tests.pack.charger import Limits, System
from tests.pack.client import readings
from tests.pack.model import Pack, build
from tests.unit.doubles import Bench

FRESHNESS = {"aging": 65, "stale": 120, "lost": 600}
STEP = 30.0  # s between two publications
SPARE = 0.02  # share of the capacity
SUN, LOAD = 95.0, 95.0  # A
GROUPS = {
    "cells": ("Voltages/", "System/MinCellVoltage", "System/MaxCellVoltage"),
    "dc": ("Dc/0/Voltage", "Dc/0/Current"),
    "soc": ("Soc",),
}


class Publisher:
    """Publishes a pack without permissions; what belongs to a group in `frozen` stands still."""

    def __init__(self, pack: Pack, without: Iterable[str] = ()) -> None:
        self.pack = pack
        self.frozen: tuple[str, ...] = ()
        self._without = ("Io/", *without)
        self._last: dict[str, float] = {}

    def frame(self) -> dict[str, float]:
        """What it publishes now."""
        fresh = readings(self.pack)
        stands = tuple(path for group in self.frozen for path in GROUPS[group])
        for path, value in fresh.items():
            if path not in self._last or not path.startswith(stands or ("nothing",)):
                self._last[path] = value
        return {p: v for p, v in self._last.items() if not p.startswith(self._without)}


@dataclass(frozen=True)
class SharedSense(System):
    """Chargers that regulate by the voltage that the battery publishes, as shared voltage sense
    does on a GX: while that is below CVL, they give all they have."""

    published: list[float] = field(default_factory=list)  # V

    def _current_at(self, pack: Pack, cvl: float | None) -> float:
        is_below = bool(self.published) and self.published[-1] < (cvl or 0.0)
        return math.inf if is_below else super()._current_at(pack, cvl)


class Life:
    """A pack and a battery. soc: 0 to 1; without: the groups that are not published at all."""

    def __init__(
        self, soc: float, *, feed_in: bool = False, without: Iterable[str] = (), **config: object
    ) -> None:
        self.pack = build(soc=soc)
        self.bench = Bench(freshness=FRESHNESS, **config)
        self.publisher = Publisher(self.pack, [p for g in without for p in GROUPS[g]])
        self.most, self.least = soc, soc
        self.system = SharedSense(feed_in=feed_in)
        # CVL never goes below its floor, so it does not stop a charger that reads less than that.
        self.is_sense_shared = not feed_in or soc > 0.5

    def live(self, hours: float, sun: float = 0.0, load: float = 0.0) -> None:
        """Hours with this sun and this load in A."""
        for _ in range(round(hours * 3600 / STEP)):
            limits = Limits(self.bench.cvl, self.bench.ccl, self.bench.dcl)  # type: ignore[arg-type]
            volts = self.pack.voltage
            current = self.system.current(self.pack, limits, sun * volts, load * volts)
            self.pack.step(STEP, current, 20.0)
            self.most, self.least = max(self.most, self.charge), min(self.least, self.charge)
            if not -0.1 < self.charge < 1.1:
                return  # the model goes no further
            self.bench.clock.now += STEP
            frame = self.publisher.frame()
            self.bench.batch(frame)
            if self.is_sense_shared:
                self.system.published[:] = [frame["Dc/0/Voltage"]]
            self.bench.battery.on_tick(self.bench.clock.now)

    @property
    def charge(self) -> float:
        """The true state of charge, 0 to 1, and beyond where the pack is overcharged."""
        return sum(c.charge for c in self.pack.cells) / sum(c.capacity for c in self.pack.cells)


FROZEN = [("cells", "dc", "soc"), ("cells",), ("dc",), ("soc",)]


@pytest.mark.parametrize("without", [(), ("soc",)], ids=["with SoC", "without SoC"])
@pytest.mark.parametrize("frozen", FROZEN, ids="+".join)
@pytest.mark.parametrize("soc", [0.15, 0.6, 0.94])
@pytest.mark.parametrize("feed_in", [False, True], ids=["CCL", "feed-in"])
def test_no_frozen_publisher_has_the_pack_overcharged(
    feed_in: bool, soc: float, frozen: tuple[str, ...], without: tuple[str, ...]
) -> None:
    life = Life(soc, feed_in=feed_in, without=without)
    life.live(0.1, sun=SUN)
    life.publisher.frozen = frozen
    life.live(4 if soc < 0.5 else 2, sun=SUN)
    assert life.most <= 1 + SPARE


@pytest.mark.parametrize("without", [(), ("soc",)], ids=["with SoC", "without SoC"])
@pytest.mark.parametrize("frozen", FROZEN, ids="+".join)
@pytest.mark.parametrize("soc", [0.85, 0.4, 0.08])
def test_no_frozen_publisher_has_the_pack_overdischarged(
    soc: float, frozen: tuple[str, ...], without: tuple[str, ...]
) -> None:
    life = Life(soc, without=without)
    life.live(0.1, load=LOAD)
    life.publisher.frozen = frozen
    life.live(3.5 if soc > 0.5 else 2, load=LOAD)
    assert life.least >= -SPARE


def test_it_is_said_on_the_bus_in_the_state_and_by_an_alarm() -> None:
    life = Life(0.5)
    life.live(0.2)
    assert life.bench["/Freshness/Frozen"] is None
    life.publisher.frozen = ("cells",)
    life.live(0.1, load=LOAD)
    words = str(life.bench["/Freshness/Frozen"])
    assert words.startswith("the cells have not moved for 18 min while 8.")
    assert life.bench.state["frozen"] == words
    assert life.bench["/Alarms/BmsCable"] == 1
    assert life.bench["/Freshness/Stage"] == "fresh", "not yet more than suspect"
    life.publisher.frozen = ()
    life.live(0.1)
    assert life.bench["/Freshness/Frozen"] is None
    assert life.bench.state["frozen"] is None
