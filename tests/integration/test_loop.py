"""The main loop as it really turns: each callback once, in time, and without a trace."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.adapters.loop import Loop

MANY = 20_000


def test_timers_come_in_the_order_of_their_times_and_not_early() -> None:
    loop, came = Loop(), []
    started = time.monotonic()
    for seconds in (0.05, 0.1, 0.0):
        loop.call_in(seconds, lambda s=seconds: came.append((s, time.monotonic() - started)))
    loop.call_in(0.15, loop.quit)
    loop.run()
    assert [seconds for seconds, _ in came] == [0.0, 0.05, 0.1]
    assert all(at >= seconds for seconds, at in came)


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

    turn(MANY)
    before = resident()
    turn(MANY)
    assert resident() - before < 10 * MANY


def resident() -> int:
    """Bytes of memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096
