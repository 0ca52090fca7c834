"""Decides when the requests are sent to the settings service, which keeps them over a boot.

The service writes each change to flash, and a client may write a request every second. So a request
for 0 is sent soon, and everything else seldom.
"""

from __future__ import annotations

import logging

from bridge.core.limiter.decide import NO_REQUESTS, Requests
from bridge.core.limiter.kept_requests import decoded, encoded
from bridge.core.model import Request
from bridge.core.typed_json import Unreadable

log = logging.getLogger(__name__)

EVERY = 600.0
"""Seconds between two writes. Ours: 144 a day at most, whatever a client does."""

SOON = 60.0
"""Seconds between two writes if a limit is now asked to be 0, or for longer.

Ours: as often as settings.
"""


_NEVER = 1e12  # s


class KeptRequests:
    """The requests as the settings service has them. Times are monotonic s.

    wall: the wall clock in s, None where it is not set.
    """

    def __init__(self, ident: str) -> None:
        self._ident = ident
        self._is_loaded = False
        self._sent = NO_REQUESTS
        self._sent_at = float("-inf")

    def load(self, text: str, now: float, wall: float | None) -> Requests:
        """The requests of before the boot. Until this call nothing is due."""
        self._is_loaded = True
        try:
            self._sent = decoded(text, now, wall)
        except Unreadable as problem:
            words = "%s: the requests of before the boot cannot be read: %s"
            log.warning(words, self._ident, problem)
        return self._sent

    def due(self, requests: Requests, now: float, wall: float | None) -> str | None:
        """The text to send now; None: nothing."""
        if not self._is_loaded or _are_same(requests, self._sent):
            return None
        wait = SOON if _stops_for_longer(requests, self._sent) else EVERY
        if now - self._sent_at < wait:
            return None
        self._sent, self._sent_at = requests, now
        return encoded(requests, now, wall)


def _are_same(some: Requests, others: Requests) -> bool:
    """Whether they ask for the same, for about the same time."""
    for one, other in zip(some, others, strict=True):
        if one is None or other is None:
            if one is not other:
                return False
        elif one.value != other.value or abs(_until(one) - _until(other)) >= EVERY:
            return False
    return True


def _until(request: Request) -> float:
    return _NEVER if request.until is None else request.until


def _stops_for_longer(requests: Requests, before: Requests) -> bool:
    """Whether a limit is asked to be 0 that was not, or for longer than before."""
    return any(
        one is not None
        and one.value == 0
        and (other is None or other.value != 0 or _until(one) - _until(other) >= EVERY)
        for one, other in zip(requests, before, strict=True)
    )
