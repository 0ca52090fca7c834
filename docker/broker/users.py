"""The users of the broker, and their first passwords."""

from __future__ import annotations

import os
import pwd
import secrets
from collections.abc import Mapping
from pathlib import Path

from files import run, written

SHOWN = ("client", "reader")  # for people; docker/broker/acl says what each user may do
BRIDGE = "bridge"

# Without letters and digits that look alike. 20 of these 31 are 99 bits.
_SIGNS = "abcdefghjkmnpqrstuvwxyz23456789"
_LENGTH = 20


def prepared(passwords: Path, login: Path) -> Path:
    """Make all users, or leave all users as they are. Returns `passwords`, mosquitto's file.

    The passwords for people are printed, once; that of the bridge is written to `login`. If `login`
    is lost, the bridge gets a new password. Raises Problem and OSError.
    """
    if not passwords.exists():
        first = {user: _password() for user in SHOWN}
        _show(first)
        own = _password()
        written(login, own + "\n")
        return written(passwords, _hashed(passwords, {**first, BRIDGE: own}))
    if not login.exists():
        own = _password()
        others = _lines_without(BRIDGE, passwords)
        written(passwords, others + _hashed(passwords, {BRIDGE: own}))
        written(login, own + "\n")
    return passwords


def ourselves() -> str:
    """The name of the user that this process runs as; its number if it has no name."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _password() -> str:
    return "".join(secrets.choice(_SIGNS) for _ in range(_LENGTH))


def _show(passwords: Mapping[str, str]) -> None:
    print("broker: these passwords are shown only now, note them:")
    for user, password in passwords.items():
        print(f"broker:   user {user}, password {password}", flush=True)


def _hashed(beside: Path, passwords: Mapping[str, str]) -> str:
    """Lines for mosquitto's password file. A command line would show the passwords to others."""
    plain = beside.with_name(f"{beside.name}.plain")
    try:
        written(plain, "".join(f"{user}:{word}\n" for user, word in passwords.items()))
        run(["mosquitto_passwd", "-U", plain])
        return plain.read_text(encoding="utf-8")
    finally:
        plain.unlink(missing_ok=True)


def _lines_without(user: str, passwords: Path) -> str:
    lines = passwords.read_text(encoding="utf-8").splitlines()
    return "".join(f"{line}\n" for line in lines if not line.startswith(f"{user}:"))
