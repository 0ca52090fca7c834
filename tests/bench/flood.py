"""A flood of messages, good and bad, while somebody on D-Bus wants answers."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

import dbus
import dbus.bus
import dbus.mainloop

from tests.bench.stage import BUS_ITEM, PATIENCE, Stage, Subject
from tests.bench.table import Budget, Row, median, quantile

RATE = 20_000  # messages per second
_ASK_EVERY = 0.01  # s


class _Result(NamedTuple):
    rate: float  # messages per second that the broker took
    answers: list[float]  # ms
    growth: float  # MB of resident memory


def measure(stage: Stage, seconds: float) -> Iterator[Row]:
    """The first, short flood fills what is filled only once; the second one is measured."""
    results = []
    for subject in stage.subjects:
        _flood(stage, subject, max(1.0, seconds / 5))
        results.append(_flood(stage, subject, seconds))
    bridge, echo = results
    yield Row("flood, messages per second", bridge.rate, "/s", echo.rate)
    yield Row("flood, D-Bus answer, median", median(bridge.answers), "ms", median(echo.answers))
    yield Row("flood, D-Bus answer, p99", quantile(bridge.answers, 0.99), "ms",
              quantile(echo.answers, 0.99), Budget(20))  # fmt: skip
    yield Row("flood, D-Bus answer, slowest", max(bridge.answers), "ms", max(echo.answers))
    yield Row("flood, memory more than before", bridge.growth, "MB", echo.growth, Budget(1))


def _flood(stage: Stage, subject: Subject, seconds: float) -> _Result:
    before = subject.process.resident()
    argv = [sys.executable, "-m", "tests.bench.flooder", str(stage.port), subject.prefix]
    flooder = subprocess.Popen([*argv, str(RATE), str(seconds)], stdout=subprocess.PIPE, text=True)
    try:
        answers = list(_answers(subject, flooder))
        told, _ = flooder.communicate(timeout=PATIENCE)
    finally:
        flooder.kill()
    next(_answers(subject, flooder, patience=60.0))  # until the last message is dealt with
    return _Result(float(told), answers, subject.process.resident() - before)


def _answers(
    subject: Subject, while_running: subprocess.Popen[str], patience: float = PATIENCE
) -> Iterator[float]:
    """How long each answer took in ms, one question after the other; at least one."""
    bus = dbus.bus.BusConnection(subject.address, mainloop=dbus.mainloop.NULL_MAIN_LOOP)
    try:
        while True:
            asked = time.perf_counter()
            bus.call_blocking(
                subject.service, "/Dc/0/Voltage", BUS_ITEM, "GetValue", "", [], timeout=patience
            )
            took = time.perf_counter() - asked
            yield took * 1000
            if while_running.poll() is not None:
                return
            time.sleep(max(0.0, _ASK_EVERY - took))
    finally:
        bus.close()
