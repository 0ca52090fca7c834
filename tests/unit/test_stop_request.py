"""A tool ends when a person asks it to."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from bridge.tools.stop_request import StopRequest

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Signals are again what they were."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_asks_to_stop_and_a_second_one_changes_nothing(number: int) -> None:
    stop = StopRequest().listen()
    assert not stop.is_set()
    os.kill(os.getpid(), number)
    os.kill(os.getpid(), number)
    assert stop.is_set()
