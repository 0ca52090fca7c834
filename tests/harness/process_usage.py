"""What a process has used, as the kernel counts it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

KIB = 1024


class ProcessUsage:
    """One process, all its threads together."""

    def __init__(self, pid: int) -> None:
        self._proc = Path("/proc") / str(pid)

    def cpu(self) -> float:
        """Seconds of CPU so far, by the scheduler's own clock (nanoseconds, not ticks)."""
        spent = (int(file.read_text().split()[0]) for file in self._of_threads("schedstat"))
        return sum(spent) / 1e9

    def switches(self) -> int:
        """How often a thread of it went to sleep or was put aside: at least once per wake-up."""
        return sum(
            int(line.split()[1])
            for file in self._of_threads("status")
            for line in file.read_text().splitlines()
            if "ctxt_switches" in line
        )

    def resident(self) -> float:
        """Megabytes (10^6 bytes) of resident memory, what it shares with others included."""
        return self._bytes("status", "VmRSS:") / 1e6

    def own(self) -> float:
        """Megabytes of it that nobody shares: what ending this process would give back."""
        return self._bytes("smaps_rollup", "Private_Dirty:") / 1e6

    def descriptors(self) -> int:
        """How many file descriptors it has open."""
        return len(list((self._proc / "fd").iterdir()))

    def threads(self) -> int:
        """How many threads it has."""
        return len(list((self._proc / "task").iterdir()))

    def _bytes(self, file: str, key: str) -> int:
        lines = (self._proc / file).read_text().splitlines()
        return next(int(line.split()[1]) * KIB for line in lines if line.startswith(key))

    def _of_threads(self, name: str) -> Iterator[Path]:
        return (self._proc / "task").glob(f"*/{name}")
