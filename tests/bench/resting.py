"""What it costs to be there: memory, and CPU while nothing arrives."""

from __future__ import annotations

import time
from collections.abc import Iterator

from tests.bench.stage import Stage
from tests.bench.table import Budget, Row


def memory(stage: Stage) -> Iterator[Row]:
    """MB are 10^6 bytes."""
    bridge, echo = (subject.process for subject in stage.subjects)
    yield Row("resident memory", bridge.resident(), "MB", echo.resident(), Budget(32))
    yield Row("of it shared with nobody", bridge.own(), "MB", echo.own())


def idle(stage: Stage, seconds: float) -> Iterator[Row]:
    processes = [subject.process for subject in stage.subjects]
    before = [(process.cpu(), process.switches()) for process in processes]
    started = time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - started
    cpu, switches = [], []
    for process, (cpu_before, switches_before) in zip(processes, before, strict=True):
        cpu.append((process.cpu() - cpu_before) / passed * 100)
        switches.append((process.switches() - switches_before) / passed)
    yield Row("idle, CPU", cpu[0], "%", cpu[1], Budget(0.1))
    yield Row("idle, wake-ups per second", switches[0], "/s", switches[1])
