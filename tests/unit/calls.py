"""What a lone write costs, in Python calls."""

from __future__ import annotations

from doubles import Bench

from tests.harness.calls import count_calls


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
