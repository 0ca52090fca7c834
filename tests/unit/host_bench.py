"""A battery's host with the product around it, but no wires: D-Bus, broker and loop stand in."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

import bridge.host
from bridge.core.settings.configuration import Config, MqttConfig
from bridge.gateways.victron_mqtt.publisher import Notifications
from bridge.host import BatteryHost
from tests.unit.doubles import Clock, FakeClient, FakeMemory, battery_config
from tests.unit.fake_ports import FakeBatteryService, FakeLoop, FakeSettingsService


class Names:
    """The names on the bus, as the settings' connection sees them."""

    def __init__(self) -> None:
        self.taken: set[str] = set()

    def name_has_owner(self, name: str) -> bool:
        return name in self.taken


class HostBench:
    """One host, with everything around it in the test's hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fails: str = "") -> None:
        self.clock, self.client, self.bus = Clock(), FakeClient(), Names()
        self.loop, self.memory = FakeLoop(self.clock), FakeMemory()
        self.services: list[FakeBatteryService] = []
        self.entered, self.name_taken, self.no_bus = 0, list[str](), list[str]()
        monkeypatch.setattr(bridge.host.dbus_service, "BatteryService", self._service)
        monkeypatch.setattr(bridge.host.settings, "DeviceSettings", partial(self._settings, fails))
        self.notifications = Notifications("on", self.client, lambda: None, epoch=lambda: 0.0)
        config = battery_config()
        self.host = BatteryHost(
            config,
            Config(mqtt=MqttConfig(), batteries=(config,)),
            broker="127.0.0.1:1883",
            loop=self.loop,  # type: ignore[arg-type]
            client=self.client,
            notifications=self.notifications,
            settings_bus=self.bus,
            memory=self.memory,
            monotonic=self.clock,
            today=lambda: None,
            wall=lambda: None,
            note_running=lambda now: None,
            on_entered=self._on_entered,
            on_name_taken=self.name_taken.append,
            on_no_bus=self.no_bus.append,
        )
        self.notifications.add(self.host)
        self.notifications.set_portal("c0ffee", self.clock.now)
        self.notifications.on_connected(self.clock.now)

    def _service(self, *arguments: Any) -> FakeBatteryService:
        self.services.append(FakeBatteryService(*arguments, names=self.bus.taken))
        return self.services[-1]

    def _settings(self, fails: str, _bus: Names, *arguments: Any, guard: Any) -> Any:
        assert guard is bridge.host.guarded, "an exception in a callback must end the process"
        self.settings = FakeSettingsService(*arguments)
        self.settings.fails = fails
        return self.settings

    def _on_entered(self) -> None:
        self.entered += 1

    def open(self) -> HostBench:
        self.host.open()
        self.settings.answer()
        return self

    def send(self, topic: str, payload: bytes | None, size: int = 1) -> None:
        self.host.on_message(topic, payload, size, self.clock.now)
        self.host.settle()
        self.loop.run(1.0)

    @property
    def service(self) -> FakeBatteryService:
        return self.services[-1]
