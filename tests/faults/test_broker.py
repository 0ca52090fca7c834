"""The broker may be absent, late, restarted or wrong: the battery stays on the bus and answers."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from integration.ear import Ear
from live import Bus, RunningBridge, healthy
from pocket import PocketGx


def slowest_answer(bus: Bus, seconds: float) -> float:
    """The 99th percentile of how long a call took, asked as fast as the answers come."""
    times = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        asked = time.monotonic()
        bus["CCL"]
        times.append(time.monotonic() - asked)
        time.sleep(0.001)
    return sorted(times)[int(len(times) * 0.99)]


@contextmanager
def listener(answer: bytes | None) -> Iterator[int]:
    """A server that accepts and then says nothing, or something that is no MQTT."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        open_ = [True]
        kept = []

        def serve() -> None:
            while open_[0]:
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                if answer:
                    connection.sendall(answer)
                kept.append(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        open_[0] = False
        thread.join()
        for connection in kept:
            connection.close()


def test_without_a_broker_it_is_on_the_bus_and_answers(tmp_path: Path) -> None:
    with PocketGx(broker=False) as gx:
        bridge = RunningBridge(gx, tmp_path)
        with bridge.bus() as bus:
            assert (bus["CCL"], bus["DCL"], bus["CVL"]) == (0.0, 150.0, 55.2)
            assert bus.set("/Dc/0/Voltage", 53.1) == 0
            assert slowest_answer(bus, 1.0) < 0.02
        assert bridge.says("cannot be reached, will keep trying").count("cannot be reached") == 1
        gx.start_broker()
        bridge.says("connected to broker", seconds=20)
        with bridge.bus() as bus, Ear(gx.port) as ear:
            ear.tell("virtual-battery/virtual/set", healthy())
            bus.comes("CCL", 100.0)


def test_a_broker_that_restarts_is_found_again_and_subscribed_again(
    gx: PocketGx, tmp_path: Path
) -> None:
    bridge = RunningBridge(gx, tmp_path).connected()
    with bridge.bus() as bus:
        for kill in (gx.kill_broker, gx.stop_broker):
            kill()
            bridge.says("lost broker")
            assert slowest_answer(bus, 0.5) < 0.02
            gx.start_broker()
            bridge.connected()
            with Ear(gx.port) as ear:
                ear.tell("W/c0ffee000001/battery/1/Soc", 33)
                bus.comes("/Soc", 33.0)
                ear.tell("W/c0ffee000001/battery/1/Soc", 34)
                bus.comes("/Soc", 34.0)
    log = bridge.log()
    assert log.count("lost broker") == 2
    assert log.count("connected to broker") == 3


def test_a_wrong_password_is_said_once_in_plain_words_and_never_shown(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("not-the-right-one\n", encoding="utf-8")
    mqtt = {"username": "bridge", "password_file": str(tmp_path / "password")}
    with PocketGx(username="bridge", password="open-sesame") as gx:
        bridge = RunningBridge(gx, tmp_path, mqtt=mqtt)
        log = bridge.says("refuses us: Not authorized")
        time.sleep(2.5)  # at least one more attempt
        assert bridge.log().count("refuses us") == 1
        with bridge.bus() as bus:
            assert slowest_answer(bus, 0.5) < 0.02
        assert "not-the-right-one" not in log
        (tmp_path / "password").write_text("open-sesame\n", encoding="utf-8")
        bridge.stop()
        bridge.start()
        bridge.says("connected to broker")


WELCOME = b"\x20\x02\x00\x00"
NO_MQTT = {
    "silence": None,
    "a web server": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "zeros": b"\x00" * 4096,
    "a message shorter than its topic": WELCOME + b"\x30\x03\xff\xff\x00",
    "a message without its number": WELCOME + b"\x32\x03\x00\x01a",
    "an answer that nobody knows": WELCOME + b"\x90\x03\x00\x01\x54",
    "a topic that is no text": WELCOME + b"\x30\x05\x00\x02\xff\xfe1",
    "a welcome that goes on": b"\x20\x05\x00\x00\x00\x00\x00",
}


@pytest.mark.parametrize("answer", NO_MQTT.values(), ids=NO_MQTT)
def test_a_server_that_is_no_broker_freezes_nothing(
    gx: PocketGx, tmp_path: Path, answer: bytes | None
) -> None:
    with listener(answer) as port:
        bridge = RunningBridge(gx, tmp_path, mqtt={"port": port})
        with bridge.bus() as bus:
            assert slowest_answer(bus, 2.0) < 0.02
            assert bus.set("/Soc", 44.0) == 0
            bus.comes("/Soc", 44.0)
        assert bridge.stop() == 0, bridge.log()


def test_a_broker_whose_name_nobody_knows_freezes_nothing(gx: PocketGx, tmp_path: Path) -> None:
    bridge = RunningBridge(gx, tmp_path, mqtt={"host": "no-such-host.invalid"})
    with bridge.bus() as bus:
        assert slowest_answer(bus, 1.0) < 0.02
    bridge.says("cannot be reached")


def test_a_bad_configuration_ends_with_status_2_and_all_mistakes(
    gx: PocketGx, tmp_path: Path
) -> None:
    bridge = RunningBridge(gx, tmp_path, {"ident": "virtual", "cells": 0}, mqtt={"port": 0})
    assert bridge.process.wait(10) == 2
    for words in ("mqtt.port", "batteries[0].cells", "batteries[0].chemistry: is missing"):
        assert words in bridge.log()
    assert "Traceback" not in bridge.log()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_while_the_broker_is_away(tmp_path: Path, number: signal.Signals) -> None:
    with PocketGx(broker=False) as gx:
        bridge = RunningBridge(gx, tmp_path)
        asked = time.monotonic()
        bridge.process.send_signal(number)
        assert bridge.process.wait(10) == 0
        assert time.monotonic() - asked < 3
