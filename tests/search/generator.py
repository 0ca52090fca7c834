"""Random scripts that find things: several paces, glitches, silence, nulls, settings, requests.

A script has a few publishers, each with its own paths and pace, and events between their writes.
Everything follows from the seed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from bridge.core.settings import declarations as kinds
from bridge.core.settings.presets import PRESETS
from bridge.core.settings.setting_paths import SETTINGS, Setting
from tests.search.script import Batch, Dbus, Kept, Mqtt, Reboot, Restart, Script, Step, Wait
from tests.search.written import (
    CCL,
    CHARGE_FLAGS,
    CURRENT,
    CVL,
    DCL,
    DISCHARGE_FLAGS,
    FORGET,
    HIGHEST,
    LOWEST,
    MOSFET,
    SOC,
    TEMPERATURES,
    VOLTAGE,
    cell_path,
)

GROUPS = ("cells", "dc", "soc", "temperature", "flags")
_TEMPTING = (
    *(path for path in SETTINGS if path.split("/")[2] in ("Freshness", "Failsafe", "Plausibility")),
    *("/Settings/Limiter/MaxChargeCurrent", "/Settings/Limiter/MaxDischargeCurrent") * 5,
)
"""The settings with which a client might try to get more."""

GARBAGE = ("nan", "NaN", "unknown", "", "{", "5.2.1", "true", "[]", "-1", "9999", '{"x": 1}')


def script_of(seed: int, length: int = 200) -> Script:
    """The script of a seed, with about so many steps."""
    random = Random(seed)
    config = _configuration(random)
    author = _Author(random, config)
    while len(author.steps) < length:
        author.go_on()
    return Script(config, tuple(author.steps[:length]))


def _configuration(random: Random) -> dict[str, Any]:
    chemistry = random.choice(("lfp", "lfp", "lfp", "lto", "nmc"))
    aging = random.choice((3, 10, 15, 30))
    stale = aging + random.choice((0, 5, 45))
    limiter: dict[str, Any] = {
        "max_charge_current": 100,
        "max_charge_current_above_cv1": 50,
        "max_charge_current_above_cv2": 10,
        "max_discharge_current": 150,
        "current_hold": random.choice((0, 3, 30)),
        "current_rise": random.choice((0.05, 0.5, 1.0)),
        "voltage_hold": random.choice((0, 5, 60)),
        "voltage_rise": random.choice((0.01, 0.5)),
    }
    _perhaps(random, limiter, "taper", "linear")
    _perhaps(random, limiter, "charge_soc", [[80, 1], [90, 0.5], [100, 0.1]])
    _perhaps(random, limiter, "discharge_soc", [[5, 0], [20, 1]])
    _perhaps(random, limiter, "mosfet_temperature", [[70, 1], [80, 0.25], [90, 0]])
    _perhaps(random, limiter, "imbalance", [[0.05, 1], [0.1, 0.3], [0.2, 0.02]])
    _perhaps(random, limiter, "block_release", random.choice((5, 20)))
    _perhaps(random, limiter, "slide", "on")
    if random.random() < 0.3:
        least = PRESETS[chemistry]["min_cell_voltage"]
        limiter |= {"dv1": least + 0.2, "max_discharge_current_below_dv1": 75}
        limiter |= {"dv2": least + 0.1, "max_discharge_current_below_dv2": 20}
    config: dict[str, Any] = {
        "cells": random.choice((2, 2, 3, 4)),
        "chemistry": chemistry,
        "ceiling": {
            "charge_current": random.choice((100, 200)),
            "discharge_current": random.choice((150, 250)),
        },
        "limiter": limiter,
        "freshness": {
            "aging": aging,
            "stale": stale,
            "lost": stale + random.choice((0, 30, 500)),
            "grace": random.choice((0, 10, 60)),
            "on_lost": random.choice(("hold", "hold", "withdraw")),
            "required": random.choice(
                (["cells", "dc"], ["cells", "dc"], ["dc"], ["cells"], ["cells", "dc", "flags"])
            ),
        },
        "failsafe": {
            "charge_current": random.choice((0, 0, 5)),
            "discharge_current": random.choice((0, 0, 20)),
        },
        "plausibility": {"cell_voltage_step": random.choice((0, 0.5, 0.5, 0.1))},
    }
    return config


def _perhaps(random: Random, section: dict[str, Any], name: str, value: Any) -> None:
    if random.random() < 0.25:
        section[name] = value


@dataclass
class _Publisher:
    """A client that writes some paths. pace, due, quiet_until: s since the script's start."""

    paths: tuple[str, ...]
    pace: float
    due: float
    way: str
    quiet_until: float = 0.0
    glitches: float = 0.0
    stuck: dict[str, Any] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    is_rival: bool = False


class _Author:
    """Writes a script: the battery's true values, its publishers, and what happens to them."""

    def __init__(self, random: Random, config: dict[str, Any]) -> None:
        self.random = random
        self.steps: list[Step] = []
        self.cells: int = config["cells"]
        self.preset = PRESETS[config["chemistry"]]
        self.t = 0.0
        self.asked: set[str] = set()
        self.level = self._usual()
        self.soc, self.degrees = 50.0, 20.0
        self.aging: float = config["freshness"]["aging"]
        self.stale: float = config["freshness"]["stale"]
        self.publishers = self._publishers()
        self.events: tuple[tuple[int, Callable[[], None]], ...] = (
            (12, self._calm_down),
            (8, self._move_cells),
            (2, self._rest_when_empty),
            (3, self._lose_a_path),
            (6, self._silence),
            (5, self._set),
            (7, self._request),
            (4, self._flag),
            (3, self._glitch),
            (2, self._null),
            (2, self._wait_long),
            (2, self._longer_times),
            (1, self._garbage),
            (2, self._weather),
            (1, self._restart),
            (1, self._forget),
            (1, self._rival),
            (1, self._kept),
        )

    def go_on(self) -> None:
        """The next event or publication."""
        if self.random.random() < 0.15:
            weights = [weight for weight, _ in self.events]
            self.random.choices([event for _, event in self.events], weights)[0]()
            return
        talking = [p for p in self.publishers if p.quiet_until <= self.t]
        due = min((p.due for p in talking), default=self.t + 5.0)
        if due > self.t:
            self._wait(min(due - self.t, self.random.choice((1.0, 1.0, 1.0, 5.0, 60.0))))
            return
        for publisher in talking:
            if publisher.due <= self.t:
                publisher.due = self.t + publisher.pace
                self._publish(publisher)

    # --- publishers ------------------------------------------------------------------------

    def _publishers(self) -> list[_Publisher]:
        r, singles = self.random, tuple(cell_path(n) for n in range(1, self.cells + 1))
        extremes = (LOWEST, HIGHEST)
        cells = r.choice((singles, singles, extremes, (*singles, *extremes)))
        others = tuple(
            path
            for path in (SOC, *TEMPERATURES, MOSFET, *CHARGE_FLAGS, *DISCHARGE_FLAGS)
            if r.random() < 0.3
        )
        parts = r.choice(
            (
                [(*cells, VOLTAGE, CURRENT, *others)],
                [(*cells, VOLTAGE, CURRENT), others],
                [cells, (VOLTAGE, CURRENT), others],
                [(*cells, *others), (VOLTAGE, CURRENT)],
            )
        )
        pace = r.choice((1.0, 1.0, 2.0, 5.0, self.aging - 1, self.aging + 5, self.stale - 1))
        made = []
        for number, paths in enumerate(p for p in parts if p):
            own = r.choice((pace, pace, pace * 2, 1.0))
            start = number * pace / 2 if r.random() < 0.5 else r.uniform(0, pace)
            way = r.choice(("batch", "batch", "mqtt", "dbus", "both"))
            made.append(_Publisher(paths, max(1.0, own), round(start, 1), way))
        return made

    def _publish(self, publisher: _Publisher) -> None:
        values = {path: self._value(path) for path in publisher.paths} | publisher.stuck
        values = {path: value for path, value in values.items() if path not in publisher.lost}
        if publisher.glitches and self.random.random() < publisher.glitches:
            path = self.random.choice(publisher.paths)
            values[path] = self.random.choice((0.0, 5.2, 655.35, 0.7, 160, None, 4.9))
        if publisher.way == "batch" and values:
            self.steps.append(Batch(values))
            return
        for path, value in values.items():
            if publisher.way != "dbus":
                self.steps.append(Mqtt(path, json.dumps({"value": value})))
            if publisher.way != "mqtt":
                self.steps.append(Dbus(path, value))

    def _usual(self) -> list[float]:
        middle = (self.preset["min_charge_voltage"] + self.preset["cv1"]) / 2
        return [round(middle + self.random.uniform(-0.005, 0.005), 3) for _ in range(self.cells)]

    def _value(self, path: str) -> Any:
        noise = self.random.choice((0.0, 0.0, 0.001))
        if path == VOLTAGE:
            return round(sum(self.level) + noise, 2)
        if path == CURRENT:
            return self.random.choice((-10.0, 0.0, 20.0))
        if path == SOC:
            return self.soc
        if path in TEMPERATURES or path == MOSFET:
            return self.degrees
        if path in (LOWEST, HIGHEST):
            return min(self.level) if path == LOWEST else max(self.level)
        if "AllowTo" in path:
            return 1
        if "NrOf" in path:
            return 0
        return self.level[int(path.removeprefix("/Voltages/Cell")) - 1]

    # --- events ----------------------------------------------------------------------------

    def _wait(self, seconds: float) -> None:
        seconds = round(max(0.1, seconds), 2)
        self.steps.append(Wait(seconds))
        self.t = round(self.t + seconds, 2)

    def _calm_down(self) -> None:
        """All is well again: from there the next event can do most harm."""
        self.level, self.soc, self.degrees = self._usual(), 50.0, 20.0
        self.publishers = [publisher for publisher in self.publishers if not publisher.is_rival]
        for publisher in self.publishers:
            publisher.quiet_until = publisher.glitches = 0.0
            publisher.stuck.clear()
            publisher.lost.clear()
        for limit in self.asked:
            self._write_one(limit, "off")
        self.asked.clear()

    def _wait_long(self) -> None:
        length = self.random.choice((self.aging, self.stale + 1, 90.0, 700.0))
        if self.random.random() < 0.5:
            self._wait(length)
            return
        for _ in range(8):
            self._wait(length / 8)

    def _move_cells(self) -> None:
        p, r = self.preset, self.random
        targets = [
            p[name] + r.choice((-0.01, 0.0, 0.01))
            for name in ("cv1", "cv2", "max_cell_voltage", "cell_overvoltage", "min_cell_voltage",
                         "discharge_voltage", "charge_voltage")
        ]  # fmt: skip
        targets += [p["min_cell_voltage"] + 0.15, p["cell_overvoltage"] + 0.15]
        targets += [low for low, _ in p["low_cell_charge"]]
        target = round(r.choice(targets), 3)
        kind = r.random()
        if kind < 0.4:
            self.level = self._usual()
        elif kind < 0.7:
            self.level[r.randrange(self.cells)] = target
        else:
            self.level = [target] * self.cells

    def _rest_when_empty(self) -> None:
        """A cell is at its end, and rises a little when the load has stopped."""
        self.level[0] = round(self.preset["min_cell_voltage"] - 0.01, 3)
        self._publish_all()
        self._wait(1.0)
        self.level[0] = round(self.preset["min_cell_voltage"] + 0.05, 3)
        self._publish_all()

    def _publish_all(self) -> None:
        for publisher in self.publishers:
            if publisher.quiet_until <= self.t:
                self._publish(publisher)

    def _lose_a_path(self) -> None:
        """A publisher leaves a path out from now on, or sends again what it had left out."""
        publisher = self.random.choice(self.publishers)
        if publisher.lost:
            publisher.lost.clear()
        else:
            publisher.lost.add(self.random.choice(publisher.paths))

    def _weather(self) -> None:
        self.soc = self.random.choice((0.0, 3.0, 19.0, 50.0, 79.0, 91.0, 96.0, 100.0))
        self.degrees = self.random.choice((-25.0, -5.0, 1.0, 4.0, 20.0, 20.0, 44.0, 52.0, 75.0))

    def _silence(self) -> None:
        publisher = self.random.choice(self.publishers)
        length = self.random.choice((self.aging + 1, self.stale + 1, self.stale * 2, 700.0, 3e3))
        publisher.quiet_until = self.t + length

    def _glitch(self) -> None:
        publisher = self.random.choice(self.publishers)
        publisher.glitches = self.random.choice((0.0, 0.0, 0.1, 0.5, 1.0))

    def _null(self) -> None:
        publisher = self.random.choice(self.publishers)
        self._write_one(self.random.choice(publisher.paths), None)

    def _flag(self) -> None:
        path = self.random.choice((*CHARGE_FLAGS, *DISCHARGE_FLAGS))
        raw: Any = self.random.choice((0, 1, 0, 1, True, False, "ON", "OFF", None, 2, "x"))
        self._write_one(path, raw)
        if self.random.random() < 0.3:
            for publisher in self.publishers:
                if path in publisher.paths:
                    publisher.stuck[path] = raw

    def _rival(self) -> None:
        """A second writer on a path that somebody writes."""
        paths = self.random.choice(self.publishers).paths[:1]
        pace = self.random.choice((0.5, 1.0, 1.3))
        value = round(self.preset["charge_voltage"] + 0.12, 3)
        stuck = {path: value for path in paths if path.startswith("/Voltages")}
        self.publishers.append(_Publisher(paths, pace, self.t, "mqtt", stuck=stuck, is_rival=True))

    def _request(self) -> None:
        r = self.random
        limit = r.choice((CCL, CCL, DCL, CVL))
        volts = [self.preset["charge_voltage"] * self.cells - 0.3, 0.0, 5.0 * self.cells]
        amps = [0.0, 0.0, 5.0, 40.0, 5000.0]
        raw: Any = r.choice((None, "off", "x", *(volts if limit == CVL else amps)))
        self._write_one(limit, raw)
        self.asked.add(limit)

    def _write_one(self, path: str, raw: Any) -> None:
        way = self.random.choice(("mqtt", "dbus", "batch"))
        if way == "mqtt":
            self.steps.append(Mqtt(path, json.dumps({"value": raw})))
        elif way == "dbus":
            self.steps.append(Dbus(path, raw))
        else:
            self.steps.append(Batch({path: raw}))

    def _set(self) -> None:
        """One setting or several, random or extreme."""
        names = self.random.sample(sorted(SETTINGS), self.random.choice((1, 1, 1, 2, 5)))
        if self.random.random() < 0.5:
            names = [self.random.choice(_TEMPTING)]
        writes = {path: _some_value(SETTINGS[path], self.random) for path in names}
        if self.random.random() < 0.1:
            writes = {"/Settings/Restore": "all"}
        if len(writes) > 1 or self.random.random() < 0.5:
            self.steps.append(Batch(writes))
        else:
            ((path, raw),) = writes.items()
            self.steps.append(Dbus(path, raw))

    def _longer_times(self) -> None:
        """A client that is slow asks for longer times, or takes that back."""
        times = {"Aging": 250.0, "Stale": 300.0, "Lost": 900.0}
        if self.random.random() < 0.3:
            times = {"Aging": self.aging, "Stale": self.stale}
        self.steps.append(Batch({f"/Settings/Freshness/{name}": s for name, s in times.items()}))

    def _garbage(self) -> None:
        paths = self.random.choice(self.publishers).paths
        path = self.random.choice((*paths, CCL, CVL, FORGET, *CHARGE_FLAGS, *SETTINGS))
        self.steps.append(Mqtt(path, self.random.choice(GARBAGE)))

    def _kept(self) -> None:
        names = self.random.sample(sorted(SETTINGS), self.random.choice((0, 1, 3)))
        text = {
            SETTINGS[path].key: {"value": _some_value(SETTINGS[path], self.random)}
            for path in names
        }
        self.steps.append(Kept(json.dumps(text)))

    def _restart(self) -> None:
        if self.random.random() < 0.2:
            self.steps.append(Reboot())
            self.t += 60.0
            return
        for _ in range(self.random.choice((1, 1, 4))):
            gap = self.random.choice((0.5, 3.0, 7.0, 50.0))
            self.steps.append(Restart(gap))
            self.t = round(self.t + gap, 2)
            if self.random.random() < 0.5:
                self._wait(1.0)

    def _forget(self) -> None:
        paths = self.random.choice(self.publishers).paths
        what = self.random.choice((*GROUPS, *paths, "flags", *CHARGE_FLAGS))
        self._write_one(FORGET, what)


def _some_value(setting: Setting, random: Random) -> Any:
    """A value of a setting: the file's kind of value, an extreme one, or off."""
    spec = setting.spec
    if spec.kind == kinds.NUMBER:
        ends = [spec.low, spec.high, spec.high]
        if setting.may_be_off:
            ends.append("off")  # type: ignore[arg-type]
        if spec.unit == "s":
            ends += [0.0, 5.0, 20.0, 200.0, 300.0, 300.0, 86400.0]
        if spec.unit in ("A", "V", "1/s", "V/s", "%", ""):
            ends += [round(random.uniform(spec.low, min(spec.high, 200.0)), 3) for _ in range(3)]
        return random.choice(ends)
    if spec.kind == kinds.CHOICE:
        return random.choice(spec.choices)
    if spec.kind == kinds.GROUPS:
        return random.choice((["soc"], ["dc"], ["cells", "dc"], ["flags"], ["cells"], "off"))
    if spec.kind == kinds.TABLE:
        low, high = spec.low, spec.high
        y = [round(random.uniform(spec.y_low, spec.y_high), 2) for _ in range(3)]
        tables: list[Any] = [
            "off",
            [[low, spec.y_high], [high, spec.y_high]],
            [[low, spec.y_low], [high, spec.y_low]],
            [[low, y[0]], [(low + high) / 2, y[1]], [high, y[2]]],
        ]
        return random.choice(tables)
    level = round(random.uniform(spec.low, spec.high), 2)
    return random.choice(("off", [level, level]))
