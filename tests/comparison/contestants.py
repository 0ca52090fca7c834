"""Who steers the pack: this bridge, the laws of other projects, and limits that never change.

All get the same maximum currents. Everything else is the default for LFP of each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from tests.pack.charger import Limits
from tests.pack.meters import Readings
from tests.peers.aggregate import Aggregate
from tests.peers.measured import Measured, measured_from
from tests.peers.serialbattery import Clamp, Serialbattery
from tests.unit.doubles import Bench

CHARGE, DISCHARGE = 100.0, 150.0  # A; those of config.yaml
CURRENTS = {
    "max_charge_current": CHARGE,
    "max_charge_current_above_cv1": 50.0,
    "max_charge_current_above_cv2": 10.0,
    "max_discharge_current": DISCHARGE,
}
AS_THE_OTHERS = {"cv1": 3.375, "cv2": 3.425, "max_cell_voltage": 3.45}  # V
CHARGE_VOLTAGE = 55.2  # V: 16 cells at 3.45 V, the CVL of all of them while nothing limits


class Contestant(Protocol):
    """Something that hears a BMS and gives limits. now: s, never falling.

    feeds_in: whether it leaves feed-in to the grid on, where the owner has it on.
    """

    feeds_in: bool

    def hear(self, readings: Readings, now: float) -> None: ...

    def tick(self, now: float) -> None: ...

    def limits(self) -> Limits: ...


class Bridge:
    """This project: the whole battery on doubles, fed by batches."""

    feeds_in = True

    def __init__(self, **limiter: float) -> None:
        """limiter: settings other than the default, by their names in the configuration."""
        self._bench = Bench(limiter={**CURRENTS, **limiter})
        self._now: float | None = None

    def hear(self, readings: Readings, now: float) -> None:
        self._move_to(now)
        self._bench.batch(readings)

    def tick(self, now: float) -> None:
        self._move_to(now)
        self._bench.battery.on_tick(self._bench.clock.now)
        self._bench.bus.signals.clear()  # a day of them is too much to keep
        self._bench.client.published.clear()

    def limits(self) -> Limits:
        bench = self._bench
        return Limits(bench.cvl, bench.ccl, bench.dcl)  # type: ignore[arg-type]

    def _move_to(self, now: float) -> None:
        self._bench.timer.run(0.0 if self._now is None else now - self._now)
        self._now = now


class _Law(Protocol):
    feeds_in: bool

    def hear(self, measured: Measured, now: float) -> None: ...

    def tick(self, now: float) -> None: ...

    def limits(self) -> Limits: ...


class Peer:
    """The law of another project."""

    def __init__(self, law: _Law) -> None:
        self._law = law

    @property
    def feeds_in(self) -> bool:
        return self._law.feeds_in

    def hear(self, readings: Readings, now: float) -> None:
        self._law.hear(measured_from(readings), now)

    def tick(self, now: float) -> None:
        self._law.tick(now)

    def limits(self) -> Limits:
        return self._law.limits()


class Fixed:
    """No limiter: what a GX does with three numbers that a person has set once."""

    feeds_in = True

    def hear(self, _readings: Readings, _now: float) -> None: ...

    def tick(self, _now: float) -> None: ...

    def limits(self) -> Limits:
        return Limits(CHARGE_VOLTAGE, CHARGE, DISCHARGE)


def _serialbattery(clamp: Clamp) -> Callable[[], Peer]:
    return lambda: Peer(Serialbattery(CHARGE, DISCHARGE, clamp))


class Entry(NamedTuple):
    """what: for the page. make: a new one, which has heard nothing yet."""

    what: str
    make: Callable[[], Contestant]


CONTESTANTS: Mapping[str, Entry] = {
    "this bridge": Entry(
        "the whole limiter, with its measurements and their freshness, as it runs on a GX", Bridge
    ),
    "this bridge, 3.45 V": Entry(
        "the same with `cv1: 3.375`, `cv2: 3.425` and `max_cell_voltage: 3.45`, because the two "
        "others act from 3.45 V on",
        lambda: Bridge(**AS_THE_OTHERS),
    ),
    "serialbattery": Entry(
        "the law of dbus-serialbattery (commit 358d3c7) with its default, "
        "`CVL_CONTROLLER_MODE = 1`",
        _serialbattery(Clamp.PENALTY),
    ),
    "serialbattery, mode 2": Entry(
        "the same with `CVL_CONTROLLER_MODE = 2`: CVL falls on while a cell is too high",
        _serialbattery(Clamp.INTEGRAL),
    ),
    # April: the month in which its charge voltage is that of the others.
    "aggregate": Entry(
        "the law of dbus-aggregate-batteries (commit 01311d3) with "
        "`OWN_CHARGE_PARAMETERS = True`, in April",
        lambda: Peer(Aggregate(CHARGE, DISCHARGE, month=4)),
    ),
    "fixed limits": Entry("no limiter: 55.2 V, 100 A and 150 A all day", Fixed),
}
