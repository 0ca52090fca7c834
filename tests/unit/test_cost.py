"""What a lone write costs, in Python calls: counted, so that the machine's mood does not matter."""

from __future__ import annotations

import sys
from types import FrameType

import pytest
from doubles import Bench

MOST_CALLS = 200
MOST_GROWTH = 1.5  # times the calls at 16 cells, at 256

WRITES = {
    "/Voltages/Cell7": b'{"value": 3.311}',
    "/Dc/0/Voltage": b"%f",
    "/Dc/0/Current": b"-11",
    "/Dc/0/Temperature": b"21.5",
    "/Soc": b"51",
    "/System/MOSTemperature": b"30",
    "/Io/AllowToCharge": b"1",
    "/Soh": b"99",
}


def calls_of_lone_write(cells: int, path: str, payload: bytes) -> int:
    """How many Python functions are called from a message to its signal and its state topic."""
    bench = Bench(cells=cells)
    bench.feed(Dc_0_Temperature=20, System_MOSTemperature=25, Io_AllowToCharge=1)
    bench.pass_time(3)
    bench.clock.now += 0.3
    battery, now = bench.battery, bench.clock.now
    signals = len(bench.bus.signals)
    count = 0

    def note(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(note)
    try:
        battery.on_message(path, payload, f"W/portal/battery/1{path}", now)
        battery.settle(now)
    finally:
        sys.setprofile(None)
    assert len(bench.bus.signals) <= signals + 1
    return count


@pytest.mark.parametrize("path", WRITES)
def test_a_lone_write_touches_only_what_depends_on_it(path: str) -> None:
    few, many = (
        calls_of_lone_write(cells, path, WRITES[path].replace(b"%f", b"%d" % (3.4 * cells)))
        for cells in (16, 256)
    )
    assert few <= MOST_CALLS
    assert many <= MOST_GROWTH * few
