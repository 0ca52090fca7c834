"""The whole path with real processes: broker, bridge, D-Bus, and a client on each side."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import dbus
import pytest
from integration.ear import Ear
from live import Bus, RunningBridge, battery, healthy, wait_for
from pocket import PocketGx

W = "W/c0ffee000001/battery/1"


@pytest.fixture(scope="module")
def bridge(shared_gx: PocketGx, tmp_path_factory: pytest.TempPathFactory) -> RunningBridge:
    return RunningBridge(shared_gx, tmp_path_factory.mktemp("bridge")).connected()


@pytest.fixture
def bus(bridge: RunningBridge) -> Iterator[Bus]:
    with bridge.bus() as bus:
        yield bus


@pytest.fixture
def ear(bridge: RunningBridge) -> Iterator[Ear]:
    with Ear(bridge.gx.port, "virtual-battery/#") as ear:
        yield ear


def test_the_first_write_of_the_readme(bridge: RunningBridge, bus: Bus, ear: Ear) -> None:
    """A battery is fed, then its highest cell is written as 3.46 V."""
    assert (bus["CCL"], bus["DCL"], bus["CVL"]) == (0.0, 150.0, 55.2)
    ear.tell("virtual-battery/virtual/set", healthy())
    bus.comes("CCL", 100.0)
    written = time.monotonic()
    ear.tell(f"{W}/Voltages/Cell7", {"value": 3.46})
    bus.comes("CCL", 10.0)
    assert time.monotonic() - written < 0.5
    assert bus["/Info/ChargeLimitation"] == "cell voltage"
    wait_for(lambda: "cell 7 at 3.460 V, cv2 is 3.45 V" in bridge.log(), bridge.log)


def test_types_and_texts_on_the_wire_are_those_of_the_table(bus: Bus) -> None:
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


def test_the_identity_is_what_consumers_need_to_choose_it(bus: Bus) -> None:
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
def test_set_value_passes_the_same_gate(bus: Bus, value: object, code: int) -> None:
    before = bus["/Dc/0/Voltage"]
    assert bus.set("/Dc/0/Voltage", value) == code
    if code:
        assert bus["/Dc/0/Voltage"] == before
    else:
        bus.comes("/Dc/0/Voltage", float(value))  # type: ignore[arg-type]


def test_an_empty_array_is_no_value(bus: Bus) -> None:
    assert bus.set("/Soh", dbus.Double(98.0)) == 0
    bus.comes("/Soh", 98.0)
    assert bus.set("/Soh", dbus.Array([], signature="i", variant_level=1)) == 0
    bus.comes("/Soh", None)


def test_read_only_paths_answer_one(bus: Bus) -> None:
    for path in ("/Connected", "/ProductId", "/Info/BatteryLowVoltage", "/Freshness/Stage"):
        assert bus.set(path, dbus.Int32(0)) == 1


@pytest.mark.parametrize(
    "payload",
    ["unknown", "NaN", "{}", '{"value": NaN}', "{'value': }", "[[[[", "x" * 5000, "1e999",
     "x" * 1_000_000, '{"value":"' + "9" * 900_000 + '"}'],
    ids=lambda payload: payload[:12],
)  # fmt: skip
def test_garbage_is_refused_by_name_and_changes_nothing(
    bridge: RunningBridge, bus: Bus, ear: Ear, payload: str
) -> None:
    before = {path: str(item["Value"]) for path, item in bus.items().items()}
    ear.tell(f"{W}/Dc/0/Voltage", payload)
    wait_for(lambda: ear.on("virtual-battery/virtual/rejected"), lambda: ear.heard)
    answer = ear.on("virtual-battery/virtual/rejected")[0]
    assert answer["topic"] == f"{W}/Dc/0/Voltage"
    assert answer["path"] == "/Dc/0/Voltage"
    assert answer["reason"]
    after = {path: str(item["Value"]) for path, item in bus.items().items()}
    assert {k: v for k, v in after.items() if not k.startswith("/Freshness")} == {
        k: v for k, v in before.items() if not k.startswith("/Freshness")
    }
    assert bridge.process.poll() is None


def test_an_unknown_path_is_refused_with_a_suggestion(ear: Ear) -> None:
    ear.tell(f"{W}/Dc/0/Voltaje", 53.1)
    wait_for(lambda: ear.on("virtual-battery/virtual/rejected"), lambda: ear.heard)
    reason = ear.on("virtual-battery/virtual/rejected")[0]["reason"]
    assert reason == 'there is no such path; did you mean "/Dc/0/Voltage"?'


def test_a_retained_message_is_ignored_and_said_once(bridge: RunningBridge, bus: Bus) -> None:
    """It is there before the bridge subscribes, so the broker hands it over as retained."""
    with Ear(bridge.gx.port) as ear:
        ear.tell(f"{W}/Dc/0/Temperature", 99, retain=True)
        time.sleep(0.2)
    bridge.stop()
    bridge.start()
    bridge.connected()
    bridge.says(f"ignored the retained message on {W}/Dc/0/Temperature")
    assert bus["/Dc/0/Temperature"] is None
    with Ear(bridge.gx.port) as ear:
        ear.tell(f"{W}/Dc/0/Temperature", "", retain=True)
        ear.tell("virtual-battery/virtual/set", healthy())
        bus.comes("CCL", 100.0)


def test_a_frame_of_64_values_costs_at_most_two_signals(bus: Bus, ear: Ear) -> None:
    """64 writes one after another, as dbus-flashmq or Node-RED would send them."""
    frame = [f"/Voltages/Cell{n}" for n in range(1, 17)]
    frame += [f"/Balances/Cell{n}" for n in range(1, 17)]
    frame += [f"/History/{name}" for name in HISTORY]
    frame += ["/Dc/0/Voltage", "/Dc/0/Current", "/Soc", "/Soh", "/Dc/0/MidVoltage",
              "/Dc/0/MidVoltageDeviation", "/Dc/1/Voltage", "/Dc/0/Temperature",
              "/System/MOSTemperature", "/Io/AllowToBalance"]  # fmt: skip
    assert len(frame) == 64

    for value in (0, 1):
        bus.onlooker.heard()
        for path in frame:
            number = {True: 3.3 + value / 100, False: value}[path.startswith("/Voltages")]
            ear.tell(W + path, {"value": 52.9 if path == "/Dc/0/Voltage" else number})
        bus.comes("/Io/AllowToBalance", value)
        time.sleep(0.1)
        signals = [signal for signal in bus.onlooker.heard() if signal[1] == "ItemsChanged"]
        assert len(signals) <= 3, "two for the frame, one if the tick of the second fell into it"
    for path in ("/Dc/0/Temperature", "/System/MOSTemperature"):
        ear.tell(W + path, {"value": 20})


HISTORY = """DeepestDischarge LastDischarge AverageDischarge ChargeCycles FullDischarges
    MinimumVoltage MaximumVoltage MinimumCellVoltage MaximumCellVoltage MinimumTemperature
    MaximumTemperature TimeSinceLastFullCharge AutomaticSyncs LowVoltageAlarms HighVoltageAlarms
    LowStarterVoltageAlarms HighStarterVoltageAlarms MinimumStarterVoltage MaximumStarterVoltage
    DischargedEnergy ChargedEnergy TotalAhDrawn""".split()  # noqa: SIM905


def test_two_batteries_live_in_one_process_on_connections_of_their_own(
    gx: PocketGx, tmp_path: Path
) -> None:
    bow, stern = battery(ident="bow", instance=4), battery(ident="stern", instance=5, cells=8)
    bridge = RunningBridge(gx, tmp_path, bow, stern).connected()
    with bridge.bus("bow") as of_bow, bridge.bus("stern") as of_stern, Ear(gx.port) as ear:
        ear.tell("W/c0ffee000001/battery/5/Soc", 55)
        of_stern.comes("/Soc", 55.0)
        assert of_bow["/Soc"] is None
        ear.tell("virtual-battery/bow/set", {"Soc": 44})
        of_bow.comes("/Soc", 44.0)
        assert of_stern["/Soc"] == 55.0
        assert set(of_stern.items()) < set(of_bow.items())
        owners = {
            str(of_bow.onlooker._bus.get_name_owner(f"com.victronenergy.battery.{ident}"))
            for ident in ("bow", "stern")
        }
        assert len(owners) == 2


def test_sigterm_leaves_the_bus_and_says_offline(gx: PocketGx, tmp_path: Path) -> None:
    bridge = RunningBridge(gx, tmp_path).connected()
    with Ear(gx.port, "virtual-battery/status") as ear, bridge.bus() as bus:
        assert bridge.stop() == 0
        wait_for(lambda: ear.on("virtual-battery/status")[-1:] == ["offline"], lambda: ear.heard)
        assert not bus.onlooker.is_there()


def test_kill_9_makes_the_broker_say_offline(gx: PocketGx, tmp_path: Path) -> None:
    bridge = RunningBridge(gx, tmp_path).connected()
    with Ear(gx.port, "virtual-battery/status") as ear:
        bridge.process.kill()
        wait_for(lambda: ear.on("virtual-battery/status")[-1:] == ["offline"], lambda: ear.heard)


def test_a_name_that_is_taken_is_a_clear_error(gx: PocketGx, tmp_path: Path) -> None:
    bridge = RunningBridge(gx, tmp_path).connected()
    (tmp_path / "second").mkdir()
    second = RunningBridge(gx, tmp_path / "second")
    assert second.process.wait(10) == 3
    assert "is on the bus already" in second.log()
    assert bridge.process.poll() is None
