"""Each stand-in of the unit tests says what the real port says: same order, errors and values.

Every statement here runs twice: with the stand-in, and with our adapter on a real bus, a real
broker, a real main loop and a real settings service of the pocket GX.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import dbus
import dbus.bus
import paho.mqtt.client as mqtt
import pytest
from dbus.mainloop.glib import DBusGMainLoop
from doubles import Bench, Clock, FakeBus, FakeClient, FakeStore, FakeTimer, battery_config
from fake_ports import (
    NO_REPLY,
    NOT_THERE,
    FakeBatteryService,
    FakeDiscoverySource,
    FakeLoop,
    FakeNotificationSource,
    FakeSettingsService,
)
from host_bench import HostBench
from onlooker import BUS_ITEM, Onlooker, until
from pocket import PocketGx

from bridge.adapters import dbus_service
from bridge.adapters.broker import Broker
from bridge.adapters.dbus_service import PREFIX, BatteryService, NameTaken
from bridge.adapters.loop import Loop, monotonic
from bridge.adapters.mqtt_link import MqttLink
from bridge.adapters.settings import SERVICE, DeviceSettings
from bridge.battery.persistence import SettingsPersistence
from bridge.core.model import Value
from bridge.core.paths.table import path_table

DEVICES = "/Settings/Devices/"
KINDS = ["stand-in", "real"]


def connection(gx: PocketGx) -> dbus.bus.BusConnection:
    """A connection to the private bus, which this process outlives."""
    bus = dbus.bus.BusConnection(gx.bus_address, mainloop=DBusGMainLoop())
    bus.set_exit_on_disconnect(False)
    return bus


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
        self._other = Onlooker(gx, SERVICE)
        self._bus = connection(gx)
        self.service = DeviceSettings(self._bus, "test", self._changed)
        self._stopped = 0

    def answers(self, events: int) -> list[tuple[object, ...]]:
        until(lambda: len(self.events) >= events)
        if not self._stopped:
            self._other.heard()  # whatever it has still to say has come then
        assert len(self.events) == events, self.events
        return self._take()

    def write(self, key: str, value: str, ident: str = "") -> None:
        path = f"{ident or 'test'}/{key}"
        if ident:
            setting = {"path": path, "default": value, "silent": True}
            adds = "com.victronenergy.Settings"
            self._other.call(DEVICES[:-1], "AddSettings", [setting], signature="aa{sv}", on=adds)
        self._other.set(f"{DEVICES}{path}", value)

    def fail(self, how: str) -> None:
        if how == NOT_THERE:
            self._gx.stop_settings()
            self._stopped = -1
            return
        daemon = "org.freedesktop.DBus"
        asked = (daemon, "/", daemon, "GetConnectionUnixProcessID", "s", [SERVICE])
        self._stopped = int(self._bus.call_blocking(*asked))
        os.kill(self._stopped, signal.SIGSTOP)

    def close(self) -> None:
        if self._stopped > 0:
            os.kill(self._stopped, signal.SIGCONT)
        self._bus.close()
        self._other.close()


@pytest.fixture(params=KINDS)
def settings(request: pytest.FixtureRequest) -> Iterator[Settings]:
    if request.param == "stand-in":
        yield FakeSettings()
        return
    with PocketGx(broker=False, system=False) as gx:
        real = RealSettings(gx)
        yield real
        real.close()


def test_nothing_is_answered_before_the_call_is_over(settings: Settings) -> None:
    settings.open(CustomName="Bank")
    settings.save("CustomName", "Cellar")
    assert settings.events == []


def test_what_is_new_is_made_with_its_default_and_signalled_first(settings: Settings) -> None:
    settings.open(CustomName="Bank", RemoteSettings="")
    assert settings.answers(3) == [
        ("changed", "CustomName", "Bank"),
        ("changed", "RemoteSettings", ""),
        ("opened", {"CustomName": "Bank", "RemoteSettings": ""}),
    ]


def test_what_exists_keeps_its_value_and_is_not_signalled(settings: Settings) -> None:
    settings.open(CustomName="Bank")
    settings.answers(2)
    settings.save("CustomName", "Cellar")
    settings.answers(2)
    settings.open(CustomName="Bank")
    assert settings.answers(1) == [("opened", {"CustomName": "Cellar"})]


def test_a_write_is_signalled_before_it_is_kept_and_in_order(settings: Settings) -> None:
    settings.open(CustomName="Bank")
    settings.answers(2)
    settings.save("CustomName", "a")
    settings.save("CustomName", "b")
    assert settings.answers(4) == [
        ("changed", "CustomName", "a"),
        ("kept", "CustomName"),
        ("changed", "CustomName", "b"),
        ("kept", "CustomName"),
    ]


def test_an_equal_write_is_kept_without_a_signal(settings: Settings) -> None:
    settings.open(CustomName="Bank")
    settings.answers(2)
    settings.save("CustomName", "Bank")
    assert settings.answers(1) == [("kept", "CustomName")]


def test_a_write_that_is_refused_counts_as_kept(settings: Settings) -> None:
    settings.open(ClassAndVrmInstance="battery:1")
    settings.answers(2)
    settings.save("ClassAndVrmInstance", "nonsense")
    assert settings.answers(1) == [("kept", "ClassAndVrmInstance")]
    settings.open(ClassAndVrmInstance="battery:1")
    assert settings.answers(1) == [("opened", {"ClassAndVrmInstance": "battery:1"})]


def test_an_instance_that_is_taken_is_moved_on(settings: Settings) -> None:
    settings.write("ClassAndVrmInstance", "battery:1", ident="other")
    settings.open(ClassAndVrmInstance="battery:1")
    assert settings.answers(2)[-1] == ("opened", {"ClassAndVrmInstance": "battery:2"})
    settings.write("ClassAndVrmInstance", "battery:7", ident="third")
    settings.save("ClassAndVrmInstance", "battery:7")
    assert settings.answers(2) == [
        ("changed", "ClassAndVrmInstance", "battery:8"),
        ("kept", "ClassAndVrmInstance"),
    ]


def test_somebody_elses_write_is_signalled(settings: Settings) -> None:
    settings.open(CustomName="Bank")
    settings.answers(2)
    settings.write("CustomName", "Attic")
    settings.write("CustomName", "Attic")
    settings.write("CustomName", "Attic", ident="other")
    assert settings.answers(1) == [("changed", "CustomName", "Attic")]


@pytest.mark.parametrize("reason", [NOT_THERE, NO_REPLY])
def test_a_service_that_is_absent_or_hangs_fails_each_call(
    settings: Settings, reason: str
) -> None:
    settings.open(CustomName="Bank")
    settings.answers(2)
    settings.fail(reason)
    settings.open(CustomName="Bank")
    settings.save("CustomName", "Cellar")
    assert settings.events == []
    assert settings.answers(2) == [("failed", reason), ("failed", reason)]


# --- what a battery keeps ---------------------------------------------------------------------


class RealStore:
    """The product's own way from `save` to the settings service."""

    def __init__(self, gx: PocketGx) -> None:
        self._bus = connection(gx)
        self._other = Onlooker(gx, SERVICE)
        ready: list[bool] = []
        self._persistence = SettingsPersistence(
            DeviceSettings(self._bus, "test", lambda key, value: None),
            battery_config(),
            Bench().battery,
            monotonic,
            on_instance=lambda instance: None,
            on_ready=lambda: ready.append(True),
        )
        self._persistence.open()
        until(lambda: ready)

    def save(self, key: str, value: Value) -> None:
        self._persistence.save(key, value)

    def kept(self, key: str, value: str) -> bool:
        return bool(until(lambda: str(self._other.get(f"{DEVICES}test/{key}")) == value))

    def close(self) -> None:
        self._bus.close()
        self._other.close()


class KeepingStore(FakeStore):
    def kept(self, key: str, value: str) -> bool:
        return str(dict(self.saved)[key]) == value


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest) -> Iterator[RealStore | KeepingStore]:
    if request.param == "stand-in":
        yield KeepingStore()
        return
    with PocketGx(broker=False, system=False) as gx:
        real = RealStore(gx)
        yield real
        real.close()


def test_the_last_value_of_each_key_is_kept(store: RealStore | KeepingStore) -> None:
    for name, amps in [("a", 1), ("Körper \N{BATTERY}", 2), ("", 3)]:
        store.save("CustomName", name)
        store.save("RemoteSettings", f'{{"x":{amps}}}')
    assert store.kept("CustomName", "")
    assert store.kept("RemoteSettings", '{"x":3}')


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


class RealOnBus:
    """Our adapter on a real bus, seen by another client."""

    def __init__(self, gx: PocketGx, **values: Value) -> None:
        self.writes: list[tuple[str, object]] = []
        self._onlooker = Onlooker(gx, PREFIX + "test")
        self.service = BatteryService("test", PATHS, _paths(values), self._write)

    def second(self) -> BatteryService:
        return BatteryService("test", PATHS, {}, self._write)

    def _write(self, path: str, value: object) -> int:
        self.writes.append((path, value))
        return 2 if value == 13 else 0

    def is_there(self) -> bool:
        return self._onlooker.is_there()

    def get(self, path: str) -> Value:
        return plain(self._call(path, "GetValue"))

    def set(self, path: str, value: object) -> int:
        return int(self._call(path, "SetValue", "v", value))

    def signals(self) -> list[dict[str, Value]]:
        self._call("/", "GetItems")  # its answer comes after all earlier signals
        heard, self._onlooker.signals = self._onlooker.signals, []
        assert all(name == "ItemsChanged" for _, name, _ in heard)
        return [
            {str(path): plain(item["Value"]) for path, item in changes.items()}
            for _, _, changes in heard
        ]

    def _call(self, path: str, method: str, signature: str = "", *arguments: object) -> Any:
        """A call to a service of this very process: its answer comes while the loop runs."""
        answers: list[Any] = []
        self._onlooker._bus.call_async(
            PREFIX + "test", path, BUS_ITEM, method, signature,
            arguments, lambda *answer: answers.append(answer), answers.append,
        )  # fmt: skip
        until(lambda: answers)
        assert isinstance(answers[0], tuple), answers
        return answers[0][0] if answers[0] else None

    def close(self) -> None:
        self._onlooker.close()


def _paths(values: dict[str, Value]) -> dict[str, Value]:
    return {"/" + name.replace("_", "/"): value for name, value in values.items()}


def plain(value: Any) -> Value:
    """A D-Bus value as Python has it; an empty array is no value."""
    if isinstance(value, dbus.Array):
        return None
    if isinstance(value, dbus.String):
        return str(value)
    return float(value) if isinstance(value, dbus.Double) else int(value)


@pytest.fixture(scope="module")
def bus_gx() -> Iterator[PocketGx]:
    with PocketGx(broker=False, settings=False, system=False) as gx:
        yield gx


@pytest.fixture(params=KINDS)
def on_bus(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FakeOnBus | RealOnBus]:
    if request.param == "stand-in":
        yield FakeOnBus(Soc=50.0, CustomName="Bank")
        return
    gx = request.getfixturevalue("bus_gx")
    monkeypatch.setattr(dbus_service, "private_bus", lambda: connection(gx))
    real = RealOnBus(gx, Soc=50.0, CustomName="Bank")
    yield real
    real.service.close()
    real.close()


def test_it_is_there_from_register_to_close(on_bus: FakeOnBus | RealOnBus) -> None:
    assert not on_bus.is_there()
    on_bus.service.register()
    assert on_bus.is_there()
    assert (on_bus.get("/Soc"), on_bus.get("/CustomName")) == (50.0, "Bank")
    assert on_bus.get("/Dc/0/Voltage") is None
    on_bus.service.close()
    assert not on_bus.is_there()


def test_a_name_can_be_taken_once(on_bus: FakeOnBus | RealOnBus) -> None:
    on_bus.service.register()
    second = on_bus.second()
    with pytest.raises(NameTaken, match=PREFIX + "test"):
        second.register()
    second.close()
    assert on_bus.get("/Soc") == 50.0


def test_one_publish_is_one_signal_with_all_that_has_changed(
    on_bus: FakeOnBus | RealOnBus,
) -> None:
    on_bus.service.register()
    on_bus.signals()
    on_bus.service.publish({"/Soc": 51.5, "/CustomName": "Bank", "/Dc/0/Current": -3.0})
    on_bus.service.publish({"/Soc": None, "/Alarms/LowSoc": 2})
    assert on_bus.signals() == [
        {"/Soc": 51.5, "/Dc/0/Current": -3.0},
        {"/Soc": None, "/Alarms/LowSoc": 2},
    ]
    assert (on_bus.get("/Soc"), on_bus.get("/Alarms/LowSoc")) == (None, 2)
    assert type(on_bus.get("/Dc/0/Current")) is float


def test_what_has_not_changed_is_no_signal(on_bus: FakeOnBus | RealOnBus) -> None:
    on_bus.service.register()
    on_bus.signals()
    on_bus.service.publish({"/Soc": 50.0, "/Dc/0/Voltage": None})
    assert on_bus.signals() == []


def test_every_write_is_handed_over_and_none_is_stored(on_bus: FakeOnBus | RealOnBus) -> None:
    on_bus.service.register()
    on_bus.signals()
    assert [on_bus.set("/Soc", value) for value in (51.0, 51.0, 13.0, "x")] == [0, 0, 2, 0]
    assert on_bus.writes == [("/Soc", 51.0), ("/Soc", 51.0), ("/Soc", 13.0), ("/Soc", "x")]
    assert on_bus.get("/Soc") == 50.0
    assert on_bus.signals() == []


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
            Broker(port=gx.port),
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


def _end(client: mqtt.Client) -> None:
    client.disconnect()
    client.loop_stop()


def wait(condition: Callable[[], Any], seconds: float = 10.0) -> None:
    """For what happens on another thread."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "in vain"
        time.sleep(0.01)


@pytest.fixture(params=KINDS)
def on_broker(request: pytest.FixtureRequest) -> Iterator[FakeOnBroker | RealOnBroker]:
    if request.param == "stand-in":
        yield FakeOnBroker()
        return
    with PocketGx(settings=False, system=False) as gx:
        real = RealOnBroker(gx)
        yield real
        real.close()


def test_messages_arrive_in_order_and_as_they_were(
    on_broker: FakeOnBroker | RealOnBroker,
) -> None:
    sent = [("a/b", "1"), ("a/c", "{}"), ("a/b", "Körper \N{BATTERY}"), ("a/b", "")]
    for topic, payload in sent:
        on_broker.client.publish(topic, payload)
    assert on_broker.heard(4) == sent


def test_half_a_character_becomes_a_question_mark(on_broker: FakeOnBroker | RealOnBroker) -> None:
    on_broker.client.publish("a", "x\ud800y")
    assert on_broker.heard(1) == [("a", "x?y")]


def test_the_last_retained_message_of_a_topic_stays_until_it_is_emptied(
    on_broker: FakeOnBroker | RealOnBroker,
) -> None:
    for topic, payload in [("a", "1"), ("b", "1"), ("a", "2"), ("b", "")]:
        on_broker.client.publish(topic, payload, retain=True)
    on_broker.client.publish("c", "1")
    on_broker.heard(5)
    assert on_broker.retained(1) == {"a": "2"}


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


@pytest.fixture(params=KINDS)
def times(request: pytest.FixtureRequest) -> FakeTime | RealTime:
    return FakeTime() if request.param == "stand-in" else RealTime()


def test_calls_come_in_the_order_of_their_times_and_never_early(
    times: FakeTime | RealTime,
) -> None:
    came: list[float] = []
    started = times.clock()
    late: list[bool] = []
    for seconds in (0.2, 0.1, 0.0):

        def call(seconds: float = seconds) -> None:
            came.append(seconds)
            late.append(times.clock() - started >= seconds)

        times.loop.call_in(seconds, call)
    assert came == [], "not within the call"
    times.run(0.3)
    assert came == [0.0, 0.1, 0.2] and all(late)


def test_calls_of_the_same_moment_come_in_the_order_in_which_they_were_asked_for(
    times: FakeTime | RealTime,
) -> None:
    came: list[int] = []
    for number in range(5):
        times.loop.call_in(0.0, lambda number=number: came.append(number))
    times.run(0.1)
    assert came == [0, 1, 2, 3, 4]


def test_each_call_comes_once_and_may_ask_for_the_next(times: FakeTime | RealTime) -> None:
    came: list[int] = []

    def again() -> None:
        came.append(len(came))
        if len(came) < 3:
            times.loop.call_in(0.0, again)

    times.loop.call_in(0.0, again)
    times.run(0.2)
    assert came == [0, 1, 2]


def test_idle_calls_come_once_and_not_within_the_call(times: FakeTime | RealTime) -> None:
    came: list[str] = []
    times.loop.call_when_idle(lambda: came.append("first"))
    times.loop.call_when_idle(lambda: came.append("second"))
    assert came == []
    times.run(0.1)
    times.run(0.1)
    assert came == ["first", "second"]


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


@pytest.fixture(params=KINDS)
def sources(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> FakeSources | RealSources:
    return FakeSources() if request.param == "stand-in" else RealSources(monkeypatch)


def test_all_values_has_every_path_and_catching_up_brings_what_was_gathered(
    sources: FakeSources | RealSources,
) -> None:
    source = sources.notified
    values = source.all_values()
    assert source.instance == values["/DeviceInstance"] == 1
    assert set(values) == set(path_table(16))
    assert (values["/Soc"], values["/Dc/0/Voltage"]) == (50.0, None)
    source.catch_up(sources.now)
    assert (source.all_values()["/Soc"], values["/Soc"]) == (51.0, 50.0)


def test_home_assistant_sees_what_is_on_the_bus_and_can_have_it_published_again(
    sources: FakeSources | RealSources,
) -> None:
    source = sources.discovered
    assert (source.values()["/Soc"], source.values()["/CustomName"]) == (50.0, "Bank")
    assert source.values().get("/Dc/0/Voltage") is None
    assert set(source.values()) <= set(source.paths)
    assert sources.states() == 0
    source.tell_again()
    assert sources.states() == 1


def test_every_stand_in_is_held_here() -> None:
    """A new stand-in in doubles.py or fake_ports.py needs a contract above."""
    import doubles
    import fake_ports

    held = {FakeBus, FakeClient, FakeTimer, FakeStore, FakeSettingsService, FakeBatteryService,
            FakeLoop, FakeNotificationSource, FakeDiscoverySource}  # fmt: skip
    found = {
        thing
        for module in (doubles, fake_ports)
        for name, thing in vars(module).items()
        if name.startswith("Fake")
    }
    assert found == held
