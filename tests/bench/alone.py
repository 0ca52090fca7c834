"""The limiter and a whole refresh without any wires, in this process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from calls import calls_of_lone_write
from doubles import Bench, battery_config
from measured import measured

from bridge.core.limiter.decide import NO_REQUESTS, LimiterState, decide
from bridge.core.limiter.situation import LimiterConfig
from bridge.core.measurements.inputs import Cells
from bridge.core.model import Stage
from tests.bench.stage import frame
from tests.bench.table import Budget, Row, median

_SIZES = (16, 64, 256)


def limiter(times: int) -> Iterator[Row]:
    """A healthy pack: every rule looks at it."""
    microseconds = {cells: _decide(cells, times) for cells in _SIZES}
    for cells, taken in microseconds.items():
        yield Row(f"limiter alone, {cells} cells", taken, "us", None,
                  Budget(100) if cells == _SIZES[0] else None)  # fmt: skip
    least, most = _SIZES[0], _SIZES[-1]
    per_cell = (microseconds[most] / most) / (microseconds[least] / least)
    yield Row(f"limiter, cost per cell of {most} to {least}", per_cell, "x", None, Budget(1))


def calls() -> Iterator[Row]:
    """Of one cell's voltage, from the message to the signal and the state topic."""
    few, many = (
        calls_of_lone_write(cells, "/Voltages/Cell7", b'{"value": 3.311}')
        for cells in (_SIZES[0], _SIZES[-1])
    )
    yield Row(f"lone write, {_SIZES[0]} cells", few, "Python calls", None, Budget(200))
    yield Row(f"lone write, {_SIZES[-1]} cells", many, "Python calls", None, Budget(1.5 * few))


def refresh(times: int) -> Iterator[Row]:
    """A battery of 16 cells on doubles, from its values to its signal."""
    yield Row("refresh after a frame of 64", _refresh(times, with_frame=True), "us")
    yield Row("refresh with nothing new", _refresh(times, with_frame=False), "us")


def _decide(cells: int, times: int) -> float:
    voltages = tuple(3.3 + cell % 10 / 1000 for cell in range(cells))
    measurements = measured(
        cells=Cells(voltages), voltage=sum(voltages), current=-10.0, soc=50.0, coldest=20.0,
        hottest=25.0,
    )  # fmt: skip
    battery = battery_config(cells=cells)
    config = LimiterConfig.of(battery)
    state = LimiterState()
    return median(
        _microseconds(
            lambda: decide(measurements, config, NO_REQUESTS, Stage.FRESH, state, 1000.0)
        )
        for _ in range(times)
    )


def _refresh(times: int, with_frame: bool) -> float:
    bench = Bench()
    taken = []
    for number in range(times):
        bench.clock.now += 1.0
        if with_frame or not number:
            for path, value in frame(number).items():
                assert bench.battery.on_write(path, value, bench.clock.now) == 0, path
        taken.append(_microseconds(lambda: bench.battery.refresh(bench.clock.now)))
    return median(taken)


def _microseconds(call: Callable[[], object]) -> float:
    """Of CPU, not of time: others may use the machine as well."""
    before = time.thread_time_ns()
    call()
    return (time.thread_time_ns() - before) / 1000
