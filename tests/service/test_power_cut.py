"""The power fails in the middle: at every step of install.sh and uninstall.sh, one after the other.

A step is a command that changes something on the disk; RAM disks are empty after a cut anyway.
After each cut, files that were not yet synced are empty, as a journalling file system may leave
them: it keeps names sooner than contents.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import releases
from machine import Machine

CHANGING = ("cp", "mv", "ln", "rm", "rmdir", "mkdir", "chmod", "sync", "python3")
AT_ONCE = 5  # GX devices; they mostly wait

# Counts, and stops for ever before the step in which the power shall fail.
SHIM = """\
#!/bin/sh
PATH=${PATH#/shims:}
case " $*" in *" /service/"*) exec NAME "$@" ;; esac
read -r before </run/step
echo $((before + 1)) >/run/step
if [ $((before + 1)) -eq "$CUT_BEFORE" ]; then
    echo "NAME $*" >/run/cut
    sleep 1000
fi
NAME "$@"
status=$?
[ NAME != sync ] || touch /data/synced
exit $status
"""

# No more of a version than its installation needs: it is on D-Bus, and waits.
STAND_IN = {
    "bridge/app.py": "",
    "bridge/__main__.py": """\
import sys
if sys.argv[1] == "check":
    sys.exit()
import dbus, dbus.mainloop.glib, vedbus
from gi.repository import GLib
dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
bus = dbus.SystemBus()
service = vedbus.VeDbusService("com.victronenergy.battery.virtual", bus, register=False)
service.add_path("/DeviceInstance", 1)
service.register()
GLib.MainLoop().run()
""",
}


@pytest.fixture(scope="module")
def old(unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stand_in(unpacked, tmp_path_factory.mktemp("old") / "x", "1.0.0")


@pytest.fixture(scope="module")
def new(unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stand_in(unpacked, tmp_path_factory.mktemp("new") / "x", "2.0.0")


@pytest.fixture(scope="module")
def with_old(old: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """/data of a GX with the old version installed, and with a line of its owner in rc.local."""
    machine = Machine(tmp_path_factory.mktemp("with-old"), parts="bus")
    write_rc_local(machine)
    machine.boot(svscan="needed")
    installed = machine.install(old)
    machine.power_cut()
    assert installed.returncode == 0, installed.stdout + installed.stderr
    shutil.rmtree(machine.data / "unpacked")
    return machine.data


@pytest.mark.promise("power cut")
def test_a_cut_while_installing_over_an_old_version(
    with_old: Path, new: Path, tmp_path: Path
) -> None:
    """Either version starts with the GX, whole and on D-Bus, and the new one can be installed."""

    def cut_at(step: int) -> str:
        machine = machine_with(tmp_path / str(step), with_old)
        machine.boot()
        cut = power_fails(machine, new, "install.sh", step)
        machine.boot()
        machine.wait_until_well(f"after a cut before: {cut}")
        version = machine.version()
        owner_is_served(machine)
        if step % 5 == 0:
            again = machine.install(new)
            assert again.returncode == 0, again.stderr
            assert machine.version() == "2.0.0"
        machine.power_cut()
        shutil.rmtree(machine.directory)
        return version

    steps = count_steps(machine_with(tmp_path / "all", with_old), new, "install.sh")
    versions = at_every_step(steps, cut_at)
    switched = versions.index("2.0.0")
    assert versions == ["1.0.0"] * switched + ["2.0.0"] * (steps - switched)
    assert 5 < switched < steps - 1


def test_a_cut_while_a_broken_version_is_tried(
    with_old: Path, unpacked: Path, tmp_path: Path
) -> None:
    """What has not proved itself does not start with the GX."""
    broken = stand_in(unpacked, tmp_path / "broken", "3.0.0", "service.register()")
    machine = machine_with(tmp_path / "gx", with_old)
    machine.boot()
    process = run_script(machine, broken, "install.sh", step=0)
    machine.wait_until(lambda: machine.version() == "3.0.0", "it is tried")
    machine.power_cut()
    process.wait()
    machine.boot()
    machine.wait_until_well("after the cut")
    assert machine.version() == "1.0.0"
    machine.power_cut()


@pytest.mark.promise("power cut")
def test_a_cut_while_installing_for_the_first_time(new: Path, tmp_path: Path) -> None:
    """The GX starts, its owner's own rc.local is whole, and the installation can be repeated."""

    def cut_at(step: int) -> str:
        machine = machine_with(tmp_path / str(step), None)
        machine.boot(svscan="needed")
        cut = power_fails(machine, new, "install.sh", step)
        machine.boot(svscan="needed")
        owner_is_served(machine)
        version = machine.version()
        if version:
            machine.wait_until_well(f"after a cut before: {cut}")
        if step % 5 == 0:
            again = machine.install(new)
            assert again.returncode == 0, again.stderr
        machine.power_cut()
        shutil.rmtree(machine.directory)
        return version

    steps = count_steps(machine_with(tmp_path / "all", None), new, "install.sh")
    versions = at_every_step(steps, cut_at)
    assert versions[0] == "" and versions[-1] == "2.0.0"


@pytest.mark.promise("uninstall")
def test_a_cut_while_uninstalling(with_old: Path, old: Path, tmp_path: Path) -> None:
    """It runs as before, or it is gone; and never does the GX try to start what is half there."""

    def cut_at(step: int) -> str:
        machine = machine_with(tmp_path / str(step), with_old)
        machine.boot()
        cut = power_fails(machine, old, "uninstall.sh", step)
        machine.boot(svscan="last")
        owner_is_served(machine)
        version = machine.version()
        if version:
            machine.wait_until_well(f"after a cut before: {cut}")
        assert "boot.sh" not in machine.console()
        machine.power_cut()
        shutil.rmtree(machine.directory)
        return version

    steps = count_steps(machine_with(tmp_path / "all", with_old), old, "uninstall.sh")
    versions = at_every_step(steps, cut_at)
    assert versions[0] == "1.0.0" and versions[-1] == ""


def stand_in(unpacked: Path, target: Path, version: str, but_not: str = "nothing") -> Path:
    files = {name: text.replace(but_not, "") for name, text in STAND_IN.items()}
    return releases.make(unpacked, target, version, files, without=("bridge", "ext"))


def at_every_step(steps: int, cut_at: Callable[[int], str]) -> list[str]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(cut_at, range(1, steps + 1)))


def count_steps(machine: Machine, version: Path, script: str) -> int:
    machine.boot(svscan="last" if machine.home.exists() else "needed")
    if machine.home.exists():
        machine.wait_until_well("after the start")
    run_script(machine, version, script, step=0).wait()
    steps = int(machine.run("cat /run/step").stdout)
    machine.power_cut()
    return steps


def power_fails(machine: Machine, version: Path, script: str, step: int) -> str:
    """Cut the power before the given step. Answers the step's command."""
    process = run_script(machine, version, script, step)
    machine.wait_until(lambda: machine.run("test -s /run/cut").returncode == 0, f"step {step}")
    command = machine.run("cat /run/cut").stdout
    machine.power_cut()
    process.wait()
    empty_what_was_not_synced(machine)
    return command


def run_script(machine: Machine, version: Path, script: str, step: int) -> subprocess.Popen[bytes]:
    folder = machine.directory / "data" / "unpacked"
    subprocess.run(["cp", "-R", version, folder], check=True)
    (machine.data / "synced").touch()
    return machine.start(
        "echo 0 >/run/step; cd /data; "
        f"CUT_BEFORE={step} STEADY=0.5 PATH=/shims:$PATH sh {folder_of(script)}/{script}",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def folder_of(script: str) -> str:
    inside = "unpacked" if script == "install.sh" else "virtual-battery/current"
    return f"/data/{inside}/service"


def machine_with(directory: Path, data: Path | None) -> Machine:
    machine = Machine(directory, parts="bus")
    for name in CHANGING:
        shim = directory / "shims" / name
        shim.write_text(SHIM.replace("NAME", name))
        shim.chmod(0o755)
    if data is None:
        write_rc_local(machine)
    else:
        subprocess.run(["cp", "-a", f"{data}/.", machine.data], check=True)
    return machine


def write_rc_local(machine: Machine) -> None:
    machine.rc_local.write_text("#!/bin/sh\ntouch /run/owner\n")
    machine.rc_local.chmod(0o755)


def owner_is_served(machine: Machine) -> None:
    assert machine.run("test -e /run/owner").returncode == 0, machine.rc_local.read_text()


def empty_what_was_not_synced(machine: Machine) -> None:
    synced = (machine.data / "synced").stat().st_mtime_ns
    for file in [machine.rc_local, *files_in(machine.home)]:
        if file.stat().st_mtime_ns > synced:
            os.truncate(file, 0)


def files_in(folder: Path) -> Iterator[Path]:
    for each in folder.rglob("*"):
        if each.is_file() and not each.is_symlink():
            yield each
