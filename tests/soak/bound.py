"""What each limit may be at most, from what was written, in real time.

The laws are those of the search. A message takes a while from its publisher to the bus, so a limit
is right if it was right at some moment within `TRANSPORT` before. While it is not sure which
messages the bridge has got, only the laws of `SURE` count: those need no content, only ages.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bridge.core.model import Value
from bridge.core.settings.configuration import BatteryConfig
from tests.search.laws import LAWS, TINY, Moment
from tests.search.oracle import Broken
from tests.search.settings import InForce
from tests.search.written import LIMITS, Written

TRANSPORT = 2.0
"""s; ours: from a publisher over the broker to the bus, on a busy machine. Usual are 0.06 s."""

SURE = (
    "no limit above the file's ceiling",
    "no limit above its maximum",
    "no limit above a request",
    "no charge without each required group",
    "no charge without a voltage younger than silence",
    "no discharge after a required group is gone",
)

_Most = dict[str, tuple[float, str]]
"""By limit: the least bound, and the words of its law."""


@dataclass
class _Before:
    """What was right at a moment (monotonic s)."""

    at: float
    most: _Most


class Bound:
    """The bounds of one battery, from the start of its process at `now` (monotonic s)."""

    def __init__(self, config: BatteryConfig, on_bus: Mapping[str, Value], now: float) -> None:
        self.requests: dict[str, float] = {}
        self._settings = InForce(config)
        self._cells = config.cells
        self.restart(on_bus, now)

    def restart(self, on_bus: Mapping[str, Value], now: float) -> None:
        """A new process has started: it was told nothing yet. Requests outlive it."""
        self._written = Written(self._cells)
        self._fresh_at = now
        self.is_sure = False
        self._past: deque[_Before] = deque()
        self.go_on(on_bus, now)

    def write(self, writes: Mapping[str, Any], now: float) -> None:
        """A batch was published, or has been delivered late."""
        for path, raw in writes.items():
            self._written.write(f"/{path}", raw, self._settings, now)

    def lose(self) -> None:
        """From now on messages may get lost."""
        self.is_sure = False

    def find(self, writes: Mapping[str, Any], now: float) -> None:
        """This whole frame has arrived, and from now on every message does."""
        self._written = Written(self._cells)
        self.write(writes, now)
        self.is_sure = True

    def go_on(self, on_bus: Mapping[str, Value], now: float) -> None:
        """Time has passed, or a setting has changed: find what is right now."""
        settings = self._settings
        settings.read(on_bus)
        self._written.grow_old(settings, now)
        moment = Moment(
            now, settings, self._written, self.requests, self._fresh_at,
            stopped=False, blocked_at={}, settled=True,
        )  # fmt: skip
        if not moment.missing:
            self._fresh_at = now
        most: _Most = {}
        for limit, words, law in LAWS:
            if self.is_sure or words in SURE:
                bound = law(moment)
                if bound is not None and bound < most.get(limit, (math.inf, ""))[0]:
                    most[limit] = (bound, words)
        self._past.append(_Before(now, most))

    def broken(self, on_bus: Mapping[str, Value], now: float, slow: float) -> Broken | None:
        """What is above everything that was right lately. slow: s on top of TRANSPORT."""
        self._forget_until(now - TRANSPORT - slow)
        for limit in LIMITS:
            shown = on_bus.get(limit)
            bounds = [before.most.get(limit, (math.inf, "")) for before in self._past]
            most, words = max(bounds)
            if isinstance(shown, (int, float)) and shown > most + TINY:
                return Broken(words, limit, float(shown), most)
        return None

    def _forget_until(self, then: float) -> None:
        """What was right at `then` stays."""
        while len(self._past) > 1 and self._past[1].at <= then:
            self._past.popleft()
