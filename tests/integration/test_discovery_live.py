"""Discovery on a real broker: sent retained, sent again for Home Assistant, and taken back."""

from __future__ import annotations

from pathlib import Path

from pocket import PocketGx

from tests.harness.batteries import healthy
from tests.harness.bridge_process import BridgeProcess
from tests.harness.mqtt_client import EVERYTHING, MqttClient
from tests.harness.waiting import wait_for

CONFIG = "homeassistant/device/virtual_battery_virtual/config"
SET, SETTINGS = "virtual-battery/virtual/set", "virtual-battery/virtual/settings"


def test_from_switched_on_to_switched_off(gx: PocketGx, tmp_path: Path) -> None:
    with MqttClient(gx.port, EVERYTHING) as client, with_home_assistant(gx, tmp_path, "on"):
        wait_for(client.state, "a bridge that hears")
        client.publish(SET, healthy())
        wait_for(lambda: "voltages_cell16" in latest(client), "the cells in use")
        client.heard.clear()
        client.publish("homeassistant/status", "online")
        wait_for(lambda: client.on(CONFIG), "sent again")
        wait_for(client.state, "the state told again")
        wait_for(lambda: client.on(SETTINGS), "the settings told again")
    with MqttClient(gx.port, EVERYTHING) as client:
        wait_for(lambda: client.on(CONFIG), "the retained message")
        assert [heard.retained for heard in client.below(CONFIG)] == [True]
        with with_home_assistant(gx, tmp_path, "off"):
            wait_for(lambda: client.payloads(CONFIG)[-1] == b"", "taken back")
    with MqttClient(gx.port, EVERYTHING) as client, with_home_assistant(gx, tmp_path, "entities"):
        soc = "homeassistant/sensor/virtual_battery_virtual/installedcapacity/config"
        wait_for(lambda: client.on(soc), "one message for each entity")
        assert not client.on(CONFIG)


def with_home_assistant(gx: PocketGx, directory: Path, way: str) -> BridgeProcess:
    return BridgeProcess(gx, directory, mqtt={"home_assistant": way})


def latest(client: MqttClient) -> dict[str, object]:
    published = client.on(CONFIG)
    return published[-1]["cmps"] if published else {}
