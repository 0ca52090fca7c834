"""The bench runs, and prints a row for all that it measures."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

ROWS = (
    "lone write of a temperature, median", "lone write of a temperature, p99",
    "lone write of a cell voltage, median", "lone write of a cell voltage, p99",
    "frame of 64 values, signals", "frame of 64 values, CPU per value",
    "frame of 64 values, until complete", "resident memory", "of it shared with nobody",
    "idle, CPU", "idle, wake-ups per second", "flood, messages per second",
    "flood, D-Bus answer, median", "flood, D-Bus answer, p99", "flood, D-Bus answer, slowest",
    "flood, memory more than before", "lone write, 16 cells", "lone write, 256 cells",
    "limiter alone, 16 cells", "limiter alone, 64 cells", "limiter alone, 256 cells",
    "limiter, cost per cell of 256 to 16",
    "refresh after a frame of 64", "refresh with nothing new",
)  # fmt: skip


def test_a_quick_run_prints_every_row() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--quick"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    head, *lines = run.stdout.split("\n\n")[0].splitlines()
    assert head.split() == ["measure", "bridge", "echo", "ratio", "budget"]
    assert [line.split("  ")[0] for line in lines] == list(ROWS)
    assert all(any(character.isdigit() for character in line[40:]) for line in lines)
