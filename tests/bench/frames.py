"""A frame of 64 values, each on its own topic, as a BMS sends them once a second or so."""

from __future__ import annotations

import time
from collections.abc import Iterator

from tests.bench.stage import Stage, Subject, Witness, frame
from tests.bench.table import Budget, Row, median, times_echo

_PAUSE = 0.25  # s between a frame for the one and a frame for the other


class _Tally:
    """What the frames of one subject have cost."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.witness = Witness(subject)
        self.signals: list[float] = []
        self.milliseconds: list[float] = []
        self._cpu_before = subject.process.cpu()

    def add(self, stage: Stage, number: int) -> None:
        self.witness.catch_up()
        before = self.witness.signals
        sent = stage.publisher.publish_all(self.subject, frame(number))
        complete = self.witness.wait(frame(number))
        assert complete is not None, f"{self.subject.service} did not show a whole frame"
        self.milliseconds.append((complete - sent) * 1000)
        self.signals.append(self.witness.signals - before)

    def cpu_per_value(self, frames: int) -> float:
        """Microseconds, with what the process does besides in the same time."""
        return (self.subject.process.cpu() - self._cpu_before) * 1e6 / (frames * len(frame(0)))


def measure(stage: Stage, frames: int) -> Iterator[Row]:
    for subject in stage.subjects:
        _show_other_values(stage, subject)
    bridge, echo = tallies = [_Tally(subject) for subject in stage.subjects]
    for number in range(frames):
        for tally in tallies:
            tally.add(stage, number)
            time.sleep(_PAUSE)
    cpu = [tally.cpu_per_value(frames) for tally in tallies]
    for tally in tallies:
        tally.witness.__exit__()
    yield Row("frame of 64 values, signals", median(bridge.signals), "", median(echo.signals),
              Budget(2))  # fmt: skip
    yield Row("frame of 64 values, CPU per value", cpu[0], "us", cpu[1], times_echo(1.5))
    yield Row("frame of 64 values, until complete", median(bridge.milliseconds), "ms",
              median(echo.milliseconds), Budget(100))  # fmt: skip


def _show_other_values(stage: Stage, subject: Subject) -> None:
    """Than those of the first frame, of which each value must be news."""
    with Witness(subject) as witness:
        stage.publisher.publish_all(subject, frame(-1))
        assert witness.wait(frame(-1)) is not None, f"{subject.service} does not show a frame"
