"""A real Home Assistant: entities found by themselves, values both ways, and our automations."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pocket import PocketGx

from tests.clients.feed import FULL, usual_battery
from tests.harness.bridge_process import BridgeProcess
from tests.harness.mqtt_client import EVERYTHING, MqttClient
from tests.harness.waiting import PATIENCE, wait_for

HERE = Path(__file__).parent
AUTOMATIONS = HERE.parents[1] / "docker" / "home-assistant" / "automations.yaml"
SET = "virtual-battery/virtual/set"


class HomeAssistant:
    """Orders by lines of JSON, answers likewise."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def answer(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, "Home Assistant has ended"
        return json.loads(line)

    def order(self, *words: Any) -> Any:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()
        return self.answer()

    def state(self, entity: str) -> str | None:
        found = self.order("states").get(entity)
        return found["state"] if found else None

    def becomes(self, entity: str, state: str | None) -> None:
        wait_for(lambda: self.state(entity) == state, f"{entity} {state}")


@contextmanager
def running(gx: PocketGx, python: str, directory: Path) -> Iterator[HomeAssistant]:
    directory.mkdir()
    (directory / "configuration.yaml").touch()
    argv = [python, str(HERE / "hass.py"), str(directory), str(gx.port), str(AUTOMATIONS)]
    with (directory / "hass.log").open("w") as log:
        process = gx.spawn(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        )
        it = HomeAssistant(process)
        assert it.answer() == "ready"
        yield it
        process.terminate()
        process.wait(PATIENCE)


def way_of(python: str) -> str:
    """One message for a device, where Home Assistant is new enough for it."""
    code = "import homeassistant.const as c; print(c.MAJOR_VERSION * 100 + c.MINOR_VERSION)"
    month = int(subprocess.check_output([python, "-c", code], text=True))
    return "on" if month >= 202411 else "entities"


def test_a_battery_in_home_assistant(gx: PocketGx, tmp_path: Path, home_assistant: str) -> None:
    way = way_of(home_assistant)
    hass_folder = tmp_path / "hass"
    with (
        MqttClient(gx.port, EVERYTHING) as client,
        running(gx, home_assistant, hass_folder) as hass,
    ):
        with BridgeProcess(gx, tmp_path, usual_battery(), mqtt={"home_assistant": way}):
            wait_for(client.state, "the bridge")
            client.publish(SET, FULL)
            hass.becomes("sensor.virtual_state_of_charge", "55.0")
            found = hass.order("states")
            _shows_what_a_battery_has(found)
            _writes_settings_and_requests(hass)
            _our_automations_write(hass, client)
        hass.becomes("sensor.virtual_state_of_charge", "unavailable")
        hass.becomes("number.virtual_charge_current_request", "unavailable")
        with BridgeProcess(gx, tmp_path, usual_battery(), mqtt={"home_assistant": "off"}):
            hass.becomes("sensor.virtual_state_of_charge", None)
            hass.becomes("number.virtual_charge_current_request", None)
    log = (hass_folder / "hass.log").read_text()
    assert "emplate" not in log, log


def _shows_what_a_battery_has(found: dict[str, Any]) -> None:
    cell = found["sensor.virtual_cell_16_voltage"]
    assert cell["state"] == "3.31"
    assert cell["attributes"]["device_class"] == "voltage"
    assert cell["attributes"]["unit_of_measurement"] == "V"
    assert found["sensor.virtual_charge_current_limit"]["attributes"]["rule"]
    assert found["sensor.virtual_freshness"]["state"] == "fresh"
    alarm = found["binary_sensor.virtual_bms_cable_alarm"]
    assert (alarm["state"], alarm["attributes"]["level"]) == ("off", "ok")
    cv1 = found["number.virtual_limiter_cv1"]["attributes"]
    assert (cv1["min"], cv1["max"], cv1["step"]) == (1.0, 4.5, 0.001)
    assert "sensor.virtual_state_of_health" not in found, "nobody writes it"


def _writes_settings_and_requests(hass: HomeAssistant) -> None:
    limit = "number.virtual_limiter_max_charge_current"
    hass.order("call", "number", "set_value", {"entity_id": limit, "value": 80})
    hass.becomes("sensor.virtual_charge_current_limit", "80.0")
    taper = {"entity_id": "select.virtual_limiter_taper", "option": "linear"}
    hass.order("call", "select", "select_option", taper)
    hass.becomes("select.virtual_limiter_taper", "linear")
    stop = {"entity_id": "switch.virtual_stop_discharging"}
    hass.order("call", "switch", "turn_on", stop)
    hass.becomes("sensor.virtual_discharge_current_limit", "0.0")
    hass.order("call", "switch", "turn_off", stop)
    hass.becomes("switch.virtual_stop_discharging", "off")


def _our_automations_write(hass: HomeAssistant, client: MqttClient) -> None:
    hass.order("set", "sun.sun", "above_horizon")
    hass.order("set", "sun.sun", "below_horizon")
    hass.becomes("number.virtual_charge_current_request", "20.0")
    hass.order("set", "sun.sun", "above_horizon")
    hass.becomes("number.virtual_charge_current_request", "unknown")
    hass.order("set", "sensor.bms_soc", "unavailable")
    for cell in range(1, 17):
        hass.order("set", f"sensor.bms_cell_{cell}", "3.3")
    hass.order("set", "sensor.bms_voltage", "53.3")
    hass.becomes("sensor.virtual_voltage", "53.3")
    hass.becomes("sensor.virtual_cell_1_voltage", "3.3")
    assert client.state()["values"]["Soc"] == 55, "what is unavailable is left out"
    assert not client.on("virtual-battery/virtual/rejected")
