"""A private mosquitto: its configuration, and a check that it runs."""

import random
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from part import program

PORT_TAKEN = "Address already in use"

# Below the range from which the kernel takes ports for outgoing connections: so no connection gets
# the broker's port by chance while the broker is stopped, and no client connects to itself.
_PORTS = range(20000, 30000)


@dataclass(frozen=True)
class Access:
    """Who may use the broker: everybody, or one user with a password."""

    username: str | None = None
    password: str | None = None


def free_port(address: str) -> int:
    """A TCP port that was free a moment ago."""
    while True:
        port = random.choice(_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind((address, port))
            except OSError:
                continue
        return port


def command(
    configuration: Path, own_socket: Path, address: str, port: int, access: Access
) -> list[str]:
    """Write the configuration; returns the command line of the broker.

    The broker listens on the Unix socket `own_socket` too, after it has opened the TCP port. So an
    answer there comes from our broker, and not from another one that took the port first.
    """
    lines = [
        f"listener {port} {address}",
        f"listener 0 {own_socket}",
        "persistence false",
        "log_dest stderr",
        "set_tcp_nodelay true",
        "user root",  # else mosquitto drops root, and cannot read our files
        *_access_lines(configuration.with_suffix(".passwords"), access),
    ]
    configuration.write_text("\n".join(lines) + "\n")
    return [program("mosquitto", "mosquitto"), "-c", str(configuration)]


def answers(own_socket: Path, access: Access) -> bool:
    """Whether the broker accepts an MQTT client."""
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1.0)
            client.connect(str(own_socket))
            client.sendall(_connect_packet(access))
            return client.recv(4) == b"\x20\x02\x00\x00"  # CONNACK, accepted
    except OSError:
        return False


def _access_lines(passwords: Path, access: Access) -> list[str]:
    if access.username is None:
        return ["allow_anonymous true"]
    tool = program("mosquitto_passwd", "mosquitto")
    user = [access.username, access.password or ""]
    subprocess.run([tool, "-c", "-b", str(passwords), *user], check=True, capture_output=True)
    return ["allow_anonymous false", f"password_file {passwords}"]


def _connect_packet(access: Access) -> bytes:
    """MQTT 3.1.1 CONNECT, clean session, client id "hello"."""
    flags, payload = 0x02, _text("hello")
    if access.username is not None:
        flags |= 0xC0
        payload += _text(access.username) + _text(access.password or "")
    body = _text("MQTT") + bytes([4, flags, 0, 10]) + payload
    return bytes([0x10, len(body)]) + body


def _text(text: str) -> bytes:
    encoded = text.encode()
    return len(encoded).to_bytes(2, "big") + encoded
