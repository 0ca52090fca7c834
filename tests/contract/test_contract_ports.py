"""Each stand-in of the unit tests says what the real port says: same order, errors and values.

Every statement here runs twice: with the stand-in, and with our adapter on a real bus, a real
broker, a real main loop and a real settings service of the pocket GX.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pocket import PocketGx
from port_pairs import (
    FakeLinked,
    FakeOnBroker,
    FakeOnBus,
    FakeSettings,
    FakeSources,
    FakeTime,
    KeepingStore,
    RealLinked,
    RealOnBroker,
    RealOnBus,
    RealSettings,
    RealSources,
    RealStore,
    RealTime,
    Settings,
    connection,
)

from bridge.adapters import dbus_service
from bridge.adapters.dbus_service import PREFIX, NameTaken
from bridge.adapters.mailbox import Message
from bridge.adapters.memory import MemoryFile
from bridge.core.paths.table import path_table
from bridge.ports import Memory
from tests.unit.doubles import FakeBus, FakeClient, FakeMemory, FakeStore, FakeTimer
from tests.unit.fake_ports import (
    NO_REPLY,
    NOT_THERE,
    FakeBatteryService,
    FakeDiscoverySource,
    FakeLink,
    FakeLoop,
    FakeNotificationSource,
    FakeSettingsService,
)

KINDS = ["stand-in", "real"]


# --- the settings service -------------------------------------------------------------------------


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


# --- what a battery keeps -------------------------------------------------------------------------


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


# --- what survives a restart ----------------------------------------------------------------------


@pytest.fixture(params=KINDS)
def memories(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Memory]:
    """Each call gives the memory of the next process."""
    if request.param == "real":
        return lambda: MemoryFile(tmp_path / "run" / "bridge", "virtual")
    one = FakeMemory()
    return lambda: one


def test_a_text_is_there_for_the_next_process(memories: Callable[[], Memory]) -> None:
    assert memories().read() is None
    for text in ("a", '{"x": "Körper"}', ""):
        memory = memories()
        assert memory.write(text)
        assert (memory.read(), memories().read()) == (text, text)


# --- D-Bus ----------------------------------------------------------------------------------------


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
    assert on_bus.is_there()
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


def test_the_end_of_what_waited_is_answered_behind_all_writes_that_the_bus_holds(
    on_bus: FakeOnBus | RealOnBus,
) -> None:
    on_bus.service.register()
    seen: list[list[str]] = []
    on_bus.ask_end(lambda: seen.append([path for path, _ in on_bus.writes]), "/Soc", "/Soh")
    assert seen == [], "not within the call"
    on_bus.turn()
    assert seen == [["/Soc", "/Soh"]]


# --- MQTT -----------------------------------------------------------------------------------------


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


@pytest.fixture(params=KINDS)
def linked(request: pytest.FixtureRequest) -> Iterator[FakeLinked | RealLinked]:
    if request.param == "stand-in":
        yield FakeLinked()
        return
    with PocketGx(settings=False, system=False) as gx:
        real = RealLinked(gx)
        yield real
        real.close()


def test_a_link_brings_what_it_has_subscribed_to_and_no_more(
    linked: FakeLinked | RealLinked,
) -> None:
    linked.link.subscribe(["a/+", "b"])
    linked.link.start()
    assert topics(linked.publish("a/1", "b", "c", "a/1/2", "a/2")) == ["a/1", "b", "a/2"]
    assert linked.wakes > 0
    linked.link.unsubscribe(["b", "nothing"])
    linked.link.subscribe(["c", "a/+"])
    assert topics(linked.publish("a/1", "b", "c")) == ["a/1", "c"]
    assert linked.states == [(True, f"connected to broker 127.0.0.1:{linked.port}")]
    assert linked.link.dropped == 0


def test_what_is_published_without_a_connection_is_lost(linked: FakeLinked | RealLinked) -> None:
    linked.link.subscribe(["a"])
    linked.link.publish("a", "1")
    linked.link.start()
    assert linked.publish() == []


def test_what_comes_before_the_end_is_shown_has_waited(linked: FakeLinked | RealLinked) -> None:
    linked.link.subscribe(["a"])
    linked.link.start()
    linked.publish()
    linked.link.mark_waited(5.0)
    assert waited(linked.publish("a", "a")) == [5.0, 5.0]
    linked.link.ask_end_of_waited()
    linked.publish()
    assert waited(linked.publish("a")) == [None]
    linked.link.mark_waited(7.0)
    linked.link.end_waited()
    assert waited(linked.publish("a")) == [None], "without the broker"


def topics(messages: list[Message]) -> list[str]:
    return [message.topic for message in messages]


def waited(messages: list[Message]) -> list[float | None]:
    return [message.waited_since for message in messages]


# --- the main loop --------------------------------------------------------------------------------


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


# --- one battery, for the gateways ----------------------------------------------------------------


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
    source.publish_again()
    assert sources.states() == 1


# --- all of them ----------------------------------------------------------------------------------


def test_every_stand_in_is_held_here() -> None:
    """A new stand-in in doubles.py or fake_ports.py needs a contract above."""
    from tests.unit import doubles, fake_ports

    held = {FakeBus, FakeClient, FakeTimer, FakeStore, FakeMemory, FakeSettingsService,
            FakeBatteryService, FakeLoop, FakeLink, FakeNotificationSource,
            FakeDiscoverySource}  # fmt: skip
    found = {
        thing
        for module in (doubles, fake_ports)
        for name, thing in vars(module).items()
        if name.startswith("Fake")
    }
    assert found == held
