"""The requests of clients: how they are read, how they end, and which write is only a copy.

A request can only tighten. It ends when a client withdraws it, or when it expires; then the limit
rises as slowly as after a protection.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

from bridge.core.limiter.decide import NO_REQUESTS, Requests
from bridge.core.model import Limits, Refused, Request
from bridge.core.paths.gate import PathSpec, Quantity, Role, coerce_beside
from bridge.core.paths.payloads import EXPIRES, decode_write
from bridge.core.settings.declarations import LONGEST_EXPIRY

WITHDRAWN = "off"
"""What withdraws a request, in any case of letters."""

COPY_WITHIN = 2.0
"""Seconds. On a GX a write to a W/ topic comes a second time, by D-Bus and without its expiry.

Our choice: the copy comes within milliseconds; a busy GX may take longer.
"""

_HOW_TO_WITHDRAW = (
    f'a request cannot be empty, as a null may be an error: "{WITHDRAWN}" withdraws it'
)
_EXPIRY = PathSpec(
    EXPIRES, Quantity(float, "s"), Role.REQUEST, low=1.0, high=LONGEST_EXPIRY, doc="s"
)


class _Expiring(NamedTuple):
    """A request with an expiry of its own, as it was written."""

    limit: str
    request: Request


class RequestDesk:
    """The requests in force, by limit. Times are monotonic s. kept: those from before a restart.

    undecided: of the requests written since the last decision, the lowest of each limit. It counts
    in the next decision although a higher one may have followed: when two clients write in turns,
    the more careful one counts.
    """

    def __init__(self, kept: Requests = NO_REQUESTS) -> None:
        self.in_force = kept
        self.undecided = NO_REQUESTS
        self._recent: deque[_Expiring] = deque(maxlen=20)

    def take(self, limit: str, spec: PathSpec, raw: object, expire: float, now: float) -> None:
        """Take what a client wrote for one limit: a value, a value with an expiry, or "off".

        expire: s after which a request without an expiry of its own ends; 0: never. Raises Refused.
        """
        value, seconds = _parts(raw)
        if isinstance(value, str) and value.strip().lower() == WITHDRAWN:
            self.in_force = self.in_force.with_(limit, None)
            return
        number = None if value in ("", []) else coerce_beside(spec, value, WITHDRAWN)
        if not isinstance(number, (int, float)):
            raise Refused(_HOW_TO_WITHDRAW)
        request = Request(float(number), now)
        if seconds is not None:
            request = Request(request.value, now, now + seconds)
            self._recent.append(_Expiring(limit, request))
        else:
            until = self._expiry_of_original(limit, request)
            request = Request(request.value, now, until or (now + expire if expire else None))
        self.in_force = self.in_force.with_(limit, request)
        self.undecided = self.undecided.with_(limit, _lower(request, self.undecided[limit]))

    def most_careful(self) -> Requests:
        """The requests for the next decision: those in force, or a lower one before them."""
        pairs = zip(self.in_force, self.undecided, strict=True)
        return Limits(*(_lower(one, other) for one, other in pairs))

    def add(self, kept: Requests) -> None:
        """Take over requests of before a boot, for the limits that have none."""
        for limit, request in kept.items():
            if self.in_force[limit] is None:
                self.in_force = self.in_force.with_(limit, request)

    def expire(self, now: float) -> dict[str, Request]:
        """End the requests whose time is over. Returns them, by limit."""
        over = {
            limit: request
            for limit, request in self.in_force.items()
            if request is not None and request.until is not None and now >= request.until
        }
        for limit in over:
            self.in_force = self.in_force.with_(limit, None)
        return over

    def _expiry_of_original(self, limit: str, copy: Request) -> float | None:
        """When the request expires that this write repeats; None if it repeats none."""
        for original in reversed(self._recent):
            is_same = original.limit == limit and original.request.value == copy.value
            if is_same and copy.at - original.request.at <= COPY_WITHIN:
                return original.request.until
        return None


def _lower(one: Request | None, other: Request | None) -> Request | None:
    if one is None or other is None:
        return one or other
    return min(one, other, key=lambda request: request.value)


def _parts(raw: object) -> tuple[object, float | None]:
    """The value that was written, and in how many s it expires. Raises Refused.

    The two may come as an object, or as its text, which D-Bus can carry too.
    """
    if isinstance(raw, str) and raw.lstrip().startswith("{"):
        raw = decode_write(raw.encode(errors="surrogatepass"))  # JSON can hold half a character
    if not isinstance(raw, Mapping):
        return raw, None
    if "value" not in raw:
        raise Refused('an object needs a "value"')
    if EXPIRES not in raw:
        return raw["value"], None
    try:
        seconds = _EXPIRY.coerce(raw[EXPIRES])
    except Refused as refusal:
        raise Refused(f"{EXPIRES}: {refusal}") from None
    if not isinstance(seconds, float):
        raise Refused(f"{EXPIRES} is empty: leave it out, or give seconds")
    return raw["value"], seconds
