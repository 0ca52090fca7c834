"""What work costs, in Python calls: counted, so that the machine's load does not matter."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType

from doubles import Bench


def calls_of_lone_write(cells: int, path: str, payload: bytes) -> int:
    """How many Python functions are called from a message to its signal and its state topic."""
    bench = Bench(cells=cells)
    bench.feed(Dc_0_Temperature=20, System_MOSTemperature=25, Io_AllowToCharge=1)
    bench.pass_time(3)
    bench.clock.now += 0.3
    battery, now = bench.battery, bench.clock.now
    signals = len(bench.bus.signals)

    def write() -> None:
        battery.on_message(path, payload, f"W/portal/battery/1{path}", now)
        battery.settle(now)

    count = count_calls(write) - 1  # `write` itself
    assert len(bench.bus.signals) <= signals + 1
    return count


def count_calls(work: Callable[[], object]) -> int:
    """How many Python functions this calls, itself included."""
    count = 0

    def note(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count
