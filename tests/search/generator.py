"""Random scripts that find things: several paces, glitches, silence, lies, settings, requests.

A script has a few publishers, each with its own paths and pace, and events between their writes.
Everything follows from the seed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from bridge.core.settings.presets import PRESETS
from bridge.core.settings.setting_paths import SETTINGS
from tests.search.configurations import random_configuration, some_value
from tests.search.misreports import MISREPORTS, Misreport
from tests.search.script import (
    MEMORY,
    Batch,
    Dbus,
    Kept,
    Memory,
    Mqtt,
    Reboot,
    Restart,
    Script,
    Step,
    Wait,
    WallClock,
)
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

THEMES = ("lies", "silence", "settings", "requests", "restarts", "everything")
MORE_OF_THEME = 5
TURNS = 8  # each is up and down again

GARBAGE = ("nan", "NaN", "unknown", "", "{", "5.2.1", "true", "[]", "-1", "9999", '{"x": 1}')


def script_of(seed: int, length: int = 200, theme: str = "") -> Script:
    """The script of a seed, with so many steps. theme: of which more happens; "": any."""
    random = Random(seed)
    config = random_configuration(random)
    author = _Author(random, config, theme)
    while len(author.steps) < length:
        author.go_on()
    return Script(config, tuple(author.steps[:length]), tuple(author.misreports))


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
    misreport: Misreport | None = None


class _Author:
    """Writes a script: the battery's true values, its publishers, and what happens to them."""

    def __init__(self, random: Random, config: dict[str, Any], theme: str) -> None:
        self.random = random
        self.steps: list[Step] = []
        self.cells: int = config["cells"]
        self.preset = PRESETS[config["chemistry"]]
        self.t = 0.0
        self.asked: set[str] = set()
        self.misreports: list[str] = []
        self.level = self._usual()
        self.soc, self.degrees = 50.0, 20.0
        self.aging: float = config["freshness"]["aging"]
        self.stale: float = config["freshness"]["stale"]
        self.publishers = self._publishers()
        theme = theme or random.choice(THEMES)
        self.events = [event for _, _, event in self._events()]
        self.weights = [
            weight * (MORE_OF_THEME if theme in themes.split() else 1)
            for weight, themes, _ in self._events()
        ]

    def _events(self) -> tuple[tuple[int, str, Callable[[], None]], ...]:
        """What can happen: how often, and of which themes it is."""
        return (
            (12, "", self._calm_down),
            (8, "lies", self._move_cells),
            (2, "", self._rest_when_empty),
            (3, "silence", self._lose_a_path),
            (6, "silence", self._silence),
            (5, "settings", self._set),
            (7, "requests", self._request),
            (4, "", self._flag),
            (3, "silence", self._glitch),
            (2, "silence", self._null),
            (2, "", self._wait_long),
            (2, "settings", self._longer_times),
            (1, "", self._garbage),
            (2, "lies", self._weather),
            (1, "restarts", self._restart),
            (1, "settings", self._forget),
            (1, "lies", self._rival),
            (1, "settings", self._kept),
            (3, "lies", self._misreport),
            (1, "requests", self._set_wall_clock),
            (1, "restarts", self._spoil_memory),
            (1, "requests restarts", self._boot_after_a_request),
        )

    def go_on(self) -> None:
        """The next event or publication."""
        if self.random.random() < 0.15:
            self.random.choices(self.events, self.weights)[0]()
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
        if publisher.misreport is not None:
            values = publisher.misreport(values)
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
        for publisher in self.publishers:
            publisher.quiet_until = publisher.glitches = 0.0
            publisher.stuck.clear()
            publisher.lost.clear()
            publisher.misreport = None
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
        """A second writer of one cell, in turns with all others for a while."""
        cells = [p for publisher in self.publishers for p in publisher.paths if _is_single(p)]
        high = round(self.preset["charge_voltage"] + 0.12, 3)
        for _ in range(TURNS if cells else 0):
            self._write_one(cells[0], high)
            self._wait(self.random.choice((0.5, 1.0, 1.3)))
            self._publish_all()

    def _request(self) -> None:
        r = self.random
        limit = r.choice((CCL, CCL, DCL, CVL))
        volts = [self.preset["charge_voltage"] * self.cells - 0.3, 0.0, 5.0 * self.cells]
        amps = [0.0, 0.0, 5.0, 40.0, 5000.0]
        raw: Any = r.choice((None, "off", "x", *(volts if limit == CVL else amps)))
        if r.random() < 0.4:
            raw = {"value": raw, "expires": r.choice((1, 5.0, 20, 90, 90, 0.5, -1, None, "x"))}
        self._write_one(limit, raw)
        if r.random() < 0.3:
            self._wait(r.choice((0.1, 1.9, 6.0, 21.0)))
            if isinstance(raw, dict):  # again, and this time without an end
                self._write_one(limit, raw["value"])
        self.asked.add(limit)

    def _write_one(self, path: str, raw: Any) -> None:
        way = self.random.choice(("mqtt", "dbus", "batch"))
        is_object = isinstance(raw, dict)
        if way == "mqtt":
            self.steps.append(Mqtt(path, json.dumps(raw if is_object else {"value": raw})))
        elif way == "dbus":
            self.steps.append(Dbus(path, json.dumps(raw) if is_object else raw))
        else:
            self.steps.append(Batch({path: raw}))

    def _set(self) -> None:
        """One setting or several, random or extreme."""
        names = self.random.sample(sorted(SETTINGS), self.random.choice((1, 1, 1, 2, 5)))
        if self.random.random() < 0.5:
            names = [self.random.choice(_TEMPTING)]
        writes = {path: some_value(SETTINGS[path], self.random) for path in names}
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
            SETTINGS[path].key: {"value": some_value(SETTINGS[path], self.random)} for path in names
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

    def _misreport(self) -> None:
        """A publisher misreports from now on."""
        publisher = self.random.choice(self.publishers)
        name = self.random.choice(list(MISREPORTS))
        publisher.misreport = MISREPORTS[name](self.random)
        self.misreports.append(name)

    def _set_wall_clock(self) -> None:
        """Somebody sets the wall clock, or it is lost; the monotonic clock only goes on."""
        self.steps.append(WallClock(self.random.choice((None, 0.0, 1.0e9, 1.7e9, 1.8e9, 4.0e9))))

    def _spoil_memory(self) -> None:
        self.steps.append(Memory(self.random.choice(MEMORY)))
        self._restart()

    def _boot_after_a_request(self) -> None:
        self._write_one(self.random.choice((CCL, DCL)), 0.0)
        self._wait(self.random.choice((70.0, 90.0)))
        self._wait(90.0)
        self.steps.append(Reboot())
        self.t += 60.0

    def _forget(self) -> None:
        paths = self.random.choice(self.publishers).paths
        what = self.random.choice((*GROUPS, *paths, "flags", *CHARGE_FLAGS))
        self._write_one(FORGET, what)


def _is_single(path: str) -> bool:
    return path.startswith("/Voltages/")
