"""The main loop as it really turns: each callback once, in time, and without a trace."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.adapters.loop import Loop

MANY = 20_000


def test_timers_come_once_each_and_not_early() -> None:
    loop, came = Loop(), {}
    started = time.monotonic()
    for seconds in (0.05, 0.1, 0.0):
        loop.call_in(seconds, lambda s=seconds: came.setdefault(s, []).append(time.monotonic()))
    loop.call_in(0.15, loop.quit)
    loop.run()
    assert sorted(came) == [0.0, 0.05, 0.1]
    assert all(len(moments) == 1 for moments in came.values())
    assert all(moments[0] - started >= seconds for seconds, moments in came.items())


def test_what_is_called_back_may_call_back_later() -> None:
    loop, came = Loop(), []

    def first() -> None:
        came.append("first")
        loop.call_in(0.05, second)

    def second() -> None:
        came.append("second")
        loop.quit()

    loop.call_in(0.05, first)
    loop.run()
    assert came == ["first", "second"]


def test_every_ring_of_another_thread_is_heard_once_and_in_order() -> None:
    loop, heard = Loop(), []

    def ring() -> None:
        for number in range(1000):
            loop.call_soon(lambda number=number: heard.append(number))
        loop.call_soon(loop.quit)

    thread = threading.Thread(target=ring)
    thread.start()
    loop.run()
    thread.join()
    assert heard == list(range(1000))


def test_quiet_is_when_nothing_rings_any_more() -> None:
    loop, came = Loop(), []

    def ring() -> None:
        came.append("rung")
        if len(came) < 5:
            loop.call_soon(ring)

    loop.call_when_idle(lambda: (came.append("quiet"), loop.quit()))
    loop.call_soon(ring)
    loop.run()
    assert came == ["rung"] * 5 + ["quiet"]


@pytest.mark.parametrize(
    "again",
    [
        lambda loop, call: loop.call_soon(call),
        lambda loop, call: loop.call_when_idle(call),
        lambda loop, call: loop.call_in(0, call),
    ],
    ids=["call_soon", "call_when_idle", "call_in"],
)
def test_a_call_costs_no_memory(again: Callable[[Loop, Callable[[], None]], None]) -> None:
    """A hundred bytes a call would be two million here, and megabytes a day in service."""
    loop, left = Loop(), [0]

    def call() -> None:
        left[0] -= 1
        again(loop, call) if left[0] else loop.quit()

    def turn(times: int) -> None:
        left[0] = times
        again(loop, call)
        loop.run()

    growth = []
    for _ in range(4):
        before = resident()
        turn(MANY)
        growth.append(resident() - before)
    assert min(growth) < 10 * MANY, "a leak grows each time, something else of this process once"


def resident() -> int:
    """Bytes of memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096
