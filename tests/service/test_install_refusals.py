"""What install.sh and uninstall.sh refuse, with a word and without a change."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from machine import Machine, Result

from tests.harness.waiting import PATIENCE

INSTALL = "PATIENCE=1 STEADY=0.2 sh /data/unpacked/service/install.sh"


@pytest.fixture(scope="module")
def gx(unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A GX with nothing installed, and with the unpacked archive; leave it as you found it."""
    machine = Machine(tmp_path_factory.mktemp("gx-refusing"), parts="bus")
    shutil.copytree(unpacked, machine.data / "unpacked")
    machine.boot(svscan="never")
    yield machine
    machine.power_cut()


def refused(machine: Machine, command: str = INSTALL) -> str:
    """Run what must fail. Answers its words; nothing was changed."""
    before = everything(machine.data)
    result = machine.run(command)
    assert result.returncode != 0, result.stdout
    assert everything(machine.data) == before
    assert machine.run("ls -A /service").stdout.split() == ["other"]
    return result.stderr


def everything(data: Path) -> set[tuple[str, int]]:
    return {(str(each.relative_to(data)), each.lstat().st_mode) for each in data.rglob("*")}


def text(folder: Path, name: str) -> None:
    (folder / name).write_text("import os\n")


def dirty(name: str) -> Callable[[Path], None]:
    return lambda folder: text(folder, name)


def link_in_place_of_a_file(folder: Path) -> None:
    (folder / "LICENSE").rename(folder.parent / "licence")
    (folder / "LICENSE").symlink_to(folder.parent / "licence")


def set_uid(folder: Path) -> None:
    (folder / "service" / "run").chmod(0o4755)


def set_gid(folder: Path) -> None:
    (folder / "bridge" / "app.py").chmod(0o2644)


def path_that_goes_out(folder: Path) -> None:
    with (folder / "SHA256SUMS").open("a") as sums:
        sums.write(f"{'0' * 64}  ./../conf/settings.xml\n")


def line_that_is_no_checksum(folder: Path) -> None:
    with (folder / "SHA256SUMS").open("a") as sums:
        sums.write("./bridge/more.py\n")


def missing_file(folder: Path) -> None:
    (folder / "bridge" / "app.py").unlink()


PLANTED: dict[str, tuple[Callable[[Path], None], str]] = {
    "a file": (dirty("sitecustomize.py"), "./sitecustomize.py"),
    "a file among the libraries": (dirty("ext/sitecustomize.py"), "./ext/sitecustomize.py"),
    "a file beside the scripts": (dirty("service/json.py"), "./service/json.py"),
    "a hidden file": (dirty("bridge/.more"), "./bridge/.more"),
    "a compiled file": (dirty("ext/paho/more.pyc"), "./ext/paho/more.pyc"),
    "a name with a space": (dirty("bridge/a b.py"), "./bridge/a b.py"),
    "a name of two lines": (dirty("bridge/a\nLICENSE"), "./bridge/a"),
    "a link": (lambda folder: (folder / "ssl.py").symlink_to("LICENSE"), "./ssl.py"),
    "a link to a folder": (lambda folder: (folder / "more").symlink_to("bridge"), "./more"),
    "a link in place of a file": (link_in_place_of_a_file, "./LICENSE"),
    "a pipe": (lambda folder: os.mkfifo(folder / "pipe"), "./pipe"),
    "set-uid": (set_uid, "./service/run"),
    "set-gid": (set_gid, "./bridge/app.py"),
    "a path that goes out": (path_that_goes_out, "./../conf/settings.xml"),
    "a line that is no checksum": (line_that_is_no_checksum, "./bridge/more.py"),
    "a missing file": (missing_file, "damaged"),
}


@pytest.mark.promise("archive")
@pytest.mark.parametrize("kind", PLANTED)
def test_an_archive_with_what_it_does_not_list_is_refused(
    gx: Machine, unpacked: Path, kind: str
) -> None:
    """Python would load some of them by themselves: sitecustomize.py, json.py beside a script."""
    plant, named = PLANTED[kind]
    folder = gx.data / "unpacked"
    try:
        plant(folder)
        said = refused(gx)
    finally:
        shutil.rmtree(folder)
        shutil.copytree(unpacked, folder)
    assert named in said
    assert "unpack it again" in said


@pytest.mark.promise("platform")
@pytest.mark.parametrize("word", ["--force", "--help", "/data"])
@pytest.mark.parametrize("script", ["install", "uninstall", "restart", "status", "boot"])
def test_an_unknown_word_is_refused(gx: Machine, script: str, word: str) -> None:
    said = refused(gx, f"sh /data/unpacked/service/{script}.sh {word}")
    assert "usage: " in said and f"{script}.sh" in said


NO_TARGETS = {
    "a file": "rm -rf /data/virtual-battery; touch /data/virtual-battery",
    "a link": "rm -rf /data/virtual-battery; mkdir -p /data/mine; ln -s mine /data/virtual-battery",
    "releases of somebody else": "touch releases",
    "current of somebody else": "mkdir current",
    "a link to somewhere else": "ln -s /data/mine current",
    "a service of somebody else": "mkdir -p /service/virtual-battery; "
    "touch /service/virtual-battery/run",
}


@pytest.mark.promise("platform")
@pytest.mark.parametrize("kind", NO_TARGETS)
@pytest.mark.parametrize("script", ["install", "uninstall"])
def test_what_is_no_installation_of_ours_is_left_alone(
    gx: Machine, kind: str, script: str
) -> None:
    """Neither replaced nor removed."""
    made = gx.run(f"mkdir -p /data/virtual-battery; cd /data/virtual-battery; {NO_TARGETS[kind]}")
    assert made.returncode == 0, made.stderr
    before = everything(gx.data)
    try:
        result = gx.run(f"sh /data/unpacked/service/{script}.sh")
        after = everything(gx.data)
        service = gx.run("ls /service/virtual-battery").stdout
    finally:
        gx.run("rm -rf /data/virtual-battery /data/mine /service/virtual-battery")
    assert result.returncode == 1, result.stdout
    assert "not of this program" in result.stderr
    assert after == before
    assert service == ("run\n" if "service" in kind else "")


def in_the_way(gx: Machine, before: str, after: str) -> Result:
    """Install on a GX on which something was done before, and is undone afterwards."""
    made = gx.run(before)
    assert made.returncode == 0, made.stderr
    try:
        return gx.run(INSTALL)
    finally:
        gx.run(f"{after}; rm -rf /data/virtual-battery")


RELEASES = "/data/virtual-battery/releases"
MOUNT = "/bin/mount"  # the one of busybox knows no read-only bind


@pytest.mark.promise("platform")
def test_no_space_is_said_before_anything_is_copied(gx: Machine) -> None:
    small = f"mkdir -p {RELEASES}; mount -t tmpfs -o size=300k tmpfs {RELEASES}"
    result = in_the_way(gx, small, f"umount {RELEASES}")
    assert result.returncode == 1
    assert "kB are free" in result.stderr and "Nothing was changed" in result.stderr


@pytest.mark.promise("modes")
def test_our_folder_is_closed_to_others_before_anything_is_written_into_it(gx: Machine) -> None:
    """Where another user can write, he could replace what root is about to copy and run."""
    loose = f"mkdir -p {RELEASES}; chmod 777 /data/virtual-battery"
    full = f"mount -t tmpfs -o size=300k,mode=755 tmpfs {RELEASES}"
    modes = "ls -ld /data/virtual-battery >/data/modes"
    result = in_the_way(gx, f"{loose}; {full}", f"{modes}; umount {RELEASES}")
    assert "kB are free" in result.stderr
    seen = gx.run("cat /data/modes; rm /data/modes").stdout
    assert seen.startswith("drwxr-xr-x"), seen


def test_a_read_only_data_partition_is_said(gx: Machine) -> None:
    home = "/data/virtual-battery"
    read_only = f"mkdir -p {home}; {MOUNT} --bind {home} {home}; {MOUNT} -o remount,bind,ro {home}"
    result = in_the_way(gx, read_only, f"umount {home}")
    assert result.returncode == 1
    assert "cannot be written" in result.stderr and "Nothing was changed" in result.stderr


PLATFORMS = {
    "an old Python": ("python3", "exit 1", "Venus OS 3.60"),
    "no root": ("id", "echo 1000", "root"),
}


@pytest.mark.promise("platform")
@pytest.mark.parametrize("script", ["install", "uninstall"])
def test_a_machine_without_daemontools_is_refused(gx: Machine, script: str) -> None:
    commands = "sh basename dirname grep id python3 readlink rm mv sed sync"
    few = f"for each in {commands}; do ln -sf $(command -v $each) /tmp/few/; done"
    command = f"PATH=/tmp/few sh /data/unpacked/service/{script}.sh"
    assert "This is for a GX" in refused(gx, f"mkdir -p /tmp/few; {few}; {command}")
    gx.run("rm -r /tmp/few")


def test_where_nothing_is_installed_nothing_is_uninstalled(gx: Machine) -> None:
    assert "not installed" in refused(gx, "sh /data/unpacked/service/uninstall.sh")
    assert "not installed" in refused(gx, "sh /data/unpacked/service/uninstall.sh --all")


@pytest.mark.promise("platform")
@pytest.mark.parametrize("kind", PLATFORMS)
def test_another_platform_is_refused(gx: Machine, kind: str) -> None:
    program, does, named = PLATFORMS[kind]
    stub = f"mkdir -p /tmp/stub; printf '#!/bin/sh\\n{does}\\n' >/tmp/stub/{program}"
    assert named in refused(gx, f"{stub}; chmod 755 /tmp/stub/*; PATH=/tmp/stub:$PATH {INSTALL}")
    gx.run("rm -r /tmp/stub")


def test_a_machine_that_is_no_gx_is_refused(unpacked: Path, tmp_path: Path) -> None:
    """No program of Victron's: nothing is there for the battery to talk to."""
    machine = Machine(tmp_path / "gx", parts="bus")
    shutil.rmtree(machine.directory / "opt" / "dbus-systemcalc-py")
    shutil.copytree(unpacked, machine.data / "unpacked")
    machine.boot(svscan="never")
    try:
        assert "Is this a GX?" in refused(machine)
    finally:
        machine.power_cut()


@pytest.mark.promise("modes")
def test_only_root_may_change_what_root_runs(
    unpacked: Path, tmp_path: Path
) -> None:
    """Whatever the umask of the owner, and the modes that the copying to the GX left."""
    machine = Machine(tmp_path / "gx")
    folder = machine.data / "unpacked"
    shutil.copytree(unpacked, folder)
    for each in (folder, *folder.rglob("*")):
        each.chmod(each.stat().st_mode | 0o022)
    machine.home.mkdir(mode=0o777)
    machine.home.chmod(0o777)
    (machine.home / "config.yaml").write_bytes((unpacked / "config.yaml").read_bytes())
    (machine.home / "config.yaml").chmod(0o666)
    if os.geteuid() == 0:  # only then another user exists on the GX
        os.chown(machine.home / "config.yaml", 1000, 1000)
    machine.boot(svscan="needed")
    try:
        installed = machine.run(f"umask 0; PATIENCE={PATIENCE} {INSTALL[11:]}")
        assert installed.returncode == 0, installed.stderr
        assert "config.yaml" in installed.stdout and "Only root may change" in installed.stdout
        ours = [machine.rc_local, machine.home, *machine.home.rglob("*")]
        loose = {str(each) for each in ours if not each.is_symlink() and is_loose(each)}
        assert loose == set()
    finally:
        machine.power_cut()


def is_loose(file: Path) -> bool:
    """Whether others than its owner, who should be root, can write to it."""
    status = file.stat()
    return status.st_uid != os.geteuid() or bool(status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))
