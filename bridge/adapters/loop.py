"""The main loop, by GLib: the only file that imports gi.

Every callback is guarded: an exception in it is a bug of ours and ends the process with a
traceback, so that the supervisor starts a new one. (GLib would print it and go on.)
"""

from __future__ import annotations

import heapq
import itertools
import os
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from gi.repository import GLib

from bridge.adapters.ending import end_process
from bridge.core.model import Date

Answer = TypeVar("Answer")
Callback = Callable[[], None]

_timer_clock = time.monotonic  # GLib's own

monotonic = partial(time.clock_gettime, time.CLOCK_BOOTTIME)
"""Monotonic seconds that also count while the machine is suspended: values become older then."""


def today() -> Date:
    """The local date and time of day of this machine. It can be wrong, and is not checked here."""
    now = time.localtime()
    return Date(now.tm_year, now.tm_mon, now.tm_mday, now.tm_hour * 60 + now.tm_min)


def wall() -> float | None:
    """The wall clock in s since 1970; None while it was never set."""
    return time.time() if today().is_set else None


def guarded(callback: Callable[..., Answer]) -> Callable[..., Answer]:
    """The same callback; an exception in it ends the process."""

    def call(*arguments: Any) -> Answer:
        try:
            return callback(*arguments)
        except Exception as problem:
            end_process(problem)
            raise

    return call


class Loop:
    """Timers, signals, and calls from other threads."""

    def __init__(self) -> None:
        """Make a loop that does not run yet; callbacks may be added already."""
        self._loop = GLib.MainLoop()
        self._soon: deque[Callback] = deque()
        self._soon_source = _Source(GLib.PRIORITY_DEFAULT, lambda: _call_all(self._soon))
        self._idle: deque[Callback] = deque()
        self._idle_source = _Source(GLib.PRIORITY_HIGH_IDLE, lambda: _call_all(self._idle))
        self._timers: list[tuple[float, int, Callback]] = []  # a heap: the next one comes first
        self._serials = itertools.count()
        self._timer_source = _Source(GLib.PRIORITY_DEFAULT, self._call_due)

    def run(self) -> None:
        """Run until `quit`."""
        self._loop.run()

    def quit(self) -> None:
        """Make `run` return. No effect if the loop does not run."""
        self._loop.quit()

    def call_in(self, seconds: float, callback: Callback) -> None:
        """Call back once, after this many seconds."""
        heapq.heappush(self._timers, (_timer_clock() + seconds, next(self._serials), callback))
        self._timer_source.wake(self._timers[0][0])

    def call_every(self, seconds: int, callback: Callback) -> None:
        """Call back at this interval, in whole seconds: GLib then groups the wake-ups."""
        GLib.timeout_add_seconds(seconds, _for_ever(callback))

    def call_soon(self, callback: Callback) -> None:
        """Call back once, soon. May be called from any thread."""
        self._soon.append(callback)
        self._soon_source.wake()

    def call_when_idle(self, callback: Callback) -> None:
        """Call back once, when everything that has already arrived is done."""
        self._idle.append(callback)
        self._idle_source.wake()

    def on_signal(self, number: int, callback: Callback) -> None:
        """Call back at each Unix signal of this number."""
        GLib.unix_signal_add(GLib.PRIORITY_HIGH, number, _for_ever(callback))

    def _call_due(self) -> None:
        now, due = _timer_clock(), []
        while self._timers and self._timers[0][0] <= now:
            due.append(heapq.heappop(self._timers)[2])
        for callback in due:
            callback()
        if self._timers:
            self._timer_source.wake(self._timers[0][0])


class _Source:
    """A permanent source in GLib's loop that calls back after each `wake`.

    A new source for each call (GLib.idle_add, GLib.timeout_add) leaks some hundred bytes with
    PyGObject before 3.44.2: a few megabytes a day. So one source stays, and its ready time decides
    when GLib calls it. It waits for a file descriptor that never has data, so nothing else does.
    """

    def __init__(self, priority: int, callback: Callback) -> None:
        self._callback = guarded(callback)
        no_data = os.eventfd(0)
        number = GLib.unix_fd_add_full(priority, no_data, GLib.IOCondition.IN, self._on_ready)
        self._source = GLib.MainContext.default().find_source_by_id(number)

    def wake(self, at: float = 0.0) -> None:
        """Call back at this moment (monotonic seconds), or soon. May be called from any thread."""
        self._source.set_ready_time(round(at * 1_000_000))

    def _on_ready(self, *_: object) -> bool:
        self._source.set_ready_time(-1)  # first, so that a `wake` in the callback is not lost
        self._callback()
        return True


def _call_all(waiting: deque[Callback]) -> None:
    """Call those that wait now. One that is added meanwhile has woken the source for itself."""
    for _ in range(len(waiting)):
        waiting.popleft()()


def _for_ever(callback: Callback) -> Callable[[], bool]:
    def call() -> bool:
        guarded(callback)()
        return True

    return call
