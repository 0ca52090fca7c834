"""What a limiter must not lose when the process restarts, as one JSON text and back.

The text is written and read within one boot of the machine, so its times are on the same monotonic
clock. What is read is checked like any foreign input, and is used as a whole or not at all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.core.limiter.decide import NO_REQUESTS, Requests
from bridge.core.limiter.protections import PROTECTIONS
from bridge.core.limiter.situation import LatchState
from bridge.core.measurements.kept_count import KeptCount
from bridge.core.measurements.unheard import Written
from bridge.core.model import Limits, Request
from bridge.core.strict_json import NotJson, parse
from bridge.core.typed_json import Past, Unreadable, check_kind, from_json, returned_by, to_json

VERSION = 1

LATCH_TYPES: Mapping[str, Any] = {
    p.latch.name: returned_by(p.latch.update) for p in PROTECTIONS if p.latch
}
"""The type of each latch's state, by the latch's name: what its update declares to return."""

for _type in LATCH_TYPES.values():
    check_kind(_type)


@dataclass(frozen=True)
class KeptState:
    """What is kept. Times are monotonic s.

    heard_at: the last moment of fresh data; before the first data, the first start since the boot;
    None: there is no grace. limits: how far each limit has risen, in V and A; None: it was never
    decided on data. latches: those that are not at rest. count: the charge that went by; None
    before the first tick. cells: in series, because CVL is in V of the whole pack. written: the
    paths that were written, and when the last value came. was_on_bus: whether the process came as
    far as the bus; before, it had not heard of what the settings service keeps.
    """

    heard_at: Past | None
    cells: int
    limits: Limits[float | None] = Limits(None, None, None)
    latches: LatchState = field(default_factory=dict)
    requests: Requests = NO_REQUESTS
    count: KeptCount | None = None
    written: Written = ()
    was_on_bus: bool = False


def nothing_known(cells: int) -> KeptState:
    """What holds instead of a text that cannot be read: there is no grace, and no current.

    Both currents rise from 0 A when there is fresh data. CVL does not begin at 0 V, which would
    empty the battery.
    """
    return KeptState(None, cells, Limits(None, 0.0, 0.0))


@dataclass(frozen=True)
class _Text:
    """The form of the text, without the latches, which have a type each."""

    version: int
    at: Past
    heard_at: Past | None
    cells: int
    limits: Limits[float | None]
    requests: Limits[Request | None]
    count: KeptCount | None
    written: Written
    was_on_bus: bool


def encoded(state: KeptState, now: float) -> str:
    """The text of a state. now: when it is written."""
    text = _Text(
        VERSION, now, state.heard_at, state.cells, state.limits, state.requests, state.count,
        state.written, state.was_on_bus,
    )  # fmt: skip
    latches = {name: to_json(latch) for name, latch in state.latches.items()}
    return json.dumps({**to_json(text), "latches": latches}, separators=(",", ":"))


def decoded(text: str, cells: int, now: float) -> KeptState:
    """The state of a text, for a battery of so many cells. Raises Unreadable.

    A latch that this version does not know is left out.
    """
    try:
        content = parse(text)
    except NotJson:
        content = None
    if not isinstance(content, dict) or content.get("version") != VERSION:
        raise Unreadable("it is damaged, or from another version")
    latches = content.pop("latches", None)
    read: _Text = from_json(_Text, content, now)
    if read.cells != cells:
        raise Unreadable(f"it was written for {read.cells} cells")
    return KeptState(
        read.heard_at, cells, read.limits, _latches(latches, now), read.requests, read.count,
        read.written, read.was_on_bus,
    )  # fmt: skip


def _latches(raw: object, now: float) -> LatchState:
    if not isinstance(raw, dict):
        raise Unreadable("it has no latches")
    known = {name: state for name, state in raw.items() if name in LATCH_TYPES}
    return {name: from_json(LATCH_TYPES[name], state, now) for name, state in known.items()}
