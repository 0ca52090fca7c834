"""The live view as a process: in a real terminal and in a pipe, at a real broker."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pocket import PocketGx

from tests.harness.mqtt_client import MqttClient
from tests.harness.waiting import PATIENCE, wait_for

CONFIG = """
mqtt: {{host: 127.0.0.1, port: {port}}}
batteries:
  - {{ident: virtual, cells: 16, chemistry: lfp, capacity: 280}}
  - {{ident: other, instance: 2, cells: 8, chemistry: lto, capacity: 40}}
"""
STATE, STATUS = "virtual-battery/virtual/state", "virtual-battery/status"
TOLD = {
    "stage": "fresh",
    "limits": {"CVL": 55.2, "CCL": 10.0, "DCL": 150.0},
    "reasons": {"CCL": "cell 7 at 3.460 V"},
    "identity": {"name": "Cellar", "portal": "c0ffee000001", "instance": 3},
    "values": {"Voltages/Cell7": 3.46, "Voltages/Cell8": 3.40},
}
ENTER, LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"


@pytest.fixture
def broker() -> Iterator[PocketGx]:
    with PocketGx(settings=False, system=False) as pocket:
        yield pocket


def command(gx: PocketGx, tmp_path: Path, *options: str) -> list[str]:
    file = tmp_path / "config.yaml"
    file.write_text(CONFIG.format(port=gx.port))
    return [sys.executable, "-m", "bridge", "watch", "--config", str(file), *options]


class Window:
    """A terminal of a given size with one program in it."""

    def __init__(self, gx: PocketGx, argv: list[str], width: int = 80, height: int = 24) -> None:
        self._master, slave = pty.openpty()
        self.resize(width, height)
        env = {"TERM": "xterm", "PYTHONIOENCODING": "utf-8", "NO_COLOR": "1"}
        self.process = gx.spawn(argv, stdin=slave, stdout=slave, stderr=slave, env=env)
        os.close(slave)
        self._written = bytearray()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def resize(self, width: int, height: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    @property
    def written(self) -> str:
        return bytes(self._written).decode("utf-8", "replace")

    @property
    def lines(self) -> list[str]:
        """The latest drawing that is complete."""
        drawings = re.findall(r"\x1b\[H((?:(?!\x1b\[H).)*?)\x1b\[J", self.written, re.DOTALL)
        return re.split("\r+\n", drawings[-1].replace("\x1b[K", "")) if drawings else []

    def shows(self, text: str) -> None:
        wait_for(lambda: any(text in line for line in self.lines), f"to see {text!r}")

    def end(self, number: int) -> int:
        """Send a signal; the exit status, when all it wrote has been read."""
        self.process.send_signal(number)
        status = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        os.close(self._master)
        return status

    def _read(self) -> None:
        try:
            while piece := os.read(self._master, 65536):
                self._written += piece
        except OSError:  # what Linux says when the other side of a terminal is closed
            return


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_terminal_comes_back_at_every_signal(broker, tmp_path, number):
    window = Window(broker, command(broker, tmp_path))
    window.shows("Waiting for the bridge")
    assert window.end(number) == 0
    assert window.written.startswith(ENTER)
    assert window.written.endswith(LEAVE)


def test_follows_what_arrives_what_is_decided_and_what_is_refused(broker, tmp_path):
    window = Window(broker, command(broker, tmp_path))
    with MqttClient(broker.port) as client:
        window.shows("Waiting for the bridge")
        client.publish(STATUS, "online", retain=True)
        client.publish(STATE, TOLD, retain=True)
        window.shows("Cellar  virtual, instance 3")
        window.shows("cell 7 at 3.460 V")

        # It learns where the battery is written from the state, and listens there a moment later.
        def write_and_look() -> bool:
            client.publish("W/c0ffee000001/battery/3/Soc", {"value": 81.5})
            return any("Soc" in line and "81.5" in line for line in window.lines)

        wait_for(write_and_look, "the write to arrive")
        client.publish("virtual-battery/virtual/set", {"Soc": 82})
        window.shows('{"Soc":…')
        for number in (1, 2, 3):
            client.publish(
                "virtual-battery/virtual/rejected",
                {"path": "/Soc", "value": number, "reason": f"no {number}"},
            )
        window.shows("Refused   3")
        window.shows("Soc = 3  no 3")
        client.publish(STATUS, "offline", retain=True)
        window.shows("the bridge is offline")
    assert window.end(signal.SIGTERM) == 0


def test_follows_a_resize(broker, tmp_path):
    window = Window(broker, command(broker, tmp_path))
    with MqttClient(broker.port) as client:
        client.publish(STATE, TOLD, retain=True)
        window.shows("Refused")
        window.resize(40, 8)
        wait_for(lambda: len(window.lines) <= 8, "eight lines")
        assert max(map(len, window.lines)) <= 40
        window.resize(120, 40)
        wait_for(lambda: max(map(len, window.lines)) > 80, "longer lines")
    window.end(signal.SIGTERM)


def test_a_broker_that_comes_back_is_said_and_heard_again(broker, tmp_path):
    window = Window(broker, command(broker, tmp_path))
    window.shows("Waiting for the bridge")
    broker.kill_broker()
    window.shows("lost broker")
    window.shows("will keep trying")
    broker.start_broker()
    window.shows("connected to broker")
    with MqttClient(broker.port) as client:
        client.publish(STATE, TOLD, retain=True)
        window.shows("Cellar")
    window.end(signal.SIGTERM)


def test_another_battery_by_its_ident(broker, tmp_path):
    window = Window(broker, command(broker, tmp_path, "--ident", "other"))
    window.shows("virtual-battery/other/state")
    window.end(signal.SIGTERM)


def test_an_unknown_ident_is_a_mistake_in_the_command(broker, tmp_path):
    argv = command(broker, tmp_path, "--ident", "nobody")
    process = broker.spawn(argv, stderr=subprocess.PIPE)
    assert process.wait(PATIENCE) == 2
    assert b"no battery 'nobody', only virtual, other" in process.stderr.read()


def test_a_pipe_gets_plain_lines_and_may_close(broker, tmp_path):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = broker.spawn(command(broker, tmp_path), **pipes)
    with MqttClient(broker.port) as client:
        client.publish(STATE, TOLD, retain=True)
        lines = [process.stdout.readline().decode()]
        while "fresh" not in lines[-1]:
            lines.append(process.stdout.readline().decode())
        assert any("connected to broker" in line for line in lines)
        assert "CCL 10.0 A (cell 7 at 3.460 V)" in lines[-1]
        assert "\x1b" not in "".join(lines)
        process.stdout.close()
        client.publish(STATE, TOLD | {"stage": "stale"}, retain=True)
        assert process.wait(PATIENCE) == 0
        assert process.stderr.read() == b""
