"""When discovery is sent, renewed and taken back."""

from __future__ import annotations

import json

import pytest
from doubles import FakeClient
from fake_ports import FakeDiscoverySource

from bridge.core.model import Value
from bridge.core.paths.table import path_table
from bridge.gateways.home_assistant.device import Device
from bridge.gateways.home_assistant.publisher import LEARN, RENEW, Discovery

DEVICE = Device("virtual", "Cellar", "virtual-battery", "1.0", {"CVL": 58, "CCL": 200, "DCL": 250})
CONFIG = "homeassistant/device/virtual_battery_virtual/config"
ENTITY = "homeassistant/sensor/virtual_battery_virtual/soc/config"


class Wire(FakeClient):
    def take(self) -> dict[str, str]:
        """The latest payload of each topic since the last take; all are retained."""
        sent, self.published = self.published, []
        assert all(retained for _, _, retained in sent)
        return {topic: payload for topic, payload, _ in sent}


class House:
    def __init__(self, mode: str) -> None:
        self.wire, self.now = Wire(), 100.0
        values: dict[str, Value] = {"/Soc": 50.0, "/CustomName": "Cellar"}
        self.battery = FakeDiscoverySource(path_table(4), values)
        self.it = Discovery(mode, self.wire, self.battery, DEVICE)
        self.it.on_connected(self.now)

    def wait(self, seconds: float) -> bool:
        changed = False
        for _ in range(round(seconds)):
            self.now += 1.0
            changed = self.it.on_tick(self.now) or changed
        return changed

    def components(self) -> set[str]:
        return set(json.loads(self.wire.take()[CONFIG])["cmps"])


@pytest.fixture
def on() -> House:
    house = House("on")
    house.wait(LEARN)
    house.wire.take()
    return house


def test_it_reads_its_past_first_and_then_speaks() -> None:
    house = House("on")
    assert CONFIG in house.it.topics()
    assert not house.wait(LEARN - 1) and not house.wire.published
    assert house.wait(1), "the topics of the past are not needed any more"
    assert house.it.topics() == ["homeassistant/status"]
    assert "soc" in house.components()


def test_switched_off_it_takes_back_whatever_is_there_and_is_silent_otherwise() -> None:
    house = House("off")
    house.it.on_message(CONFIG, b'{"cmps":{}}')
    house.it.on_message(ENTITY, b"{}")
    house.it.on_message("homeassistant/sensor/somebody/soc/config", b"{}")
    house.wait(20)
    assert house.wire.take() == {CONFIG: "", ENTITY: ""}
    assert house.it.topics() == []
    house = House("off")
    house.wait(20)
    house.it.on_message("homeassistant/status", b"online")
    house.wait(20)
    assert not house.wire.published


def test_the_other_way_of_discovery_is_taken_back() -> None:
    on, entities = House("on"), House("entities")
    on.it.on_message(ENTITY, b"{}")
    entities.it.on_message(CONFIG, b'{"cmps":{"soc":{"p":"sensor","name":"x"}}}')
    for house in (on, entities):
        house.wait(LEARN)
    sent = on.wire.take()
    assert sent[ENTITY] == "" and sent[CONFIG]
    sent = entities.wire.take()
    assert sent[CONFIG] == "" and sent[ENTITY]


def test_what_was_in_use_in_former_times_stays_and_what_no_longer_exists_goes() -> None:
    house = House("on")
    house.it.on_message(
        CONFIG, b'{"cmps":{"soh":{"p":"sensor","name":"x"},"voltages_cell9":{"p":"sensor","n":1}}}'
    )
    house.wait(LEARN)
    components = json.loads(house.wire.take()[CONFIG])["cmps"]
    assert len(components["soh"]) > 3
    assert components["voltages_cell9"] == {"p": "sensor"}


def test_new_measurements_and_a_new_name_are_sent_but_not_every_second(on: House) -> None:
    on.wait(RENEW)
    assert not on.wire.published, "nothing new"
    on.battery.on_bus["/Soh"] = 99.0
    on.wait(1)
    assert "soh" in on.components()
    on.battery.on_bus["/CustomName"] = "Attic"
    on.wait(RENEW - 2)
    assert not on.wire.published
    on.wait(3)
    assert json.loads(on.wire.take()[CONFIG])["dev"]["name"] == "Attic"


def test_what_falls_silent_stays_an_entity(on: House) -> None:
    del on.battery.on_bus["/Soc"]
    on.it.on_message("homeassistant/status", b"online")
    on.wait(1)
    assert "soc" in on.components()


def test_home_assistant_that_comes_online_is_told_everything_again(on: House) -> None:
    on.it.on_message("homeassistant/status", b"offline")
    on.wait(10)
    assert not on.wire.published and on.battery.told_again == 0
    on.it.on_message("homeassistant/status", b"online")
    on.wait(1)
    assert CONFIG in on.wire.take() and on.battery.told_again == 1


def test_home_assistant_that_comes_online_while_the_past_is_read_is_told_once() -> None:
    house = House("on")
    house.it.on_message("homeassistant/status", b"online")
    house.wait(LEARN)
    assert house.battery.told_again == 0, "the state is published anyway after a connection"
    assert CONFIG in house.wire.take()


def test_a_topic_that_is_empty_is_not_emptied_again() -> None:
    house = House("off")
    house.it.on_message(CONFIG, b"")
    house.it.on_message(ENTITY, b"")
    house.wait(20)
    assert not house.wire.published


def test_what_comes_after_the_past_was_read_is_not_ours_to_remove(on: House) -> None:
    on.it.on_message(ENTITY, b"{}")
    on.it.on_message("homeassistant/status", b"online")
    on.wait(RENEW)
    assert set(on.wire.take()) == {CONFIG}
