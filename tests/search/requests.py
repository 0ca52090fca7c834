"""What clients ask for: by limit a value, and when it ends. From what was written alone."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

COPY_WITHIN = 2.0  # s; on a GX a copy without the expiry comes by the other way


class Asked:
    """The requests. most: the largest value that each path takes. Times are monotonic s."""

    def __init__(self, most: Mapping[str, float]) -> None:
        self._most = most
        self._values: dict[str, tuple[float, float]] = {}
        self._expiring: dict[tuple[str, float], tuple[float, float]] = {}

    def write(self, limit: str, raw: object, expire: float, now: float) -> None:
        """Somebody writes a request. expire: s, for those without an expiry of their own; 0: none.

        "off" withdraws; a null is no request and no withdrawal.
        """
        value, seconds = _parts(raw)
        if isinstance(value, str) and value.strip().lower() == "off":
            self._values.pop(limit, None)
            return
        number = _number(value)
        if not 0 <= number <= self._most[limit]:
            return
        if seconds is not None:
            if seconds < 1.0:
                return
            self._expiring[limit, number] = (now, now + seconds)
            self._values[limit] = (number, now + seconds)
            return
        at, until = self._expiring.get((limit, number), (-math.inf, math.inf))
        if now - at > COPY_WITHIN:
            until = now + expire if expire else math.inf
        self._values[limit] = (number, until)

    def at(self, now: float) -> dict[str, float]:
        """What is asked for now, by limit."""
        return {limit: value for limit, (value, until) in self._values.items() if now < until}


def _parts(raw: object) -> tuple[object, float | None]:
    if isinstance(raw, str) and raw.startswith("{"):
        try:
            raw = json.loads(raw)
        except ValueError:
            return "", None
    if not isinstance(raw, Mapping):
        return raw, None
    return raw.get("value", ""), raw.get("expires")


def _number(value: object) -> float:
    """The number of a request; NaN for what is none."""
    if isinstance(value, bool):
        return math.nan
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return math.nan
