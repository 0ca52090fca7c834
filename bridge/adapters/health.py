"""A process that no longer works must end, so that the supervisor starts a new one."""

from __future__ import annotations

import faulthandler
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType

log = logging.getLogger(__name__)

DESCRIPTORS = 32  # ours: about 15 stay open, and names, TLS and files need some for a moment
PATIENCE = 20.0  # s without a beat until the main loop counts as hung


def end_process_with_threads() -> None:
    """From now on an exception on any thread ends the process.

    Without its MQTT thread the process would go on publishing old values.
    """
    threading.excepthook = _end_process


def require_descriptors(batteries: int) -> None:
    """Check that so many batteries find enough file descriptors. Raises OSError.

    Without one, GLib would end the process, and a connection would fail at any later time.
    """
    opened: list[int] = []
    try:
        while len(opened) < DESCRIPTORS + batteries:
            opened.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    finally:
        for descriptor in opened:
            os.close(descriptor)


def _end_process(arguments: threading.ExceptHookArgs) -> None:
    problem = arguments.exc_value or SystemExit()
    information: tuple[type[BaseException], BaseException, TracebackType | None] = (
        type(problem), problem, arguments.exc_traceback,
    )  # fmt: skip
    log.critical("an exception has ended a thread, ending the process", exc_info=information)
    logging.shutdown()
    os._exit(1)


class Watchdog:
    """Ends the process when the main loop no longer runs.

    The main loop calls `beat`; a separate thread checks that it still does. Before the process
    ends, the stack of every thread is written to standard error.

    The checking thread needs Python's global lock, which a call into C can hold for hours (a slow
    regular expression does). So a thread of faulthandler, which needs no lock, watches it.
    """

    def __init__(
        self,
        patience: float = PATIENCE,
        monotonic: Callable[[], float] = time.monotonic,
        end: Callable[[], None] = lambda: os._exit(1),
    ) -> None:
        """patience: s without a beat. end: what ends the process."""
        self._patience = patience
        self._monotonic = monotonic
        self._end = end
        self._beaten_at = monotonic()

    def start(self) -> None:
        """Watch from now on, on a thread."""
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def beat(self) -> None:
        """Called by the main loop to show that it runs."""
        self._beaten_at = self._monotonic()

    def check(self) -> None:
        """End the process if the last beat is too long ago."""
        silence = self._monotonic() - self._beaten_at
        if silence > self._patience:
            log.critical("the main loop has not run for %.0f s, ending the process", silence)
            faulthandler.dump_traceback(file=sys.stderr)
            self._end()

    def _watch(self) -> None:
        while True:
            faulthandler.dump_traceback_later(self._patience, exit=True, file=sys.stderr)
            time.sleep(self._patience / 4)
            self.check()
