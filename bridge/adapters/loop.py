"""The main loop, by GLib: the only file that imports gi.

Every callback is guarded: an exception in one of them is our own bug, and ends the process
loudly, so that the supervisor starts a new one. (GLib would print it and go on.)
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

from gi.repository import GLib

from bridge.core.model import Date

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

monotonic = time.monotonic


def die_of(problem: BaseException) -> None:
    """Log a bug of ours and end the process at once, with exit status 1."""
    log.critical("a bug in this program, please report it", exc_info=problem)
    logging.shutdown()
    sys.stdout.flush()
    os._exit(1)


def guarded(callback: Callable[..., Answer]) -> Callable[..., Answer]:
    """The same callback; an exception in it ends the process."""

    def call(*arguments: Any) -> Answer:
        try:
            return callback(*arguments)
        except Exception as problem:
            die_of(problem)
            raise

    return call


def today() -> Date:
    """What the calendar of this machine says; whether it can be believed is not decided here."""
    now = time.localtime()
    return Date(now.tm_year, now.tm_mon)


class Loop:
    """Timers, signals, and the bell that other threads ring."""

    def __init__(self) -> None:
        self._loop = GLib.MainLoop()

    def run(self) -> None:
        self._loop.run()

    def quit(self) -> None:
        self._loop.quit()

    def call_in(self, seconds: float, callback: Callable[[], None]) -> None:
        """Call back once, after so many seconds."""
        milliseconds = max(0, round(seconds * 1000))
        GLib.timeout_add(milliseconds, _once(callback))

    def every(self, seconds: int, callback: Callable[[], None]) -> None:
        """Call back again and again; whole seconds, so that wake-ups of one device coincide."""
        GLib.timeout_add_seconds(seconds, _for_ever(callback))

    def ring(self, callback: Callable[[], None]) -> None:
        """Call back once, soon. May be called from any thread."""
        GLib.idle_add(_once(callback), priority=GLib.PRIORITY_DEFAULT)

    def when_quiet(self, callback: Callable[[], None]) -> None:
        """Call back once, when everything that has already arrived is done."""
        GLib.idle_add(_once(callback), priority=GLib.PRIORITY_HIGH_IDLE)

    def on_signal(self, number: int, callback: Callable[[], None]) -> None:
        """Call back at a Unix signal, on the loop."""
        GLib.unix_signal_add(GLib.PRIORITY_HIGH, number, _for_ever(callback))


def _once(callback: Callable[[], None]) -> Callable[[], bool]:
    def call() -> bool:
        guarded(callback)()
        return False

    return call


def _for_ever(callback: Callable[[], None]) -> Callable[[], bool]:
    def call() -> bool:
        guarded(callback)()
        return True

    return call
