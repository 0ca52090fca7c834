"""The reader of a log: a pipe that is read when the test wants it, as multilog may stand still."""

from __future__ import annotations

import os


class LogReader:
    """A context manager; `entry` is the file descriptor for a process that writes its log.

    Nothing is read before `read`.
    """

    def __init__(self) -> None:
        self._exit, self.entry = os.pipe()
        self._read = b""

    def __enter__(self) -> LogReader:
        return self

    def __exit__(self, *_problem: object) -> None:
        os.close(self.entry)
        self.leave()

    def fill(self) -> None:
        """Write until the pipe is full, so that one more byte would have to wait."""
        fill(f"/proc/self/fd/{self.entry}")

    def read(self) -> str:
        """All that has come until now."""
        os.set_blocking(self._exit, False)
        try:
            while more := os.read(self._exit, 65536):
                self._read += more
        except BlockingIOError:
            pass
        return self._read.decode()

    def leave(self) -> None:
        """Close the end that reads."""
        if self._exit >= 0:
            os.close(self._exit)
            self._exit = -1


def fill(entry: str) -> int:
    """Write lines into a pipe until one more byte would have to wait; answers how many bytes.

    entry: a path below /proc that leads to it
    """
    own = os.open(entry, os.O_WRONLY | os.O_NONBLOCK)  # of its own: others share the entry's flags
    written = 0
    for size in (4096, 1):
        try:
            while True:
                written += os.write(own, b"x" * (size - 1) + b"\n")
        except BlockingIOError:
            pass
    os.close(own)
    return written
