"""A process that no longer works must end, so that the supervisor starts a new one."""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
import threading
import time
from collections.abc import Callable

from bridge.adapters.ending import end

log = logging.getLogger(__name__)

DESCRIPTORS = 32  # ours: about 15 stay open, and names, TLS and files need some for a moment
PATIENCE = 20.0  # s without a beat until the main loop counts as hung

_CHECKS = 5  # in this time


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


class Watchdog:
    """Ends the process when the main loop no longer runs.

    The main loop calls `beat`; a separate thread checks that it still does. Before the process
    ends, the stack of every thread is written. Only time in which this thread ran counts: if a
    check comes late, the whole process stood still (stopped, suspended), and is not hung.

    The thread needs Python's global lock, which a call into C can hold for hours (a slow regular
    expression does). So the kernel counts the CPU time since the last check, in which no time of a
    standstill is, and ends the process by SIGPROF.
    """

    def __init__(
        self,
        patience: float = PATIENCE,
        monotonic: Callable[[], float] = time.monotonic,
        end: Callable[[int, Callable[[], None]], None] = end,
        stacks_to: int = 2,
    ) -> None:
        """patience: s without a beat. end(status, last words): what ends the process.

        stacks_to: a file descriptor for the stacks if only the kernel can end the process. A write
        to it should not block.
        """
        self._patience = patience
        self._interval = patience / _CHECKS
        self._monotonic = monotonic
        self._end = end
        self._stacks_to = stacks_to
        self._beats = self._beats_seen = 0
        self._silence = 0.0
        self._checked_at = monotonic()

    def start(self) -> None:
        """Watch from now on, on a thread."""
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        faulthandler.register(signal.SIGPROF, self._stacks_to, all_threads=True, chain=True)
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def beat(self) -> None:
        """Called by the main loop to show that it runs."""
        self._beats += 1

    def check(self) -> None:
        """Called at each interval. Ends the process if the last beat is too long ago."""
        now, beats = self._monotonic(), self._beats
        passed, self._checked_at = now - self._checked_at, now
        self._silence += min(passed, 2 * self._interval)
        if beats != self._beats_seen:
            self._beats_seen, self._silence = beats, 0.0
        if self._silence >= self._patience:
            self._end(1, self._last_words)

    def _last_words(self) -> None:
        words = "the main loop has not run for %.0f s, ending the process"
        log.critical(words, self._silence)
        faulthandler.dump_traceback(2)

    def _watch(self) -> None:
        while True:
            signal.setitimer(signal.ITIMER_PROF, self._patience / 2)
            time.sleep(self._interval)
            self.check()
