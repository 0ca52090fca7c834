"""The values that wait for the settings service: the latest of each key, at a limited rate.

The service writes each change to flash. People change a setting now and then. A faulty flow may do
it every second, and must not wear out the flash: its values are sent once a minute.
"""

from __future__ import annotations

from bridge.core.throttle import Throttle

# Ours: a person who sets up a battery changes some things in a row, and writes of less than 2 s
# apart are one on flash anyway (localsettings.py); a flow costs 1440 writes a day at most.
BURST = 10  # writes at once
PER_SECOND = 1 / 60  # and then on average


class SaveQueue:
    """Values that are not known to be kept yet, by key."""

    def __init__(self) -> None:
        """Begin with nothing to keep."""
        self._waiting: dict[str, str] = {}
        self._sent: dict[str, str] = {}
        self._writes = Throttle(per_second=PER_SECOND, burst=BURST)

    def put(self, key: str, value: str) -> None:
        """Queue this value; it replaces a value of the same key that still waits."""
        self._waiting[key] = value

    def is_pending(self, key: str) -> bool:
        """Whether a value waits or was sent without an answer: the service's value is older."""
        return key in self._waiting or key in self._sent

    def due(self, now: float) -> dict[str, str]:
        """What to send now; each must be followed by `kept` or `failed`. now: monotonic seconds.

        While a write is under way, the next one of the same key waits for its answer.
        """
        due = {}
        for key in [key for key in self._waiting if key not in self._sent]:
            if self._writes.allows(now):
                due[key] = self._sent[key] = self._waiting.pop(key)
        return due

    def kept(self, key: str) -> None:
        """The service has it, or has refused it: then asking again would not help."""
        self._sent.pop(key, None)

    def failed(self, key: str) -> None:
        """It did not arrive: send it again, unless something newer waits already."""
        if key in self._sent:
            value = self._sent.pop(key)
            self._waiting.setdefault(key, value)
