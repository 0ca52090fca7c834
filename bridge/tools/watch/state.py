"""Reads the bridge's state message; every part is checked, as any client can publish it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bridge.tools.watch.text import printable

LIMITS = (("CVL", "V"), ("CCL", "A"), ("DCL", "A"))
CELL = re.compile(r"Voltages/Cell(\d{1,3})")


@dataclass(frozen=True)
class Limit:
    """One published limit.

    value, ceiling, asked: in `unit`. value: None when the limit is withdrawn. caps: by rule, in
    `unit`. asked: what a client has requested, and how many seconds ago.
    """

    name: str
    unit: str
    value: float | None
    ceiling: float | None
    reason: str
    caps: tuple[tuple[str, float], ...]
    asked: float | None
    asked_age: float | None


@dataclass(frozen=True)
class State:
    """The last state of the bridge. Ages and times in seconds, as of its publication.

    doubt: which value is in doubt, and why; "" for none.
    """

    stage: str
    next_stage: str
    next_in: float | None
    doubt: str
    ages: tuple[tuple[str, float | None], ...]
    limits: tuple[Limit, ...]
    name: str
    portal: str
    instance: int | None
    values: Mapping[str, Any]
    cells: tuple[tuple[int, float], ...]

    def number(self, path: str) -> float | None:
        """The published value of a path, where it is a finite number."""
        return _number(self.values.get(path))

    @property
    def alarms(self) -> list[tuple[str, int]]:
        """Every alarm that is raised, with its level: 1 a warning, 2 an alarm."""
        return [
            (printable(path.removeprefix("Alarms/")), value)
            for path, value in self.values.items()
            if path.startswith("Alarms/") and value in (1, 2)
        ]


def parse(payload: bytes) -> State | None:
    """Read a state message; None for anything that is not a JSON object."""
    try:
        raw = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    if not isinstance(raw, dict):
        return None
    upcoming = _mapping(raw.get("next"))
    identity = _mapping(raw.get("identity"))
    instance = identity.get("instance")
    values = _mapping(raw.get("values"))
    return State(
        stage=_word(raw.get("stage")) or "unknown",
        next_stage=_word(upcoming.get("stage")),
        next_in=_number(upcoming.get("in")),
        doubt=_doubt(raw),
        ages=tuple((_word(g), _number(a)) for g, a in _mapping(raw.get("ages")).items()),
        limits=tuple(_limit(raw, name, unit) for name, unit in LIMITS),
        name=_word(identity.get("name")),
        portal=_word(identity.get("portal")),
        instance=instance if type(instance) is int else None,
        values=values,
        cells=_cells(values),
    )


def _doubt(raw: Mapping[str, Any]) -> str:
    """What does not change is in doubt too; it has words with more detail."""
    return _word(raw.get("frozen")) or _word(raw.get("doubt"))


def _limit(raw: Mapping[str, Any], name: str, unit: str) -> Limit:
    def part(key: str) -> Any:
        return _mapping(raw.get(key)).get(name)

    caps = ((_word(rule), _number(cap)) for rule, cap in _mapping(part("caps")).items())
    asked = _mapping(part("requests"))
    return Limit(
        name=name,
        unit=unit,
        value=_number(part("limits")),
        ceiling=_number(part("ceilings")),
        reason=_word(part("reasons")),
        caps=tuple((rule, cap) for rule, cap in caps if cap is not None),
        asked=_number(asked.get("value")),
        asked_age=_number(asked.get("age")),
    )


def _cells(values: Mapping[str, Any]) -> tuple[tuple[int, float], ...]:
    found = []
    for path, value in values.items():
        match, volts = CELL.fullmatch(path), _number(value)
        if match and volts is not None:
            found.append((int(match[1]), volts))
    return tuple(sorted(found))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _word(value: object) -> str:
    return printable(value) if isinstance(value, str) else ""


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # a JSON integer may be longer than any float
        return None
