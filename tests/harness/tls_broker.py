"""A mosquitto with several listeners, each with a certificate of its own or with none."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path

import private_broker
from part import Part, program

from tests.harness.certificates import Certificate


class TlsBroker:
    """A context manager; `ports` says where each listener is.

    listeners: the certificate of each; None for a listener without TLS
    clients: for some listeners the CA whose certificates they ask their clients for
    address: where all of them listen
    """

    def __init__(
        self,
        folder: Path,
        listeners: Mapping[str, Certificate | None],
        clients: Mapping[str, Path],
        address: str = "127.0.0.1",
    ) -> None:
        self._address = address
        self.ports = {name: private_broker.free_port("127.0.0.1") for name in listeners}
        lines = ["allow_anonymous true", "persistence false", "log_dest stderr", "user root"]
        for name, certificate in listeners.items():
            lines.append(f"listener {self.ports[name]} {address}")
            if certificate:
                lines += [f"certfile {certificate.cert}", f"keyfile {certificate.key}"]
            if name in clients:
                lines += [f"cafile {clients[name]}", "require_certificate true"]
        configuration = folder / "mosquitto.conf"
        configuration.write_text("\n".join(lines) + "\n")
        command = [program("mosquitto", "mosquitto"), "-c", str(configuration)]
        self._part = Part("mosquitto", command, folder / "mosquitto.log", self._answers)

    def __enter__(self) -> TlsBroker:
        self._part.start()
        return self

    def __exit__(self, *_problem: object) -> None:
        self._part.kill()

    def _answers(self) -> bool:
        try:
            for port in self.ports.values():
                socket.create_connection((self._address, port)).close()
        except OSError:
            return False
        return True
