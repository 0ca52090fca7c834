"""Requests as a JSON text that survives a boot of the machine, and back.

The monotonic clock begins anew with each boot, so an expiry is kept as the time that was left, and
the moment of writing on the wall clock. If that clock is not set, no time has passed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from bridge.core.limiter.decide import NO_REQUESTS, Requests
from bridge.core.model import Limits, Request
from bridge.core.strict_json import NotJson, parse
from bridge.core.typed_json import Past, Unreadable, from_json, to_json

LONGEST = 1000  # characters; ours: about 150 are written


@dataclass(frozen=True)
class _Asked:
    """value: V or A. left: s until it expires, None for never."""

    value: float
    left: float | None


@dataclass(frozen=True)
class _Text:
    """at: when it was written, in s of the wall clock; None: it was not set."""

    at: Past | None
    asked: Limits[_Asked | None]


def encoded(requests: Requests, now: float, wall: float | None) -> str:
    """The text; empty without a request. now: monotonic s. wall: s, None where it is not set."""
    if requests == NO_REQUESTS:
        return ""
    asked = Limits(*(None if one is None else _asked(one, now) for one in requests))
    return json.dumps(to_json(_Text(wall, asked)), separators=(",", ":"))


def decoded(text: str, now: float, wall: float | None) -> Requests:
    """The requests that have not expired meanwhile. Raises Unreadable."""
    if not text:
        return NO_REQUESTS
    try:
        raw = parse(text) if len(text) <= LONGEST else None
    except NotJson:
        raw = None
    read: _Text = from_json(_Text, raw, float("inf"))
    passed = 0.0 if wall is None or read.at is None else max(0.0, wall - read.at)
    return Limits(*(None if one is None else _request(one, passed, now) for one in read.asked))


def _asked(request: Request, now: float) -> _Asked:
    return _Asked(request.value, None if request.until is None else request.until - now)


def _request(asked: _Asked, passed: float, now: float) -> Request | None:
    if asked.value < 0:
        raise Unreadable("a request is below 0")
    if asked.left is None:
        return Request(asked.value, now)
    left = asked.left - passed
    return Request(asked.value, now, now + left) if left > 0 else None
