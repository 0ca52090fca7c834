"""The closed broker of compose.yaml, started by the script that its container runs."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import private_broker

from tests.harness.mqtt_client import Login, MqttClient
from tests.harness.waiting import PATIENCE, wait_for

ROOT = Path(__file__).resolve().parents[2]


class ClosedBroker:
    """Its folders are those of one set of volumes, so a second start finds what the first one made.

    image: a folder laid out like the image
    """

    def __init__(self, directory: Path, image: Path = ROOT) -> None:
        self.data, self.login, self.tls = (directory / name for name in ("data", "login", "tls"))
        self.port = private_broker.free_port("127.0.0.1")
        self.passwords: dict[str, str] = {}  # what the starts have printed
        self._image = image
        self._log = directory / "broker.log"
        self._log.touch()

    @property
    def environment(self) -> dict[str, str]:
        """What a container of either service gets, beside its DATA."""
        return {"BROKER": f"127.0.0.1:{self.port}", "LOGIN": str(self.login)}

    @contextlib.contextmanager
    def running(self, **environment: str) -> Iterator[ClosedBroker]:
        """From its first answer until the end of the context. environment: beside the usual."""
        process = self._process = self.start(**environment)
        try:
            wait_for(lambda: process.poll() is not None or "running" in self.log(), self.log)
            assert process.poll() is None, self.log()
            self.passwords.update(re.findall(r"user (\w+), password (\w+)", self.log()))
            yield self
        finally:
            process.terminate()
            process.wait(PATIENCE)

    def start(self, **environment: str) -> subprocess.Popen[bytes]:
        """Start it, whatever becomes of it. The log begins anew."""
        folders = {"DATA": str(self.data), "TLS_FILES": str(self.tls)}
        listen = {"LISTEN": f"{self.port} 127.0.0.1"}
        with self._log.open("wb") as log:
            return subprocess.Popen(
                ["docker/entrypoint.sh", "broker"],
                cwd=self._image,
                env={**os.environ, **self.environment, **folders, **listen, **environment},
                stdout=log,
                stderr=log,
            )

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it as a power cut does."""
        self._process.kill()
        self._process.wait()

    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def client(self, user: str, *topics: str, ca: Path | None = None) -> MqttClient:
        """A client with the password that was printed; for the bridge, with its own."""
        password = self.own_password if user == "bridge" else self.passwords[user]
        return MqttClient(self.port, *topics, login=Login(user, password), ca=ca)

    @property
    def own_password(self) -> str:
        """That of the bridge."""
        return (self.login / "password").read_text(encoding="utf-8").strip()
