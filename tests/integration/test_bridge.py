"""The whole path with real processes: broker, bridge, D-Bus, and a client on each side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dbus
import pytest
from pocket import PocketGx

from tests.harness.batteries import FAILSAFE_CVL, battery, healthy
from tests.harness.bridge_process import STATUS, BridgeProcess
from tests.harness.bus_client import BusClient
from tests.harness.mqtt_client import MqttClient
from tests.harness.waiting import PATIENCE, wait_for

W = "W/c0ffee000001/battery/1"


@pytest.fixture(scope="module")
def bridge(shared_gx: PocketGx, tmp_path_factory: pytest.TempPathFactory) -> BridgeProcess:
    return BridgeProcess(shared_gx, tmp_path_factory.mktemp("bridge")).connected()


@pytest.fixture
def bus(bridge: BridgeProcess) -> Iterator[BusClient]:
    """A client on D-Bus, and a battery that has just been fed."""
    with bridge.bus() as bus:
        for path, value in healthy().items():
            assert bus.set(f"/{path}", value) == 0
        bus.comes("/Dc/0/Voltage", 52.8)
        yield bus


@pytest.fixture
def client(bridge: BridgeProcess) -> Iterator[MqttClient]:
    with MqttClient(bridge.gx.port, "virtual-battery/#") as client:
        yield client


def test_the_first_write_of_the_readme(gx: PocketGx, tmp_path: Path) -> None:
    """A battery is fed, then its highest cell is written as 3.46 V."""
    bridge = BridgeProcess(gx, tmp_path).connected()
    with bridge.bus() as bus, MqttClient(gx.port) as client:
        assert (bus["CCL"], bus["DCL"], bus["CVL"]) == (0.0, 150.0, FAILSAFE_CVL)
        client.publish("virtual-battery/virtual/set", healthy())
        bus.comes("CCL", 100.0)
        assert bus["CVL"] == 55.2
        client.publish(f"{W}/Voltages/Cell7", {"value": 3.46})
        bus.comes("CCL", 10.0)
        assert bus["/Info/ChargeLimitation"] == "cell voltage"
    bridge.says("cell 7 at 3.460 V, cv2 is 3.45 V")


def test_types_and_texts_on_the_wire_are_those_of_the_table(bus: BusClient) -> None:
    from bridge.core.paths.table import path_table

    items = bus.items()
    table = path_table(16)
    assert set(items) == set(table)
    kinds = {float: dbus.Double, int: dbus.Int32, str: dbus.String}
    for path, item in items.items():
        value, text = item["Value"], item["Text"]
        if isinstance(value, dbus.Array):
            assert (len(value), value.signature, text) == (0, "i", "---"), path
        else:
            assert type(value) is kinds[table[path].quantity.kind], path
            assert text or value == "", path
    assert str(items["/Dc/0/Voltage"]["Text"]) == "52.80V"


def test_the_identity_is_what_consumers_need_to_choose_it(bus: BusClient) -> None:
    assert bus["/DeviceInstance"] == 1
    assert bus["/ProductId"] == 0xC065
    assert bus["/ProductName"] == "Virtual battery"
    assert bus["/Connected"] == 1
    assert bus["/Mgmt/Connection"].startswith("MQTT 127.0.0.1")
    assert bus["/CustomName"] == "Virtual battery"


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (dbus.Double(51.0), 0),
        (dbus.Double(51.0), 0),
        (dbus.Int32(52), 0),
        (dbus.Byte(53), 0),
        (dbus.String("53.5"), 0),
        (dbus.Boolean(True), 2),
        (dbus.Double(float("nan")), 2),
        (dbus.Double(float("inf")), 2),
        (dbus.String("unknown"), 2),
        (dbus.Array([1, 2], signature="i"), 2),
        (dbus.Dictionary({"a": 1}, signature="si"), 2),
        (dbus.Double(1e6), 2),
        (dbus.Int64(2**40), 2),
    ],
)
def test_set_value_passes_the_same_gate(bus: BusClient, value: object, code: int) -> None:
    before = bus["/Dc/0/Voltage"]
    assert bus.set("/Dc/0/Voltage", value) == code
    if code:
        assert bus["/Dc/0/Voltage"] == before
    else:
        bus.comes("/Dc/0/Voltage", float(value))  # type: ignore[arg-type]


def test_an_empty_array_is_no_value(bus: BusClient) -> None:
    assert bus.set("/Soh", dbus.Double(98.0)) == 0
    bus.comes("/Soh", 98.0)
    assert bus.set("/Soh", dbus.Array([], signature="i", variant_level=1)) == 0
    bus.comes("/Soh", None)


def test_read_only_paths_answer_one(bus: BusClient) -> None:
    for path in ("/Connected", "/ProductId", "/Info/BatteryLowVoltage", "/Freshness/Stage"):
        assert bus.set(path, dbus.Int32(0)) == 1


@pytest.mark.parametrize(
    "payload",
    ["unknown", "NaN", "{}", '{"value": NaN}', "{'value': }", "[[[[", "x" * 5000, "1e999",
     "x" * 500_000, '{"value":"' + "9" * 400_000 + '"}'],
    ids=lambda payload: payload[:12],
)  # fmt: skip
def test_garbage_is_refused_by_name_and_changes_nothing(
    bridge: BridgeProcess, bus: BusClient, client: MqttClient, payload: str
) -> None:
    before = {path: str(item["Value"]) for path, item in bus.items().items()}
    client.publish(f"{W}/Dc/0/Voltage", payload)
    wait_for(lambda: client.on("virtual-battery/virtual/rejected"), lambda: client.heard)
    answer = client.on("virtual-battery/virtual/rejected")[0]
    assert answer["topic"] == f"{W}/Dc/0/Voltage"
    assert answer["path"] == "/Dc/0/Voltage"
    assert answer["reason"]
    after = {path: str(item["Value"]) for path, item in bus.items().items()}
    assert {k: v for k, v in after.items() if not k.startswith("/Freshness")} == {
        k: v for k, v in before.items() if not k.startswith("/Freshness")
    }
    assert bridge.is_running()


def test_an_unknown_path_is_refused_with_a_suggestion(client: MqttClient) -> None:
    client.publish(f"{W}/Dc/0/Voltaje", 53.1)
    wait_for(lambda: client.on("virtual-battery/virtual/rejected"), lambda: client.heard)
    reason = client.on("virtual-battery/virtual/rejected")[0]["reason"]
    assert reason == 'there is no such path; did you mean "/Dc/0/Voltage"?'


@pytest.mark.promise("retained")
def test_a_retained_message_is_ignored_and_said_once(gx: PocketGx, tmp_path: Path) -> None:
    """It is there before the bridge subscribes, so the broker hands it over as retained."""
    with MqttClient(gx.port) as client:
        client.publish(f"{W}/Dc/0/Temperature", 99, retain=True)
        client.flush()
        bridge = BridgeProcess(gx, tmp_path).connected()
        bridge.says(f"ignored the retained message on {W}/Dc/0/Temperature")
        with bridge.bus() as bus:
            assert bus["/Dc/0/Temperature"] is None
            client.publish("virtual-battery/virtual/set", healthy())
            bus.comes("CCL", 100.0)


def test_a_frame_of_64_values_costs_at_most_two_signals(
    bridge: BridgeProcess, bus: BusClient, client: MqttClient
) -> None:
    """64 writes one after another, as dbus-flashmq or Node-RED would send them.

    They wait for the bridge at the broker, so that they come without gaps on a busy machine too.
    """
    frame = [f"/Voltages/Cell{n}" for n in range(1, 17)]
    frame += [f"/Balances/Cell{n}" for n in range(1, 17)]
    frame += [f"/History/{name}" for name in HISTORY]
    frame += ["/Dc/0/Voltage", "/Dc/0/Current", "/Soc", "/Soh", "/Dc/0/MidVoltage",
              "/Dc/0/MidVoltageDeviation", "/Dc/1/Voltage", "/Dc/0/Temperature",
              "/System/MOSTemperature", "/Io/AllowToBalance"]  # fmt: skip
    assert len(frame) == 64

    for value in (0, 1):
        bus.heard()
        bridge.freeze()
        for path in frame:
            number = {True: 3.3 + value / 100, False: value}[path.startswith("/Voltages")]
            client.publish(W + path, {"value": 52.9 if path == "/Dc/0/Voltage" else number})
        client.flush()
        bridge.thaw()
        bus.comes("/Io/AllowToBalance", value)
        assert len(bus.changes()) <= 3, "two for the frame, one if the tick of the second came"
    for path in ("/Dc/0/Temperature", "/System/MOSTemperature"):
        client.publish(W + path, {"value": 20})


HISTORY = """DeepestDischarge LastDischarge AverageDischarge ChargeCycles FullDischarges
    MinimumVoltage MaximumVoltage MinimumCellVoltage MaximumCellVoltage MinimumTemperature
    MaximumTemperature TimeSinceLastFullCharge AutomaticSyncs LowVoltageAlarms HighVoltageAlarms
    LowStarterVoltageAlarms HighStarterVoltageAlarms MinimumStarterVoltage MaximumStarterVoltage
    DischargedEnergy ChargedEnergy TotalAhDrawn""".split()  # noqa: SIM905


def test_two_batteries_live_in_one_process_on_connections_of_their_own(
    gx: PocketGx, tmp_path: Path
) -> None:
    bow, stern = battery(ident="bow", instance=4), battery(ident="stern", instance=5, cells=8)
    bridge = BridgeProcess(gx, tmp_path, bow, stern).connected()
    of_bow, of_stern = bridge.bus("bow"), bridge.bus("stern")
    with of_bow, of_stern, MqttClient(gx.port) as client:
        client.publish("W/c0ffee000001/battery/5/Soc", 55)
        of_stern.comes("/Soc", 55.0)
        assert of_bow["/Soc"] is None
        client.publish("virtual-battery/bow/set", {"Soc": 44})
        of_bow.comes("/Soc", 44.0)
        assert of_stern["/Soc"] == 55.0
        assert set(of_stern.items()) < set(of_bow.items())
        assert of_bow.owner() != of_stern.owner()


def test_sigterm_leaves_the_bus_and_says_offline(gx: PocketGx, tmp_path: Path) -> None:
    bridge = BridgeProcess(gx, tmp_path).connected()
    with MqttClient(gx.port, STATUS) as client, bridge.bus() as bus:
        assert bridge.stop() == 0
        wait_for(lambda: client.on(STATUS)[-1:] == ["offline"], lambda: client.heard)
        assert not bus.is_there()


def test_kill_9_makes_the_broker_say_offline(gx: PocketGx, tmp_path: Path) -> None:
    bridge = BridgeProcess(gx, tmp_path).connected()
    with MqttClient(gx.port, STATUS) as client:
        bridge.kill()
        wait_for(lambda: client.on(STATUS)[-1:] == ["offline"], lambda: client.heard)


@pytest.mark.promise("name")
def test_a_name_that_is_taken_is_a_clear_error(gx: PocketGx, tmp_path: Path) -> None:
    bridge = BridgeProcess(gx, tmp_path).connected()
    (tmp_path / "second").mkdir()
    second = BridgeProcess(gx, tmp_path / "second")
    assert second.process.wait(PATIENCE) == 3
    assert "is on the bus already" in second.log()
    assert bridge.is_running()
