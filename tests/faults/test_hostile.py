"""What clients may send in error or in malice: none of it ends the process, nor holds it up."""

from __future__ import annotations

import resource
import socket
import struct
from pathlib import Path

import dbus
import pytest
from pocket import PocketGx

from tests.harness.batteries import healthy
from tests.harness.bridge_process import BridgeProcess
from tests.harness.mqtt_client import MqttClient, variable_length
from tests.harness.process_usage import ProcessUsage
from tests.harness.waiting import wait_for

WRITE = "W/c0ffee000001/battery/1"
BATCH = "virtual-battery/virtual/set"
READ = "R/c0ffee000001"
MOST_CPU = 2.0  # s of CPU, whatever else the machine does; each costs some hundredths

HOSTILE = {
    "half a character as a value": (f"{WRITE}/Dc/0/Voltage", '"\\ud800"'),
    "half a character as a path": (BATCH, '{"\\ud800": 1}'),
    "half a character in a setting": (f"{WRITE}/Settings/Limiter/Taper", '{"value": "\\ud800"}'),
    "half a character as an echo": (
        f"{READ}/keepalive",
        '{"keepalive-options": [{"full-publish-completed-echo": "\\ud800"}]}',
    ),
    "blanks that can be shared out in many ways": (
        f"{WRITE}/Dc/0/Voltage",
        "{'value':" + " " * 4000 + "x}}",
    ),
    "digits without an end": (BATCH, '{"Soc": "' + "1" * 60_000 + 'x"}'),
    "thousands of unknown paths": (
        BATCH,
        "{" + ",".join(f'"Voltages/Cell{n}x": 1' for n in range(2000)) + "}",
    ),
    "brackets without an end": (BATCH, "[" * 60_000),
    "a number without an end": (f"{WRITE}/Soc", "9" * 4000),
    "an empty path": (f"{WRITE}/", "1"),
    "a double slash": (f"{WRITE}//Soc", "1"),
    "no path": (WRITE, "1"),
}


@pytest.fixture(scope="module")
def bridge(shared_gx: PocketGx, tmp_path_factory: pytest.TempPathFactory) -> BridgeProcess:
    return BridgeProcess(shared_gx, Path(tmp_path_factory.mktemp("bridge"))).connected()


@pytest.mark.promise("garbage")
@pytest.mark.parametrize("what", HOSTILE)
def test_it_goes_on_as_if_nothing_had_been_said(bridge: BridgeProcess, what: str) -> None:
    topic, payload = HOSTILE[what]
    if not bridge.is_running():  # one worst_group, one failure
        bridge.start()
        bridge.connected()
    with bridge.bus() as bus, MqttClient(bridge.gx.port) as client:
        client.publish(BATCH, healthy(cell=3.3))
        bus.comes("/Voltages/Cell7", 3.3)
        before = ProcessUsage(bridge.process.pid).cpu()
        client.publish(topic, payload)
        client.publish(BATCH, {"Voltages/Cell7": 3.56})
        bus.comes("CCL", 0.0)
        assert ProcessUsage(bridge.process.pid).cpu() - before < MOST_CPU
    assert bridge.is_running(), bridge.log()


USER_PROPERTY = b"\x26"
PROPERTIES = {
    "thousands": (USER_PROPERTY + bytes(4)) * 80_000,
    "a byte order mark": USER_PROPERTY + bytes(2) + b"\0\3\xef\xbb\xbf",
}
"""Properties of MQTT 5 that a broker passes on."""


def publish_with(properties: bytes, port: int, topic: str, payload: bytes) -> None:
    """Publish a retained message in MQTT 5."""
    head = struct.pack("!H", len(topic)) + topic.encode()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"\x10\x0d" + b"\0\4MQTT\5\2\0\x3c" + bytes(3))
        assert connection.recv(1) == b"\x20"
        body = head + variable_length(len(properties)) + properties + payload
        connection.sendall(b"\x31" + variable_length(len(body)) + body + b"\xe0\0")
        while connection.recv(4096):  # until the broker has read all of it
            pass


@pytest.mark.promise("garbage")
@pytest.mark.parametrize("what", PROPERTIES)
def test_no_property_of_a_message_is_read(bridge: BridgeProcess, what: str) -> None:
    with bridge.bus() as bus, MqttClient(bridge.gx.port) as client:
        client.publish(BATCH, healthy(cell=3.3))
        bus.comes("/Voltages/Cell7", 3.3)
        before = ProcessUsage(bridge.process.pid).cpu()
        publish_with(PROPERTIES[what], bridge.gx.port, f"{WRITE}/Soc", b"51")
        bus.comes("/Soc", 51.0)
        client.publish(BATCH, {"Voltages/Cell7": 3.56})
        bus.comes("CCL", 0.0)
        assert ProcessUsage(bridge.process.pid).cpu() - before < MOST_CPU
        client.publish(f"{WRITE}/Soc", "", retain=True)
    assert bridge.is_running() and "cannot be read" not in bridge.log(), bridge.log()


LARGE = {
    "bytes": dbus.ByteArray(10_000_000),
    "numbers": dbus.Array([1] * 300_000, signature="i"),
    "a text": "x" * 5_000_000,
}


@pytest.mark.promise("sizes")
@pytest.mark.parametrize("what", LARGE)
def test_a_large_value_over_dbus_is_refused_before_it_is_read(
    bridge: BridgeProcess, what: str
) -> None:
    with bridge.bus() as bus:
        before = ProcessUsage(bridge.process.pid).cpu()
        for path in ("/Soc", "/CustomName", "/Settings/Limiter/Imbalance"):
            assert bus.set(path, LARGE[what]) == 2
        assert ProcessUsage(bridge.process.pid).cpu() - before < MOST_CPU
    assert bridge.is_running(), bridge.log()


@pytest.mark.promise("sizes")
def test_a_message_that_does_not_fit_into_memory_does_not_come_in(
    gx: PocketGx, tmp_path: Path
) -> None:
    bridge = BridgeProcess(gx, tmp_path).connected()
    status = Path(f"/proc/{bridge.process.pid}/status").read_text(encoding="ascii")
    used = int(next(line for line in status.splitlines() if "VmData" in line).split()[1]) * 1024
    few = used + 20_000_000  # service/run limits it so
    resource.prlimit(bridge.process.pid, resource.RLIMIT_DATA, (few, few))
    with bridge.bus() as bus, MqttClient(gx.port) as client:

        def arrives(soc: int) -> bool:
            client.publish(BATCH, {"Soc": soc})
            return bool(bus["/Soc"] == soc)

        for soc in (41, 42):
            client.publish(BATCH, "x" * 60_000_000)
            wait_for(lambda soc=soc: arrives(soc), bridge.log)
    assert "cannot be read" not in bridge.log() and "lost broker" not in bridge.log()
