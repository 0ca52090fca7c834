"""What a process uses while it lives: it must not grow, and must not work without an end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from tests.harness.process_usage import ProcessUsage

MOST_MEMORY = 3.0
"""MB between the first and the last quarter. Ours: twice what 8 min of faults have shown."""

MOST_DESCRIPTORS, MOST_THREADS = 3, 2
"""Ours: a connection that is being made has one or two of each."""

MOST_CPU = 0.6
"""Of one core, on average. Ours: ten minutes of faults took 0.01, an endless loop takes 1."""


@dataclass(frozen=True)
class _Sample:
    """At a moment (monotonic s): CPU in s, memory in MB, descriptors, threads."""

    at: float
    cpu: float
    memory: float
    descriptors: int
    threads: int


class Growth:
    """One process, from its construction; `note` it once a second."""

    def __init__(self, pid: int) -> None:
        self._usage = ProcessUsage(pid)
        self._samples: list[_Sample] = []

    def note(self, now: float) -> None:
        u = self._usage
        self._samples.append(_Sample(now, u.cpu(), u.own(), u.descriptors(), u.threads()))

    def broken(self) -> str:
        """What has grown too much, in words; "" for nothing."""
        if len(self._samples) < 8:
            return ""
        for what, most, ends in (
            ("MB of memory", MOST_MEMORY, self._ends(lambda s: s.memory, min)),
            ("descriptors", MOST_DESCRIPTORS, self._ends(lambda s: s.descriptors, median)),
            ("threads", MOST_THREADS, self._ends(lambda s: s.threads, median)),
        ):
            if ends[1] - ends[0] > most:
                return f"{what} grow from {ends[0]:g} to {ends[1]:g}, at most {most:g} are right"
        if self.cpu() > MOST_CPU:
            return f"CPU: {self.cpu():.0%} of a core, at most {MOST_CPU:.0%} is right"
        return ""

    def cpu(self) -> float:
        """The share of one core, on average."""
        first, last = self._samples[0], self._samples[-1]
        return (last.cpu - first.cpu) / max(1e-9, last.at - first.at)

    def __str__(self) -> str:
        if not self._samples:
            return "too short to measure growth"
        memory = self._ends(lambda s: s.memory, min)
        descriptors = self._ends(lambda s: s.descriptors, median)
        threads = self._ends(lambda s: s.threads, median)
        length = self._samples[-1].at - self._samples[0].at
        return (
            f"in {length:.0f} s without a restart: memory {memory[0]:.1f} to {memory[1]:.1f} MB,"
            f" descriptors {descriptors[0]:g} to {descriptors[1]:g},"
            f" threads {threads[0]:g} to {threads[1]:g}, CPU {self.cpu():.1%} of a core"
        )

    def _ends(
        self, of: Callable[[_Sample], float], summary: Callable[[Sequence[float]], float]
    ) -> tuple[float, float]:
        """The first and the last quarter, each as one number."""
        count = max(1, len(self._samples) // 4)
        first, last = self._samples[:count], self._samples[-count:]
        return summary([of(sample) for sample in first]), summary([of(sample) for sample in last])
