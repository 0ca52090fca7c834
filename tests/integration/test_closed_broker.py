"""The closed broker for containers: its users and their rights, its limits, TLS, its refusals."""

from __future__ import annotations

import os
import re
import shlex
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge import topics
from tests.harness.closed_broker import ClosedBroker
from tests.harness.mqtt_client import EVERYTHING
from tests.harness.waiting import PATIENCE, wait_for

PAGE = Path(__file__).parents[2] / "docs" / "docker.md"
PORTAL = "0123456789ab"
BATTERY = topics.BatteryTopics("virtual-battery", "cellar")
GX = topics.PortalTopics(PORTAL)
A_PATH = (PORTAL, 7, "/Voltages/Cell3")

# Topic -> who may publish there. What nobody may is the empty text.
WRITERS = {
    topics.WriteTopic(*A_PATH).build(): "client",
    topics.ReadTopic(*A_PATH).build(): "client",
    GX.keepalive: "client",
    GX.serial_read: "client",
    BATTERY.set: "client",
    topics.HOME_ASSISTANT_STATUS: "client",
    "example/bms": "client",
    topics.bridge_status("virtual-battery"): "bridge",
    BATTERY.state: "bridge",
    BATTERY.settings: "bridge",
    BATTERY.rejected: "bridge",
    topics.NotificationTopic(*A_PATH).build(): "bridge",
    GX.serial: "bridge",
    GX.heartbeat: "bridge",
    GX.full_publish_completed: "bridge",
    topics.device_config("virtual_battery_cellar"): "bridge",
    topics.EntityTopic("sensor", "virtual_battery_cellar", "soc").build(): "bridge",
    "virtual-battery/cellar": "",
    "virtual-battery/cellar/state/more": "",
    "something/else": "",
}
USERS = ("bridge", "client", "reader")
READERS = {  # topic -> who reads it beside the client, who reads all of them
    **dict.fromkeys(WRITERS, "reader"),
    topics.WriteTopic(*A_PATH).build(): "bridge reader",
    topics.ReadTopic(*A_PATH).build(): "bridge",
    topics.NotificationTopic(*A_PATH).build(): "bridge reader",
    GX.keepalive: "bridge",
    GX.serial_read: "bridge",
    GX.serial: "bridge reader",
    BATTERY.set: "bridge reader",
    topics.HOME_ASSISTANT_STATUS: "bridge reader",
    topics.bridge_status("virtual-battery"): "bridge reader",
    topics.device_config("virtual_battery_cellar"): "bridge reader",
    topics.EntityTopic("sensor", "virtual_battery_cellar", "soc").build(): "bridge reader",
    "example/bms": "",
}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClosedBroker]:
    """For all tests of this file that leave it as it is."""
    with ClosedBroker(tmp_path_factory.mktemp("broker")).running() as broker:
        yield broker


def refusal(broker: ClosedBroker, *words: str) -> str:
    """What a broker says to a client that it does not let in; "" where it does."""
    told = subprocess.run(
        ["mosquitto_pub", "-p", str(broker.port), "-t", "example/x", "-n", *words],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (told.returncode == 0) is (told.stderr == "")
    return told.stderr


# --- users and rights -------------------------------------------------------------------------


@pytest.mark.promise("docker")
def test_nobody_gets_in_without_the_right_password(broker: ClosedBroker) -> None:
    right = broker.passwords["client"]
    assert refusal(broker, "-u", "client", "-P", right) == ""
    for words in ([], ["-u", "client"], ["-u", "client", "-P", right[:-1]],
                  ["-u", "client", "-P", broker.passwords["reader"]], ["-u", "me", "-P", right],
                  ["-u", "client", "-P", ""], ["-u", "", "-P", right]):  # fmt: skip
        assert "not authorised" in refusal(broker, *words), words


@pytest.mark.promise("docker")
def test_each_user_may_what_it_needs_and_nothing_else(broker: ClosedBroker) -> None:
    heard: dict[str, list[tuple[str, str]]] = {}
    with (
        broker.client("client", EVERYTHING) as client,
        broker.client("reader", EVERYTHING) as reader,
        broker.client("bridge", EVERYTHING) as bridge,
    ):
        users = {"bridge": bridge, "client": client, "reader": reader}
        for user, connection in users.items():
            for topic in WRITERS:
                connection.publish(topic, user)
            connection.flush()
        client.publish(BATTERY.set, "end")
        for user, connection in users.items():
            wait_for(lambda c=connection: "end" in c.on(BATTERY.set), user)
            heard[user] = [(m.topic, m.payload.decode()) for m in connection.heard
                           if m.payload != b"end"]  # fmt: skip

    allowed = [(topic, user) for topic, user in WRITERS.items() if user]
    assert sorted(heard["client"]) == sorted(allowed)
    for user in ("bridge", "reader"):
        readable = [(topic, by) for topic, by in allowed if user in READERS[topic].split()]
        assert sorted(heard[user]) == sorted(readable), user


def test_a_will_needs_the_same_right_as_a_publish(broker: ClosedBroker) -> None:
    status = topics.bridge_status("virtual-battery")
    with broker.client("client", EVERYTHING) as watcher:
        for topic in (status, "example/will"):
            told = subprocess.Popen(
                ["mosquitto_sub", "-p", str(broker.port), "-u", "client",
                 "-P", broker.passwords["client"], "-t", "example/sub", "--will-topic", topic,
                 "--will-payload", "offline", "-C", "2"],
                stdout=subprocess.PIPE,
            )  # fmt: skip

            def is_subscribed(process: subprocess.Popen[bytes] = told) -> bytes:
                watcher.publish("example/sub", "there")
                os.set_blocking(process.stdout.fileno(), False)
                return process.stdout.read() or b""

            wait_for(is_subscribed, "the client with a will")
            told.kill()
            told.wait()
        wait_for(lambda: "offline" in watcher.on("example/will"), "the will that is allowed")
        assert watcher.on(status) == []


# --- what starts leave ------------------------------------------------------------------------


def test_only_the_first_start_prints_passwords_and_all_starts_keep_them(tmp_path: Path) -> None:
    broker = ClosedBroker(tmp_path)
    with broker.running():
        assert set(broker.passwords) == {"client", "reader"}
        assert all(len(set(password)) > 8 for password in broker.passwords.values())
        assert len(set(broker.passwords.values())) == 2
    own = broker.own_password

    with broker.running():
        assert "password" not in broker.log().replace(str(tmp_path), "")
        for user in USERS:
            with broker.client(user) as client:
                client.flush()
    assert broker.own_password == own


def test_the_next_installation_gets_other_passwords(tmp_path: Path) -> None:
    found = []
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        with ClosedBroker(tmp_path / name).running() as broker:
            found += [*broker.passwords.values(), broker.own_password]
    assert len(set(found)) == 6


@pytest.mark.parametrize("tls", ["off", "on"])
def test_what_is_kept_belongs_to_its_owner_alone_and_holds_no_password_in_plain(
    tmp_path: Path, tls: str
) -> None:
    with ClosedBroker(tmp_path).running(MQTT_TLS=tls) as broker:
        folders = [f for f in (broker.data, broker.login, broker.tls) if f.exists()]
        files = [file for folder in folders for file in folder.rglob("*")]
        assert {oct(stat.S_IMODE(file.stat().st_mode)) for file in files} == {"0o600"}
        own = broker.own_password
        for file in broker.data.iterdir():
            text = file.read_text()
            assert not any(word in text for word in (own, *broker.passwords.values())), file


def test_what_was_changed_in_the_volume_acts_after_a_signal_and_survives_a_start(
    tmp_path: Path,
) -> None:
    broker = ClosedBroker(tmp_path)

    def is_as_changed() -> None:
        assert "not authorised" in refusal(broker, "-u", "client", "-P", old)
        assert "not authorised" in refusal(broker, "-u", "reader", "-P", reader)
        with broker.client("client", "garage/#") as client, broker.client("bridge"):
            client.publish("garage/door", "open")
            wait_for(lambda: client.on("garage/door"), "the new topic")

    with broker.running():
        old, reader = broker.passwords["client"], broker.passwords["reader"]
        broker.passwords["client"] = "my own"
        passwords, rights = broker.data / "passwords", broker.data / "acl"
        subprocess.run(["mosquitto_passwd", "-b", passwords, "client", "my own"], check=True)
        subprocess.run(["mosquitto_passwd", "-D", passwords, "reader"], check=True)
        with rights.open("a") as lines:
            lines.write("\nuser client\ntopic readwrite garage/#\n")
        broker.signal(signal.SIGHUP)
        wait_for(lambda: "Reloading config" in broker.log(), broker.log)
        is_as_changed()
    with broker.running():
        is_as_changed()
        assert stat.S_IMODE(passwords.stat().st_mode) == 0o600


def test_the_bridge_gets_a_new_password_where_its_own_is_lost(tmp_path: Path) -> None:
    broker = ClosedBroker(tmp_path)
    with broker.running():
        old = broker.own_password
    (broker.login / "password").unlink()

    with broker.running():
        assert "password" not in broker.log().replace(str(tmp_path), "")
        assert "not authorised" in refusal(broker, "-u", "bridge", "-P", old)
        for user in USERS:
            with broker.client(user) as client:
                client.flush()


# --- limits -----------------------------------------------------------------------------------


def test_a_client_that_does_not_read_costs_the_others_nothing(broker: ClosedBroker) -> None:
    """And no more memory than mosquitto.conf says."""
    with broker.client("reader", BATTERY.set) as slow, broker.client("client") as client:
        slow.read_no_more()
        for _ in range(300):
            client.publish(BATTERY.set, "x" * 400_000)
        wait_for(lambda: "out of memory" in broker.log(), "the limit")

    with broker.client("client", "example/#") as client:
        client.publish("example/after", "1")
        wait_for(lambda: client.on("example/after"), "the others")


def test_a_packet_that_is_too_large_ends_the_connection(broker: ClosedBroker) -> None:
    largest = 256 * 1024  # of the bridge: tests/unit/test_discovery.py
    with broker.client("client", "example/#") as client:
        client.publish("example/large", "x" * largest)
        wait_for(lambda: client.below("example/large"), "a large message")
        client.publish("example/larger", "x" * 2 * largest)
        wait_for(lambda: "oversize packet" in broker.log(), "the end")
        assert not client.below("example/larger")


# --- TLS --------------------------------------------------------------------------------------


def test_the_tls_switch_opens_tls_and_closes_what_is_plain(tmp_path: Path) -> None:
    broker = ClosedBroker(tmp_path)
    with broker.running(MQTT_TLS="on", MQTT_NAME="house.local", MQTT_ADDRESS="127.1.2.3"):
        ca = broker.login / "ca.crt"
        first = ca.read_bytes()
        with broker.client("client", "example/#", ca=ca) as client:
            client.publish("example/1", "1")
            wait_for(lambda: client.on("example/1"), "TLS")
        login = ["-u", "client", "-P", broker.passwords["client"]]
        assert refusal(broker, *login)
        assert refusal(broker, *login, "--cafile", "/etc/ssl/certs/ca-certificates.crt")
        assert serves_as(broker, "house.local")
        assert serves_as(broker, "127.1.2.3")
        assert not serves_as(broker, "other.local")

    with broker.running(MQTT_TLS="on", MQTT_NAME="other.local"):
        assert ca.read_bytes() == first  # so the clients need no new one
        assert serves_as(broker, "other.local")

    with broker.running():
        assert not ca.exists()
        assert refusal(broker, *login) == ""


@pytest.mark.parametrize("tls", ["off", "on"])
def test_the_lines_of_the_page_log_in(tmp_path: Path, tls: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    lines = re.findall(r"^mosquitto_(?:sub|pub) .*$", page, re.MULTILINE)
    lines = [line for line in lines if ("--cafile" in line) is (tls == "on")]
    assert lines
    with ClosedBroker(tmp_path).running(MQTT_TLS=tls) as broker:
        ca = broker.tls / "ca.crt"
        with broker.client("bridge", ca=ca if tls == "on" else None) as bridge:
            bridge.publish("virtual-battery/status", "online", retain=True)
            bridge.flush()
        for line in lines:
            here = line.replace("-h 192.168.1.5 -p 8883", "").replace("ca.crt", str(ca))
            words = shlex.split(here)
            words[words.index("PASSWORD")] = broker.passwords[words[words.index("-u") + 1]]
            words += ["-p", str(broker.port)]
            if words[0] == "mosquitto_sub":
                words += ["-C", "1"]
            told = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE)
            assert told.returncode == 0, told
            assert told.stdout in ("", "virtual-battery/status online\n")


def serves_as(broker: ClosedBroker, name: str) -> bool:
    kind = "-verify_ip" if name[0].isdigit() else "-verify_hostname"
    files = ["-CAfile", broker.tls / "ca.crt", broker.tls / "server.crt"]
    told = subprocess.run(["openssl", "verify", kind, name, *files], capture_output=True)
    return told.returncode == 0


def test_a_certificate_of_ones_own_is_used_and_left_alone(tmp_path: Path) -> None:
    for name in ("made", "used"):
        (tmp_path / name).mkdir()
    with ClosedBroker(tmp_path / "made").running(MQTT_TLS="on", MQTT_NAME="house.local") as made:
        own = {f.name: f.read_bytes() for f in made.tls.iterdir() if f.name != "ca.key"}

    broker = ClosedBroker(tmp_path / "used")
    broker.tls.mkdir()
    for name, content in own.items():
        (broker.tls / name).write_bytes(content)
    with broker.running(MQTT_TLS="on", MQTT_NAME="house.local"):
        with broker.client("client", ca=broker.login / "ca.crt") as client:
            client.flush()
        assert {f.name: f.read_bytes() for f in broker.tls.iterdir()} == own

    reason = failure(broker, MQTT_TLS="on", MQTT_NAME="other.local")
    assert "server.crt does not serve as other.local: hostname mismatch" in reason
    (broker.tls / "server.key").write_text("no key")
    assert "server.crt and server.key cannot be used" in failure(broker, MQTT_TLS="on")
    (broker.tls / "server.key").unlink()
    assert "no server.key" in failure(broker, MQTT_TLS="on")


# --- what it says when it cannot start --------------------------------------------------------


def failure(broker: ClosedBroker, **environment: str) -> str:
    """The one line of a start that fails."""
    process = broker.start(**environment)
    assert process.wait(PATIENCE) == 1
    (line,) = broker.log().splitlines()
    return line


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"MQTT_TLS": "yes"}, "MQTT_TLS is 'yes': it can be on or off"),
        ({"MQTT_ADDRESS": "house"}, "MQTT_ADDRESS is 'house'"),
        ({"MQTT_TLS": "on", "MQTT_NAME": "a,DNS:b"}, "'a,DNS:b' is no name"),
        ({"DATA": "/proc/data"}, "/proc/data: No such file or directory"),
        ({"LOGIN": "/dev/null"}, "/dev/null: File exists"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_start_that_fails_says_why_in_one_line(
    tmp_path: Path, environment: dict[str, str], reason: str
) -> None:
    assert reason in failure(ClosedBroker(tmp_path), **environment)


def test_a_network_that_can_listen_is_named(tmp_path: Path) -> None:
    with ClosedBroker(tmp_path).running(MQTT_ADDRESS="0.0.0.0") as broker:
        assert "published on 0.0.0.0 without TLS" in broker.log()
