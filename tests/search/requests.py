"""What clients ask for: by limit a value, and when it ends. From what was written alone."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

LONGEST = 7 * 86400.0  # s, for which a request may be made
SURELY_KEPT = 121.0  # s; a request for 0 A is kept over a boot within a minute, or the next one
COPY_WITHIN = 2.0  # s; on a GX a copy without the expiry comes by the other way


class Asked:
    """The requests. most: the largest value that each path takes. Times are monotonic s."""

    def __init__(self, most: Mapping[str, float]) -> None:
        self._most = most
        self._values: dict[str, tuple[float, float]] = {}
        self._since: dict[str, float] = {}
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
        self._since[limit] = now
        if seconds is not None:
            if not 1.0 <= seconds <= LONGEST:
                return
            self._expiring[limit, number] = (now, now + seconds)
            self._values[limit] = (number, now + seconds)
            return
        at, until = self._expiring.get((limit, number), (-math.inf, math.inf))
        if now - at > COPY_WITHIN:
            until = now + expire if expire else math.inf
        self._values[limit] = (number, until)

    def boot(self, ticked_at: float) -> None:
        """Forget what a boot may forget. ticked_at: the last tick before it (monotonic s).

        A request for 0 A without an expiry is kept, if there was time to.
        """
        self._expiring.clear()
        self._values = {
            limit: (value, until)
            for limit, (value, until) in self._values.items()
            if value == 0 and until == math.inf and ticked_at - self._since[limit] >= SURELY_KEPT
        }

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
    if "expires" not in raw:
        return raw.get("value", ""), None
    return raw.get("value", ""), _number(raw["expires"])


def _number(value: object) -> float:
    """The number of a request; NaN for what is none."""
    if isinstance(value, bool):
        return math.nan
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return math.nan
