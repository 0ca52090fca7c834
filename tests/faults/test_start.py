"""The service cannot start: one line says why and what to do, and the status is 1."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import private_bus
import pytest
from pocket import PocketGx

from bridge.__main__ import FAILED
from tests.conftest import GX, ROOT
from tests.harness.bridge_process import BridgeProcess
from tests.harness.waiting import PATIENCE

NOWHERE = {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nowhere"}
COMMAND = [sys.executable, "-m", "bridge"]


def started(
    command: list[str], env: dict[str, str], config: str = "config.yaml"
) -> tuple[int, str]:
    """Status and words of a service that ends by itself."""
    usual = {"PATH": os.environ["PATH"], "PYTHONPATH": str(GX / "velib"), "LANG": "C.UTF-8"}
    process = subprocess.run(
        [*command, "--config", config],
        env={**usual, **env},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    return process.returncode, process.stdout + process.stderr


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("unix:path=/nowhere", "is dbus-daemon running?"),
        ("nonsense", "an address is written as unix:path="),
        ("unix:path=/dev/null", "no connection to the D-Bus of DBUS_SESSION_BUS_ADDRESS"),
        ("tcp:host=127.0.0.1,port=1", "no connection to the D-Bus of DBUS_SESSION_BUS_ADDRESS"),
    ],
)
def test_no_bus(address: str, words: str) -> None:
    status, said = started(COMMAND, {"DBUS_SESSION_BUS_ADDRESS": address})
    assert (status, said.count("\n")) == (FAILED, 1)
    assert words in said and "Traceback" not in said


def test_an_empty_address_means_the_bus_of_the_system() -> None:
    env = {"DBUS_SESSION_BUS_ADDRESS": "", "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nowhere"}
    status, said = started(COMMAND, env)
    assert (status, said.count("\n")) == (FAILED, 1)
    assert "no connection to the D-Bus of the system" in said


def test_a_bus_that_does_not_let_it_have_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    denied = '<allow own="*"/><deny own_prefix="com.victronenergy.battery"/>'
    configuration = private_bus._CONFIGURATION.replace('<allow own="*"/>', denied)
    monkeypatch.setattr(private_bus, "_CONFIGURATION", configuration)
    with PocketGx(broker=False) as gx:
        bridge = BridgeProcess(gx, tmp_path)
        assert bridge.process.wait(PATIENCE) == FAILED
        said = bridge.log()
    assert "D-Bus does not let us be com.victronenergy.battery.virtual" in said
    assert "/etc/dbus-1/system.d/" in said and "Traceback" not in said


@pytest.mark.parametrize("most", [8, 12, 20, 32])
def test_too_few_descriptors(most: int) -> None:
    """Some of these numbers are enough to start, and too few for what comes later."""
    limited = ["sh", "-c", f'ulimit -n {most}; exec "$@"', "sh", *COMMAND]
    status, said = started(limited, NOWHERE)
    assert (status, said.count("\n")) == (FAILED, 1)
    assert "ulimit -n" in said


@pytest.mark.parametrize("missing", ["yaml", "paho", "dbus", "vedbus"])
def test_a_library_that_is_missing(tmp_path: Path, missing: str) -> None:
    (tmp_path / f"{missing}.py").write_text(
        f"raise ModuleNotFoundError('No module named {missing}', name='{missing}')"
    )
    env = {**NOWHERE, "PYTHONPATH": f"{tmp_path}:{GX / 'velib'}"}
    status, said = started(COMMAND, env)
    assert (status, said.count("\n")) == (FAILED, 1)
    assert f"Python has no {missing} here." in said


def test_a_library_that_cannot_be_loaded(tmp_path: Path) -> None:
    (tmp_path / "dbus.py").write_text("raise ImportError('libdbus-1.so.3: no such file')")
    status, said = started(COMMAND, {**NOWHERE, "PYTHONPATH": f"{tmp_path}:{GX / 'velib'}"})
    assert (status, said.count("\n")) == (FAILED, 1)
    assert "libdbus-1.so.3" in said


def test_an_output_that_is_full() -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123  a device
        process = subprocess.run(
            [*COMMAND, "check", "config.yaml"],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert (process.returncode, process.stderr) == (
        FAILED, "the output: No space left on device\n",
    )  # fmt: skip


def test_an_output_that_cannot_show_every_letter() -> None:
    process = subprocess.run(
        [*COMMAND, "explain", "--config", "config.yaml"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONIOENCODING": "ascii"},
        capture_output=True,
    )
    assert (process.returncode, process.stderr) == (0, b"")


@pytest.mark.parametrize("memory", ["a file", "read-only", "absent"])
def test_a_folder_for_the_memory_that_cannot_be_used_is_said_and_nothing_else(
    tmp_path: Path, gx: PocketGx, memory: str
) -> None:
    """What needs no memory goes on: the battery is on the bus."""
    folder = tmp_path / "memory"
    if memory == "a file":
        folder.write_text("")
    elif memory == "read-only":
        folder = Path("/proc/nothing")
    bridge = BridgeProcess(gx, tmp_path, memory=str(folder))
    bridge.connected()
    if memory != "absent":
        bridge.says("are not kept over a restart of the service")
    assert "Traceback" not in bridge.log()


def test_run_on_a_port_that_is_taken(gx: PocketGx, tmp_path: Path) -> None:
    shutil.copy(ROOT / "config.yaml", tmp_path)
    process = subprocess.run(
        [sys.executable, "docker/gx/session.py", "--port", str(gx.port)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert process.returncode == 1 and "Traceback" not in process.stderr
    assert "Address already in use" in process.stderr
