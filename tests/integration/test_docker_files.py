"""The files for Docker, checked without one: a folder laid out as the image would be, and its
entry point run there for real."""

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

import private_broker
import pytest
import yaml

from tests.harness.mqtt_client import MqttClient
from tests.harness.waiting import PATIENCE, wait_for

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
INSTRUCTIONS = [line.split() for line in (DOCKER / "Dockerfile").read_text().splitlines() if line]
COMPOSE = yaml.safe_load((DOCKER / "compose.yaml").read_text())


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the Dockerfile copies and nothing else, with the libraries of ./run setup."""
    folder = tmp_path_factory.mktemp("image")
    for copy in (words[1:] for words in INSTRUCTIONS if words[0] == "COPY"):
        *sources, target = copy
        for source in sources:
            _copy(ROOT / source, folder / target)
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(
            source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
        )
    else:
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


@contextlib.contextmanager
def _service(image: Path, word: str, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    entrypoint = next(json.loads(" ".join(w[1:])) for w in INSTRUCTIONS if w[0] == "ENTRYPOINT")
    process = subprocess.Popen([*entrypoint, word], cwd=image, env={**os.environ, **env})
    try:
        yield process
        process.terminate()
        process.wait(PATIENCE)
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def services(image: Path, tmp_path: Path) -> Iterator[int]:
    """Both services of compose.yaml, the broker on a free port of this machine; its number."""
    port = private_broker.free_port("127.0.0.1")
    configuration = (image / "docker/mosquitto.conf").read_text()
    assert "listener 1883\n" in configuration
    here = tmp_path / "mosquitto.conf"
    here.write_text(configuration.replace("listener 1883\n", f"listener {port} 127.0.0.1\n"))
    with (
        _service(image, "broker", MOSQUITTO_CONFIG=str(here)),
        _service(image, "bridge", BROKER=f"127.0.0.1:{port}", DATA=str(tmp_path / "data")),
    ):
        yield port


def test_a_publish_to_the_broker_is_answered_by_the_bridge(services: int) -> None:
    state = "virtual-battery/virtual/state"
    wait_for(lambda: _listens(services), "the broker")

    with MqttClient(services, state, "virtual-battery/status") as client:
        wait_for(lambda: "online" in client.on("virtual-battery/status"), "the bridge")
        client.publish("virtual-battery/virtual/set", {"Soc": 61})
        wait_for(lambda: 61 in [s["values"].get("Soc") for s in client.on(state)], "the answer")


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_an_ended_bridge_service_leaves_nothing_behind(image: Path, tmp_path: Path) -> None:
    with _service(image, "bridge", BROKER="127.0.0.1:1", DATA=str(tmp_path)) as bridge:
        bus = tmp_path / "bus"
        wait_for(bus.exists, "the bus")

    assert bridge.returncode in (0, 128 + signal.SIGTERM)
    with socket.socket(socket.AF_UNIX) as client, pytest.raises(OSError):
        client.connect(str(bus))


def test_compose_starts_what_the_entry_point_knows() -> None:
    words = [service["command"] for service in COMPOSE["services"].values()]

    assert words == [["broker"], ["bridge"]]
    known = (DOCKER / "entrypoint.sh").read_text()
    assert all(f"\n    {word})\n" in known for (word,) in words)


def test_compose_publishes_ports_on_this_machine_only() -> None:
    ports = [port for s in COMPOSE["services"].values() for port in s.get("ports", [])]

    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_compose_builds_and_mounts_what_is_there() -> None:
    for service in COMPOSE["services"].values():
        context = DOCKER / service["build"]["context"]
        assert (context / service["build"]["dockerfile"]).is_file()
        for source, *_ in (volume.split(":") for volume in service.get("volumes", [])):
            assert source in COMPOSE["volumes"] or (DOCKER / source).exists()


def test_compose_points_the_bridge_at_its_own_broker() -> None:
    host, port = COMPOSE["services"]["bridge"]["environment"]["BROKER"].split(":")

    assert host in COMPOSE["services"]
    assert f"listener {port}\n" in (DOCKER / "mosquitto.conf").read_text()


def test_node_red_shares_the_brokers_network_and_is_seen_on_this_machine_only() -> None:
    services = yaml.safe_load((DOCKER / "node-red" / "compose.yaml").read_text())["services"]

    assert set(services) - set(COMPOSE["services"]) == {"node-red"}
    assert services["node-red"]["network_mode"] == "service:broker"
    assert all(port.startswith("127.0.0.1:") for port in services["broker"]["ports"])
