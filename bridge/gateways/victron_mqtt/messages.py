"""The payloads of a GX's MQTT topics: values on N/, keepalives on R/.

On a GX dbus-flashmq sends them; on any other broker we do, for our own batteries, so that the
same clients work in both places.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bridge.core.model import Value

MARK = "virtual-battery"
MAX_KEEPALIVE = 4096  # bytes
MAX_ECHO = 256  # characters

_ECHO = "full-publish-completed-echo"

EMPTY = ""
"""The payload for every topic of a battery that has left."""


@dataclass(frozen=True)
class Keepalive:
    """What a keepalive asks for besides changes during the next minute.

    republish: all values now. echo: a text to send back when they are published.
    """

    republish: bool = True
    echo: str | None = None


def parse_keepalive(payload: bytes) -> Keepalive:
    """The options of a keepalive. As on a GX, a payload that cannot be read means no options."""
    if not payload or len(payload) > MAX_KEEPALIVE:
        return Keepalive()
    try:
        content = json.loads(payload)
    except (ValueError, RecursionError):
        return Keepalive()
    options = content.get("keepalive-options") if isinstance(content, Mapping) else None
    if not isinstance(options, list):
        return Keepalive()
    echoes = [
        option[_ECHO] for option in options if isinstance(option, Mapping) and _ECHO in option
    ]
    echo = echoes[-1] if echoes and isinstance(echoes[-1], str) else None
    return Keepalive(
        republish="suppress-republish" not in options,
        echo=echo if echo is not None and len(echo) <= MAX_ECHO else None,
    )


def notification(value: Value) -> str:
    """The payload of a value; null where there is none."""
    return _json({"value": value})


def completed(epoch: int, echo: str | None) -> str:
    """The payload that ends a full publish. epoch: Unix time in s."""
    return _json({"value": epoch} if echo is None else {"value": epoch, _ECHO: echo})


def our_serial(portal: str) -> str:
    """The payload by which clients find the portal id.

    It is retained, so it may still be there after our restart, or when a GX uses the broker
    instead: the mark in it shows that it is ours.
    """
    return _json({"value": portal, "by": MARK})


def is_our_serial(payload: bytes) -> bool:
    """Whether such a payload is ours, or that of another virtual-battery bridge."""
    try:
        content = json.loads(payload)
    except (ValueError, RecursionError):
        return False
    return isinstance(content, Mapping) and content.get("by") == MARK


def below(path: str, paths: Iterable[str]) -> list[str]:
    """The paths that a read asks for: the path itself, or all below it; "" or "/" means all."""
    stem = path.rstrip("/")
    return [one for one in paths if one == stem or one.startswith(stem + "/")]


def _json(content: Mapping[str, Value]) -> str:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
