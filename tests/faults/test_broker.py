"""The broker may be absent, late, restarted or wrong: the battery stays on the bus and answers."""

from __future__ import annotations

import signal
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from pocket import PocketGx

from tests.harness.batteries import FAILSAFE_CVL, healthy
from tests.harness.bridge_process import BridgeProcess
from tests.harness.bus_client import BusClient
from tests.harness.false_broker import FalseBroker
from tests.harness.mqtt_client import MqttClient
from tests.harness.waiting import PATIENCE, wait_for

MANY = 20
MORE_THAN_ONE = 5  # a main loop that waits between two attempts answers once or not at all


def answers_until(bus: BusClient, has_happened: Callable[[], bool], what: str) -> int:
    """How many calls are answered before something happens."""
    answers = 0

    def ask() -> bool:
        nonlocal answers
        bus["CCL"]
        answers += 1
        return has_happened()

    wait_for(ask, what)
    return answers


def takes_many_writes(bus: BusClient) -> None:
    for soc in range(MANY):
        assert bus.set("/Soc", float(soc)) == 0
        bus.comes("/Soc", float(soc))


@pytest.mark.promise("broker")
def test_without_a_broker_it_is_on_the_bus_and_answers(tmp_path: Path) -> None:
    with PocketGx(broker=False) as gx:
        bridge = BridgeProcess(gx, tmp_path)
        with bridge.bus() as bus:
            assert (bus["CCL"], bus["DCL"], bus["CVL"]) == (0.0, 150.0, FAILSAFE_CVL)
            assert bus.set("/Dc/0/Voltage", 53.1) == 0
            bus.comes("/Dc/0/Voltage", 53.1)
        assert bridge.says("cannot be reached, will keep trying").count("cannot be reached") == 1
        gx.start_broker()
        bridge.says("connected to broker")
        bridge.connected()
        with bridge.bus() as bus, MqttClient(gx.port) as client:
            client.publish("virtual-battery/virtual/set", healthy())
            bus.comes("CCL", 100.0)


def test_a_broker_that_restarts_is_found_again_and_subscribed_again(
    gx: PocketGx, tmp_path: Path
) -> None:
    bridge = BridgeProcess(gx, tmp_path).connected()
    with bridge.bus() as bus:
        for times, kill in enumerate((gx.kill_broker, gx.stop_broker), start=1):
            kill()
            bridge.says("lost broker", times)
            bus["CCL"]
            gx.start_broker()
            bridge.connected()
            with MqttClient(gx.port) as client:
                client.publish("W/c0ffee000001/battery/1/Soc", 33)
                bus.comes("/Soc", 33.0)
                client.publish("W/c0ffee000001/battery/1/Soc", 34)
                bus.comes("/Soc", 34.0)
    log = bridge.log()
    assert log.count("lost broker") == 2
    assert log.count("connected to broker") == 3


@pytest.mark.promise("secret")
def test_a_wrong_password_is_said_once_in_plain_words_and_never_shown(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("not-the-right-one\n", encoding="utf-8")
    (tmp_path / "password").chmod(0o600)
    mqtt = {"username": "bridge", "password_file": str(tmp_path / "password")}
    with PocketGx(username="bridge", password="open-sesame") as gx:
        bridge = BridgeProcess(gx, tmp_path, mqtt=mqtt)
        log = bridge.says("see mqtt.username and mqtt.password_file")

        def refused() -> int:
            return (gx.directory / "broker.log").read_text().count("not authorised")

        with bridge.bus() as bus:
            answers = answers_until(bus, lambda: refused() >= 2, "a second attempt")
        assert answers >= MORE_THAN_ONE
        assert bridge.log().count("refuses us") == 1
        assert "not-the-right-one" not in log
        (tmp_path / "password").write_text("open-sesame\n", encoding="utf-8")
        bridge.stop()
        bridge.start()
        bridge.says("connected to broker")


def test_a_login_that_is_missing_is_said(tmp_path: Path) -> None:
    with PocketGx(username="bridge", password="open-sesame") as gx:
        bridge = BridgeProcess(gx, tmp_path)
        log = bridge.says("refuses us, will keep trying: it wants a user and a password")
        assert "set mqtt.username and mqtt.password_file" in log


WELCOME = b"\x20\x03\x00\x00\x00"
NONSENSE = {
    "zeros": b"\x00" * 4096,
    "a message shorter than its topic": WELCOME + b"\x30\x03\xff\xff\x00",
    "a message without its number": WELCOME + b"\x32\x03\x00\x01a",
    "an answer that nobody knows": WELCOME + b"\x90\x04\x00\x01\x00\x54",
    "a welcome that ends too early": b"\x20\x05\x00\x00\x09\x00\x00",
    "a welcome of MQTT 3": b"\x20\x02\x00\x00",
}
"""What makes the bridge hang up, and try again a second later."""

WAITED_FOR = {
    "silence": None,
    "a web server": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "a topic that is no text": WELCOME + b"\x30\x06\x00\x02\xff\xfe\x001",
}
"""What looks as if more would come."""


@pytest.mark.promise("broker")
@pytest.mark.parametrize("answer", NONSENSE.values(), ids=NONSENSE)
def test_a_broker_that_talks_nonsense_freezes_nothing(
    gx: PocketGx, tmp_path: Path, answer: bytes
) -> None:
    with FalseBroker(answer) as broker:
        bridge = BridgeProcess(gx, tmp_path, mqtt={"port": broker.port})
        wait_for(lambda: broker.attempts, "a first attempt")
        with bridge.bus() as bus:
            answers = answers_until(bus, lambda: broker.attempts > 1, "a second attempt")
            assert answers >= MORE_THAN_ONE
            assert bus.set("/Soc", 44.0) == 0
            bus.comes("/Soc", 44.0)
        assert bridge.stop() == 0, bridge.log()


@pytest.mark.promise("broker")
@pytest.mark.parametrize("answer", WAITED_FOR.values(), ids=WAITED_FOR)
def test_a_broker_that_is_waited_for_freezes_nothing(
    gx: PocketGx, tmp_path: Path, answer: bytes | None
) -> None:
    """All answers come while the bridge still waits for the broker's."""
    with FalseBroker(answer) as broker:
        bridge = BridgeProcess(gx, tmp_path, mqtt={"port": broker.port})
        wait_for(lambda: broker.attempts, "an attempt")
        with bridge.bus() as bus:
            takes_many_writes(bus)
        assert (broker.attempts, broker.is_waited_for()) == (1, True)
        assert bridge.stop() == 0, bridge.log()


HANGING_RESOLVER = """
    import pathlib, socket, time
    asked, released = pathlib.Path("{asked}"), pathlib.Path("{released}")
    really = socket.getaddrinfo
    def hang(host, *arguments, **named):
        asked.touch()
        while not released.exists():
            time.sleep(0.01)
        return really(host, *arguments, **named)
    socket.getaddrinfo = hang
"""


def test_a_broker_whose_name_nobody_knows_freezes_nothing(gx: PocketGx, tmp_path: Path) -> None:
    """All answers come while the bridge waits for a name server that says nothing."""
    asked, released = tmp_path / "asked", tmp_path / "released"
    program = textwrap.dedent(HANGING_RESOLVER.format(asked=asked, released=released))
    (tmp_path / "sitecustomize.py").write_text(program)  # every Python runs it at its start
    env = {"PYTHONPATH": f"{tmp_path}:{gx.env['PYTHONPATH']}"}
    bridge = BridgeProcess(gx, tmp_path, mqtt={"host": "no-such-host.invalid"}, env=env)
    wait_for(asked.exists, "the question to the name server")
    with bridge.bus() as bus:
        takes_many_writes(bus)
    assert "cannot be reached" not in bridge.log()
    released.touch()
    bridge.says("cannot be reached")


@pytest.mark.promise("configuration")
def test_a_bad_configuration_ends_with_status_2_and_all_mistakes(
    gx: PocketGx, tmp_path: Path
) -> None:
    bridge = BridgeProcess(gx, tmp_path, {"ident": "virtual", "cells": 0}, mqtt={"port": 0})
    assert bridge.process.wait(PATIENCE) == 2
    for words in ("mqtt.port", "batteries[0].cells", "batteries[0].chemistry: is missing"):
        assert words in bridge.log()
    assert "Traceback" not in bridge.log()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_while_the_broker_is_away(tmp_path: Path, number: signal.Signals) -> None:
    with PocketGx(broker=False) as gx:
        bridge = BridgeProcess(gx, tmp_path)
        bridge.process.send_signal(number)
        assert bridge.process.wait(PATIENCE) == 0
