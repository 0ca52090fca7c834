"""Notices that the process stood still: stopped, suspended, swapped out, or hung for a while.

What is queued then, on MQTT and on D-Bus, has waited: it may be as old as the standstill.
"""

from __future__ import annotations

from collections.abc import Callable

LONGEST_PAUSE = 2.5
"""Seconds that may pass between two calls in a process that runs.

Ours: there is a tick each second, and GLib may group it with others up to a second later.
"""


class Standstill:
    """Call `note` whenever the main loop begins something, before it looks at what has come."""

    def __init__(self, now: float, found: Callable[[float, float], None]) -> None:
        """now: in s, from a clock that also counts while the machine is suspended.

        found(since, now): called by `note` after a standstill that began then.
        """
        self._last = now
        self._found = found

    def note(self, now: float) -> None:
        """The process runs at this moment (s)."""
        since, self._last = self._last, now
        if now - since > LONGEST_PAUSE:
            self._found(since, now)
