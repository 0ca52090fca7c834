"""Each port twice, with the same methods: a stand-in of the unit tests, and the real thing."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any, Protocol

import dbus
import dbus.bus
import paho.mqtt.client as mqtt
import pytest
from dbus.mainloop.glib import DBusGMainLoop
from gi.repository import GLib
from pocket import PocketGx

from bridge.adapters.broker import Broker
from bridge.adapters.dbus_service import PREFIX, BatteryService
from bridge.adapters.loop import Loop, monotonic
from bridge.adapters.mailbox import Message
from bridge.adapters.mqtt_link import MqttLink
from bridge.adapters.settings import SERVICE, DeviceSettings
from bridge.battery.persistence import SettingsPersistence
from bridge.core.model import Value
from bridge.core.paths.access import ALL_OPEN
from bridge.core.paths.table import path_table
from tests.harness.waiting import wait_for
from tests.unit.doubles import Bench, Clock, FakeClient, FakeStore, battery_config
from tests.unit.fake_ports import (
    NOT_THERE,
    FakeBatteryService,
    FakeDiscoverySource,
    FakeLink,
    FakeLoop,
    FakeNotificationSource,
    FakeSettingsService,
)
from tests.unit.host_bench import HostBench

DEVICES = "/Settings/Devices/"
BUS_ITEM = "com.victronenergy.BusItem"


def connection(gx: PocketGx) -> dbus.bus.BusConnection:
    """A connection to the private bus, which this process outlives."""
    bus = dbus.bus.BusConnection(gx.bus_address, mainloop=DBusGMainLoop())
    bus.set_exit_on_disconnect(False)
    return bus


class OtherClient:
    """Another client of a service, which may be one of this very process.

    The main loop turns while it waits for an answer.
    """

    def __init__(self, gx: PocketGx, service: str) -> None:
        self.signals: list[tuple[str, Any]] = []
        self._service = service
        self._bus = connection(gx)
        self._bus.add_signal_receiver(
            lambda changes, member: self.signals.append((str(member), changes)),
            dbus_interface=BUS_ITEM,
            bus_name=service,
            member_keyword="member",
        )

    def call(
        self, path: str, method: str, signature: str = "", *arguments: object, on: str = BUS_ITEM
    ) -> Any:
        """The answer; everything that was signalled before it has come, too."""
        answers: list[Any] = []
        self._bus.call_async(
            self._service, path, on, method, signature, arguments,
            lambda *answer: answers.append(answer), answers.append,
        )  # fmt: skip
        until(lambda: answers)
        context = GLib.MainContext.default()
        while context.pending():
            context.iteration(False)
        assert isinstance(answers[0], tuple), answers
        return answers[0][0] if answers[0] else None

    def send(self, path: str, method: str, signature: str, *arguments: object) -> None:
        """A call whose answer nobody waits for."""
        self._bus.call_async(
            self._service, path, BUS_ITEM, method, signature, arguments, None, None
        )  # fmt: skip

    def is_there(self) -> bool:
        return bool(self._bus.name_has_owner(self._service))

    def process_id(self) -> int:
        daemon = "org.freedesktop.DBus"
        asked = (daemon, "/", daemon, "GetConnectionUnixProcessID", "s", [self._service])
        return int(self._bus.call_blocking(*asked))

    def close(self) -> None:
        self._bus.close()


def until(condition: Callable[[], Any]) -> None:
    """Let the main loop turn until something is true."""
    context = GLib.MainContext.default()

    def turned() -> Any:
        while context.iteration(False):
            pass
        return condition()

    wait_for(turned, "the main loop brings it")


# --- the settings service ---------------------------------------------------------------------


class Settings(Protocol):
    """What the statements need; `events` is what the client has been told, in order."""

    events: list[tuple[object, ...]]

    def open(self, **defaults: str) -> None: ...
    def save(self, key: str, value: str) -> None: ...
    def answers(self, events: int) -> list[tuple[object, ...]]: ...
    def write(self, key: str, value: str, ident: str = "") -> None: ...
    def fail(self, how: str) -> None: ...


class _Noting:
    """Notes what a settings service tells its client."""

    service: Any

    def __init__(self) -> None:
        self.events: list[tuple[object, ...]] = []

    def open(self, **defaults: str) -> None:
        self.service.open(
            defaults,
            lambda values: self.events.append(("opened", values)),
            lambda reason: self.events.append(("failed", reason)),
        )

    def save(self, key: str, value: str) -> None:
        self.service.save(
            key,
            value,
            lambda: self.events.append(("kept", key)),
            lambda reason: self.events.append(("failed", reason)),
        )

    def _changed(self, key: str, value: str) -> None:
        self.events.append(("changed", key, value))

    def _take(self) -> list[tuple[object, ...]]:
        events, self.events = self.events, []
        return events


class FakeSettings(_Noting):
    def __init__(self) -> None:
        super().__init__()
        self.service = FakeSettingsService("test", self._changed)

    def answers(self, events: int) -> list[tuple[object, ...]]:
        self.service.answer()
        assert len(self.events) == events, self.events
        return self._take()

    def write(self, key: str, value: str, ident: str = "") -> None:
        self.service.write(key, value, ident)

    def fail(self, how: str) -> None:
        self.service.fails = how


class RealSettings(_Noting):
    def __init__(self, gx: PocketGx) -> None:
        super().__init__()
        self._gx = gx
        self._other = OtherClient(gx, SERVICE)
        self._bus = connection(gx)
        self.service = DeviceSettings(self._bus, "test", self._changed)
        self._stopped = 0

    def answers(self, events: int) -> list[tuple[object, ...]]:
        until(lambda: len(self.events) >= events)
        if not self._stopped:
            self._other.call("/", "GetItems")  # whatever it has still to say has come then
        assert len(self.events) == events, self.events
        return self._take()

    def write(self, key: str, value: str, ident: str = "") -> None:
        path = f"{ident or 'test'}/{key}"
        if ident:
            setting = {"path": path, "default": value, "silent": True}
            adds = "com.victronenergy.Settings"
            self._other.call(DEVICES[:-1], "AddSettings", "aa{sv}", [setting], on=adds)
        self._other.call(f"{DEVICES}{path}", "SetValue", "v", value)

    def fail(self, how: str) -> None:
        if how == NOT_THERE:
            self._gx.stop_settings()
            self._stopped = -1
            return
        self._stopped = self._other.process_id()
        os.kill(self._stopped, signal.SIGSTOP)

    def close(self) -> None:
        if self._stopped > 0:
            os.kill(self._stopped, signal.SIGCONT)
        self._bus.close()
        self._other.close()


# --- what a battery keeps ---------------------------------------------------------------------


class RealStore:
    """The product's own way from `save` to the settings service."""

    def __init__(self, gx: PocketGx) -> None:
        self._bus = connection(gx)
        self._other = OtherClient(gx, SERVICE)
        ready: list[bool] = []
        self._persistence = SettingsPersistence(
            DeviceSettings(self._bus, "test", lambda key, value: None),
            battery_config(),
            Bench().battery,
            ALL_OPEN,
            monotonic,
            on_instance=lambda instance: None,
            on_ready=lambda: ready.append(True),
        )
        self._persistence.open()
        until(lambda: ready)

    def save(self, key: str, value: Value) -> None:
        self._persistence.save(key, value)

    def kept(self, key: str, value: str) -> bool:
        path = f"{DEVICES}test/{key}"
        until(lambda: str(self._other.call(path, "GetValue")) == value)
        return True

    def close(self) -> None:
        self._bus.close()
        self._other.close()


class KeepingStore(FakeStore):
    def kept(self, key: str, value: str) -> bool:
        return str(dict(self.saved)[key]) == value


# --- D-Bus ------------------------------------------------------------------------------------

PATHS = path_table(4)


class FakeOnBus:
    """A battery's stand-in on a stand-in of a bus."""

    def __init__(self, **values: Value) -> None:
        self._names: set[str] = set()
        self.writes: list[tuple[str, object]] = []
        self.service = FakeBatteryService("test", PATHS, _paths(values), self._write, self._names)

    def second(self) -> FakeBatteryService:
        return FakeBatteryService("test", PATHS, {}, self._write, self._names)

    def _write(self, path: str, value: object) -> int:
        self.writes.append((path, value))
        return 2 if value == 13 else 0

    def is_there(self) -> bool:
        return bool(self._names)

    def get(self, path: str) -> Value:
        return self.service.values[path]

    def set(self, path: str, value: object) -> int:
        return self.service.write(path, value)

    def signals(self) -> list[dict[str, Value]]:
        signals, self.service.signals = self.service.signals, []
        return signals

    def ask_end(self, answered: Callable[[], None], *held: str) -> None:
        """Ask for the end of these writes, which the bus still holds. Nothing is answered yet."""
        for path in held:
            self.service.write(path, 1.0)
        self.service.ask_end_of_waited(answered)

    def turn(self) -> None:
        """Let all come that the bus has to say."""
        self.service.answer_end()


class RealOnBus:
    """Our adapter on a real bus, seen by another client."""

    def __init__(self, gx: PocketGx, **values: Value) -> None:
        self.writes: list[tuple[str, object]] = []
        self._other = OtherClient(gx, PREFIX + "test")
        self.service = BatteryService("test", PATHS, _paths(values), self._write)

    def second(self) -> BatteryService:
        return BatteryService("test", PATHS, {}, self._write)

    def _write(self, path: str, value: object) -> int:
        self.writes.append((path, value))
        return 2 if value == 13 else 0

    def is_there(self) -> bool:
        return self._other.is_there()

    def get(self, path: str) -> Value:
        return plain(self._other.call(path, "GetValue"))

    def set(self, path: str, value: object) -> int:
        return int(self._other.call(path, "SetValue", "v", value))

    def signals(self) -> list[dict[str, Value]]:
        self._other.call("/", "GetItems")  # its answer comes after all earlier signals
        heard, self._other.signals = self._other.signals, []
        assert all(name == "ItemsChanged" for name, _ in heard)
        return [
            {str(path): plain(item["Value"]) for path, item in changes.items()}
            for _, changes in heard
        ]

    def ask_end(self, answered: Callable[[], None], *held: str) -> None:
        for path in held:
            self._other.send(path, "SetValue", "v", 1.0)
        self._other.is_there()  # the bus has them then
        self.service.ask_end_of_waited(answered)

    def turn(self) -> None:
        self._other.call("/Soc", "GetValue")

    def close(self) -> None:
        self._other.close()


def _paths(values: dict[str, Value]) -> dict[str, Value]:
    return {"/" + name.replace("_", "/"): value for name, value in values.items()}


def plain(value: Any) -> Value:
    """A D-Bus value as Python has it; an empty array is no value."""
    if isinstance(value, dbus.Array):
        return None
    if isinstance(value, dbus.String):
        return str(value)
    return float(value) if isinstance(value, dbus.Double) else int(value)


# --- MQTT -------------------------------------------------------------------------------------


class FakeOnBroker:
    def __init__(self) -> None:
        self.client = FakeClient()

    def heard(self, count: int) -> list[tuple[str, str]]:
        assert len(self.client.published) == count
        return [(topic, payload) for topic, payload, _ in self.client.published]

    def retained(self, count: int) -> dict[str, str]:
        kept: dict[str, str] = {}
        for topic, payload, retain in self.client.published:
            if retain:
                kept[topic] = payload
        kept = {topic: payload for topic, payload in kept.items() if payload}
        assert len(kept) == count
        return kept


class RealOnBroker:
    def __init__(self, gx: PocketGx) -> None:
        self._gx = gx
        self._listener, self._heard = self._listen()
        connected: list[bool] = []
        self.client = MqttLink(
            Broker("127.0.0.1", gx.port),
            wake=lambda: None,
            on_state=lambda is_connected, words: connected.append(is_connected),
        )
        self.client.start()
        wait(lambda: connected == [True])

    def _listen(self) -> tuple[mqtt.Client, list[tuple[str, str]]]:
        """A client that hears everything, from the moment on at which this returns."""
        heard: list[tuple[str, str]] = []
        subscribed: list[bool] = []
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        client.on_message = lambda c, d, m: heard.append((m.topic, m.payload.decode()))
        client.on_subscribe = lambda *_: subscribed.append(True)
        client.connect("127.0.0.1", self._gx.port)
        client.subscribe("#")
        client.loop_start()
        wait(lambda: subscribed)
        return client, heard

    def heard(self, count: int) -> list[tuple[str, str]]:
        wait(lambda: len(self._heard) >= count)
        return self._heard

    def retained(self, count: int) -> dict[str, str]:
        late, heard = self._listen()
        wait(lambda: len(heard) >= count)
        _end(late)
        return dict(heard)

    def close(self) -> None:
        self.client.stop()
        _end(self._listener)


class FakeLinked:
    """A link to a broker, and others who publish there."""

    def __init__(self) -> None:
        self.states: list[tuple[bool, str]] = []
        self.wakes = 0
        self.port = 1883
        self.link = FakeLink(Broker("127.0.0.1", 1883), wake=self._wake, on_state=self._on_state)

    def _wake(self) -> None:
        self.wakes += 1

    def _on_state(self, connected: bool, words: str) -> None:
        self.states.append((connected, words))

    def publish(self, *topics: str) -> list[Message]:
        """Others publish there; answers what has come of it."""
        for topic in topics:
            self.link.arrive(topic, b"1")
        return list(self.link.drain())


class RealLinked:
    def __init__(self, gx: PocketGx) -> None:
        self.states: list[tuple[bool, str]] = []
        self.wakes = 0
        self.port = gx.port
        self.link = MqttLink(Broker("127.0.0.1", gx.port), wake=self._wake, on_state=self._on_state)
        self.link.subscribe(["sync"])
        self._others = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        self._others.connect("127.0.0.1", gx.port)
        self._others.loop_start()

    def _wake(self) -> None:
        self.wakes += 1

    def _on_state(self, connected: bool, words: str) -> None:
        self.states.append((connected, words))

    def publish(self, *topics: str) -> list[Message]:
        wait(lambda: self.states)
        self.link.publish("sync", "1")  # behind our subscriptions on their way to the broker
        self._until_sync()
        for topic in topics:
            self._others.publish(topic, "1")
        self._others.publish("sync", "1")
        return self._until_sync()

    def _until_sync(self) -> list[Message]:
        came: list[Message] = []

        def has_synced() -> bool:
            came.extend(self.link.drain())
            return bool(came) and came[-1].topic == "sync"

        wait_for(has_synced, lambda: came)
        return came[:-1]

    def close(self) -> None:
        self.link.stop()
        _end(self._others)


def _end(client: mqtt.Client) -> None:
    client.disconnect()
    client.loop_stop()


def wait(condition: Callable[[], Any]) -> None:
    """For what happens on another thread."""
    wait_for(condition, "the other thread does it")


# --- the main loop ----------------------------------------------------------------------------


class FakeTime:
    def __init__(self) -> None:
        self.clock = Clock()
        self.loop = FakeLoop(self.clock)

    def run(self, seconds: float) -> None:
        self.loop.run(seconds)


class RealTime:
    def __init__(self) -> None:
        self.clock = time.monotonic
        self.loop = Loop()

    def run(self, seconds: float) -> None:
        self.loop.call_in(seconds, self.loop.quit)
        self.loop.run()


# --- one battery, for the gateways ------------------------------------------------------------


class FakeSources:
    """A battery with SoC 50 %, and SoC 51 % on its way to the bus."""

    now = 0.0

    def __init__(self) -> None:
        paths = path_table(16)
        self.notified = FakeNotificationSource(1)
        self.notified.values = {**dict.fromkeys(paths), "/DeviceInstance": 1, "/Soc": 50.0}
        self.notified.gathered = {"/Soc": 51.0}
        self.discovered = FakeDiscoverySource(paths, {"/Soc": 50.0, "/CustomName": "Bank"})

    def states(self) -> int:
        return self.discovered.told_again


class RealSources:
    """The same of the product, with D-Bus left out."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._bench = HostBench(monkeypatch).open()
        self.notified, self.discovered = self._bench.host, self._bench.host.battery
        self._bench.send("virtual-battery/test/set", b'{"Soc": 50, "CustomName": "Bank"}')
        self._pass_a_second()
        self.now = self._bench.clock.now
        self.notified.on_message("virtual-battery/test/set", b'{"Soc": 51}', 11, self.now)
        self._states = self._published()

    def states(self) -> int:
        self._pass_a_second()
        return self._published() - self._states

    def _published(self) -> int:
        return len(self._bench.client.on("virtual-battery/test/settings"))

    def _pass_a_second(self) -> None:
        self._bench.clock.now += 1.0
        self.notified.on_tick(self._bench.clock.now)
