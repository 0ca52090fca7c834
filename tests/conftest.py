"""What all tests share: a pocket GX of real servers, and the last words of a run."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
GX = ROOT / "docker" / "gx"
UNIT = ROOT / "tests" / "unit"
sys.path[:0] = [str(ROOT), str(GX), str(GX / "velib")]

from pocket import PocketGx  # noqa: E402  it lives in the folder of the line above

from tests.harness.left_out import left_out  # noqa: E402

# A shell that starts us with & or nohup has these ignored, and all that we start inherits it.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# No test measures time, so hypothesis must not either.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def _own_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a bridge keeps over its restarts stays within the test."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))


@pytest.fixture
def gx() -> Iterator[PocketGx]:
    """A pocket GX of one's own; stop and kill its parts as you like."""
    with PocketGx() as pocket:
        yield pocket


@pytest.fixture(scope="module")
def shared_gx() -> Iterator[PocketGx]:
    """A pocket GX for all tests of a file; leave it as you found it."""
    with PocketGx() as pocket:
        yield pocket


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the quick unit tests, so that `./run test` need not run them a second time."""
    for item in items:
        if UNIT in item.path.parents and not item.get_closest_marker("slow"):
            item.add_marker("quick")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Before pytest's own last line: what was left out, and what would run it."""
    config = terminalreporter.config
    reports = terminalreporter.stats.get("skipped", [])
    reasons = [str(report.longrepr[2]).removeprefix("Skipped: ") for report in reports]
    is_whole_suite = config.args_source is config.ArgsSource.TESTPATHS
    lines = left_out(reasons, os.environ, is_whole_suite)
    if lines:
        terminalreporter.section("left out")
        for line in lines:
            terminalreporter.write_line(line)
