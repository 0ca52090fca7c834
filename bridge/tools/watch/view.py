"""Everything the live view knows, collected message by message. Time comes in as an argument."""

from __future__ import annotations

import json
import re
from collections import deque
from dataclasses import dataclass

from bridge.tools.watch.state import State, parse
from bridge.tools.watch.text import printable
from bridge.topics import BatteryTopics, WriteTopic, bridge_status, is_level, path_below

RATE_S = 5  # seconds that a rate is averaged over
MAX_SOURCES = 200  # rows of arrivals kept; a client may write to any number of paths
MAX_REFUSALS = 50
MAX_TEXT = 200  # characters kept of a payload


@dataclass
class Source:
    """One kind of write: a path, or a family of paths that differ in their last number."""

    path: str
    text: str
    at: float
    retained: bool
    lowest: int | None = None
    highest: int | None = None

    @property
    def label(self) -> str:
        """The path, with the range of its last numbers: "Voltages/Cell1-16"."""
        if self.lowest is None or self.lowest == self.highest:
            return self.path
        return f"{self.path}{self.lowest}-{self.highest}"


@dataclass(frozen=True)
class Refusal:
    """One write that the bridge did not take."""

    where: str
    value: str
    reason: str
    at: float


class Rate:
    """Events per second over the last seconds."""

    def __init__(self) -> None:
        self._slots: deque[tuple[int, int]] = deque(maxlen=RATE_S + 1)

    def count(self, now: float) -> None:
        """One more event. now: monotonic seconds."""
        second = int(now)
        if self._slots and self._slots[-1][0] == second:
            second, events = self._slots.pop()
            self._slots.append((second, events + 1))
        else:
            self._slots.append((second, 1))

    def per_second(self, now: float) -> float:
        """Events per second, over whole seconds that are past. now: monotonic seconds.

        So the number changes once a second at most.
        """
        past = range(int(now) - RATE_S, int(now))
        return sum(events for second, events in self._slots if second in past) / RATE_S


class View:
    """What arrived for one battery, and what the bridge published about it."""

    def __init__(self, base: str, ident: str) -> None:
        self.ident = ident
        self.topics = BatteryTopics(base, ident)
        self._status_topic = bridge_status(base)
        self.connected = False
        self.connection = "connecting"
        self.service = ""  # the bridge's status: online, offline, or nothing yet
        self.state: State | None = None
        self.state_at = 0.0
        self.written_at = 0.0
        self.sources: dict[str, Source] = {}
        self.refusals: deque[Refusal] = deque(maxlen=MAX_REFUSALS)
        self.refused = 0
        self.rate = Rate()

    @property
    def own_topics(self) -> list[str]:
        """The topics that are known from the start."""
        return [self._status_topic, self.topics.state, self.topics.rejected, self.topics.set]

    @property
    def write_root(self) -> str | None:
        """The beginning that the topics of writes to this battery share; None until known."""
        if self.state is None or self.state.instance is None:
            return None
        # A portal id with wildcards would subscribe to every battery of the broker.
        if not is_level(self.state.portal):
            return None
        return WriteTopic.root(self.state.portal, self.state.instance)

    @property
    def is_in_contact(self) -> bool:
        """Whether we would receive a change that the bridge publishes."""
        return self.connected and self.service != "offline"

    def seconds_to_add(self, now: float) -> float:
        """Seconds to add to the ages in the state. now: monotonic seconds.

        The bridge publishes its state when something changes, and ages alone are no change. So
        while writes go on arriving, the ages are shown as they were published; without writes they
        grow.
        """
        return now - max(self.state_at, self.written_at)

    def on_connection(self, connected: bool, words: str) -> None:
        """The connection to the broker has been made or lost."""
        self.connected = connected
        self.connection = printable(words)
        if not connected:
            self.service = ""

    def on_message(self, topic: str, payload: bytes | None, retained: bool, now: float) -> None:
        """Take one message. Raises nothing, whatever the message holds.

        payload: None where it was too large to keep. now: monotonic seconds.
        """
        if topic == self._status_topic:
            self.service = _text(payload)
        elif topic == self.topics.state:
            self._on_state(payload, now)
        elif topic == self.topics.rejected:
            self._on_rejected(payload, now)
        elif topic == self.topics.set:
            self._on_write("batch", payload, retained, now)
        elif self.write_root is not None:
            path = path_below(self.write_root, topic)
            if path is not None:
                self._on_write(path[1:], payload, retained, now)

    def _on_state(self, payload: bytes | None, now: float) -> None:
        if payload and (state := parse(payload)) is not None:
            self.state = state
            self.state_at = now

    def _on_rejected(self, payload: bytes | None, now: float) -> None:
        try:
            raw = json.loads(payload or b"null")
        except (ValueError, RecursionError):
            return
        if not isinstance(raw, dict):
            return
        where = str(raw.get("path") or raw.get("topic") or "?").removeprefix("/")
        self.refused += 1
        self.refusals.appendleft(
            Refusal(
                where=_short(where),
                value=_short(json.dumps(raw.get("value"), ensure_ascii=False)),
                reason=_short(str(raw.get("reason") or "no reason given")),
                at=now,
            )
        )

    def _on_write(self, path: str, payload: bytes | None, retained: bool, now: float) -> None:
        self.rate.count(now)
        if not retained:
            self.written_at = now
        stem, number = _family(printable(path))
        source = self.sources.get(stem)
        if source is None:
            if len(self.sources) >= MAX_SOURCES:
                del self.sources[next(iter(self.sources))]
            source = self.sources[stem] = Source(stem, "", now, retained, number, number)
        source.text = "too large" if payload is None else _value(payload)
        source.at = now
        source.retained = retained
        if number is not None:
            source.lowest = min(number, number if source.lowest is None else source.lowest)
            source.highest = max(number, number if source.highest is None else source.highest)


def _family(path: str) -> tuple[str, int | None]:
    """Cells come in sixteens and more: paths that end in a number share a row."""
    match = re.fullmatch(r"(.*\D)(\d{1,3})", path)
    return (match[1], int(match[2])) if match else (path, None)


def _value(payload: bytes) -> str:
    """The payload as text, without the {"value": …} around it."""
    text = _text(payload)
    wrapped = re.fullmatch(r'\{"value": ?(.+)\}', text)
    return wrapped[1] if wrapped else text


def _text(payload: bytes | None) -> str:
    return _short((payload or b"")[: 4 * MAX_TEXT].decode("utf-8", "replace").strip())


def _short(text: str) -> str:
    return printable(text[:MAX_TEXT])
