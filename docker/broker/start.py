"""The broker of a container: makes users and certificates where there are none, then is mosquitto.

    python3 docker/broker/start.py

The environment says where and how:

DATA          folder of its own: passwords, rights, mosquitto's configuration       /data
LOGIN         folder for the bridge: its password, and the CA certificate for TLS   /login
TLS_FILES     folder with ca.crt, server.crt and server.key                         /tls
LISTEN        port, and an address if it is not all of them                         1883
MQTT_TLS      on: the listener speaks TLS, and only TLS                             off
MQTT_NAME     what the clients call this machine; one of two names in its           none
MQTT_ADDRESS  certificate; the other is the address where the port is published     none
"""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import certificates
import users
from files import Problem, made, written

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Become mosquitto. Returns the exit status 1 if that is not possible."""
    os.umask(0o077)  # nobody else reads what is made here
    try:
        configuration = prepared(os.environ)
        sys.stdout.flush()
        os.execvp("mosquitto", ["mosquitto", "-c", str(configuration)])
    except Problem as problem:
        words = str(problem)
    except OSError as problem:
        words = f"{problem.filename}: {problem.strerror}"
    print(f"broker: {words}", file=sys.stderr)
    return 1


def prepared(environment: Mapping[str, str]) -> Path:
    """Make what is missing. Returns mosquitto's configuration. Raises Problem and OSError."""
    data = made(environment.get("DATA", "/data"))
    login = made(environment.get("LOGIN", "/login"))
    tls = _tls(environment, login / "ca.crt")
    rights = data / "acl"
    if not rights.exists():
        written(rights, (HERE / "acl").read_text(encoding="utf-8"))
    lines = [
        (HERE / "mosquitto.conf").read_text(encoding="utf-8"),
        f"password_file {users.prepared(data / 'passwords', login / 'password')}",
        f"acl_file {rights}",
        f"user {users.ourselves()}",  # else mosquitto, started by root, cannot read these files
        f"listener {environment.get('LISTEN', '1883')}",
        "max_connections 100",
        *tls,
    ]
    return written(data / "mosquitto.conf", "\n".join(lines) + "\n")


def _tls(environment: Mapping[str, str], ca: Path) -> list[str]:
    """The lines for the listener. `ca` becomes the CA certificate that the bridge trusts."""
    address = _address(environment.get("MQTT_ADDRESS", ""))
    wanted = environment.get("MQTT_TLS") or "off"
    if wanted == "off":
        ca.unlink(missing_ok=True)
        if address and not address.is_loopback:
            print(
                f"broker: published on {address} without TLS: whoever listens in the network reads"
                " the passwords. MQTT_TLS=on ends this."
            )
        return []
    if wanted != "on":
        raise Problem(f"MQTT_TLS is {wanted!r}: it can be on or off")
    names = [environment.get("MQTT_NAME", "")]
    if address and not address.is_unspecified:
        names.append(str(address))
    folder = made(environment.get("TLS_FILES", "/tls"))
    files = certificates.prepared(folder, [name for name in names if name])
    written(ca, files.ca.read_text(encoding="utf-8", errors="replace"))
    return [f"certfile {files.certificate}", f"keyfile {files.key}", "tls_version tlsv1.2"]


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.strip("[]")) if text else None
    except ValueError:
        raise Problem(f"MQTT_ADDRESS is {text!r}: that is no address") from None


if __name__ == "__main__":
    sys.exit(main())
