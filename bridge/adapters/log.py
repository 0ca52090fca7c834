"""The log: plain lines on standard error, without a time, which multilog or journald add.

Nothing in this process waits for the reader of the log. Standard output and standard error become
the two names of a pipe of our own, and a write to it never blocks. A thread passes on what is in
it. This also holds for what C libraries write. While the reader does not read, the pipe becomes
full, and new lines are lost and counted.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import threading

_OUTPUT, _ERRORS = 1, 2
_LONGEST_LINE = select.PIPE_BUF  # bytes; up to this, a line is written whole or not at all
_PASS_ON_AT_MOST = 64 * 1024  # bytes at a time
_FLUSH_WITHIN = 0.3  # s; ours: leaving takes two seconds, and this is its last part


def start(level: str) -> Outlet:
    """Redirect all output of this process, and log from this level on. Call it once."""
    outlet = Outlet()
    logging.basicConfig(format="%(levelname)s %(message)s", handlers=[_Handler(outlet)], force=True)
    set_level(level)
    return outlet


def set_level(level: str) -> None:
    """Log everything of this level and above: debug, info, warning or error."""
    logging.getLogger().setLevel(level.upper())
    # Libraries log details (velib each path); at info level that is too much.
    for name in ("root", "paho"):
        quiet = logging.NOTSET if level == "debug" else logging.INFO
        logging.getLogger(name).setLevel(max(quiet, logging.getLogger().level))


class Outlet:
    """Standard output and error of this process from now on, and the thread that passes them on.

    If the real standard error is closed, all of it is dropped.
    """

    def __init__(self) -> None:
        """Replace the file descriptors 1 and 2."""
        _open_closed_standard_files()
        self._real = os.dup(_ERRORS)
        self._lost = 0
        self._lock = threading.Lock()
        inner, entry = os.pipe()
        os.set_blocking(entry, False)
        _replace_output_by(entry)
        self._thread = threading.Thread(
            target=self._pass_on, args=(inner,), name="log", daemon=True
        )
        self._thread.start()

    def write(self, text: str) -> None:
        """Write these lines, or lose them. Never blocks. Very long lines are cut."""
        for line in text.encode("utf-8", "backslashreplace").split(b"\n"):
            try:
                os.write(_ERRORS, line[: _LONGEST_LINE - 1] + b"\n")
            except OSError:
                self._lose(1)

    def last_resort(self) -> int:
        """A file descriptor that leads to the real standard error without the thread.

        A write to it never blocks either. It has flags of its own, because other processes share
        those of standard error. If that is not possible (with a socket), it leads to the
        pipe.
        """
        flags = os.O_WRONLY | os.O_NONBLOCK | os.O_APPEND | os.O_NOCTTY | os.O_CLOEXEC
        try:
            return os.open(f"/proc/self/fd/{self._real}", flags)
        except OSError:
            return _ERRORS

    def close(self, within: float = _FLUSH_WITHIN) -> None:
        """Pass on what is left, in so many seconds at most. What is written later is dropped."""
        _replace_output_by(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC))
        self._thread.join(within)

    def _lose(self, lines: int) -> None:
        with self._lock:
            self._lost += lines

    # --- on the thread -------------------------------------------------------------------

    def _pass_on(self, inner: int) -> None:
        while lines := os.read(inner, _PASS_ON_AT_MOST):
            if not self._send(lines):
                self._lose(lines.count(b"\n"))
            elif self._lost:
                self._tell_loss()

    def _tell_loss(self) -> None:
        with self._lock:
            lost, self._lost = self._lost, 0
        words = f"WARNING {lost} lines of the log were lost, because nobody could read them\n"
        if not self._send(words.encode()):
            self._lose(lost)

    def _send(self, data: bytes) -> bool:
        """Write to the real standard error. Returns whether all of it was written."""
        while data:
            try:
                data = data[os.write(self._real, data) :]
            except BlockingIOError:  # another process has made it so
                select.select([], [self._real], [])
            except OSError:
                return False
        return True


class _Handler(logging.Handler):
    """Gives lines to the outlet. It needs no lock, so no thread waits for another one here."""

    def __init__(self, outlet: Outlet) -> None:
        super().__init__()
        self._outlet = outlet

    def createLock(self) -> None:  # noqa: N802  the name is logging's
        self.lock = None

    def handle(self, record: logging.LogRecord) -> bool:
        """As in `logging.Handler`, which uses its lock here, from Python 3.13 on without asking."""
        passed = self.filter(record)
        if passed:
            self.emit(passed if isinstance(passed, logging.LogRecord) else record)
        return bool(passed)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._outlet.write(self.format(record))
        except Exception:
            with contextlib.suppress(Exception):
                self.handleError(record)

    def close(self) -> None:
        """Called by `logging.shutdown`, at the end of the process."""
        self._outlet.close()
        super().close()


def _open_closed_standard_files() -> None:
    """Else the next files get their numbers, and are replaced with them."""
    while (descriptor := os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)) <= _ERRORS:
        pass
    os.close(descriptor)


def _replace_output_by(descriptor: int) -> None:
    for standard in (_OUTPUT, _ERRORS):
        os.dup2(descriptor, standard)
    if descriptor not in (_OUTPUT, _ERRORS):
        os.close(descriptor)
