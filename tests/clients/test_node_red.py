"""The flows of docker/node-red in a real Node-RED, against a real bridge."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pocket import PocketGx

from tests.clients.feed import FULL, usual_battery
from tests.clients.node_red import FLOWS, NodeRed
from tests.harness.bridge_process import BridgeProcess
from tests.harness.mqtt_client import EVERYTHING, MqttClient
from tests.harness.waiting import wait_for

SET = "virtual-battery/virtual/set"
QUICK = {"current_hold": 0, "current_rise": 1, "voltage_hold": 0, "voltage_rise": 1}
"""Without the slow recovery, so that one rule can be tried after the other."""

BUTTONS = {
    "charge_voltage": ("Limiter/ChargeVoltage", 3.42),
    "cv1_cv2": ("Limiter/MaxChargeCurrentAboveCv2", 8),
    "empty": ("Limiter/MinCellVoltage", 2.95),
    "temperature": ("Limiter/ChargeTemperature", [[0, 0], [5, 0.2], [12, 1], [38, 1], [45, 0]]),
    "soc": ("Limiter/ChargeSoc", [[80, 1], [90, 0.4], [98, 0.1]]),
    "winter": ("Limiter/MaintainSocByMonth", [[3, 0], [11, 30]]),
    "absorption": ("Limiter/FloatVoltage", 3.36),
    "imbalance": ("Limiter/Imbalance", [[0.06, 1], [0.1, 0.3], [0.2, 0.02]]),
}


class House:
    """A broker, a bridge, a Node-RED and a client that sees everything."""

    def __init__(self, client: MqttClient, node_red: NodeRed) -> None:
        self.client, self.node_red = client, node_red

    def feed(self, **changes: float) -> None:
        values = {path.replace("_", "/"): value for path, value in changes.items()}
        self.client.publish(SET, {**FULL, "Dc/0/Temperature": 20, **values})

    def limit(self, name: str) -> Any:
        return self.client.state().get("limits", {}).get(name)

    def becomes(self, name: str, value: float, **changes: float) -> None:
        """A limit becomes this value while the battery is fed so, again and again."""

        def is_so() -> bool:
            self.feed(**changes)
            return bool(self.limit(name) == value)

        wait_for(is_so, f"{name} {value}, the state is {self.client.state()}")


@pytest.fixture(scope="module")
def house(node_red_program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    directory = tmp_path_factory.mktemp("node-red")
    with (
        PocketGx() as gx,
        MqttClient(gx.port, EVERYTHING) as client,
        BridgeProcess(gx, directory, usual_battery(**QUICK)),
    ):
        node_red = NodeRed(node_red_program, gx, directory)
        wait_for(client.state, "the bridge")
        yield House(client, node_red)
        node_red.close()
        log = node_red.log.read_text()
        assert "[error]" not in log, log


def test_every_flow_is_tried_here() -> None:
    assert sorted(file.name for file in FLOWS.glob("*.json")) == [
        "bms-shunt-inverter.json",
        "heartbeat.json",
        "limits-and-reasons.json",
        "rules-by-configuration.json",
        "rules-by-requests.json",
        "smallest.json",
    ]


def test_the_smallest_write_by_both_ways(house: House) -> None:
    house.node_red.import_flows("smallest.json")
    for button, soc in (("press", 55), ("press_gx", 56)):

        def written(button: str = button, soc: float = soc) -> bool:
            house.node_red.press(f"vb_smallest_{button}")  # until the portal id is found
            return bool(house.client.state().get("values", {}).get("Soc") == soc)

        wait_for(written, f"SoC {soc}")


def test_three_sources_make_one_battery(house: House) -> None:
    house.node_red.import_flows("bms-shunt-inverter.json")

    def arrived() -> bool:
        bms = {"cells": [3300 + i for i in range(16)], "charge": True, "discharge": True}
        house.client.publish("example/bms", {**bms, "temperature": 21.5})
        house.client.publish("example/shunt", {"current": -12.3, "soc": 71.5})
        house.client.publish("example/inverter", "52.96")
        values = house.client.state()["values"]
        expected = {"Voltages/Cell16": 3.315, "Dc/0/Current": -12.3, "Dc/0/Voltage": 52.96}
        return all(values.get(path) == value for path, value in expected.items())

    wait_for(arrived, "all three")
    house.client.publish("example/bms", {"cells": [], "charge": False, "discharge": True})
    wait_for(lambda: house.limit("CCL") == 0, "the BMS that blocks")


def test_each_rule_by_requests(house: House) -> None:
    house.node_red.import_flows("rules-by-requests.json")
    house.client.publish(SET, {"Io/AllowToCharge": 1})
    house.becomes("CVL", 54.72)
    house.becomes("CCL", 100)
    house.becomes("CCL", 30, Voltages_Cell3=3.40, Voltages_Cell4=3.36)
    house.becomes("CCL", 8, Voltages_Cell3=3.44, Voltages_Cell4=3.40)
    house.becomes("CVL", 54.58, Dc_0_Voltage=54.60, Voltages_Cell3=3.50)
    house.becomes("CCL", 100)
    house.becomes("CCL", 10, Dc_0_Temperature=2.5)
    house.becomes("CCL", 70, Soc=85)
    house.becomes("CCL", 30, Voltages_Cell3=3.36, Voltages_Cell4=3.26)
    house.becomes("DCL", 0, Voltages_Cell3=2.94)
    house.becomes("DCL", 0, Voltages_Cell3=3.00)
    house.becomes("DCL", 100, Voltages_Cell3=3.06)
    house.becomes("CVL", 54.72, Soc=96)
    house.client.publish("example/second-bms", {"charge": False, "discharge": True})
    house.becomes("CCL", 0)
    house.client.publish("example/second-bms", {"charge": True, "discharge": True})
    house.becomes("CCL", 100)


def test_each_rule_by_configuration(house: House) -> None:
    house.node_red.import_flows("rules-by-configuration.json")
    house.client.publish(SET, {"Info": dict.fromkeys(CURRENT_REQUESTS)})
    settings = "virtual-battery/virtual/settings"
    for button, (name, value) in BUTTONS.items():
        section, key = name.split("/")

        def taken(
            button: str = button, section: str = section, key: str = key, value: Any = value
        ) -> bool:
            house.node_red.press(f"vb_settings_{button}")
            told = house.client.on(settings)[-1]["Settings"]
            return bool(told[section][key] == value)

        wait_for(taken, f"{name} {value}, refused: {house.client.on(REJECTED)}")
    house.becomes("CVL", 54.72)
    house.becomes("CCL", 30, Voltages_Cell3=3.40, Voltages_Cell4=3.36)
    house.becomes("CCL", 0, Dc_0_Temperature=2.5)  # in steps: the safer neighbour
    house.becomes("CCL", 40, Soc=85)
    house.node_red.press("vb_settings_restore")
    house.becomes("CVL", 55.2)
    house.becomes("CCL", 100)


CURRENT_REQUESTS = ("MaxChargeVoltage", "MaxChargeCurrent", "MaxDischargeCurrent")
REJECTED = "virtual-battery/virtual/rejected"


def test_limits_and_reasons_are_read_back(house: House) -> None:
    house.node_red.import_flows("limits-and-reasons.json")
    told = wait_for(lambda: house.client.on("example/limits"), "limits")[-1]
    assert any(line.startswith("CCL ") for line in told)


def test_the_heartbeat_repeats_while_there_is_a_sign_of_life(house: House) -> None:
    house.node_red.import_flows("heartbeat.json")
    house.client.heard.clear()

    def spoken() -> bool:
        house.client.publish("example/on-change", {"Dc/0/Voltage": 53.37})
        return any(b"53.37" in payload for payload in house.client.payloads(SET))

    wait_for(spoken, "passed on at once")
    house.client.heard.clear()
    wait_for(lambda: house.client.on(SET), "repeated after ten seconds")
