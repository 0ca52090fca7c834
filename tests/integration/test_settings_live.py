"""What outlives a restart: a real bridge beside a real settings service, which may fail it.

Everything runs with the stand-in, and with the real localsettings where LOCALSETTINGS names it.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dbus
import pytest
from pocket import PocketGx

from bridge.core.paths.table import path_table
from tests.harness.batteries import battery, healthy
from tests.harness.bridge_process import BridgeProcess
from tests.harness.bus_client import SETTINGS_SERVICE, BusClient
from tests.harness.mqtt_client import MqttClient
from tests.harness.waiting import PATIENCE, wait_for

DEVICE = "/Settings/Devices/virtual/"
NAME, INSTANCE = DEVICE + "CustomName", DEVICE + "ClassAndVrmInstance"
REMOTE = DEVICE + "RemoteSettings"
CHARGE, CV1, CV2 = (f"/Settings/Limiter/{n}" for n in ("MaxChargeCurrent", "Cv1", "Cv2"))
SET = "virtual-battery/virtual/set"

REAL = os.environ.get("LOCALSETTINGS", "")
FOLDERS = {"stand-in": "", **({"real localsettings": REAL} if REAL else {})}


@pytest.fixture(params=list(FOLDERS))
def gx(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[PocketGx]:
    monkeypatch.setenv("LOCALSETTINGS", FOLDERS[request.param])
    with PocketGx() as pocket:
        yield pocket


@pytest.fixture
def store(gx: PocketGx) -> Iterator[BusClient]:
    """A client of the settings service."""
    with BusClient(gx, SETTINGS_SERVICE) as client:
        yield client


@pytest.fixture
def bridge(gx: PocketGx, tmp_path: Path) -> BridgeProcess:
    return BridgeProcess(gx, tmp_path)


def kept(store: BusClient, path: str) -> str | None:
    """A text as the settings service has it; None as long as it has none."""
    try:
        return str(store.get(path))
    except dbus.DBusException:
        return None


def keeps(store: BusClient, **values: object) -> None:
    """Wait until the settings service has just these, by the short names of the limiter."""
    wanted = {f"Limiter/{name}": value for name, value in values.items()}

    def has_them() -> bool:
        text = kept(store, REMOTE)
        entries = json.loads(text) if text else None
        return entries is not None and wanted == {k: v["value"] for k, v in entries.items()}

    wait_for(has_them, lambda: kept(store, REMOTE))


def on_disk(gx: PocketGx) -> tuple[str, int]:
    """The text of the settings' file, and a number that each write of it changes."""
    files = [gx.directory / name for name in ("settings.json", "settings.xml")]
    file = next((file for file in files if file.exists()), None)
    return (file.read_text(), file.stat().st_mtime_ns) if file else ("", 0)


# --- settings ---------------------------------------------------------------------------------


def test_a_setting_outlives_a_restart(
    gx: PocketGx, bridge: BridgeProcess, store: BusClient
) -> None:
    with bridge.bus() as bus:
        assert bus.set(CHARGE, 60) == 0
        bus.comes(CHARGE, 60.0)
        keeps(store, MaxChargeCurrent=60)
        assert bus.set(CHARGE, 201) == 2
        assert bus[CHARGE] == 60.0
    bridge.stop()
    bridge.start()
    with bridge.bus() as bus, MqttClient(gx.port) as client:
        assert bus[CHARGE] == 60.0, "in force before it is on the bus"
        bridge.connected()
        client.publish(SET, healthy())
        bus.comes("CCL", 60.0)
        assert bus.set("/Settings/Restore", "all") == 0
        bus.comes(CHARGE, 100.0)
        keeps(store)


def test_settings_by_topic_and_batch_are_echoed_and_refused_as_a_whole(
    gx: PocketGx, bridge: BridgeProcess, store: BusClient
) -> None:
    bridge.connected()
    with bridge.bus() as bus, MqttClient(gx.port, "virtual-battery/#") as client:
        client.publish(f"W/{gx.portal_id}/battery/1{CHARGE}", {"value": 70})
        bus.comes(CHARGE, 70.0)
        client.publish(SET, {"Settings": {"Limiter": {"Cv1": 3.46, "Cv2": 3.48}}})
        bus.comes(CV2, 3.48)
        keeps(store, Cv1=3.46, Cv2=3.48, MaxChargeCurrent=70)
        client.publish(SET, {"Settings": {"Limiter": {"Cv1": 3.41, "Cv2": 9}}})
        rejected = "virtual-battery/virtual/rejected"
        wait_for(lambda: client.on(rejected), lambda: client.heard)
        assert client.on(rejected)[0]["path"] == CV2
        assert "3.48 V stays in force" in client.on(rejected)[0]["reason"]
        assert bus[CV1] == 3.46
        told = client.on("virtual-battery/virtual/settings")[-1]
        assert told["Settings"]["Limiter"]["Cv2"] == 3.48


def test_a_curve_may_come_as_text_or_as_arrays(bridge: BridgeProcess, store: BusClient) -> None:
    path = "/Settings/Limiter/ChargeSoc"
    points = [dbus.Array(point, signature="d") for point in ((80.0, 1.0), (90.0, 0.5))]
    with bridge.bus() as bus:
        assert bus[path] == "off"
        assert bus.set(path, dbus.Array(points, signature="ad")) == 0
        bus.comes(path, "[[80,1],[90,0.5]]")
        assert bus.set(path, "[[80, 1], [95, 0.5]]") == 0
        bus.comes(path, "[[80,1],[95,0.5]]")
        keeps(store, ChargeSoc=[[80, 1], [95, 0.5]])
        assert bus.set(path, dbus.Array([], signature="i", variant_level=1)) == 2
        assert bus[path] == "[[80,1],[95,0.5]]"
        assert bus.set(path, "off") == 0
        bus.comes(path, "off")
        keeps(store)


def test_a_changed_configuration_wins_over_an_older_remote_change(
    bridge: BridgeProcess, store: BusClient
) -> None:
    with bridge.bus() as bus:
        bus.set(CHARGE, 60)
        bus.set(CV1, 3.41)
    keeps(store, MaxChargeCurrent=60, Cv1=3.41)
    bridge.stop()
    content = bridge.config.read_text()
    new = content.replace('"max_charge_current": 100', '"max_charge_current": 90')
    bridge.config.write_text(new)
    bridge.start()
    with bridge.bus() as bus:
        assert (bus[CHARGE], bus[CV1]) == (90.0, 3.41)
    keeps(store, Cv1=3.41)
    bridge.says("60 A is forgotten, the configuration has changed since, to 90 A")


def test_repeated_writes_cost_one_write_of_flash(
    gx: PocketGx, bridge: BridgeProcess, store: BusClient
) -> None:
    with bridge.bus() as bus:
        bus.set(CHARGE, 60)
        wait_for(lambda: "MaxChargeCurrent" in on_disk(gx)[0], bridge.log)
        before = on_disk(gx)
        store.heard()
        for _ in range(50):
            assert bus.set(CHARGE, 60.0) == 0
            assert bus.set(CHARGE, 999) == 2
        bus.set(CV1, 3.41)
        versions = {before}

        def arrived() -> bool:
            versions.add(on_disk(gx))
            return any("Cv1" in text for text, _ in versions)

        wait_for(arrived, bridge.log)
        assert len(versions) == 2, "the file was written for the new value only"
        assert len([path for path, _, _ in store.heard() if path == REMOTE]) == 1


# --- the settings service fails ---------------------------------------------------------------


def test_kill_9_of_the_service_between_write_and_save_loses_nothing(
    gx: PocketGx, bridge: BridgeProcess, store: BusClient
) -> None:
    with bridge.bus() as bus:
        bus.set(CHARGE, 60)
        bus.set("/CustomName", "Cellar")
        keeps(store, MaxChargeCurrent=60)
        gx.kill_settings()
        assert bus.set(CV1, 3.41) == 0, "nothing waits for the service"
        bus.comes(CV1, 3.41)
        gx.start_settings()
        keeps(store, MaxChargeCurrent=60, Cv1=3.41)
        wait_for(lambda: kept(store, NAME) == "Cellar", bridge.log)
    bridge.kill()
    bridge.start()
    with bridge.bus() as bus:
        assert (bus[CHARGE], bus[CV1], bus["/CustomName"]) == (60.0, 3.41, "Cellar")


def test_kill_9_of_the_bridge_right_after_a_write_loses_nothing(bridge: BridgeProcess) -> None:
    with bridge.bus() as bus:
        assert bus.set(CHARGE, 60) == 0
        bridge.kill()
    bridge.start()
    with bridge.bus() as bus:
        assert bus[CHARGE] == 60.0


def test_a_service_that_comes_late_costs_no_start_and_no_decision(tmp_path: Path) -> None:
    with PocketGx(settings=False) as gx:
        bridge = BridgeProcess(gx, tmp_path, battery(instance=7))
        bridge.says("the settings service is not there")
        store = BusClient(gx, SETTINGS_SERVICE)
        with bridge.bus() as bus:
            assert bus["/DeviceInstance"] == 7
            assert bus.set(CHARGE, 60) == 0
            assert bus.set("/CustomName", "Cellar") == 0
            gx.start_settings()
            keeps(store, MaxChargeCurrent=60)
            wait_for(lambda: kept(store, NAME) == "Cellar", bridge.log)
            assert str(store.get(INSTANCE)) == "battery:7"
            bus.comes("/CustomName", "Cellar")
            assert bus[CHARGE] == 60.0
        store.close()


def test_what_a_late_service_has_kept_is_taken_over(gx: PocketGx, tmp_path: Path) -> None:
    bridge = BridgeProcess(gx, tmp_path)
    store = BusClient(gx, SETTINGS_SERVICE)
    with bridge.bus() as bus:
        bus.set(CHARGE, 60)
        bus.set(CV1, 3.41)
    keeps(store, MaxChargeCurrent=60, Cv1=3.41)
    bridge.stop()
    gx.stop_settings()
    bridge.start()
    with bridge.bus() as bus:
        assert bus[CHARGE] == 100.0
        bus.set(CHARGE, 70)
        gx.start_settings()
        bus.comes(CV1, 3.41)
        keeps(store, MaxChargeCurrent=70, Cv1=3.41)
    store.close()


def test_a_service_that_hangs_is_not_waited_for(
    bridge: BridgeProcess, store: BusClient
) -> None:
    service = store.process_id()
    os.kill(service, signal.SIGSTOP)
    try:
        with bridge.bus() as bus:
            for amps in range(75, 90):
                assert bus.set(CHARGE, amps) == 0
                bus.comes(CHARGE, float(amps))
        bridge.stop()
        bridge.start()
        with bridge.bus() as bus:
            assert bus["/DeviceInstance"] == 1
    finally:
        os.kill(service, signal.SIGCONT)


def test_a_full_disk_costs_only_what_is_not_yet_on_it(
    gx: PocketGx, bridge: BridgeProcess, store: BusClient
) -> None:
    """No file may grow past 0 bytes: to the service that is a full disk."""
    with bridge.bus() as bus:
        bus.set(CHARGE, 60)
        wait_for(lambda: "MaxChargeCurrent" in on_disk(gx)[0], bridge.log)
        limits = resource.prlimit(store.process_id(), resource.RLIMIT_FSIZE)
        resource.prlimit(store.process_id(), resource.RLIMIT_FSIZE, (0, limits[1]))
        bus.set(CV1, 3.41)
        keeps(store, MaxChargeCurrent=60, Cv1=3.41)
        time.sleep(2.5)  # until it has tried to save; that it could not leaves no trace
        assert "Cv1" not in on_disk(gx)[0]
        assert "MaxChargeCurrent" in on_disk(gx)[0], "the old file is whole"
        assert (bus[CHARGE], bus[CV1]) == (60.0, 3.41)
        resource.prlimit(store.process_id(), resource.RLIMIT_FSIZE, limits)
        bus.set(CV2, 3.46)
        wait_for(lambda: "Cv2" in on_disk(gx)[0], bridge.log)
        assert "Cv1" in on_disk(gx)[0]
    assert bridge.is_running()


# --- hands in the store -----------------------------------------------------------------------


@pytest.mark.promise("settings")
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"Limiter/MaxChargeCurrent":999}', "above ceiling.charge_current 200 A"),
        ('{"Limiter/MaxChargeCurrent":', "not JSON that can be read"),
        ('{"Limiter/Cv1":{"value":3.41,"file":3.4},"Limiter/Cv9":1}', "no setting of this version"),
    ],
)
def test_a_store_that_cannot_be_used_falls_back_with_one_warning(
    bridge: BridgeProcess, store: BusClient, text: str, words: str
) -> None:
    bridge.stop()
    assert store.set(REMOTE, text) == 0
    bridge.start()
    bridge.says(words)
    with bridge.bus() as bus:
        assert bus[CHARGE] == 100.0
        assert bus[CV1] == (3.41 if "Cv1" in text else 3.4)
    assert bridge.log().count("kept settings that are not used") == 1
    wait_for(lambda: str(store.get(REMOTE)) != text, bridge.log)
    bridge.stop()
    bridge.start()
    assert bridge.log().count("kept settings that are not used") == 1


def test_a_hand_in_the_store_while_we_run_decides(bridge: BridgeProcess, store: BusClient) -> None:
    with bridge.bus() as bus:
        bus.set(CV1, 3.41)
        keeps(store, Cv1=3.41)
        assert store.set(REMOTE, '{"Limiter/MaxChargeCurrent":55}') == 0
        bus.comes(CHARGE, 55.0)
        assert bus[CV1] == 3.4
        keeps(store, MaxChargeCurrent=55)


# --- identity ---------------------------------------------------------------------------------


def test_the_instance_is_read_back_and_no_two_are_equal(
    gx: PocketGx, tmp_path: Path, store: BusClient
) -> None:
    """Another device has the wanted instance already, and our second battery the next one."""
    taken = {"path": "other/ClassAndVrmInstance", "default": "battery:1"}
    adder = "com.victronenergy.Settings"
    store.call("/Settings/Devices", "AddSettings", [taken], signature="aa{sv}", on=adder)
    two = battery(), battery(ident="second", instance=2)
    bridge = BridgeProcess(gx, tmp_path, *two)
    with bridge.bus() as one, bridge.bus("second") as other:
        instances = {one["/DeviceInstance"], other["/DeviceInstance"]}
        assert len(instances) == 2 and 1 not in instances
        assert str(store.get(INSTANCE)) == f"battery:{one['/DeviceInstance']}"


def test_an_instance_changed_on_the_gx_brings_it_back_with_the_new_one(
    gx: PocketGx, bridge: BridgeProcess, store: BusClient
) -> None:
    bridge.connected()
    with bridge.bus() as bus, MqttClient(gx.port, "virtual-battery/virtual/state") as client:
        client.publish(SET, healthy())
        bus.comes("/Soc", 50.0)
        before = bus.owner()
        assert store.set(INSTANCE, "battery:33") == 0
        wait_for(lambda: _instance(bus) == 33, bridge.log)
        assert bus["/Soc"] == 50.0, "it comes back with what it knew"
        assert bus.owner() != before
        client.publish(f"W/{gx.portal_id}/battery/1/Soc", 11)
        client.publish(f"W/{gx.portal_id}/battery/33/Soc", 66)
        bus.comes("/Soc", 66.0)
        state = "virtual-battery/virtual/state"
        wait_for(lambda: client.on(state)[-1]["identity"]["instance"] == 33, lambda: client.heard)
    bridge.stop()
    bridge.start()
    with bridge.bus() as bus:
        assert bus["/DeviceInstance"] == 33, "the wish of the file has not changed"


def _instance(bus: BusClient) -> Any:
    """The instance; None in the moment in which the service is away."""
    try:
        return bus["/DeviceInstance"]
    except dbus.DBusException:
        return None


def test_a_new_wish_in_the_file_is_followed(bridge: BridgeProcess, store: BusClient) -> None:
    wait_for(lambda: '"instance":1' in str(store.get(DEVICE + "ConfiguredIdentity")), bridge.log)
    bridge.stop()
    content = json.loads(bridge.config.read_text())
    content["batteries"][0].update(instance=9, name="Attic")
    bridge.config.write_text(json.dumps(content))
    bridge.start()
    with bridge.bus() as bus:
        assert (bus["/DeviceInstance"], bus["/CustomName"]) == (9, "Attic")
    wait_for(lambda: kept(store, NAME) == "Attic", bridge.log)
    assert str(store.get(INSTANCE)) == "battery:9"


@pytest.mark.promise("name")
def test_a_second_process_with_our_ident_ends_and_leaves_our_settings_alone(
    gx: PocketGx, bridge: BridgeProcess, store: BusClient, tmp_path: Path
) -> None:
    keeps(store)
    (tmp_path / "second").mkdir()
    second = BridgeProcess(gx, tmp_path / "second", battery(instance=9, name="Attic"))
    assert second.process.wait(PATIENCE) == 3
    assert "com.victronenergy.battery.virtual is on the bus already" in second.log()
    assert (str(store.get(INSTANCE)), str(store.get(NAME))) == ("battery:1", "Virtual battery")
    assert bridge.is_running()


def test_the_name_is_kept_beside_the_instance_and_may_be_empty(
    bridge: BridgeProcess, store: BusClient
) -> None:
    with bridge.bus() as bus:
        assert str(store.get(NAME)) == bus["/CustomName"] == "Virtual battery"
        assert bus.set("/CustomName", "Cellar") == 0
        bus.comes("/CustomName", "Cellar")
        wait_for(lambda: kept(store, NAME) == "Cellar", bridge.log)
        assert store.set(NAME, "Attic") == 0
        bus.comes("/CustomName", "Attic")
        assert bus.set("/CustomName", "") == 0
        bus.comes("/CustomName", "")
        wait_for(lambda: kept(store, NAME) == "", bridge.log)
        assert bus.set("/CustomName", "x" * 33) == 2
    bridge.stop()
    bridge.start()
    with bridge.bus() as bus:
        assert bus["/CustomName"] == ""


# --- the whole of it --------------------------------------------------------------------------


@pytest.mark.promise("ceilings")
def test_no_write_of_any_kind_to_any_path_lifts_a_limit_past_its_ceiling(
    gx: PocketGx, tmp_path: Path
) -> None:
    """tests/unit/test_ceilings.py has all values; here a few go all the way, by both access."""
    at_once = {"current_hold": 0, "current_rise": 1, "voltage_hold": 0, "voltage_rise": 1}
    config = battery(ceiling={"charge_current": 120, "discharge_current": 160}, limiter=at_once)
    bridge = BridgeProcess(gx, tmp_path, config).connected()
    highest = {"CCL": 120, "DCL": 160, "CVL": 3.65 * 16}
    table = path_table(16)
    writable = [spec for spec in table.values() if spec.writable]
    with bridge.bus() as bus, MqttClient(gx.port) as client:
        for spec in writable:
            for value in (spec.low, spec.high, "off", "linear", "dc", "all", 1e308, ""):
                assert bus.set(spec.path, value) in (0, 2), spec.path
                client.publish(f"W/{gx.portal_id}/battery/1{spec.path}", {"value": value})
            client.publish(SET, healthy())
            for limit, ceiling in highest.items():
                assert 0 <= bus[limit] <= ceiling, spec.path
        for spec in set(table.values()) - set(writable):
            assert bus.set(spec.path, 1) == 1, spec.path
    assert bridge.is_running()
    assert bridge.stop() == 0
