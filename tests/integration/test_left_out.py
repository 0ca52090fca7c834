"""The last words of a test run, and that pytest's own closing line stays the last one."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.harness.left_out import OPTIONAL, left_out

ROOT = Path(__file__).parents[2]
NOBODY = {"PATH": "/usr/bin:/bin"}


def test_nothing_left_out_is_nothing_said() -> None:
    assert left_out([], {}, is_whole_suite=False) == []


def test_equal_reasons_are_one_line_with_a_number() -> None:
    assert left_out(["no X: set X", "no Y: set Y", "no X: set X"], {}, is_whole_suite=False) == [
        "2 tests were skipped: no X: set X",
        "1 test was skipped: no Y: set Y",
    ]


def test_a_whole_run_names_what_was_not_even_collected() -> None:
    lines = left_out([], {}, is_whole_suite=True)
    assert len(lines) == len(OPTIONAL) + 1
    assert all(line.startswith("not run: ") for line in lines)
    assert "./run test-clients" in lines[-1]
    with_velib = left_out([], {"VELIB_PYTHON": "/somewhere"}, is_whole_suite=True)
    assert len(with_velib) == len(lines) - 1


def test_the_clients_are_skipped_one_by_one_and_the_count_comes_last() -> None:
    """With workers, as ./run does it; also a proof that tests/clients can be loaded."""
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/clients", "-n", "2", "-p", "no:cacheprovider"],
        cwd=ROOT,
        env=NOBODY,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    *others, last = run.stdout.strip().splitlines()
    assert re.fullmatch(r"\d+ passed, \d+ skipped in [\d.]+s", last), last
    for words in ("NODE_RED", "HOME_ASSISTANT", "VICTRON_MQTT"):
        assert any("skipped: " in line and words in line for line in others), run.stdout
