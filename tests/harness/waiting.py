"""Waiting for something instead of sleeping, with one limit for the whole suite."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE = 30.0  # s; not a measurement: it only tells "hangs" from "works", on a busy machine too
_ASK_EVERY = 0.01  # s

Answer = TypeVar("Answer")


def wait_for(
    condition: Callable[[], Answer],
    what: str | Callable[[], object],
    seconds: float = PATIENCE,
) -> Answer:
    """Ask until the answer counts as true, and return it. Fails the test after some seconds.

    what: what is waited for; or a function that gives what there is instead, for the failure.
    """
    end = time.monotonic() + seconds
    while not (answer := condition()):
        if time.monotonic() > end:
            words = what if isinstance(what, str) else what()
            raise AssertionError(f"waited {seconds:g} s in vain: {words}")
        time.sleep(_ASK_EVERY)
    return answer


def repeat_for(seconds: float, action: Callable[[], object]) -> None:
    """Do something again and again, while real time passes that must change nothing."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        action()
        time.sleep(_ASK_EVERY)
