"""Under daemontools: orders, crashes, crash loops, the log, and what a small GX has to give."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from machine import Machine, MakeMachine

SERVICE = "/service/virtual-battery"
DEPLOYED = "/data/virtual-battery/current/service"


@pytest.fixture(scope="module")
def running(
    make_installed: MakeMachine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    """A GX for all tests that leave it as they found it: the service runs, as installed."""
    machine = make_installed(tmp_path_factory.mktemp("running"))
    machine.boot()
    machine.wait_until_well("after the start")
    yield machine
    machine.power_cut()


@pytest.fixture(scope="module")
def idle(
    make_installed: MakeMachine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    """A GX on which nobody starts what is installed."""
    machine = make_installed(tmp_path_factory.mktemp("idle"))
    machine.boot(svscan="never")
    yield machine
    machine.power_cut()


def test_it_obeys_svc(running: Machine) -> None:
    first = running.process_id()
    running.run(f"svc -t {SERVICE}")
    running.wait_until(lambda: running.process_id() not in (first, None), "svc -t restarts it")
    running.wait_until_well("after svc -t")

    running.run(f"svc -d {SERVICE}")
    running.wait_until(lambda: running.process_id() is None, "svc -d ends it")
    assert "com.victronenergy.battery" not in bus_names(running)
    assert (
        "offline" in running.run("mosquitto_sub -h 127.0.0.1 -C 1 -t virtual-battery/status").stdout
    )

    running.run(f"svc -u {SERVICE}")
    running.wait_until_well("after svc -u")


def test_it_starts_without_broker_and_settings(data_of_installed: Path, tmp_path: Path) -> None:
    """At the start of a GX they may come later."""
    machine = Machine(tmp_path / "gx", parts="bus")
    subprocess.run(["cp", "-a", f"{data_of_installed}/.", machine.data], check=True)
    machine.boot()
    machine.wait_until_well("while they are missing")
    machine.power_cut()


@pytest.mark.promise("hang")
def test_a_crash_is_mended_by_a_restart(installed: Machine) -> None:
    process = installed.process_id()
    installed.run(f"svc -k {SERVICE}")
    installed.wait_until(lambda: installed.process_id() not in (process, None), "it is started")
    installed.wait_until_well("after a crash")


@pytest.mark.promise("crash loop")
def test_a_crash_loop_slows_down_until_somebody_helps(installed: Machine) -> None:
    config = installed.home / "config.yaml"
    good = config.read_text()
    config.write_text("batteries: 7\n")
    installed.run(f"svc -t {SERVICE}")
    installed.wait_until(lambda: "next start in 15 s" in installed.log.read_text(), "a pause")
    log = installed.log.read_text()
    assert log.count("starting virtual-battery") <= 3
    assert "batteries" in log  # it says what is wrong
    status = installed.run(f"sh {DEPLOYED}/status.sh")
    assert status.returncode == 1
    assert "waits" in status.stdout and "batteries" in status.stdout

    config.write_text(good)
    helped = installed.run(f"sh {DEPLOYED}/restart.sh", STEADY="0.5")
    assert helped.returncode == 0, helped.stderr
    assert installed.is_well()


# The file `starts` (time of the last start, quick deaths, paused or not), the time now, the outcome
PAUSES = [
    ("", 100, "start"),
    ("90 1", 100, "start"),
    ("90 2", 100, "start"),
    ("90 3", 100, "sleep 15"),
    ("85 3 paused", 100, "start"),
    ("90 4", 100, "sleep 20"),
    ("90 5", 100, "sleep 25"),
    ("90 6", 100, "sleep 30"),
    ("90 99", 100, "sleep 30"),
    ("30 99", 100, "start"),  # it lived for more than a minute
]


@pytest.mark.parametrize("starts, now, outcome", PAUSES)
def test_the_pause_grows_with_each_quick_death(
    idle: Machine, starts: str, now: int, outcome: str
) -> None:
    stubs = {
        "cut": f"echo {now}",
        "sleep": 'echo "outcome sleep $1"',
        "softlimit": "echo outcome start",
    }
    make = "rm -rf /tmp/x; mkdir -p /tmp/x/bin; cd /tmp/x"
    for name, action in stubs.items():
        make += f"; printf '#!/bin/sh\\n{action}\\n' >bin/{name}; chmod 755 bin/{name}"
    if starts:
        make += f"; echo {starts} >starts"
    said = idle.run(f"{make}; PATH=/tmp/x/bin:$PATH {DEPLOYED}/run").stdout
    assert re.findall("outcome (.*)", said) == [outcome], said


@pytest.mark.promise("crash loop")
def test_the_log_is_bounded(idle: Machine) -> None:
    flood = "yes 'a line as long as they may be when a bug repeats itself for days' | head -n 40000"
    assert idle.run(f"{flood} | {DEPLOYED}/log/run").returncode == 0
    files = [each for each in idle.log.parent.iterdir() if each.name not in ("lock", "state")]
    assert 2 <= len(files) <= 5
    assert all(each.stat().st_size <= 25_000 for each in files)


def test_a_leak_ends_the_process_before_it_ends_the_gx(idle: Machine) -> None:
    leak = "hoard = []\nwhile True:\n    hoard.append(bytes(100_000))\n"
    held = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    code = f"try:\n    exec({leak!r})\nexcept MemoryError:\n    hoard.clear()\n    {held}\n"
    (idle.data / "leak.py").write_text(code)
    copy = "rm -rf /tmp/leaky; cp -R $(readlink /data/virtual-battery/current) /tmp/leaky"
    leaky = f"{copy}; cp /data/leak.py /tmp/leaky/bridge/__main__.py; cd /tmp; rm -f starts"
    ended = idle.run(f"{leaky}; /tmp/leaky/service/run")
    assert 20_000 < int(ended.stdout.split()[-1]) < 100_000, ended.stdout  # kB


def test_it_writes_to_flash_only_what_people_decide(running: Machine) -> None:
    topic = "virtual-battery/virtual/set"
    before = written(running)
    for burst in range(3):
        payload = json.dumps({"Dc/0/Voltage": 53 + burst / 10, "Soc": 50, "Dc/0/Current": burst})
        assert running.run(f"mosquitto_pub -h 127.0.0.1 -t {topic} -m '{payload}'").returncode == 0
    running.wait_until(
        lambda: "53.2" in running.run(f"{ask('/Dc/0/Voltage')}").stdout, "the values are on D-Bus"
    )
    log = running.log.read_text()
    assert written(running) == before
    for _ in range(3):
        running.run(f"mosquitto_pub -h 127.0.0.1 -t {topic} -m '{payload}'")
    assert running.log.read_text() == log  # the same again is no news


def test_deeply_nested_json_does_not_end_it(running: Machine) -> None:
    """The stack that the service gets must be enough for Python to notice, and refuse."""
    process = running.process_id()
    nested = "head -c 60000 /dev/zero | tr '\\0' '['"
    for topic in ("virtual-battery/virtual/set", "W/c0ffee000001/battery/1/Soc"):
        assert running.run(f"{nested} | mosquitto_pub -h 127.0.0.1 -s -t {topic}").returncode == 0
    good = "mosquitto_pub -h 127.0.0.1 -t W/c0ffee000001/battery/1/Soc -m '{\"value\": 61}'"
    running.run(good)
    running.wait_until(lambda: "61" in running.run(ask("/Soc")).stdout, "it goes on")
    assert running.process_id() == process


@pytest.mark.promise("secret")
def test_a_password_never_appears(installed: Machine) -> None:
    (installed.home / "password").write_text("s3cret-word\n")
    (installed.home / "password").chmod(0o600)
    config = installed.home / "config.yaml"
    access = "mqtt:\n  username: bridge\n  password_file: /data/virtual-battery/password\n"
    config.write_text("log_level: debug\n" + config.read_text().replace("mqtt:\n", access))
    restarted = installed.run(f"sh {DEPLOYED}/restart.sh", STEADY="0.5")
    assert restarted.returncode == 0, restarted.stderr
    said = restarted.stdout + restarted.stderr + installed.log.read_text()
    said += installed.run(f"sh {DEPLOYED}/status.sh; ps; cat /proc/[0-9]*/environ").stdout
    assert "connected" in said
    assert "s3cret" not in said


def written(machine: Machine) -> dict[str, int]:
    """Each file of ours on flash, but for the log, with the time of its last change."""
    ours = [machine.rc_local, machine.home, *machine.home.rglob("*")]
    return {str(each): each.lstat().st_mtime_ns for each in ours}


def bus_names(machine: Machine) -> str:
    return machine.run(
        "dbus-send --system --print-reply --dest=org.freedesktop.DBus /org/freedesktop/DBus "
        "org.freedesktop.DBus.ListNames"
    ).stdout


def ask(path: str) -> str:
    return (
        "dbus-send --system --print-reply --dest=com.victronenergy.battery.virtual "
        f"{path} com.victronenergy.BusItem.GetValue"
    )
