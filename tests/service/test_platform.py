"""The archive on what a GX has: its Python 3.12, and no more modules than its image."""

from __future__ import annotations

import ast
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from as_on_a_gx import SPLIT_OFF
from machine import PYTHON, VELIB
from pocket import PocketGx

from tests.harness.bus_client import BusClient
from tests.harness.waiting import PATIENCE, wait_for

RUNNER = Path(__file__).with_name("as_on_a_gx.py")
BATTERY = "com.victronenergy.battery.virtual"
OURS = {"bridge"}
BROUGHT = {"paho", "yaml"}  # in ext/
OF_THE_GX = {"dbus", "gi", "vedbus", "settingsdevice", "ve_utils"}
EXTRA = {"bridge/adapters/plot.py": {"matplotlib"}}  # for pictures, which a GX does not draw


def python_312() -> str | None:
    """$PYTHON312, or one on the path, or one of pyenv's."""
    at_hand = [os.environ.get("PYTHON312"), shutil.which("python3.12")]
    at_hand += [str(each) for each in Path.home().glob(".pyenv/versions/3.12*/bin/python3.12")]
    is_one = "import sys; assert sys.version_info[:2] == (3, 12)"
    return next((each for each in at_hand if each and runs(each, is_one)), None)


def runs(python: str, code: str) -> bool:
    return subprocess.run([python, "-c", code], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("version", ["this", "3.12"])
def test_the_service_runs_with_what_a_gx_has(gx: PocketGx, unpacked: Path, version: str) -> None:
    python = PYTHON if version == "this" else python_312()
    if python is None or not runs(python, "import dbus, gi"):
        pytest.skip("no Python 3.12 that can import dbus and gi: set PYTHON312 to one")
    service = start(python, gx, unpacked)
    try:
        wait_for(lambda: ask(gx, "/DeviceInstance") == 1, "it is on D-Bus")
        wait_for(lambda: published(gx, {"Sok": 1, "Soc": 61}) == 61, "a value is on D-Bus")
    finally:
        service.send_signal(signal.SIGTERM)
        _, said = service.communicate(timeout=PATIENCE)
    assert service.returncode == 0, said
    assert "a GX has no" not in said


def test_what_is_brought_along_is_pure_python_and_enough(unpacked: Path) -> None:
    code = (
        "import paho.mqtt.client, yaml; assert not yaml.__with_libyaml__;"
        "print(paho.mqtt.client.__file__, yaml.__file__)"
    )
    found = subprocess.run(
        [sys.executable, "-S", "-B", "-c", code],
        env={"PYTHONPATH": str(unpacked / "ext")},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert found.count(str(unpacked)) == 2


def test_nothing_is_imported_that_a_gx_lacks(unpacked: Path) -> None:
    """Also where no test comes along: all that is written down as an import."""
    known = OURS | BROUGHT | OF_THE_GX | (set(sys.stdlib_module_names) - SPLIT_OFF)
    for file in (*unpacked.glob("bridge/**/*.py"), *unpacked.glob("service/*.py")):
        name = str(file.relative_to(unpacked))
        unknown = imported(file) - known - EXTRA.get(name, set())
        assert not unknown, f"{name} imports {unknown}"


def imported(file: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return {name.partition(".")[0] for name in names}


def test_a_gx_explains_in_words_where_it_cannot_draw(unpacked: Path) -> None:
    environment = {"PYTHONPATH": f"{unpacked}:{unpacked / 'ext'}"}
    explain = [PYTHON, "-B", str(RUNNER), "bridge", "explain", "--config", "config.yaml"]

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*explain, *words], env=environment, cwd=unpacked, capture_output=True, text=True
        )

    assert "CCL" in run().stdout
    drawn = run("--plot", "/nowhere/limits.svg")
    assert drawn.returncode != 0
    assert "matplotlib is not installed" in drawn.stderr and "Traceback" not in drawn.stderr


def test_python_312_takes_all_of_it(unpacked: Path, tmp_path: Path) -> None:
    python = python_312()
    if python is None:
        pytest.skip("no Python 3.12: set PYTHON312 to one")
    tree = tmp_path / "tree"
    shutil.copytree(unpacked, tree)
    environment = {"PYTHONPATH": f"{tree}:{tree / 'ext'}", "PATH": os.environ["PATH"]}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [python, *words], env=environment, cwd=tree, capture_output=True, text=True, check=False
        )

    compiled = run("-W", "error", "-m", "compileall", "-q", "-f", "bridge", "service", "ext")
    assert compiled.returncode == 0, compiled.stdout + compiled.stderr
    core = [
        ".".join(each.relative_to(tree).with_suffix("").parts)
        for each in tree.glob("bridge/core/**/*.py")
    ]
    loaded = run("-W", "error", "-c", f"import {', '.join(core)}, paho.mqtt.client, yaml")
    assert loaded.returncode == 0, loaded.stderr
    checked = run("-W", "error", str(RUNNER), "bridge", "check", "config.yaml")
    assert checked.returncode == 0, checked.stderr


def published(gx: PocketGx, values: dict[str, float]) -> object:
    """Publish values, of which one is unknown; answers the battery's state of charge."""
    publish = [
        "mosquitto_pub",
        "-h",
        "127.0.0.1",
        "-p",
        str(gx.port),
        "-t",
        "virtual-battery/virtual/set",
    ]
    subprocess.run([*publish, "-m", json.dumps(values)], check=True)
    return ask(gx, "/Soc")


def start(python: str, gx: PocketGx, unpacked: Path) -> subprocess.Popen[str]:
    path = f"{unpacked}:{unpacked / 'ext'}:{VELIB}"
    arguments = ["--config", str(unpacked / "config.yaml"), "--broker", f"127.0.0.1:{gx.port}"]
    return gx.spawn(
        [python, "-B", str(RUNNER), "bridge", *arguments],
        env={"PYTHONPATH": path},
        stderr=subprocess.PIPE,
        text=True,
    )


def ask(gx: PocketGx, path: str) -> object:
    """The value of a path; None while nobody is there."""
    with BusClient(gx, BATTERY) as bus:
        return bus[path] if bus.is_there() else None
