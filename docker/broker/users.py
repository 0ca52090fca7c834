"""The users of the broker, and their first passwords."""

from __future__ import annotations

import hashlib
import os
import pwd
import secrets
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path

from files import written

SHOWN = ("client", "reader")  # for people; docker/broker/acl says what each user may do
BRIDGE = "bridge"

# Without letters and digits that look alike. 20 of these 31 are 99 bits.
_SIGNS = "abcdefghjkmnpqrstuvwxyz23456789"
_LENGTH = 20

_ROUNDS = 101
"""As mosquitto_passwd (man page: option -I) has it; passwords of 99 bits need no more."""


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
        return written(passwords, _hashed({**first, BRIDGE: own}))
    if not login.exists():
        own = _password()
        others = _lines_without(BRIDGE, passwords)
        written(passwords, others + _hashed({BRIDGE: own}))
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


def _hashed(passwords: Mapping[str, str]) -> str:
    """Lines for mosquitto's password file.

    Not by mosquitto_passwd: it needs a file with the passwords, which a kill would leave behind.
    """
    return "".join(f"{user}:{_hash(word)}\n" for user, word in passwords.items())


def _hash(password: str) -> str:
    """A hash of mosquitto's type 7: PBKDF2 with SHA-512."""
    salt = secrets.token_bytes(12)
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ROUNDS)
    return f"$7${_ROUNDS}${b64encode(salt).decode()}${b64encode(key).decode()}"


def _lines_without(user: str, passwords: Path) -> str:
    lines = passwords.read_text(encoding="utf-8").splitlines()
    return "".join(f"{line}\n" for line in lines if not line.startswith(f"{user}:"))
