"""How this process ends: within a bounded time, whatever it waits for."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import NoReturn

log = logging.getLogger(__name__)

LEAVE_WITHIN = 1.3
"""Seconds from the request to stop until the process ends without having finished.

Ours: promised are two seconds, and the rest of the log takes a part of them.
"""

_LAST_WORDS_WITHIN = 2.0  # s; ours

_STOP = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def end(status: int, last_words: Callable[[], None] = lambda: None) -> NoReturn:
    """End the process now, with this exit status. Callable on any thread.

    Whatever blocks the last words or the rest of the log, the kernel ends the process soon. What
    they raise is dropped.
    """
    signal.setitimer(signal.ITIMER_REAL, _LAST_WORDS_WITHIN)  # SIGALRM, which ends a process
    for last in (last_words, logging.shutdown):
        with contextlib.suppress(BaseException):
            last()
    os._exit(status)


def end_process(problem: BaseException) -> NoReturn:
    """Log a bug of ours and end the process at once, with exit status 1."""
    words = "a bug in this program, please report it"
    end(1, lambda: log.critical(words, exc_info=problem))


def end_process_with_threads() -> None:
    """From now on an exception on any thread ends the process.

    Without its MQTT thread the process would go on publishing old values.
    """
    threading.excepthook = _end_with_thread


def end_after(seconds: float, status: int) -> None:
    """End the process if it has not ended by itself after so many seconds."""

    def wait() -> None:
        time.sleep(seconds)
        end(status)

    threading.Thread(target=wait, name="leaving", daemon=True).start()


class StopSignals:
    """SIGTERM, SIGINT and SIGHUP: each asks the process to end, with exit status 0.

    A thread waits for them, because the main thread may be busy: with its start, or with a call
    that does not return. Without `on_stop` the process ends at once. With it, the process has
    LEAVE_WITHIN seconds. Later signals change nothing.
    """

    def __init__(self) -> None:
        """Nobody has asked yet; call `listen` on the main thread."""
        self._on_stop: Callable[[], None] | None = None

    def listen(self) -> None:
        """Wait for the signals from now on. Call it before other threads are started.

        What is ignored at the start stays so: SIGHUP by nohup, SIGINT by a shell's `&`.
        """
        awaited = [number for number in _STOP if signal.getsignal(number) != signal.SIG_IGN]
        signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
        threading.Thread(target=self._wait, args=(awaited,), name="signals", daemon=True).start()

    def on_stop(self, callback: Callable[[], None]) -> None:
        """Call this on the waiting thread, at the first signal."""
        self._on_stop = callback

    def _wait(self, awaited: list[signal.Signals]) -> None:
        signal.sigwait(awaited)
        if self._on_stop is not None:
            self._on_stop()
            time.sleep(LEAVE_WITHIN)
        end(0)


def _end_with_thread(arguments: threading.ExceptHookArgs) -> None:
    problem = arguments.exc_value or SystemExit()
    information: tuple[type[BaseException], BaseException, TracebackType | None] = (
        type(problem), problem, arguments.exc_traceback,
    )  # fmt: skip
    words = "an exception has ended a thread, ending the process"
    end(1, lambda: log.critical(words, exc_info=information))
