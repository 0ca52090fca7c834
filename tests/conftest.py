"""The pocket GX for tests: real servers, started afresh and ended with the test."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
GX = ROOT / "docker" / "gx"
sys.path[:0] = [str(ROOT), str(GX), str(GX / "velib")]

from pocket import PocketGx  # noqa: E402  it lives in the folder of the line above

# A shell that starts us with & or nohup has these ignored, and all that we start inherits it.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


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
