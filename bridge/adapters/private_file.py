"""Files that others must not change: the broker's CA; and passwords and keys, nor read them.

The file itself is checked, not its folder: who can write to that can put another file in its place.
"""

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


def read_trusted(path: str, most: int, secrets: Path = CONTAINER_SECRETS) -> bytes:
    """The content of a file that all may read, and nobody else may change. Raises Unreadable.

    Like `read` otherwise. Its group may write if that has the owner's number: on most systems it is
    the owner's own then, and with umask 002, which is usual there, each new file is such.
    """

    def check(status: os.stat_result) -> None:
        mode = stat.S_IMODE(status.st_mode)
        is_of_a_group = mode & 0o020 and status.st_gid != status.st_uid
        if mode & 0o002 or is_of_a_group:
            raise Unreadable(f"other users can change it (mode {mode:04o}): chmod go-w {path}")
        if not _is_in(path, secrets):
            _check_owner(status, path)

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
    if not is_container_secret:
        _check_owner(status, path)


def _check_owner(status: os.stat_result, path: str) -> None:
    if status.st_uid not in (0, os.geteuid()):
        raise Unreadable(f"belongs to another user: chown {os.geteuid()} {path}")


def _is_in(path: str, folder: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
