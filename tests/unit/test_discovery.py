"""Home Assistant's discovery over the whole path table."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from doubles import Bench

from bridge.core.paths.gate import Role
from bridge.core.paths.table import path_table
from bridge.gateways.home_assistant.device import Device
from bridge.gateways.home_assistant.entities import (
    Entities,
    as_device,
    as_entities,
    entities,
    key_of,
    keys_in,
    measured,
)
from bridge.gateways.home_assistant.names import name_of

PATHS = path_table(16)
MEASURED = [p for p, row in PATHS.items() if row.role in (Role.MEASUREMENT, Role.ALARM)]
OPTIONAL = {
    "dv1": 3.1,
    "max_discharge_current_below_dv1": 70,
    "dv2": 3.0,
    "max_discharge_current_below_dv2": 20,
    "absorption_voltage": 3.5,
    "float_voltage": 3.4,
    "balancing_voltage": 3.5,
    "charge_to_soc": 80,
}
DEVICE = Device("virtual", "Cellar", "virtual-battery", "1.0", {"CVL": 58, "CCL": 200, "DCL": 250})


@pytest.fixture(scope="module")
def everything() -> Entities:
    return entities(PATHS, DEVICE, map(key_of, MEASURED))


def test_measurements_and_alarms_are_measured_and_nothing_else() -> None:
    assert measured(PATHS) == set(MEASURED)
    assert "/Info/MaxChargeCurrent" not in measured(PATHS)


def test_what_is_not_in_use_is_no_entity_but_limits_and_settings_always_are() -> None:
    found = entities(PATHS, DEVICE, ["soc"])
    assert "soc" in found and "soh" not in found and "voltages_cell1" not in found
    assert {"limit_ccl", "request_ccl", "stop_charging", "settings_limiter_cv1"} <= set(found)


def test_every_measurement_and_alarm_becomes_one_entity(everything: Entities) -> None:
    assert set(map(key_of, MEASURED)) <= set(everything)
    assert len(set(map(key_of, MEASURED))) == len(MEASURED)


def test_names_and_ids_are_unique(everything: Entities) -> None:
    for what in ("uniq_id", "default_entity_id"):
        values = [entity[what] for entity in everything.values()]
        assert len(set(values)) == len(values), what
    pattern = r"(sensor|binary_sensor|number|select|switch|button|text)\.virtual_[a-z0-9_]+"
    for entity in everything.values():
        assert re.fullmatch(pattern, entity["default_entity_id"])
        assert entity["default_entity_id"] == f"{entity['p']}.{entity['obj_id']}"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/Soc", "State of charge"),
        ("/Voltages/Cell7", "Cell 7 voltage"),
        ("/Balances/Cell12", "Cell 12 balancing"),
        ("/Alarms/LowSoc", "Low SoC alarm"),
        ("/Alarms/BmsCable", "BMS cable alarm"),
        ("/System/MinCellVoltage", "Min cell voltage"),
        ("/History/ChargeCycles", "History charge cycles"),
        ("/Settings/Limiter/MaxChargeCurrentAboveCv1", "Limiter max charge current above CV1"),
        ("/Settings/Limiter/Cv1", "Limiter CV1"),
    ],
)
def test_names_read_like_names(path: str, name: str) -> None:
    assert name_of(path) == name


def test_a_voltage_a_cell_and_an_alarm_in_full(everything: Entities) -> None:
    voltage, cell = everything["dc_0_voltage"], everything["voltages_cell3"]
    assert (voltage["dev_cla"], voltage["unit_of_meas"]) == ("voltage", "V")
    assert voltage["sug_dsp_prc"] == 2
    assert (cell["sug_dsp_prc"], cell["stat_cla"]) == (3, "measurement")
    assert voltage["stat_t"] == "virtual-battery/virtual/state"
    assert voltage["val_tpl"] == "{{ value_json['values'].get('Dc/0/Voltage') }}"
    assert everything["soc"]["dev_cla"] == "battery"
    alarm = everything["alarms_lowcellvoltage"]
    assert (alarm["p"], alarm["dev_cla"]) == ("binary_sensor", "problem")


def test_measurements_need_fresh_values_and_the_rest_only_a_running_bridge(
    everything: Entities,
) -> None:
    topics = {key: [place["t"] for place in e["avty"]] for key, e in everything.items()}
    both = ["virtual-battery/status", "virtual-battery/virtual/state"]
    assert topics["soc"] == topics["voltages_cell1"] == both
    for key in ("limit_ccl", "stage", "alarms_bmscable", "history_chargecycles", "request_dcl"):
        assert topics[key] == both[:1], key


def test_commands_are_batches_that_name_the_path(everything: Entities) -> None:
    for key, entity in everything.items():
        commands = [entity[c] for c in ("cmd_tpl", "pl_on", "pl_off", "pl_prs") if c in entity]
        has_command = entity["p"] in ("number", "select", "switch", "button", "text")
        assert bool(commands) == has_command, key
        for command in commands:
            assert entity["cmd_t"] == "virtual-battery/virtual/set"
            filled = command.replace("{{ value }}", "1.5").replace("{{ value | tojson }}", '"x"')
            for path in json.loads(filled):
                assert PATHS["/" + path].writable, path


def test_numbers_have_the_ranges_of_their_settings(everything: Entities) -> None:
    cv1 = everything["settings_limiter_cv1"]
    row = PATHS["/Settings/Limiter/Cv1"]
    assert (cv1["min"], cv1["max"], cv1["step"]) == (row.low, row.high, 0.001)
    assert everything["request_ccl"]["max"] == 200
    taper = everything["settings_limiter_taper"]
    assert (taper["p"], taper["ops"]) == ("select", ["steps", "linear"])


def test_what_is_optional_can_be_switched_off(everything: Entities) -> None:
    """A number cannot be off, so it has a button, which takes along what belongs to it."""
    bench = Bench(limiter=OPTIONAL)
    offs = [entity for key, entity in everything.items() if key.endswith("_off")]
    assert len(offs) == 6
    for entity in offs:
        bench.batch(json.loads(entity["pl_prs"]))
    assert bench.rejected == []
    assert all(getattr(bench.battery._control.config.limiter, name) is None for name in OPTIONAL)


def test_a_time_of_day_is_a_text(everything: Entities) -> None:
    time = everything["settings_limiter_fullchargeat"]
    assert time["p"] == "text"
    assert all(re.fullmatch(time["pattern"], words) for words in ("off", "16:00", "7:05"))
    assert not any(re.fullmatch(time["pattern"], words) for words in ("", "24:00", "16.00"))


def test_one_device_message_says_all_and_remembers_itself(everything: Entities) -> None:
    message = as_device(DEVICE, everything, gone={"voltages_cell17": "sensor", "soc": "sensor"})
    content: dict[str, Any] = json.loads(message)
    assert content["dev"]["ids"] == ["virtual_battery_virtual"]
    assert content["o"]["name"]
    assert content["cmps"]["voltages_cell17"] == {"p": "sensor"}, "removed"
    assert len(content["cmps"]["soc"]) > 3
    assert all("uniq_id" in e for key, e in content["cmps"].items() if key != "voltages_cell17")
    assert keys_in(message.encode()) == {key: e["p"] for key, e in everything.items()}


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b'{"cmps": 7}', b'{"cmps": {"a": 7}}'])
def test_a_message_of_former_times_that_cannot_be_read_names_nothing(payload: bytes) -> None:
    assert keys_in(payload) == {}


def test_messages_for_single_entities_stand_alone(everything: Entities) -> None:
    messages = as_entities(DEVICE, everything)
    assert len(messages) == len(everything)
    content = json.loads(messages["homeassistant/sensor/virtual_battery_virtual/soc/config"])
    assert content["dev"]["name"] == "Cellar"
    assert content["stat_t"] and content["avty"] and "p" not in content


def test_a_pack_of_256_cells_stays_below_the_usual_limit_of_a_message() -> None:
    paths = path_table(256)
    used = [key_of(p) for p, row in paths.items() if row.role is Role.MEASUREMENT]
    assert len(as_device(DEVICE, entities(paths, DEVICE, used), {})) < 256 * 1024
