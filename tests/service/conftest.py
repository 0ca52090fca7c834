"""What the tests of the service share: a built archive, and GX devices to install it on."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import releases
from machine import Machine, MakeMachine


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive as it is shipped."""
    return releases.build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="session")
def unpacked(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that was in the archive; leave it as it is."""
    return releases.unpack(archive, tmp_path_factory.mktemp("unpacked"))


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A GX with nothing installed, switched off."""
    machine = Machine(tmp_path / "gx")
    yield machine
    machine.power_cut()


@pytest.fixture(scope="session")
def data_of_installed(unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a successful installation leaves in /data."""
    machine = Machine(tmp_path_factory.mktemp("gx-installed"))
    machine.boot(svscan="needed")
    try:
        installed = machine.install(unpacked)
        assert installed.returncode == 0, installed.stdout + installed.stderr
    finally:
        machine.power_cut()
    shutil.rmtree(machine.data / "unpacked")
    return machine.data


@pytest.fixture(scope="session")
def make_installed(data_of_installed: Path) -> MakeMachine:
    """Makes a GX with the real version installed, switched off, in a folder."""

    def make(folder: Path) -> Machine:
        machine = Machine(folder)
        subprocess.run(["cp", "-a", f"{data_of_installed}/.", machine.data], check=True)
        return machine

    return make


@pytest.fixture
def installed(make_installed: MakeMachine, tmp_path: Path) -> Iterator[Machine]:
    """A GX that runs the real version; started, with the service on D-Bus."""
    machine = make_installed(tmp_path / "gx")
    machine.boot()
    machine.wait_until_well("after the start")
    yield machine
    machine.power_cut()
