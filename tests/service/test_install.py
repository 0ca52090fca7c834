"""Install, install again, replace, restart, uninstall: on a GX, as its owner would."""

from __future__ import annotations

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import releases
from machine import Machine, MakeMachine

from tests.harness.waiting import PATIENCE

BOOT_LINE = "sh /data/virtual-battery/current/service/boot.sh"
CUSTOM_NAME = "/Settings/Devices/virtual/CustomName"


def test_the_life_of_an_installation(machine: Machine, archive: Path) -> None:
    """Unpack, install, start again, update the firmware: in the order and time of a real GX."""
    machine.rc_local.write_text("#!/bin/bash\n# mine\ntouch /run/mine\nexit 0\n")
    machine.rc_local.chmod(0o755)
    machine.boot(svscan="first")
    (machine.data / archive.name).write_bytes(archive.read_bytes())
    unpacked = machine.run(f"cd /data && tar xzf {archive.name}")
    assert unpacked.returncode == 0, unpacked.stderr

    folder = archive.name.removesuffix(".tar.gz")
    installed = machine.run(f"sh /data/{folder}/service/install.sh", STEADY="1")
    assert installed.returncode == 0, installed.stdout + installed.stderr
    for word in ("/var/log/virtual-battery", "Battery monitor", "Controlling BMS", "DVCC"):
        assert word in installed.stdout
    assert "the example" in installed.stdout
    assert machine.is_well()
    lines = machine.rc_local.read_text().splitlines()
    assert lines == ["#!/bin/bash", BOOT_LINE, "# mine", "touch /run/mine", "exit 0"]
    assert machine.run("svstat /service/other").stdout.startswith("/service/other: up")

    machine.run(f"rm -r /data/{folder}")  # it is not needed any more
    machine.power_cut()
    machine.boot()
    assert machine.run("test -e /run/mine").returncode == 0
    machine.wait_until_well("after a power cut")

    machine.power_cut()
    machine.update_firmware("dbus-another-service")
    machine.boot()
    machine.wait_until_well("after a firmware update")
    status = machine.run(f"sh {machine_path('status.sh')}")
    assert status.returncode == 0, status.stdout
    for word in ("com.victronenergy.battery.virtual", "starts with GX  yes", "good"):
        assert word in status.stdout


def test_installing_again_changes_nothing(installed: Machine, unpacked: Path) -> None:
    process = installed.process_id()
    (installed.home / "config.yaml").open("a").write("# mine\n")
    before = tree(installed.home), installed.rc_local.read_text()
    (installed.data / "rc.local.disabled").touch()  # what the GX's menu leaves
    again = installed.install(unpacked)
    assert again.returncode == 0, again.stderr
    assert "It runs already" in again.stdout
    assert "were switched off" in again.stdout
    assert (tree(installed.home), installed.rc_local.read_text()) == before
    assert installed.process_id() == process


@pytest.mark.promise("way back")
def test_a_new_version_finds_the_settings_of_the_old(
    installed: Machine, unpacked: Path, tmp_path: Path
) -> None:
    write(installed, "/CustomName", "'Cellar'")
    config = installed.home / "config.yaml"
    config.write_text(config.read_text().replace("cells: 16 ", "cells: 15 "))
    old = installed.run("readlink /data/virtual-battery/current").stdout.strip()

    updated = installed.install(releases.make(unpacked, tmp_path / "new", "9.9.9"))
    assert updated.returncode == 0, updated.stderr
    assert installed.version() == "9.9.9"
    assert read(installed, "/CustomName") == "Cellar"
    assert "cells: 15 " in config.read_text()
    assert f"sh {old}/service/install.sh" in updated.stdout

    installed.power_cut()
    installed.boot()
    installed.wait_until_well("after the next start")
    assert installed.version() == "9.9.9"

    back = installed.run(f"sh {old}/service/install.sh", STEADY="0.5")
    assert back.returncode == 0, back.stderr
    runs = installed.run("readlink /service/virtual-battery/run").stdout.strip()
    assert runs == f"{old}/service/run"


@pytest.mark.promise("way back")
def test_a_kept_version_stays_when_it_is_refused(
    installed: Machine, unpacked: Path, tmp_path: Path
) -> None:
    """For its configuration, or because it does not start: this run did not copy it."""
    old = installed.run("readlink /data/virtual-battery/current").stdout.strip()
    back = f"sh {old}/service/install.sh"
    new = releases.make(unpacked, tmp_path / "new", "9.9.9")
    assert installed.install(new).returncode == 0
    both = tree(installed.home)
    config = installed.home / "config.yaml"
    good = config.read_text()
    config.write_text(good.replace("cells: 16", "cels: 16"))
    refused = installed.run(back)
    assert (refused.returncode, tree(installed.home)) == (2, both), refused.stderr

    config.write_text(good)
    given_up = installed.run(back, PATIENCE="0", STEADY="60")
    assert (given_up.returncode, tree(installed.home)) == (1, both), given_up.stderr
    assert installed.version() == "9.9.9"

    uninstalled = installed.run(f"sh {machine_path('uninstall.sh')}")
    kept = tree(installed.home)
    config.write_text(good.replace("cells: 16", "cels: 16"))
    refused = installed.run(named_in(uninstalled.stdout, "install.sh"))
    assert (refused.returncode, tree(installed.home)) == (2, kept), refused.stderr


BROKEN = {
    "does not load": {"bridge/app.py": "import a_module_that_no_gx_has\n"},
    "refuses the configuration": {
        "bridge/adapters/config.py":
        "from bridge.core.settings.configuration import BadConfiguration\n"
        "def load(file):\n    raise BadConfiguration(['everything is wrong'])\n"
    },
    "dies at once": {"bridge/app.py": "def run(*_):\n    raise RuntimeError('oops')\n"},
    "never gets to D-Bus": {
        "bridge/app.py": "import time\ndef run(*_):\n    time.sleep(1000)\n"
    },
}
SHORT = {"never gets to D-Bus": 8}  # s; the others end before anybody loses patience


@pytest.mark.promise("way back")
def test_a_broken_new_version_gives_way_to_the_old(
    make_installed: MakeMachine, unpacked: Path, tmp_path: Path
) -> None:
    """Each kind on a GX of its own, all at once: they mostly wait."""

    def gives_way(kind: str) -> None:
        machine = make_installed(tmp_path / kind)
        machine.boot()
        machine.wait_until_well("after the start")
        good, before = machine.version(), tree(machine.home)
        broken = releases.make(unpacked, tmp_path / kind / "new", "9.9.9", BROKEN[kind])
        failed = machine.install(broken, patience=SHORT.get(kind, PATIENCE))
        assert failed.returncode != 0, f"{kind}: {failed.stdout}"
        assert good in failed.stderr
        assert machine.version() == good
        machine.wait_until_well("after the way back")
        assert tree(machine.home) == before

        machine.power_cut()
        machine.boot()
        machine.wait_until_well("after the next start")
        machine.power_cut()

    with ThreadPoolExecutor() as pool:
        list(pool.map(gives_way, BROKEN))


def test_ctrl_c_while_a_version_is_tried_leads_back(
    installed: Machine, unpacked: Path, tmp_path: Path
) -> None:
    good = installed.version()
    silent = releases.make(unpacked, tmp_path / "new", "9.9.9", BROKEN["never gets to D-Bus"])
    shutil.copytree(silent, installed.data / "unpacked")
    install = "echo $$ >/run/terminal; STEADY=0.5 exec sh /data/unpacked/service/install.sh"
    running = installed.start(f"setsid sh -c '{install}'", stderr=subprocess.PIPE)
    installed.wait_until(
        lambda: "healthcheck.py --wait" in installed.run("ps").stdout, "it is tried, and watched"
    )
    installed.run("kill -INT -$(cat /run/terminal)")
    _, said = running.communicate(timeout=PATIENCE)
    assert running.returncode == 1
    assert b"Interrupted" in said
    assert installed.version() == good
    assert installed.is_well()


def test_a_broken_first_version_leaves_no_service(
    machine: Machine, unpacked: Path, tmp_path: Path
) -> None:
    machine.boot(svscan="needed")
    broken = releases.make(unpacked, tmp_path / "new", "9.9.9", BROKEN["dies at once"])
    failed = machine.install(broken)
    assert failed.returncode == 1
    assert "RuntimeError: oops" in failed.stderr  # what the log says is on the screen
    assert machine.run("ls -A /service").stdout.split() == ["other"]
    assert not machine.rc_local.exists()
    assert tree(machine.home) == {"config.yaml", "releases"}
    assert "bridge" not in machine.run("ps").stdout


def test_a_bad_configuration_starts_nothing(machine: Machine, unpacked: Path) -> None:
    machine.home.mkdir()
    (machine.home / "config.yaml").write_text("batteries: [{ident: virtual, cells: -3}]\n")
    machine.boot()
    failed = machine.install(unpacked)
    assert failed.returncode == 2
    assert "cells" in failed.stderr
    assert machine.run("ls -A /service").stdout.split() == ["other"]
    assert not machine.rc_local.exists()
    assert tree(machine.home) == {"config.yaml", "releases"}


@pytest.mark.promise("archive")
def test_a_damaged_archive_is_refused(installed: Machine, unpacked: Path, tmp_path: Path) -> None:
    damaged = releases.make(unpacked, tmp_path / "new", "9.9.9")
    (damaged / "bridge" / "battery" / "battery.py").write_text("")
    before = tree(installed.home)
    refused = installed.install(damaged)
    assert refused.returncode == 1 and "damaged" in refused.stderr
    assert tree(installed.home) == before
    assert installed.is_well()


def test_a_damaged_installation_is_mended(installed: Machine, unpacked: Path) -> None:
    damaged = next((installed.home / "releases").iterdir()) / "bridge" / "battery" / "battery.py"
    damaged.write_text("")
    mended = installed.install(unpacked)
    assert mended.returncode == 0, mended.stderr
    assert installed.is_well()
    assert not damaged.exists() or damaged.stat().st_size == 0  # never mended in place
    installed.power_cut()
    installed.boot()
    installed.wait_until_well("after the next start")


def test_restart_takes_a_new_configuration(installed: Machine) -> None:
    process = installed.process_id()
    config = installed.home / "config.yaml"
    config.write_text(config.read_text().replace("capacity: 280", "capacity: 314"))
    restarted = installed.run(f"sh {machine_path('restart.sh')}", STEADY="0.5")
    assert restarted.returncode == 0, restarted.stderr
    assert "com.victronenergy.battery.virtual" in restarted.stdout
    assert installed.process_id() != process
    assert read(installed, "/InstalledCapacity") == "double 314"


@pytest.mark.promise("configuration")
def test_restart_refuses_a_bad_configuration(installed: Machine) -> None:
    process = installed.process_id()
    config = installed.home / "config.yaml"
    config.write_text(config.read_text().replace("cells: 16", "cels: 16"))
    refused = installed.run(f"sh {machine_path('restart.sh')}")
    assert refused.returncode == 2
    assert "cels" in refused.stderr
    assert installed.process_id() == process
    assert "cels" in installed.run(f"sh {machine_path('status.sh')}").stdout


@pytest.mark.promise("uninstall")
@pytest.mark.parametrize("everything", [False, True])
def test_uninstall(installed: Machine, everything: bool) -> None:
    write(installed, "/CustomName", "'Cellar'")
    if not everything:
        with installed.rc_local.open("a") as rc_local:
            rc_local.write("touch /run/mine\n")
    command = f"sh {machine_path('uninstall.sh')}" + (" --all" if everything else "")
    uninstalled = installed.run(command)
    assert uninstalled.returncode == 0, uninstalled.stderr
    for word in ("BMS lost", "#67", "Controlling BMS", "reset"):
        assert word in uninstalled.stdout

    assert installed.run("ls -A /service").stdout.split() == ["other"]
    assert installed.run("svstat /service/other").stdout.startswith("/service/other: up")
    assert "bridge" not in installed.run("ps").stdout
    assert "multilog" not in installed.run("ps").stdout
    assert not installed.log.parent.exists()
    kept = dbus_value(installed, "com.victronenergy.settings", CUSTOM_NAME)
    if everything:
        assert not installed.rc_local.exists()
        assert not installed.home.exists()
        assert kept is None
    else:
        assert installed.rc_local.read_text() == "#!/bin/sh\ntouch /run/mine\n"
        assert {name.split("/")[0] for name in tree(installed.home)} == {"config.yaml", "releases"}
        assert kept == "Cellar"


def named_in(said: str, script: str) -> str:
    """The command with this script that the owner is told."""
    return next(line.strip() for line in said.splitlines() if f"/{script}" in line)


@pytest.mark.promise("uninstall")
def test_after_an_uninstallation_the_rest_can_be_removed(installed: Machine) -> None:
    """By the command that uninstall.sh names, also after a boot."""
    write(installed, "/CustomName", "'Cellar'")
    installed.wait_until(lambda: is_on_disk(installed, "Cellar"), "the settings service saved it")
    said = installed.run(f"sh {machine_path('uninstall.sh')}").stdout
    installed.power_cut()
    installed.boot(svscan="first")
    assert installed.run("ls -A /service").stdout.split() == ["other"]
    assert dbus_value(installed, "com.victronenergy.settings", CUSTOM_NAME) == "Cellar"

    removed = installed.run(named_in(said, "uninstall.sh"))
    assert removed.returncode == 0, removed.stderr
    assert not installed.home.exists() and not installed.log.parent.exists()
    assert installed.run("test -e /run/virtual-battery").returncode != 0
    assert dbus_value(installed, "com.victronenergy.settings", CUSTOM_NAME) is None


def test_an_uninstallation_by_mistake_is_undone(installed: Machine) -> None:
    """By the other command that it names; the archive need not be there."""
    config = installed.home / "config.yaml"
    config.write_text(config.read_text().replace("capacity: 280", "capacity: 314"))
    said = installed.run(f"sh {machine_path('uninstall.sh')}").stdout
    again = installed.run(named_in(said, "install.sh"), STEADY="0.5")
    assert again.returncode == 0, again.stderr
    assert read(installed, "/InstalledCapacity") == "double 314"


@pytest.mark.promise("uninstall")
def test_uninstalling_from_the_unpacked_archive_leaves_the_installed_version(
    make_installed: MakeMachine, unpacked: Path, tmp_path: Path
) -> None:
    """Also a second time, when the link to it is gone. The archive may be removed then."""
    gx = make_installed(tmp_path / "gx")
    shutil.copytree(unpacked, gx.data / "unpacked")
    (version,) = (gx.home / "releases").iterdir()
    shutil.copytree(version, gx.home / "releases" / "0.1.0-0123abcd")
    gx.boot(svscan="never")
    try:
        for _ in range(2):
            said = gx.run("sh /data/unpacked/service/uninstall.sh")
            assert said.returncode == 0, said.stderr
            assert list((gx.home / "releases").iterdir()) == [version]
            assert version.name in named_in(said.stdout, "uninstall.sh")
            assert version.name in named_in(said.stdout, "install.sh")
        shutil.rmtree(gx.data / "unpacked")
        removed = gx.run(named_in(said.stdout, "uninstall.sh"))
        assert removed.returncode == 0, removed.stderr
        assert not gx.home.exists()
    finally:
        gx.power_cut()


def is_on_disk(machine: Machine, word: str) -> bool:
    files = [each for each in (machine.data / "pocket").rglob("*") if each.is_file()]
    return any(word.encode() in each.read_bytes() for each in files)


def tree(folder: Path) -> set[str]:
    """What is in a folder, without what Python compiles and the link's target."""
    return {
        str(each.relative_to(folder))
        for each in folder.rglob("*")
        if "__pycache__" not in each.parts
    }


def machine_path(script: str) -> str:
    return f"/data/virtual-battery/current/service/{script}"


def write(machine: Machine, path: str, value: str) -> None:
    """A setting, by MQTT, and wait until the settings service has it."""
    topic = f"W/c0ffee000001/battery/1{path}"
    payload = '{"value": ' + value.replace("'", '"') + "}"
    published = machine.run(f"mosquitto_pub -h 127.0.0.1 -t {topic} -m '{payload}'")
    assert published.returncode == 0, published.stderr
    wanted = value.strip("'")
    machine.wait_until(lambda: read(machine, path) == wanted, f"{path} is {wanted}")
    machine.wait_until(
        lambda: dbus_value(machine, "com.victronenergy.settings", CUSTOM_NAME) == wanted,
        f"{path} is kept",
    )


def read(machine: Machine, path: str) -> str | None:
    return dbus_value(machine, "com.victronenergy.battery.virtual", path)


def dbus_value(machine: Machine, service: str, path: str) -> str | None:
    """The value of a path as text; None where nobody answers."""
    answer = machine.run(
        f"dbus-send --system --print-reply=literal --dest={service} {path} "
        "com.victronenergy.BusItem.GetValue"
    )
    return answer.stdout.split("variant", 1)[-1].strip() if answer.returncode == 0 else None
