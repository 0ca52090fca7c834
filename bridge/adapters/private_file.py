"""Passwords and private keys: files that nobody else may read or replace."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from bridge.adapters import small_file
from bridge.adapters.small_file import Unreadable

CONTAINER_SECRETS = Path("/run/secrets")
"""Where Docker, Podman and Kubernetes put the secrets of a container. Only the container sees them,
and Docker makes them readable by all of its users (mode 0444)."""

MAX_PASSWORD = 1000
"""Bytes; ours: MQTT carries 65535, but nobody types so many."""
MAX_KEY = 64 * 1024
"""Bytes; ours: a key has a few thousand, with a chain of certificates some more."""


def read(path: str, most: int, secrets: Path = CONTAINER_SECRETS) -> bytes:
    """The content of a private file of at most `most` bytes. Raises Unreadable.

    The file, or the one that a symbolic link leads to, must belong to us or to root, and only its
    owner may read and write it. A file in `secrets` may have any owner, and all may read it.
    """

    def check(status: os.stat_result) -> None:
        _check(status, path, is_container_secret=_is_in(path, secrets))

    return small_file.read(path, most, check)


def read_password(path: str, secrets: Path = CONTAINER_SECRETS) -> str:
    """The first line of a password file, without the end of the line. Raises Unreadable."""
    text = small_file.decoded(read(path, MAX_PASSWORD, secrets))
    password = text.split("\n")[0].removesuffix("\r")
    if not password:
        raise Unreadable("has no password: its first line must be the password")
    return password


def _check(status: os.stat_result, path: str, is_container_secret: bool) -> None:
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o022 or (mode & 0o077 and not is_container_secret):
        can = "change" if mode & 0o022 else "read"
        raise Unreadable(f"other users can {can} it (mode {mode:04o}): chmod 600 {path}")
    if status.st_uid not in (0, os.geteuid()) and not is_container_secret:
        raise Unreadable(f"belongs to another user: chown {os.geteuid()} {path}")


def _is_in(path: str, folder: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
