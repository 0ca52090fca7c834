"""Reads a file whole, but nothing that is no ordinary small file."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable


class Unreadable(Exception):
    """Why a file cannot be used, in words without its name."""


def read(
    path: str | os.PathLike[str],
    most: int,
    check: Callable[[os.stat_result], None] = lambda status: None,
) -> bytes:
    """The content of a file of at most `most` bytes. Raises Unreadable.

    A symbolic link is followed. A pipe or a device is refused without waiting for it.
    check: called with the status of the very file that is read; may raise Unreadable.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise Unreadable("is not a file")
            check(status)
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                content = file.read(most + 1)
        finally:
            os.close(descriptor)
    except OSError as problem:
        raise Unreadable(problem.strerror or str(problem)) from None
    except ValueError:  # a NUL, or what the file system's encoding cannot write
        raise Unreadable("is no name of a file") from None
    if len(content) > most:
        raise Unreadable(f"is longer than {most} bytes")
    return content


def decoded(content: bytes) -> str:
    """The text of a file in UTF-8, with or without a byte order mark. Raises Unreadable."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable("is not UTF-8 text; save it as UTF-8") from None
