"""Both services of compose.yaml without a container: a folder laid out as the image would be, and
its entry point run there for real."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.batteries import battery, healthy
from tests.harness.closed_broker import ClosedBroker
from tests.harness.mqtt_client import EVERYTHING, MqttClient
from tests.harness.waiting import PATIENCE, wait_for

ROOT = Path(__file__).resolve().parents[2]
INSTRUCTIONS = [
    line.split() for line in (ROOT / "docker" / "Dockerfile").read_text().splitlines() if line
]
STATUS, STATE = "virtual-battery/status", "virtual-battery/virtual/state"
N, R, W = (f"{letter}/c0ffee000001/battery/1" for letter in "NRW")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the Dockerfile copies and nothing else, with the libraries of ./run setup.

    Its broker logs what it denies.
    """
    folder = tmp_path_factory.mktemp("image")
    for copy in (words[1:] for words in INSTRUCTIONS if words[0] == "COPY"):
        *sources, target = copy
        for source in sources:
            _copy(ROOT / source, folder / target)
    (folder / ".venv").symlink_to(sys.prefix)
    with (folder / "docker/broker/mosquitto.conf").open("a") as configuration:
        configuration.write("\nlog_type all\n")
    return folder


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(
            source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
        )
    else:
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


class BridgeService:
    """The entry point with the word bridge."""

    def __init__(self, image: Path, directory: Path, broker: ClosedBroker, **env: str) -> None:
        self.data = directory / "settings"
        self.log = directory / "bridge.log"
        self._image = image
        self._env = {**os.environ, **broker.environment, "DATA": str(self.data), **env}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                ["docker/entrypoint.sh", "bridge"], cwd=image, env=self._env, stdout=log, stderr=log
            )

    def health(self, service: str = "bridge") -> str:
        """What HEALTHCHECK says; "" for healthy."""
        told = subprocess.run(
            ["docker/entrypoint.sh", "health", service],
            cwd=self._image,
            env=self._env,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert (told.returncode == 0) is (told.stderr == "") and told.stderr.count("\n") <= 1, told
        return told.stderr


@contextlib.contextmanager
def bridge_service(
    image: Path, directory: Path, broker: ClosedBroker, **env: str
) -> Iterator[BridgeService]:
    service = BridgeService(image, directory, broker, **env)
    try:
        yield service
        service.process.terminate()
        service.process.wait(PATIENCE)
    finally:
        service.process.kill()
        service.process.wait()


@pytest.fixture
def broker(image: Path, tmp_path: Path) -> ClosedBroker:
    return ClosedBroker(tmp_path, image)


def test_the_bridge_may_do_all_that_it_needs_on_the_closed_broker(
    image: Path, tmp_path: Path, broker: ClosedBroker
) -> None:
    """With TLS, and although it is started before the broker has made its password."""
    config = tmp_path / "config.yaml"
    mqtt = {"home_assistant": True}
    config.write_text(json.dumps({"mqtt": mqtt, "batteries": [battery()]}))
    ca = broker.login / "ca.crt"
    with (
        bridge_service(image, tmp_path, broker, CONFIG=str(config)) as bridge,
        broker.running(MQTT_TLS="on"),
        broker.client("client", EVERYTHING, ca=ca) as client,
        broker.client("reader", EVERYTHING, ca=ca) as reader,
    ):
        wait_for(lambda: "online" in client.on(STATUS), bridge.log.read_text)
        assert [bridge.health(), bridge.health("broker")] == ["", ""]
        _use(client)
        wait_for(lambda: client.below("homeassistant/device/"), "the discovery")
        wait_for(lambda: reader.below("homeassistant/device/"), "the discovery for the reader")
        wait_for(lambda: reader.state().get("values", {}).get("Soc") == 62, "what the reader sees")
        client.publish("homeassistant/status", "online")
        wait_for(lambda: len(client.below("homeassistant/device/")) > 1, "the discovery again")

        bridge.process.kill()  # and the kernel kills what it has started
        wait_for(lambda: client.on(STATUS)[-1] == "offline", "the will")
        denied = [line for line in broker.log().splitlines() if "Denied" in line]
        assert denied == []


def _use(client: MqttClient) -> None:
    """All that a client does with a battery."""
    client.publish("virtual-battery/virtual/set", healthy())
    client.publish(f"{W}/Soc", {"value": 61})
    wait_for(lambda: client.state().get("values", {}).get("Soc") == 61, "the write")
    wait_for(lambda: client.on("N/c0ffee000001/system/0/Serial"), "the portal id")
    client.publish("R/c0ffee000001/keepalive")
    wait_for(lambda: client.on("N/c0ffee000001/full_publish_completed"), "the full publish")
    wait_for(lambda: client.on("N/c0ffee000001/heartbeat"), "the heartbeat")
    client.publish(f"{W}/Soc", 62)
    wait_for(lambda: {"value": 62} in client.on(f"{N}/Soc"), "the change")
    client.publish(f"{R}/Info/MaxChargeCurrent")
    wait_for(lambda: len(client.on(f"{N}/Info/MaxChargeCurrent")) > 1, "the answer")
    client.publish(f"{W}/Soc", 150)
    wait_for(lambda: client.on("virtual-battery/virtual/rejected"), "the refusal")
    assert client.on("virtual-battery/virtual/settings")


def test_a_bridge_without_its_broker_says_why_it_ends(
    image: Path, tmp_path: Path, broker: ClosedBroker
) -> None:
    with bridge_service(image, tmp_path, broker, PATIENCE="0") as bridge:
        assert bridge.process.wait(PATIENCE) == 1
        (line,) = bridge.log.read_text().splitlines()
        password = f"{broker.login}/password"
        assert line == f"broker: mqtt.password_file: {password}: No such file or directory"

    with broker.running():
        (broker.login / "password").write_text("another\n")
        with bridge_service(image, tmp_path, broker, PATIENCE="0") as bridge:
            assert bridge.process.wait(PATIENCE) == 1
            assert "Not authorized" in bridge.log.read_text()


def test_health_is_what_the_battery_and_the_broker_say(
    image: Path, tmp_path: Path, broker: ClosedBroker
) -> None:
    with broker.running(), bridge_service(image, tmp_path, broker) as bridge:
        wait_for(lambda: "connected to broker" in bridge.log.read_text(), bridge.health)
        wait_for(lambda: bridge.health() == "", bridge.health)
        process = _bridge_below(bridge.process.pid)
        os.kill(process, signal.SIGSTOP)
        assert "virtual does not answer" in bridge.health()
        os.kill(process, signal.SIGCONT)
        with broker.client("bridge") as other:
            other.publish(STATUS, "offline", retain=True)
            other.flush()
        assert f"the broker has offline on {STATUS}" in bridge.health()
        broker.kill()
        assert "Connection refused" in bridge.health()
        assert "Connection refused" in bridge.health("broker")


def test_health_logs_in_as_the_configuration_says(
    image: Path, tmp_path: Path, broker: ClosedBroker
) -> None:
    """Without LOGIN, as the bridge itself does."""
    config = tmp_path / "config.yaml"
    files = {"password_file": f"{broker.login}/password", "tls": {"ca": f"{broker.login}/ca.crt"}}
    mqtt = {"username": "bridge", **files}
    config.write_text(json.dumps({"mqtt": mqtt, "batteries": [battery()]}))
    with (
        broker.running(MQTT_TLS="on"),
        bridge_service(image, tmp_path, broker, CONFIG=str(config), LOGIN="") as bridge,
    ):
        wait_for(lambda: "connected to broker" in bridge.log.read_text(), bridge.log.read_text)
        wait_for(lambda: bridge.health() == "", bridge.health)


@pytest.mark.parametrize(
    ("address", "words"),
    [("[::1]:{port}", "Connection refused"), ("127.0.0.1", ""), ("a b", "BROKER: ")],
)
def test_health_takes_each_form_of_an_address(
    image: Path, tmp_path: Path, broker: ClosedBroker, address: str, words: str
) -> None:
    """The broker listens elsewhere; without a port it is 1883, where another one may answer."""
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps({"batteries": [battery()]}))
    environment = {"BROKER": address.format(port=broker.port), "LOGIN": "", "CONFIG": str(config)}
    told = subprocess.run(
        ["docker/entrypoint.sh", "health", "broker"],
        cwd=image,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert "Traceback" not in told.stderr and words in told.stderr


def _bridge_below(parent: int) -> int:
    """The process of the bridge among the children of the entry point."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    for child in children:
        if b"bridge\0--config" in Path(f"/proc/{child}/cmdline").read_bytes():
            return int(child)
    raise AssertionError(f"no bridge below {parent}")


def test_an_ended_bridge_service_leaves_nothing_behind(
    image: Path, tmp_path: Path, broker: ClosedBroker
) -> None:
    with bridge_service(image, tmp_path, broker, LOGIN="") as bridge:
        bus = bridge.data / "bus"
        wait_for(bus.exists, "the bus")

    assert bridge.process.returncode in (0, 128 + signal.SIGTERM)
    with socket.socket(socket.AF_UNIX) as client, pytest.raises(OSError):
        client.connect(str(bus))
