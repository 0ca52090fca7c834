"""A write touches only what depends on it, and the result is what a full computation gives.

Random lives of a battery: after each signal everything is computed again from what was written,
and must be the same to the last bit.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from doubles import Bench
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.core.limiter.caps import PackState
from bridge.core.model import Date, Value
from bridge.core.outputs.alarms import Alarms
from bridge.core.outputs.bus_values import BusValues
from bridge.core.packs.pack import PackView

VOLTS = [3.3, 3.25, 3.39, 3.4, 3.45, 3.46, 3.5, 3.51, 3.55, 3.7, 3.1, 3.0, 2.9, 2.8, 2.5, 0.0, 9.0]
DEGREES = [20, 9.9, 5, 2, 0, -5, -20, 41, 50, 55, 85, None]
SOCS = [50, 0, 4, 10, 40, 45, 80, 90, 96, 100, None]
LIMITER = {
    "max_charge_current": 100,
    "max_discharge_current": 150,
    "dv1": 3.1,
    "max_discharge_current_below_dv1": 75,
    "charge_soc": [[80, 1], [90, 0.5], [98, 0.1]],
    "mosfet_temperature": [[70, 1], [80, 0.25], [90, 0]],
    "imbalance": [[0.05, 1], [0.1, 0.3], [0.2, 0.02]],
    "maintain_soc_by_month": [[3, 0], [11, 40]],
    "absorption_voltage": 3.5,
    "absorption_time": 20,
    "block_release": 10,
    "slide": "on",
}
TIMES = {"aging": 3, "stale": 8, "lost": 20, "grace": 10, "clear": 5}


def a_write(random: Random, cells: int) -> tuple[str, Any]:
    """One write of any kind, valid or not."""
    cell = random.randint(1, cells)
    volts = random.choice([*VOLTS, None, "NaN"])
    of_pack = volts * cells if isinstance(volts, float) else volts
    return random.choice(
        [
            (f"/Voltages/Cell{cell}", volts),
            (f"/Voltages/Cell{cell}", random.choice(VOLTS[:6])),
            (f"/Balances/Cell{cell}", random.choice([0, 1, None])),
            ("/Dc/0/Voltage", of_pack),
            ("/Dc/0/Current", random.choice([-10, 0, 5, 200, None])),
            ("/Soc", random.choice(SOCS)),
            ("/Dc/0/Temperature", random.choice(DEGREES)),
            ("/System/MinCellTemperature", random.choice(DEGREES)),
            ("/System/MOSTemperature", random.choice(DEGREES)),
            ("/System/MinCellVoltage", volts),
            ("/System/MaxCellVoltage", volts),
            ("/Io/AllowToCharge", random.choice([0, 1, None])),
            ("/System/NrOfModulesBlockingDischarge", random.choice([0, 2, None])),
            ("/Alarms/HighCellVoltage", random.choice([0, 1, 2, None])),
            ("/Info/ChargeRequest", random.choice([0, 1, None])),
            ("/InstalledCapacity", random.choice([100, 280, None])),
            ("/Voltages/Sum", random.choice([13.2, None])),
            ("/Info/MaxChargeCurrent", random.choice([0, 40, 1000, None])),
            ("/Freshness/Forget", random.choice(["soc", "cells", "temperature"])),
            ("/CustomName", random.choice(["a", "b"])),
            ("/Settings/Freshness/Stale", random.choice([8, 5, 15])),
            ("/Settings/Freshness/Keep", random.choice(["soc", "off"])),
            ("/Settings/Limiter/Cv1", random.choice([3.38, 3.4])),
            ("/Settings/Alarms/HighCellVoltage", random.choice(["off", "[3.5, 3.6]"])),
        ]
    )


class Twin:
    """A battery, and beside it everything computed in full."""

    def __init__(self, cells: int, date: Date | None) -> None:
        self.bench = Bench(cells=cells, limiter=LIMITER, freshness=TIMES, today=date)
        self.alarms = Alarms()
        publisher = self.bench.battery._publisher
        update = publisher._alarms.update

        def update_both(*arguments: Any) -> None:
            self.alarms._before = None  # so it looks at every alarm
            self.alarms.update(*arguments)
            update(*arguments)

        publisher._alarms.update = update_both
        self.pack = self.bench.battery._control.pack
        self.assess = self.pack.assess
        self.pack.assess = self.assess_anew

    def assess_anew(self, now: float, date: Date | None) -> PackView:
        """Assess twice: with every cap found again, the caps and their order are the same."""
        kept, before = self.assess(now, date), self.pack._state
        self.pack._state = PackState(before.latches)
        anew = self.assess(now, date)
        self.pack._state = before
        for limit, caps in kept.allowed.caps.items():
            assert list(caps.items()) == list(anew.allowed.caps[limit].items())
        assert kept.allowed.latches == anew.allowed.latches
        assert kept.freshness == anew.freshness
        return kept

    def check(self) -> None:
        """Compare what stands with what follows from all that was written."""
        bench = self.bench
        publisher, control = bench.battery._publisher, bench.battery._control
        assert publisher._alarms.levels == self.alarms.levels
        assert control.last is not None
        store, now = control.pack._store, control.last.state.at
        keep = control.config.freshness.keep
        readings = store.readings(now)
        shown: dict[str, Value] = {}
        fresh: dict[str, float] = {}
        older: dict[str, float] = {}  # cells for which the extremes stand in
        stood_in = {path for s in store.replaceable if s.stands_in for path in s.own_paths}
        for path, at in store.at.items():
            life = store.sources[path].shelf_life
            is_fresh = now - at <= (life.single_cells if path in stood_in else life.stale)
            value = store.shown.get(path)
            if value is not None and (is_fresh or store.groups[path] in (None, *keep)):
                shown[path] = value
            number = store._values[path]
            if is_fresh and isinstance(number, (int, float)):
                is_older = path in stood_in and now - at > life.aging
                (older if is_older else fresh)[path] = float(number)
        for source, reading in readings.items():
            expected = source.read(fresh, source.paths_of(bench.config.cells))
            if source.widen and older:
                expected = source.widen(expected, list(older.values()))
            assert expected == reading, source
        if publisher._has_writes:
            return  # what is still being gathered stands nowhere yet
        assert {p: v for p, v in control.pack.on_display.items() if v is not None} == shown
        full = BusValues(bench.battery.paths, bench.config.cells)
        view = control.last.pack
        full.update(
            {**publisher._constants, **shown},
            control.last.decision,
            view.freshness,
            {**self.alarms.levels, "/Alarms/BmsCable": view.freshness.alarm},
            control.limiter,
            control.config.freshness.aging,
        )
        full.put(control.settings.on_bus)
        assert valid(bench.battery.values()) == valid(full.values)
        assert valid(bench.bus.values) == valid(full.values)


def valid(values: dict[str, Value]) -> dict[str, Value]:
    return {path: value for path, value in values.items() if value is not None}


@pytest.mark.parametrize("date", [None, Date(2026, 12)])
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_the_bus_shows_what_a_full_computation_gives(seed: int, date: Date | None) -> None:
    random = Random(seed)
    cells = random.choice([1, 4])
    twin = Twin(cells, date)
    bench = twin.bench
    for _ in range(60):
        kind = random.random()
        if kind < 0.5:
            path, value = a_write(random, cells)
            bench.mqtt(path, json.dumps({"value": value}))
        elif kind < 0.6:
            bench.batch(dict(a_write(random, cells) for _ in range(4)))
        elif kind < 0.8:
            bench.feed(cell=3.3 + random.random() / 10)
        else:
            bench.pass_time(random.choice([1, 1, 2, 5, 12]))
        twin.check()
