"""A pack in a world of constant currents, and a publisher that may repeat itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.pack.charger import Limits, System
from tests.pack.client import readings
from tests.pack.model import Pack, build
from tests.unit.doubles import Bench

STEP = 30.0  # s between two publications
GROUPS = {
    "cells": ("Voltages/", "System/MinCellVoltage", "System/MaxCellVoltage"),
    "dc": ("Dc/0/Voltage", "Dc/0/Current"),
    "soc": ("Soc",),
}


class Digits(NamedTuple):
    """The steps in which a BMS shows a cell (V), the pack (V), the current (A) and the SoC (%)."""

    cell: float = 0.001
    pack: float = 0.01
    current: float = 0.1
    soc: float = 0.1

    def of(self, path: str, value: float) -> float:
        """The value as this BMS shows it."""
        steps = {"Dc/0/Voltage": self.pack, "Dc/0/Current": self.current, "Soc": self.soc}
        step = self.cell if path.startswith("Voltages/") else steps.get(path)
        return value if step is None else round(round(value / step) * step, 3) + 0.0


FINE = Digits()


class Publisher:
    """Publishes a pack without permissions; what belongs to a group in `frozen` stands still."""

    def __init__(self, pack: Pack, without: Iterable[str], digits: Digits) -> None:
        self.pack = pack
        self.digits = digits
        self.frozen: tuple[str, ...] = ()
        self._without = ("Io/", *without)
        self._last: dict[str, float] = {}

    def frame(self) -> dict[str, float]:
        """What it publishes now."""
        fresh = {path: self.digits.of(path, v) for path, v in readings(self.pack).items()}
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


class World:
    """A pack and a battery. soc: 0 to 1; without: the groups that are not published at all.

    digits: of the publisher; spread: of the cells.
    """

    def __init__(
        self,
        soc: float,
        *,
        feed_in: bool = False,
        without: Iterable[str] = (),
        digits: Digits = FINE,
        spread: float = 1.0,
        step: float = STEP,
    ) -> None:
        self.pack = build(soc=soc, spread=spread)
        times = {"aging": 2 * step + 5, "stale": 4 * step, "lost": 20 * step}
        self.bench = Bench(freshness=times)
        self.publisher = Publisher(self.pack, [p for g in without for p in GROUPS[g]], digits)
        self._step = step
        self.most, self.least = soc, soc
        self.system = SharedSense(feed_in=feed_in)
        # CVL never goes below its floor, so it does not stop a charger that reads less than that.
        self.is_sense_shared = not feed_in or soc > 0.5

    def live(
        self,
        hours: float,
        sun: float = 0.0,
        load: float = 0.0,
        note: Callable[[], None] = lambda: None,
    ) -> None:
        """Hours with this sun and this load in A. note: called after each step."""
        for _ in range(round(hours * 3600 / self._step)):
            limits = Limits(self.bench.cvl, self.bench.ccl, self.bench.dcl)  # type: ignore[arg-type]
            volts = self.pack.voltage
            current = self.system.current(self.pack, limits, sun * volts, load * volts)
            self.pack.step(self._step, current, 20.0)
            self.most, self.least = max(self.most, self.charge), min(self.least, self.charge)
            if not -0.1 < self.charge < 1.1:
                return  # the model goes no further
            self.bench.clock.now += self._step
            frame = self.publisher.frame()
            self.bench.batch(frame)
            if self.is_sense_shared:
                self.system.published[:] = [frame["Dc/0/Voltage"]]
            self.bench.battery.on_tick(self.bench.clock.now)
            note()

    def restart(self) -> None:
        """The bridge is killed and starts again, within the same boot of the machine."""
        self.bench = Bench(self.bench.config, before=self.bench)

    @property
    def charge(self) -> float:
        """The true state of charge, 0 to 1, and beyond where the pack is overcharged."""
        return sum(c.charge for c in self.pack.cells) / sum(c.capacity for c in self.pack.cells)
