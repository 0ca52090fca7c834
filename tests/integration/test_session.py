"""./run as a person meets it: what it prints is pasted, and Ctrl-C ends all of it."""

import fcntl
import os
import pty
import socket
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path

import private_broker
import pytest

from tests.harness.waiting import PATIENCE, wait_for

ROOT = Path(__file__).resolve().parents[2]


class Session:
    """docker/gx/session.py in the foreground of a terminal, but with its output in a file."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.directory = directory
        self._output = directory / "output"
        self._keyboard, terminal = pty.openpty()
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "docker/gx/session.py", "--directory", str(directory), *options],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdin=terminal,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=lambda: fcntl.ioctl(terminal, termios.TIOCSCTTY, 0),
            )
        os.close(terminal)

    def output(self) -> str:
        return self._output.read_text()

    def says(self, words: str) -> None:
        wait_for(lambda: words in self.output(), words)

    def commands(self, program: str) -> list[str]:
        lines = [line.strip() for line in self.output().splitlines()]
        return [line for line in lines if line.startswith(program)]

    def has_a_bus(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(str(self.directory / "bus")) == 0

    def interrupt(self) -> int:
        """Press Ctrl-C. Answers the exit status."""
        os.write(self._keyboard, b"\x03")
        return self.process.wait(PATIENCE)

    def end(self) -> None:
        """Whatever state it is in; the kernel ends what it has started."""
        self.process.kill()
        self.process.wait()
        os.close(self._keyboard)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Session]]:
    """Starts sessions in the test's folder, each on a free port; whatever happens, they end."""
    started = []

    def start(*options: str) -> Session:
        port = private_broker.free_port("127.0.0.1")
        started.append(Session(tmp_path, "--port", str(port), *options))
        return started[-1]

    yield start
    for session in started:
        session.end()


@pytest.fixture
def session(start: Callable[..., Session]) -> Session:
    return start()


def test_the_pasted_lines_feed_a_battery_and_show_that_a_high_cell_holds_ccl(
    session: Session,
) -> None:
    session.says("Ctrl-C here ends everything.")
    session.says("connected to broker")
    for line in session.commands("mosquitto_pub"):
        _paste(line)

    ccl, rule = session.commands("dbus-send")
    wait_for(lambda: _paste(ccl).split() == ["variant", "double", "10"], "CCL 10 A on D-Bus")
    assert "cell voltage" in _paste(rule)
    session.says("cell 1 at 3.460 V, cv2 is 3.45 V")


def test_ctrl_c_ends_everything(session: Session) -> None:
    session.says("Ctrl-C here ends everything.")
    assert session.has_a_bus()

    assert session.interrupt() == 0
    assert not session.has_a_bus()


def test_settings_outlive_the_session(
    session: Session, start: Callable[..., Session]
) -> None:
    session.says("Ctrl-C here ends everything.")
    ask = session.commands("dbus-send")[0].replace("/Info/MaxChargeCurrent", "/CustomName")
    _paste(ask.replace("GetValue", "SetValue variant:string:Kept"))
    wait_for(lambda: "Kept" in _paste(ask), "the new name")
    session.interrupt()

    again = start()
    again.says("Ctrl-C here ends everything.")
    assert "Kept" in _paste(ask)


def test_each_session_is_a_boot(session: Session, start: Callable[..., Session]) -> None:
    """What /run keeps for a restart of the process ends with the session."""
    session.says("Ctrl-C here ends everything.")
    wait_for(lambda: any((session.directory / "run").rglob("*.json")), "the memory of a restart")
    session.interrupt()
    again = start()
    again.says("Ctrl-C here ends everything.")
    assert "the restart" not in again.output() and "grace counts" not in again.output()


def test_a_second_session_in_the_same_place_says_why_it_ends(session: Session) -> None:
    session.says("Ctrl-C here ends everything.")
    second = subprocess.run(
        [sys.executable, "docker/gx/session.py", "--directory", str(session.directory)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )

    assert second.returncode == 1
    assert str(session.directory) in second.stderr
    assert session.process.poll() is None


def test_the_demo_feeds_its_battery_and_shows_what_is_decided(
    start: Callable[..., Session]
) -> None:
    demo = start("--demo")
    demo.says("fresh")
    assert demo.interrupt() == 0
    assert "connected to the broker" in (demo.directory / "pack.log").read_text()
    assert "measurements are fresh" in (demo.directory / "bridge.log").read_text()
    assert not demo.has_a_bus()


def test_a_bad_configuration_is_named_before_anything_starts(
    start: Callable[..., Session], tmp_path: Path
) -> None:
    bad = tmp_path / "config.yaml"
    bad.write_text("batteries: []\nnonsense: 1\n")
    session = start("--config", str(bad))

    assert session.process.wait(PATIENCE) == 2
    assert "nonsense" in session.output()
    assert not session.has_a_bus()


def _paste(line: str) -> str:
    return subprocess.run(
        ["/bin/sh", "-c", line], check=True, capture_output=True, text=True, timeout=PATIENCE
    ).stdout
