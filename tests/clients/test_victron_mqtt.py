"""victron-mqtt lists our battery on a broker that no GX has ever seen."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from pocket import PocketGx

from tests.clients.feed import FULL, usual_battery
from tests.harness.bridge_process import BridgeProcess
from tests.harness.mqtt_client import EVERYTHING, MqttClient
from tests.harness.waiting import wait_for

HUB = Path(__file__).parent / "victron_hub.py"


def test_the_hub_finds_the_portal_and_the_battery_with_its_values(
    gx: PocketGx, tmp_path: Path, victron_mqtt: str
) -> None:
    with (
        MqttClient(gx.port, EVERYTHING) as client,
        BridgeProcess(gx, tmp_path, usual_battery()),
    ):
        wait_for(client.state, "the bridge")
        client.publish("virtual-battery/virtual/set", FULL)
        told = subprocess.run(
            [victron_mqtt, str(HUB), str(gx.port)], capture_output=True, text=True, timeout=90
        )

    assert told.returncode == 0, told.stderr
    found = json.loads(told.stdout)
    assert found["portal"] == gx.portal_id
    [battery] = [device for device in found["devices"].values() if device["type"] == "battery"]
    metrics = battery["metrics"]
    assert battery["name"] == "Virtual battery"
    assert metrics["battery_soc"] == 55
    assert metrics["battery_voltage"] == 53.1
    assert metrics["battery_max_charge_current"] == 100
    assert len([name for name in metrics if "cell" in name and "voltage" in name]) >= 16
