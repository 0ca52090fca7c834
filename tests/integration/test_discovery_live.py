"""Discovery on a real broker: sent retained, sent again for Home Assistant, and taken back."""

from __future__ import annotations

import json
from pathlib import Path

from pocket import PocketGx

from tests.integration.running import FULL, Client, bridge, wait_until

CONFIG = "homeassistant/device/virtual_battery_virtual/config"
SET, SETTINGS = "virtual-battery/virtual/set", "virtual-battery/virtual/settings"


def test_from_switched_on_to_switched_off(gx: PocketGx, tmp_path: Path) -> None:
    with Client(gx.port) as client, bridge(gx, tmp_path, home_assistant="on"):
        wait_until(client.state, "a bridge that hears")
        client.send(SET, FULL)
        wait_until(lambda: "voltages_cell16" in latest(client), "the cells in use")
        client.heard.clear()
        client.send("homeassistant/status", "online")
        wait_until(lambda: client.on(CONFIG), "sent again")
        wait_until(client.state, "the state told again")
        wait_until(lambda: client.on(SETTINGS), "the settings told again")
    with Client(gx.port) as client:
        assert [heard.retained for heard in client.below(CONFIG)] == [True]
        with bridge(gx, tmp_path, home_assistant="off"):
            wait_until(lambda: client.on(CONFIG)[-1] == b"", "taken back")
    with Client(gx.port) as client, bridge(gx, tmp_path, home_assistant="entities"):
        soc = "homeassistant/sensor/virtual_battery_virtual/installedcapacity/config"
        wait_until(lambda: client.on(soc), "one message for each entity")
        assert not client.on(CONFIG)


def latest(client: Client) -> dict[str, object]:
    told = client.on(CONFIG)
    return json.loads(told[-1])["cmps"] if told else {}
