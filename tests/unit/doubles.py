"""Doubles of the battery's ports, and a battery made of them with a clock in the test's hand.

tests/contract/test_contract_ports.py holds the doubles to the real ports' behaviour.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from bridge.battery.battery import Battery
from bridge.core.model import Date, Value
from bridge.core.paths.access import ALL_OPEN, Access
from bridge.core.settings.configuration import BatteryConfig, parse
from bridge.topics import BatteryTopics


class Clock:
    """Monotonic seconds that pass only when told to."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class FakeBus:
    """What stands on the bus, and each signal that brought it there."""

    def __init__(self) -> None:
        self.values: dict[str, Value] = {}
        self.signals: list[dict[str, Value]] = []

    def publish(self, changes: Mapping[str, Value]) -> None:
        assert changes, "an empty signal"
        news = {path: value for path, value in changes.items() if self.values.get(path) != value}
        if news:  # velib signals no value that has not changed
            self.signals.append(news)
        self.values.update(news)


class FakeClient:
    """What was published on MQTT, in order."""

    def __init__(self) -> None:
        self.published: list[tuple[str, str, bool]] = []

    def publish(self, topic: str, payload: str, retain: bool = False) -> None:
        sent = payload.encode("utf-8", "replace").decode()
        self.published.append((topic, sent, retain))

    def on(self, topic: str) -> list[Any]:
        """The decoded messages on one topic."""
        return [json.loads(payload) for at, payload, _ in self.published if at == topic]


class FakeTimer:
    """Calls that wait for their moment; `run` lets it come."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: list[tuple[float, Callable[[], None]]] = []

    def call_in(self, seconds: float, callback: Callable[[], None]) -> None:
        self._waiting.append((self._clock.now + seconds, callback))

    def run(self, seconds: float) -> None:
        """Let so many seconds pass, with every call at its moment, earliest first."""
        until = self._clock.now + seconds
        while due := [call for call in self._waiting if call[0] <= until]:
            first = min(due, key=lambda call: call[0])
            self._waiting.remove(first)
            self._clock.now = max(self._clock.now, first[0])
            first[1]()
        self._clock.now = until


class FakeStore:
    """What was to be kept."""

    def __init__(self) -> None:
        self.saved: list[tuple[str, Value]] = []

    def save(self, key: str, value: Value) -> None:
        self.saved.append((key, value))


class FakeMemory:
    """What was written since the boot, and how often; `works` says whether it can be written."""

    def __init__(self) -> None:
        self.text: str | None = None
        self.writes = 0
        self.works = True

    def read(self) -> str | None:
        return self.text

    def write(self, text: str) -> bool:
        self.writes += 1
        if self.works:
            self.text = text
        return self.works


class Bench:
    """A battery on doubles. Writes settle at once; `pass_time` ticks once a second.

    before: the bench whose process was killed; this is the next one, with its clock and memory.
    """

    def __init__(
        self,
        config: BatteryConfig | None = None,
        access: Access = ALL_OPEN,
        today: Date | None = None,
        before: Bench | None = None,
        **changes: Any,
    ) -> None:
        self.config = config or battery_config(**changes)
        self.clock = before.clock if before else Clock()
        self.memory = before.memory if before else FakeMemory()
        self.today = today
        self.wall: float | None = None
        self.bus, self.client, self.store = FakeBus(), FakeClient(), FakeStore()
        self.timer = FakeTimer(self.clock)
        self.battery = Battery(
            self.config,
            topics=BatteryTopics("virtual-battery", "test"),
            publish_interval=0.05,
            bus=self.bus,
            client=self.client,
            timer=self.timer,
            store=self.store,
            monotonic=self.clock,
            memory=self.memory,
            access=access,
            today=lambda: self.today,
            wall=lambda: self.wall,
        )
        self.battery.refresh(self.clock.now)
        self.clock.now += 1.0

    def mqtt(self, path: str, payload: str | bytes) -> None:
        """One write by MQTT."""
        data = payload.encode() if isinstance(payload, str) else payload
        self.battery.on_message(path, data, f"W/portal/battery/1{path}", self.clock.now)
        self.battery.settle(self.clock.now)

    def batch(self, content: object) -> None:
        """One batch by MQTT."""
        self.batch_text(json.dumps(content))

    def batch_text(self, payload: str) -> None:
        """One batch as its text, which may be no JSON."""
        self.battery.on_batch(payload.encode(), "virtual-battery/test/set", self.clock.now)
        self.battery.settle(self.clock.now)

    def dbus(self, path: str, value: object) -> int:
        """One SetValue."""
        code = self.battery.on_write(path, value, self.clock.now)
        self.battery.settle(self.clock.now)
        return code

    def feed(self, cell: float = 3.3, current: float = -10.0, **paths: object) -> None:
        """A whole healthy set of measurements; keywords name paths with _ for /."""
        cells = {f"Voltages/Cell{n}": cell for n in range(1, self.config.cells + 1)}
        voltage = {"Dc/0/Voltage": cell * self.config.cells, "Dc/0/Current": current}
        others = {path.replace("_", "/"): value for path, value in paths.items()}
        self.batch({**cells, **voltage, "Soc": 50, **others})

    def pass_time(self, seconds: float, feeding: Callable[[], None] | None = None) -> None:
        """Let time pass with a tick each second, and something to do before each."""
        for _ in range(round(seconds)):
            self.timer.run(1.0)
            if feeding:
                feeding()
            self.battery.on_tick(self.clock.now)

    def settle(self) -> None:
        """Let the rest of the publish interval pass."""
        self.timer.run(0.06)

    def __getitem__(self, path: str) -> Value:
        return self.bus.values.get(path)

    @property
    def ccl(self) -> Value:
        return self["/Info/MaxChargeCurrent"]

    @property
    def dcl(self) -> Value:
        return self["/Info/MaxDischargeCurrent"]

    @property
    def cvl(self) -> Value:
        return self["/Info/MaxChargeVoltage"]

    @property
    def rejected(self) -> list[Any]:
        return self.client.on("virtual-battery/test/rejected")

    @property
    def state(self) -> Any:
        return self.client.on("virtual-battery/test/state")[-1]


def battery_config(**changes: Any) -> BatteryConfig:
    """A checked configuration of one LFP battery; keywords replace keys of the file."""
    raw: dict[str, Any] = {
        "ident": "test",
        "cells": 16,
        "chemistry": "lfp",
        "capacity": 280,
        "ceiling": {"charge_current": 200, "discharge_current": 250, "cell_voltage": 3.65},
        "limiter": {
            "max_charge_current": 100,
            "max_charge_current_above_cv1": 50,
            "max_charge_current_above_cv2": 10,
            "max_discharge_current": 150,
        },
    }
    raw.update(changes)
    return parse({"batteries": [raw]}).batteries[0]
