"""The GX of the other tests here: nothing of it outlives the test run."""

from __future__ import annotations

from pathlib import Path

from machine import Machine

from tests.harness.waiting import PATIENCE


def test_it_ends_when_whoever_started_it_has_gone(tmp_path: Path) -> None:
    machine = Machine(tmp_path, parts="bus")
    machine.boot(svscan="never")
    process = machine._process
    assert process is not None and process.stdin is not None
    assert process.poll() is None
    process.stdin.close()  # what the kernel does when we are killed
    assert process.wait(PATIENCE) == 0
