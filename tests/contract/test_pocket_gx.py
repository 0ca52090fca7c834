"""The pocket GX itself: it starts, each part by itself, and it leaves nothing behind."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import dbus.bus
import paho.mqtt.client as mqtt
import part
import pocket
import private_broker
import private_bus
import pytest
from part import PartFailedError, PartMissingError
from pocket import PocketGx

from tests.harness.waiting import wait_for

POCKET = Path(pocket.__file__)


def let_in(gx: PocketGx, username: str | None = None, password: str | None = None) -> bool:
    """Whether the broker accepts a client, as an ordinary MQTT library sees it."""
    answers: list[bool] = []
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.on_connect = lambda _c, _u, _f, reason, _p: answers.append(not reason.is_failure)
    client.username_pw_set(username, password)
    try:
        client.connect("127.0.0.1", gx.port)
    except ConnectionRefusedError:
        return False
    while not answers:
        client.loop(1.0)
    client.disconnect()
    return answers[0]


def value(gx: PocketGx, service: str, path: str) -> object:
    bus = dbus.bus.BusConnection(gx.bus_address)
    bus.set_exit_on_disconnect(False)
    try:
        return bus.call_blocking(service, path, "com.victronenergy.BusItem", "GetValue", "", [])
    finally:
        bus.close()


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def runs(pid: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


# Its parts


def test_everything_answers_when_it_is_there(gx: PocketGx) -> None:
    assert value(gx, "com.victronenergy.system", "/Serial") == gx.portal_id == "c0ffee000001"
    assert value(gx, "com.victronenergy.settings", "/Settings") == {}
    assert let_in(gx)


def test_the_portal_id_can_be_chosen() -> None:
    with PocketGx(portal_id="0123456789ab", broker=False, settings=False) as gx:
        assert value(gx, "com.victronenergy.system", "/Serial") == "0123456789ab"


@pytest.mark.parametrize("end", ["stop_broker", "kill_broker"])
def test_the_broker_comes_back_on_its_port(gx: PocketGx, end: str) -> None:
    port = gx.port
    getattr(gx, end)()
    assert not let_in(gx)
    gx.start_broker()
    gx.start_broker()
    assert let_in(gx)
    assert gx.port == port


def test_the_broker_may_come_late() -> None:
    with PocketGx(broker=False, settings=False, system=False) as gx:
        port = gx.port
        assert not let_in(gx)
        gx.start_broker()
        assert let_in(gx)
        assert gx.port == port


@pytest.mark.parametrize("end", ["stop_settings", "kill_settings"])
def test_the_settings_service_comes_back(gx: PocketGx, end: str) -> None:
    getattr(gx, end)()
    assert not private_bus.has_name(gx.bus_address, "com.victronenergy.settings")
    gx.start_settings()
    assert value(gx, "com.victronenergy.settings", "/Settings") == {}


def test_a_password_is_asked_for() -> None:
    with PocketGx(username="gx", password="secret", settings=False, system=False) as gx:
        assert let_in(gx, "gx", "secret")
        assert not let_in(gx, "gx", "wrong")
        assert not let_in(gx)


# Its place


def test_a_port_that_is_taken_is_said(gx: PocketGx) -> None:
    with pytest.raises(PartFailedError, match="Address already in use"):
        PocketGx(port=gx.port)
    assert let_in(gx)


def test_another_port_is_tried_when_nobody_asked_for_this_one(
    gx: PocketGx, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = private_broker.free_port("127.0.0.1")
    ports = iter([gx.port, gx.port, free])
    monkeypatch.setattr(private_broker, "free_port", lambda _address: next(ports))
    with PocketGx(settings=False, system=False) as second:
        assert second.port == free
        assert let_in(second)


def test_a_directory_belongs_to_one_at_a_time(tmp_path: Path) -> None:
    with (
        PocketGx(tmp_path, broker=False),
        pytest.raises(PartFailedError, match="another pocket GX"),
    ):
        PocketGx(tmp_path, broker=False)
    PocketGx(tmp_path, broker=False).close()


def test_settings_are_kept_in_the_directory(tmp_path: Path) -> None:
    for expected in ("battery:1", "battery:7"):
        with PocketGx(tmp_path / "new", broker=False, system=False) as gx:
            bus = dbus.bus.BusConnection(gx.bus_address)
            bus.set_exit_on_disconnect(False)
            path = "/Settings/Devices/virtual/ClassAndVrmInstance"
            settings = "com.victronenergy.settings"
            [answer] = bus.call_blocking(
                settings,
                "/",
                "com.victronenergy.Settings",
                "AddSettings",
                "aa{sv}",
                [[{"path": path, "default": "battery:1"}]],
            )
            assert answer["value"] == expected
            item = "com.victronenergy.BusItem"
            assert bus.call_blocking(settings, path, item, "SetValue", "v", ["battery:7"]) == 0
            bus.close()


@pytest.mark.parametrize("name", ["long" * 30, "a space", "Übersee"])
def test_a_directory_of_any_name_will_do(tmp_path: Path, name: str) -> None:
    with PocketGx(tmp_path / name, system=False) as gx:
        assert let_in(gx)
        assert value(gx, "com.victronenergy.settings", "/Settings") == {}


@pytest.mark.parametrize(
    ("program", "package"), [("dbus-daemon", "dbus"), ("mosquitto", "mosquitto")]
)
def test_a_missing_part_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str, package: str
) -> None:
    for present in {"dbus-daemon", "mosquitto"} - {program}:
        (tmp_path / present).symlink_to(part.program(present, present))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(part, "_SERVER_FOLDERS", ())
    advice = rf"^{program} is missing.* apt-get install {package}"
    with pytest.raises(PartMissingError, match=advice):
        PocketGx()


def test_a_wrong_velib_is_not_replaced_in_silence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VELIB_PYTHON", str(tmp_path))
    with pytest.raises(PartMissingError, match="VELIB_PYTHON"):
        PocketGx()


# Its end


def test_nothing_is_left_behind() -> None:
    before = set(children_of(os.getpid()))
    gx = PocketGx()
    stubborn = gx.spawn(["sleep", "600"])
    started = set(children_of(os.getpid())) - before
    assert len(started) == 5
    gx.close()
    assert stubborn.returncode == -signal.SIGTERM
    assert not any(runs(pid) for pid in started)
    assert not gx.directory.exists()
    gx.close()


def test_a_child_lives_on_the_bus_of_its_gx(gx: PocketGx) -> None:
    source = "import os, vedbus; print(os.environ['DBUS_SESSION_BUS_ADDRESS'], os.environ['MORE'])"
    child = gx.spawn(
        [sys.executable, "-c", source], env={"MORE": "too"}, stdout=subprocess.PIPE, text=True
    )
    assert child.communicate(timeout=10)[0] == f"{gx.bus_address} too\n"


# The command line


@pytest.fixture
def tell(tmp_path: Path) -> Path:
    """A file in which a command tells what it lives through."""
    return tmp_path / "tell"


def start_pocket(
    *command: str, options: Sequence[str] = (), **popen_kwargs: object
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(POCKET), *options, "--", *command],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **popen_kwargs,
    )


def waiting(tell: Path, *, on: str = "TERM", then: str = "exit 3") -> list[str]:
    """A command that waits for a signal."""
    return [
        "sh",
        "-c",
        f"trap 'echo told >> {tell}; {then}' {on}; echo ready >> {tell}; "
        "while :; do sleep 0.05; done",
    ]


def told(tell: Path) -> list[str]:
    return tell.read_text().split() if tell.exists() else []


def test_the_command_runs_in_the_middle_and_its_status_comes_back() -> None:
    source = (
        "import os, sys; print(*sys.argv[1:], os.environ['DBUS_SESSION_BUS_ADDRESS']); sys.exit(7)"
    )
    process = start_pocket(sys.executable, "-c", source, "{port},{portal}", "{bus}")
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 7, errors
    *introduction, line = output.splitlines()
    numbers, told_bus, own_bus = line.split()
    assert told_bus == own_bus
    port, portal = numbers.split(",")
    assert portal == "c0ffee000001"
    assert f"127.0.0.1:{port}" in introduction[0]
    assert own_bus in introduction[1]


def test_options_of_the_command_are_its_own() -> None:
    output, _ = start_pocket("echo", "--port", "{port}x").communicate(timeout=30)
    assert output.splitlines()[-1].startswith("--port 2")


@pytest.mark.parametrize(
    ("command", "status", "words"),
    [
        (["sh", "-c", "kill -SEGV $$"], 128 + signal.SIGSEGV, ""),
        (["sh", "-c", "exit 0"], 0, ""),
        (["/no/such/command"], 1, "/no/such/command"),
    ],
)
def test_a_command_that_fails(command: list[str], status: int, words: str) -> None:
    process = start_pocket(*command)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == status
    assert words in errors


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP"])
def test_a_signal_is_passed_on(tell: Path, name: str) -> None:
    process = start_pocket(*waiting(tell, on=name))
    wait_for(lambda: told(tell) == ["ready"], "the command waits for a signal")
    descendants = children_of(process.pid)
    assert len(descendants) == 5
    process.send_signal(getattr(signal, f"SIG{name}"))
    process.communicate(timeout=30)
    assert process.returncode == 3
    assert told(tell) == ["ready", "told"]
    assert not any(runs(pid) for pid in descendants)


def test_when_the_whole_group_is_told_the_command_ends_among_living_servers(tell: Path) -> None:
    ask = (
        "dbus-send --session --print-reply --dest=com.victronenergy.system /Serial"
        f" com.victronenergy.BusItem.GetValue >/dev/null && echo served >> {tell}; exit 3"
    )
    command = waiting(tell, on="INT", then=f"trap : INT; sleep 0.3; {ask}")
    process = start_pocket(*command, start_new_session=True)
    wait_for(lambda: told(tell) == ["ready"], "the command waits for a signal")
    descendants = children_of(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 3
    assert told(tell) == ["ready", "told", "served"]
    assert not any(runs(pid) for pid in descendants)


def test_ctrl_c_in_a_terminal_reaches_the_command_once(tell: Path, tmp_path: Path) -> None:
    script = tmp_path / "count.py"
    script.write_text(
        "import pathlib, signal, sys, time\n"
        "tell = pathlib.Path(sys.argv[1]).open('a', buffering=1)\n"
        "signal.signal(signal.SIGINT, lambda *_: print('told', file=tell))\n"
        "print('ready', file=tell)\n"
        "signal.pause()\n"
        "time.sleep(0.5)\n"
        "sys.exit(3)\n"
    )
    pid, terminal = pty.fork()
    if pid == 0:
        command = [sys.executable, str(script), str(tell)]
        os.execv(sys.executable, [sys.executable, str(POCKET), "--", *command])
    wait_for(lambda: told(tell) == ["ready"], "the command waits for a signal")
    os.write(terminal, b"\x03")
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 3
    assert told(tell) == ["ready", "told"]


def test_a_command_that_does_not_listen_is_ended(tell: Path) -> None:
    """With less patience than usual."""
    source = (
        f"import sys; sys.path.insert(0, {str(POCKET.parent)!r})\n"
        "import children, foreground, pocket\n"
        "children.PATIENCE = foreground.PATIENCE = 0.3\n"
        "sys.exit(pocket.main(sys.argv[1:]))"
    )
    command = waiting(tell, then=":")
    process = subprocess.Popen([sys.executable, "-c", source, "--", *command])
    wait_for(lambda: told(tell) == ["ready"], "the command waits for a signal")
    descendants = children_of(process.pid)
    process.terminate()
    assert process.wait(30) == 128 + signal.SIGTERM
    assert told(tell)[:2] == ["ready", "told"]
    assert not any(runs(pid) for pid in descendants)


def test_all_die_with_a_pocket_gx_that_is_killed(tell: Path, tmp_path: Path) -> None:
    """And the next one may have its directory."""
    options = ["--directory", str(tmp_path / "gx")]
    process = start_pocket(*waiting(tell), options=options)
    wait_for(lambda: told(tell) == ["ready"], "the command waits for a signal")
    descendants = children_of(process.pid)
    assert len(descendants) == 5
    process.kill()
    process.communicate(timeout=30)
    wait_for(lambda: not any(runs(pid) for pid in descendants), "all have ended")
    next_one = start_pocket("true", options=options)
    next_one.communicate(timeout=30)
    assert next_one.returncode == 0


def test_without_a_command_it_stays_until_it_is_told() -> None:
    process = start_pocket()
    lines = [process.stdout.readline() for _ in range(3)]
    assert [line.split(":")[0] for line in lines] == ["broker", "D-Bus", "logs"]
    assert process.poll() is None
    process.terminate()
    assert process.wait(30) == 0
    process.communicate()


def test_print_env_lets_another_terminal_take_part() -> None:
    process = subprocess.run(
        [sys.executable, str(POCKET), "--no-broker", "--print-env", "--", "true"],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    exports = dict(
        line.removeprefix("export ").split("=", 1)
        for line in process.stdout.splitlines()
        if line.startswith("export ")
    )
    assert exports["DBUS_SESSION_BUS_ADDRESS"].strip("'").startswith("unix:path=")
    assert str(pocket.REPOSITORY) in exports["PYTHONPATH"].split(os.pathsep)
    assert "broker" not in process.stdout
