"""Decisions on their way into the settings service: the latest of each, none lost, not too often.

The service writes each change to flash. People change a setting now and then; a flow that has run
wild does it every second, and must not wear out a GX: what it decides is then kept once a minute.
"""

from __future__ import annotations

from bridge.core.throttle import Throttle

BURST = 10  # writes at once
PER_SECOND = 1 / 60  # and then on average


class SaveQueue:
    """What has been decided and is not known to be kept yet."""

    def __init__(self) -> None:
        self._waiting: dict[str, str] = {}
        self._sent: dict[str, str] = {}
        self._writes = Throttle(per_second=PER_SECOND, burst=BURST)

    def decide(self, key: str, value: str) -> None:
        """This must be kept, and nothing that was decided before."""
        self._waiting[key] = value

    def is_on_its_way(self, key: str) -> bool:
        """Whether what the service says of it is older than what was decided here."""
        return key in self._waiting or key in self._sent

    def due(self, now: float) -> dict[str, str]:
        """What to send now. Each must be followed by `kept`, `failed` or `refused`.

        While a write is under way the next one to the same key waits for its answer.
        """
        due = {}
        for key in [key for key in self._waiting if key not in self._sent]:
            if self._writes.allows(now):
                due[key] = self._sent[key] = self._waiting.pop(key)
        return due

    def kept(self, key: str) -> None:
        """The service has it. (Or has refused it: asking again would not help.)"""
        self._sent.pop(key, None)

    def failed(self, key: str) -> None:
        """It did not arrive: send it again, unless something newer waits already."""
        if key in self._sent:
            value = self._sent.pop(key)
            self._waiting.setdefault(key, value)
