"""The simulated pack as a process at a real broker, alone and with the real bridge."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from pocket import PocketGx

from tests.harness.batteries import battery
from tests.harness.bridge_process import BridgeProcess
from tests.harness.mqtt_client import MqttClient
from tests.harness.waiting import PATIENCE, wait_for

STATE, BATCH = "virtual-battery/virtual/state", "virtual-battery/virtual/set"
ROOT = "W/c0ffee000001/battery/3"
IDENTITY = {"portal": "c0ffee000001", "instance": 3}


def limits(cvl: float | None, ccl: float | None, dcl: float | None) -> dict:
    return {"limits": {"CVL": cvl, "CCL": ccl, "DCL": dcl}, "identity": IDENTITY}


@pytest.fixture
def broker() -> Iterator[PocketGx]:
    with PocketGx(settings=False, system=False) as pocket:
        yield pocket


def start(gx: PocketGx, *options: str, **popen: object) -> subprocess.Popen:
    argv = [sys.executable, "-m", "tests.pack", "--broker", f"127.0.0.1:{gx.port}"]
    return gx.spawn([*argv, "--interval", "0.05", *options], **popen)


def test_writes_each_path_to_where_the_bridge_says_and_ends_at_sigterm(broker):
    with MqttClient(broker.port, "W/#") as client:
        client.publish(STATE, limits(55.2, 10.0, 50.0), retain=True)
        process = start(broker)
        wait_for(lambda: len(client.on(f"{ROOT}/Dc/0/Current")) >= 5, "five currents")
        process.terminate()
        assert process.wait(PATIENCE) == 0
        paths = {message.topic.removeprefix(f"{ROOT}/") for message in client.heard}
        assert {"Dc/0/Voltage", "Soc", "Io/AllowToCharge", "Voltages/Cell1"} <= paths
        assert len([path for path in paths if path.startswith("Voltages/Cell")]) == 16
        assert client.on(f"{ROOT}/Dc/0/Current")[-1] == {"value": 10.0}


def test_lives_within_the_limits_that_it_is_told(broker):
    with MqttClient(broker.port, BATCH) as client:
        start(broker, "--style", "batch")
        for ccl in (20.0, 0.0, 5.0):
            client.publish(STATE, limits(55.2, ccl, 50.0), retain=True)
            wait_for(lambda ccl=ccl: client.on(BATCH)[-1:] and current(client) == ccl, f"{ccl} A")


def test_without_a_bridge_it_does_not_charge(broker):
    with MqttClient(broker.port, BATCH) as client:
        start(broker, "--style", "batch")
        wait_for(lambda: len(client.on(BATCH)) >= 5, "five batches")
        assert all(content["Dc/0/Current"] <= 0 for content in client.on(BATCH))


def test_a_bridge_that_leaves_stops_the_charge(broker):
    with MqttClient(broker.port, BATCH) as client:
        client.publish(STATE, limits(55.2, 20.0, 50.0), retain=True)
        start(broker, "--style", "batch")
        wait_for(lambda: client.on(BATCH)[-1:] and current(client) == 20, "20 A")
        client.publish("virtual-battery/status", "offline")
        wait_for(lambda: current(client) <= 0, "no charge")


def test_it_may_come_before_the_broker(broker):
    broker.stop_broker()
    start(broker, "--style", "batch")
    broker.start_broker()
    with MqttClient(broker.port, BATCH) as client:
        wait_for(lambda: client.on(BATCH), "a batch")


def test_a_state_that_is_no_json_ends_it_loudly(broker):
    with MqttClient(broker.port) as client:
        client.publish(STATE, "{", retain=True)
        process = start(broker, stderr=subprocess.PIPE)
        assert process.wait(PATIENCE) == 1
        assert b"JSONDecodeError" in process.stderr.read()


def test_with_the_real_bridge_the_pack_gets_full_and_no_cell_passes_its_limit(gx, tmp_path):
    """The weak cell runs ahead at the knee; the bridge has to hold it, an hour in a minute."""
    BridgeProcess(gx, tmp_path, battery(ceiling={}, limiter={}))
    with MqttClient(gx.port, STATE) as client:
        # A tick of this pack is 3 s: about as long as a real system needs to follow a limit.
        start(gx, "--soc", "98", "--hour", "11")
        wait_for(lambda: reached(client, "Voltages/Cell7", 3.45), "cell 7 at the knee")
        wait_for(lambda: held_back(client), "a CCL above cv2")
        wait_for(lambda: reached(client, "Soc", 98.0), "a full pack")
        highest = max(max(cells(state)) for state in client.on(STATE) if cells(state))
        assert highest < 3.55


def current(client: MqttClient) -> float:
    return client.on(BATCH)[-1]["Dc/0/Current"]


def reached(client: MqttClient, path: str, value: float) -> bool:
    return any(state["values"].get(path, 0) >= value for state in client.on(STATE))


def held_back(client: MqttClient) -> bool:
    return any(state["limits"]["CCL"] <= 28 and at_knee(state) for state in client.on(STATE))


def at_knee(state: dict) -> bool:
    return state["values"].get("Voltages/Cell7", 0) >= 3.45


def cells(state: dict) -> list[float]:
    return [v for path, v in state["values"].items() if path.startswith("Voltages/Cell")]
