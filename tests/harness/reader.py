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
        flags = os.O_WRONLY | os.O_NONBLOCK  # of a description of its own: others share the entry
        own = os.open(f"/proc/self/fd/{self.entry}", flags)
        for size in (4096, 1):
            try:
                while True:
                    os.write(own, b"\n" * size)
            except BlockingIOError:
                pass
        os.close(own)

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
