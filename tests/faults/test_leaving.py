"""Asked to stop, the bridge ends within two seconds with status 0, whatever it waits for."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pocket import PocketGx

from tests.harness.batteries import battery, healthy
from tests.harness.bridge_process import BridgeProcess
from tests.harness.false_broker import FalseBroker
from tests.harness.mqtt_client import MqttClient
from tests.harness.reader import LogReader
from tests.harness.waiting import wait_for

WITHIN = 3.0
"""Seconds. Promised are two; a busy machine of the tests may take one more."""

STOP = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]


def assert_leaves(bridge: BridgeProcess, *signals: signal.Signals) -> None:
    with bridge.bus() as bus:
        asked = time.monotonic()
        for number in signals or (signal.SIGTERM,):
            bridge.process.send_signal(number)
        wait_for(lambda: not bus.is_there(), "off the bus", WITHIN)
        off = time.monotonic() - asked
        status = bridge.process.wait(30)
        assert status == 0, bridge.log()
        assert time.monotonic() - asked < WITHIN
        assert off < WITHIN


@contextmanager
def unanswered() -> Iterator[int]:
    """A port whose queue of connections is full, so that the kernel answers no SYN."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        waiting = []
        for _ in range(4):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(server.getsockname())
            waiting.append(client)
        yield server.getsockname()[1]
        for client in waiting:
            client.close()


@pytest.mark.promise("leaving")
@pytest.mark.parametrize("number", STOP, ids=lambda number: number.name)
def test_each_signal_asks_it_to_leave(
    gx: PocketGx, tmp_path: Path, number: signal.Signals
) -> None:
    bridge = BridgeProcess(gx, tmp_path).connected()
    with MqttClient(gx.port, "virtual-battery/status") as client:
        assert_leaves(bridge, number)
        wait_for(lambda: "offline" in client.on("virtual-battery/status"), "its last message")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_that_was_ignored_at_the_start_stays_so(
    gx: PocketGx, tmp_path: Path, number: signal.Signals
) -> None:
    """A shell has SIGINT ignored in what it starts with &, and nohup has SIGHUP."""
    ignoring = ("sh", "-c", f"""trap '' {number.name.removeprefix("SIG")}; exec "$0" "$@" """)
    bridge = BridgeProcess(gx, tmp_path, through=ignoring).connected()
    bridge.process.send_signal(number)
    with bridge.bus() as bus:
        for soc in range(20):
            assert bus.set("/Soc", soc) == 0
    assert_leaves(bridge, signal.SIGTERM)


def test_a_second_signal_changes_nothing(gx: PocketGx, tmp_path: Path) -> None:
    bridge = BridgeProcess(gx, tmp_path).connected()
    assert_leaves(bridge, signal.SIGTERM, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@pytest.mark.promise("leaving")
def test_it_leaves_while_tls_waits_for_a_silent_server(gx: PocketGx, tmp_path: Path) -> None:
    with FalseBroker(answer=None) as server:
        mqtt = {"port": server.port, "tls": {"insecure": True}}
        bridge = BridgeProcess(gx, tmp_path, mqtt=mqtt)
        wait_for(lambda: server.attempts, bridge.log)
        assert_leaves(bridge)


@pytest.mark.promise("leaving")
def test_it_leaves_while_a_connection_is_not_answered(gx: PocketGx, tmp_path: Path) -> None:
    with unanswered() as port:
        bridge = BridgeProcess(gx, tmp_path, mqtt={"port": port})
        time.sleep(1.5)  # so that it has begun: nothing shows it
        assert_leaves(bridge)


@pytest.mark.promise("leaving")
def test_it_leaves_while_the_broker_stands_still(gx: PocketGx, tmp_path: Path) -> None:
    bridge = BridgeProcess(gx, tmp_path).connected()
    with MqttClient(gx.port) as client:
        client.publish("virtual-battery/virtual/set", healthy())
        client.flush()
    with gx.frozen("broker"):
        assert_leaves(bridge)


@pytest.mark.promise("leaving")
def test_it_leaves_while_the_settings_service_stands_still(gx: PocketGx, tmp_path: Path) -> None:
    bridge = BridgeProcess(gx, tmp_path).connected()
    with gx.frozen("settings"), bridge.bus() as bus:
        bus.set("/Settings/Limiter/MaxChargeCurrent", 50)
        assert_leaves(bridge)


@pytest.mark.promise("leaving")
def test_it_leaves_while_nobody_reads_its_log(gx: PocketGx, tmp_path: Path) -> None:
    with LogReader() as reader:
        bridge = BridgeProcess(gx, tmp_path, output=reader.entry).connected()
        reader.fill()
        assert_leaves(bridge)



@pytest.mark.promise("leaving")
def test_it_leaves_while_the_bus_stands_still(gx: PocketGx, tmp_path: Path) -> None:
    bridge = BridgeProcess(gx, tmp_path).connected()
    with gx.frozen("bus"):
        asked = time.monotonic()
        assert bridge.stop() == 0
        assert time.monotonic() - asked < WITHIN


def hanging(gx: PocketGx, directory: Path, program: str) -> dict[str, str]:
    """An environment in which Python runs this program first."""
    folder = directory / "first"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(program, encoding="utf-8")
    return {"PYTHONPATH": os.pathsep.join([str(folder), gx.env["PYTHONPATH"]])}


@pytest.mark.promise("leaving")
def test_it_leaves_while_a_name_is_looked_up(gx: PocketGx, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    program = f"""
import pathlib, socket, time
def hang(*_, **__):
    pathlib.Path({str(asked)!r}).touch()
    time.sleep(60)
socket.getaddrinfo = hang
"""
    bridge = BridgeProcess(gx, tmp_path, env=hanging(gx, tmp_path, program))
    wait_for(asked.exists, bridge.log)
    assert_leaves(bridge)


@pytest.mark.promise("leaving")
def test_it_leaves_while_the_disk_hangs(gx: PocketGx, tmp_path: Path) -> None:
    """The main loop itself hangs then, in a write that keeps limits over a restart."""
    hangs = tmp_path / "hangs"
    program = f"""
import os, pathlib, time
def pwrite(*arguments, real=os.pwrite):
    if pathlib.Path({str(hangs)!r}).exists():
        time.sleep(60)
    return real(*arguments)
os.pwrite = pwrite
"""
    bridge = BridgeProcess(gx, tmp_path, env=hanging(gx, tmp_path, program)).connected()
    hangs.touch()
    with MqttClient(gx.port) as client:
        client.publish("virtual-battery/virtual/set", healthy())
        client.flush()
    assert_leaves(bridge)


@pytest.mark.promise("leaving")
def test_it_leaves_in_the_middle_of_its_start(gx: PocketGx, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    content = {"mqtt": {"port": gx.port}, "batteries": [battery()]}
    config.write_text(json.dumps(content), encoding="utf-8")
    silent_bus = tmp_path / "bus"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(silent_bus))
        server.listen()
        env = {"DBUS_SESSION_BUS_ADDRESS": f"unix:path={silent_bus}"}
        process = gx.spawn([sys.executable, "-m", "bridge", "--config", str(config)], env=env)
        server.settimeout(30)
        connection, _ = server.accept()
        asked = time.monotonic()
        process.terminate()
        assert process.wait(30) == 0
        assert time.monotonic() - asked < WITHIN
        connection.close()
