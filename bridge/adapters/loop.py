"""The main loop, by GLib: the only file that imports gi.

Every callback is guarded: an exception in one of them is our own bug, and ends the process
loudly, so that the supervisor starts a new one. (GLib would print it and go on.)
"""

from __future__ import annotations

import heapq
import itertools
import logging
import os
import sys
import time
from collections import deque
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


Callback = Callable[[], None]


class Loop:
    """Timers, signals, and the bell that other threads ring."""

    def __init__(self) -> None:
        self._loop = GLib.MainLoop()
        self._rung: deque[Callback] = deque()
        self._bell = _Source(GLib.PRIORITY_DEFAULT, lambda: _call_all(self._rung))
        self._quiet: deque[Callback] = deque()
        self._silence = _Source(GLib.PRIORITY_HIGH_IDLE, lambda: _call_all(self._quiet))
        self._timers: list[tuple[float, int, Callback]] = []  # a heap: the next one comes first
        self._serial = itertools.count()
        self._alarm = _Source(GLib.PRIORITY_DEFAULT, self._call_due)

    def run(self) -> None:
        self._loop.run()

    def quit(self) -> None:
        self._loop.quit()

    def call_in(self, seconds: float, callback: Callback) -> None:
        """Call back once, after so many seconds."""
        heapq.heappush(self._timers, (monotonic() + seconds, next(self._serial), callback))
        self._alarm.wake(self._timers[0][0])

    def _call_due(self) -> None:
        now, due = monotonic(), []
        while self._timers and self._timers[0][0] <= now:
            due.append(heapq.heappop(self._timers)[2])
        for callback in due:
            callback()
        if self._timers:
            self._alarm.wake(self._timers[0][0])

    def every(self, seconds: int, callback: Callable[[], None]) -> None:
        """Call back again and again; whole seconds, so that wake-ups of one device coincide."""
        GLib.timeout_add_seconds(seconds, _for_ever(callback))

    def ring(self, callback: Callback) -> None:
        """Call back once, soon. May be called from any thread."""
        self._rung.append(callback)
        self._bell.wake()

    def when_quiet(self, callback: Callback) -> None:
        """Call back once, when everything that has already arrived is done."""
        self._quiet.append(callback)
        self._silence.wake()

    def on_signal(self, number: int, callback: Callable[[], None]) -> None:
        """Call back at a Unix signal, on the loop."""
        GLib.unix_signal_add(GLib.PRIORITY_HIGH, number, _for_ever(callback))


class _Source:
    """Something in GLib's loop that stays there and calls back whenever it is woken.

    A new source for each call (GLib.idle_add, GLib.timeout_add) costs some hundred bytes for ever
    with PyGObject before 3.44.2: a few megabytes a day. GLib wakes any source at a time of our
    choice; one that waits for a file descriptor, which here never has anything, does nothing else.
    """

    def __init__(self, priority: int, callback: Callback) -> None:
        self._callback = guarded(callback)
        nothing = os.eventfd(0)
        number = GLib.unix_fd_add_full(priority, nothing, GLib.IOCondition.IN, self._on_ready)
        self._source = GLib.MainContext.default().find_source_by_id(number)

    def wake(self, at: float = 0.0) -> None:
        """Call back at this moment (monotonic seconds), or soon. May be called from any thread."""
        self._source.set_ready_time(round(at * 1_000_000))

    def _on_ready(self, *_: object) -> bool:
        self._source.set_ready_time(-1)  # first, so that whoever wakes it from now on is heard
        self._callback()
        return True


def _call_all(waiting: deque[Callback]) -> None:
    """Those that wait now; whoever comes meanwhile has woken the source again."""
    for _ in range(len(waiting)):
        waiting.popleft()()


def _for_ever(callback: Callable[[], None]) -> Callable[[], bool]:
    def call() -> bool:
        guarded(callback)()
        return True

    return call
