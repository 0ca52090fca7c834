"""A battery on its wires, without the wires: topics, identity, writes, coming and leaving."""

from __future__ import annotations

import pytest
from fake_ports import NO_REPLY, NOT_THERE
from host_bench import HostBench

from bridge.adapters.dbus_service import NoBus
from bridge.battery.persistence import RETRY
from bridge.host import SETTLE_WITHIN
from bridge.topics import NotificationTopic, PortalTopics, WriteTopic
from tests.unit.fake_ports import FakeBatteryService

NAME = "com.victronenergy.battery.test"
SET = "virtual-battery/test/set"


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> HostBench:
    house = HostBench(monkeypatch).open()
    house.host.set_portal("c0ffee")
    return house


# --- topics -----------------------------------------------------------------------------------


def test_before_it_knows_portal_and_instance_only_the_batch_is_subscribed_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    house = HostBench(monkeypatch)
    assert house.host.topics() == [SET]
    house.host.set_portal("c0ffee")
    assert house.host.topics() == [SET], "the configured instance may be another battery's"
    house.open()
    assert house.host.topics() == [SET, "W/c0ffee/battery/1/#"]


def test_asking_for_the_topics_changes_nothing(house: HostBench) -> None:
    before = (dict(house.host.battery.identity), house.host.knows("W/c0ffee/battery/1/Soc"))
    assert [house.host.topics() for _ in range(3)] == [[SET, "W/c0ffee/battery/1/#"]] * 3
    assert before == (dict(house.host.battery.identity), True)


def test_the_state_says_where_the_battery_is(house: HostBench) -> None:
    identity = house.host.battery.identity
    assert (identity["instance"], identity["portal"]) == (1, "c0ffee")


@pytest.mark.parametrize(
    ("topic", "is_known"),
    [
        ("W/c0ffee/battery/1/Soc", True),
        ("W/c0ffee/battery/1/Nothing", False),
        ("W/c0ffee/battery/1", False),
        ("W/c0ffee/battery/11/Soc", False),
        ("W/other/battery/1/Soc", False),
        (SET, False),
    ],
)
def test_it_knows_the_writes_to_its_own_paths(house: HostBench, topic: str, is_known: bool) -> None:
    assert house.host.knows(topic) is is_known


# --- writes -----------------------------------------------------------------------------------


def test_writes_come_by_path_by_batch_and_by_dbus(house: HostBench) -> None:
    house.send("W/c0ffee/battery/1/Soc", b"61")
    assert house.service.values["/Soc"] == 61.0
    house.send(SET, b'{"Soc": 62}')
    assert house.service.values["/Soc"] == 62.0
    assert house.service.write("/Soc", 63) == 0
    house.loop.run()
    assert house.service.values["/Soc"] == 63.0


def test_a_burst_of_dbus_writes_is_one_signal(house: HostBench) -> None:
    house.clock.now += 1.0
    before = len(house.service.signals)
    for soc in (61, 62, 63):
        assert house.service.write("/Soc", soc) == 0
    assert len(house.service.signals) == before
    house.loop.run(1.0)
    assert len(house.service.signals) == before + 1


def test_every_burst_is_published(house: HostBench) -> None:
    for soc in (61.0, 62.0, 63.0):
        house.clock.now += 1.0
        assert house.service.write("/Soc", soc) == 0
        house.loop.run()
        assert house.service.values["/Soc"] == soc


@pytest.mark.promise("flood")
def test_a_dbus_write_is_published_also_while_the_loop_is_never_idle(house: HostBench) -> None:
    assert house.service.write("/Soc", 61) == 0
    house.loop.run_busy(SETTLE_WITHIN)
    assert house.service.values["/Soc"] == 61.0


@pytest.mark.parametrize(
    "topic",
    [
        "W/c0ffee/battery/2/Soc",
        "W/c0ffee/battery/1",
        "W/other/battery/1/Soc",
        "virtual-battery/other/set",
    ],
)
def test_what_is_for_others_is_left_to_others(house: HostBench, topic: str) -> None:
    house.send(topic, b"61")
    assert house.service.values["/Soc"] is None
    assert house.client.on("virtual-battery/test/rejected") == []


@pytest.mark.parametrize(("topic", "path"), [(SET, ""), ("W/c0ffee/battery/1/Soc", "/Soc")])
def test_what_is_too_large_is_refused(house: HostBench, topic: str, path: str) -> None:
    house.send(topic, None, size=1_000_000)
    (refusal,) = house.client.on("virtual-battery/test/rejected")
    assert (refusal["path"], refusal["reason"]) == (path, "1000000 bytes are too much")


# --- coming and leaving -----------------------------------------------------------------------


def test_it_enters_the_bus_with_all_its_values(house: HostBench) -> None:
    assert NAME in house.bus.taken and house.entered == 1 and house.host.is_on_bus
    values = house.service.values
    assert values["/DeviceInstance"] == 1 and values["/Mgmt/Connection"] == "MQTT 127.0.0.1:1883"
    assert set(values) == set(house.host.battery.paths) == set(house.host.all_values())


def test_it_enters_the_bus_without_a_settings_service(monkeypatch: pytest.MonkeyPatch) -> None:
    house = HostBench(monkeypatch, fails=NOT_THERE).open()
    assert NAME in house.bus.taken
    assert house.service.values["/Info/MaxChargeCurrent"] == 0.0, "a limit from the first moment on"


def test_a_name_that_is_taken_is_said_and_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    house = HostBench(monkeypatch)
    house.bus.taken.add(NAME)
    house.host.open()
    assert house.name_taken == [NAME]
    assert house.settings.asked == 0, "it would change the instance of the other one"


def test_a_name_that_is_taken_in_the_meantime_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    house = HostBench(monkeypatch)
    house.host.open()
    house.bus.taken.add(NAME)
    house.settings.answer()
    assert house.name_taken == [NAME] and not house.host.is_on_bus
    assert house.service.is_closed
    assert NAME in house.bus.taken, "the other one keeps its name"


@pytest.mark.parametrize("step", ["__init__", "register"])
def test_a_bus_that_does_not_take_it_is_said(monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def refused(*_: object, **__: object) -> None:
        raise NoBus("why")

    house = HostBench(monkeypatch)
    house.host.open()
    monkeypatch.setattr(FakeBatteryService, step, refused)
    house.settings.answer()
    assert house.no_bus == ["why"] and not house.host.is_on_bus
    assert all(service.is_closed for service in house.services)


def test_it_enters_once_with_the_instance_that_it_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    house = HostBench(monkeypatch)
    house.settings.write("ClassAndVrmInstance", "battery:1", ident="other")
    house.open()
    assert (house.entered, house.name_taken) == (1, [])
    assert house.service.values["/DeviceInstance"] == 2


def test_a_silent_settings_service_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    house = HostBench(monkeypatch, fails=NO_REPLY)
    house.settings.write("ClassAndVrmInstance", "battery:33")
    house.open()
    house.settings.fails = ""
    house.clock.now += RETRY
    house.host.on_tick(house.clock.now)
    house.settings.answer()
    assert house.host.instance == 33


def test_a_new_instance_brings_it_back_with_other_topics(house: HostBench) -> None:
    house.send(SET, b'{"Soc": 61}')
    house.settings.write("ClassAndVrmInstance", "battery:33")
    assert house.entered == 2 and len(house.services) == 2
    assert house.service.values["/DeviceInstance"] == 33
    assert house.service.values["/Soc"] == 61.0, "it comes back with what it knew"
    assert house.host.topics() == [SET, WriteTopic.root("c0ffee", 33) + "/#"]
    assert house.host.battery.identity["instance"] == 33
    assert not house.host.knows("W/c0ffee/battery/1/Soc")


def test_the_same_instance_again_changes_nothing(house: HostBench) -> None:
    house.host.open()  # the settings service has come back
    house.settings.answer()
    assert (house.entered, house.name_taken) == (1, [])


def test_while_a_keepalive_lasts_changes_and_a_new_instance_are_notified(
    house: HostBench,
) -> None:
    alive = b'{"keepalive-options": ["suppress-republish"]}'
    house.notifications.on_message(PortalTopics("c0ffee").keepalive, alive, False, house.clock.now)
    house.send(SET, b'{"Soc": 61}')
    topic = NotificationTopic("c0ffee", 1, "/Soc").build()
    assert house.client.on(topic) == [{"value": 61.0}]
    house.settings.write("ClassAndVrmInstance", "battery:33")
    topic = NotificationTopic("c0ffee", 33, "/Soc").build()
    assert house.client.on(topic) == [{"value": 61.0}]


def test_leaving_empties_its_notifications(house: HostBench) -> None:
    house.host.close()
    house.host.close()
    assert NAME not in house.bus.taken and not house.host.is_on_bus
    topic = NotificationTopic("c0ffee", 1, "/Soc").build()
    assert [payload for at, payload, _ in house.client.published if at == topic] == [""]


def test_what_is_published_without_a_service_is_in_its_first_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    house = HostBench(monkeypatch)
    house.send(SET, b'{"Soc": 61}')
    house.open()
    assert house.service.values["/Soc"] == 61.0


def test_what_clients_decide_is_kept(house: HostBench) -> None:
    house.send(SET, b'{"CustomName": "Cellar"}')
    house.settings.answer()
    assert house.settings.value("CustomName") == "Cellar"
    house.settings.write("CustomName", "Attic")
    house.host.on_tick(house.clock.now)
    assert house.service.values["/CustomName"] == "Attic"


def test_after_a_reconnection_the_state_is_published_again(house: HostBench) -> None:
    house.host.on_tick(house.clock.now)
    house.clock.now += 1.0
    before = len(house.client.on("virtual-battery/test/state"))
    house.host.publish_again()
    house.host.on_tick(house.clock.now)
    assert len(house.client.on("virtual-battery/test/state")) == before + 1


def test_who_is_about_to_read_sees_what_is_still_gathered(house: HostBench) -> None:
    house.host.on_message(SET, b'{"Soc": 61}', 1, house.clock.now)
    assert house.service.values["/Soc"] is None
    house.host.catch_up(house.clock.now)
    assert house.service.values["/Soc"] == 61.0
