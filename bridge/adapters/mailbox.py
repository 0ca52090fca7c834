"""Messages on their way from the MQTT thread to the main loop. Pure: no library, no clock.

Every message is kept while there is room, so that an invalid value does not replace the valid one
before it. In a crowded mailbox only the newest message of a topic is kept, unless the topic is a
queue, where each message counts (two batches may name different paths).

The mailbox is bounded, by number and by size. So the work of the main loop is bounded too. When it
is full, messages on unknown topics are dropped first. Then, of the topics with several messages,
the one with the most bytes loses its oldest: a flood on one topic costs no other topic its only
message. Where each topic has one, the oldest is dropped.
"""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

MAX_WAITING = 4096  # messages in the mailbox; a battery of 256 cells has some 1100 topics
MAX_WAITING_BYTES = 1024 * 1024  # of topics and payloads; room for 100 batches of 256 cells
CROWDED = 256  # messages; from here on the newest of a topic replaces the one before it
CROWDED_BYTES = MAX_WAITING_BYTES // 4


class Message(NamedTuple):
    """One publication. size: bytes of its payload, which is None where it was too large to keep.

    waited_since: from when it may be (monotonic s); None for now, when it came.
    """

    topic: str
    payload: bytes | None
    size: int
    retained: bool
    waited_since: float | None = None


class Mailbox:
    """A bounded queue of messages between two threads."""

    def __init__(
        self,
        is_queue: Callable[[str], bool] = lambda topic: False,
        is_known: Callable[[str], bool] = lambda topic: True,
    ) -> None:
        """Both take a topic, and are called on the thread that calls `put`.

        is_queue: whether each message on it counts. is_known: whether it is one of our topics.
        """
        self._is_queue, self._is_known = is_queue, is_known
        self._lock = threading.Lock()
        self._waiting: dict[int, Message] = {}  # by serial number, so in order of arrival
        self._of_topic: dict[str, deque[int]] = {}  # serial numbers
        self._bytes_of: dict[str, int] = {}  # of each topic
        self._several: set[str] = set()  # topics with more than one message
        self._unknown: dict[int, None] = {}  # an ordered set
        self._bytes = 0
        self._serials = itertools.count()
        self._waited_since: float | None = None
        self.dropped = 0

    def put(self, message: Message) -> bool:
        """Add a message. Returns whether the mailbox was empty: then wake the reader."""
        is_queue, is_known = self._is_queue(message.topic), self._is_known(message.topic)
        with self._lock:
            was_empty = not self._waiting
            if self._waited_since is not None:
                message = message._replace(waited_since=self._waited_since)
            if not is_queue and message.topic in self._of_topic and self._is_crowded:
                self._take_out(self._of_topic[message.topic][-1])
            self._add(message, is_known)
            while len(self._waiting) > MAX_WAITING or self._bytes > MAX_WAITING_BYTES:
                self._take_out(self._least_missed())
                self.dropped += 1
        return was_empty

    def drain(self, most: int = MAX_WAITING) -> list[Message]:
        """Take out the oldest messages in order of arrival; most: how many at most."""
        with self._lock:
            oldest = list(itertools.islice(self._waiting, most))
            return [self._take_out(serial) for serial in oldest]

    def mark_waited(self, since: float) -> None:
        """What is here, and what comes before `end_waited`, may be from then (monotonic s)."""
        with self._lock:
            self._waited_since = _earlier(self._waited_since, since)
            for serial, message in self._waiting.items():
                earlier = _earlier(message.waited_since, since)
                self._waiting[serial] = message._replace(waited_since=earlier)

    def end_waited(self) -> None:
        """What is put here from now on has not waited. May be called on any thread."""
        with self._lock:
            self._waited_since = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not self._waiting

    @property
    def _is_crowded(self) -> bool:
        return len(self._waiting) >= CROWDED or self._bytes >= CROWDED_BYTES

    def _least_missed(self) -> int:
        """What a full mailbox drops. Few topics have several messages: see CROWDED."""
        if self._unknown or not self._several:
            return next(iter(self._unknown or self._waiting))
        topic = max(self._several, key=lambda one: (self._bytes_of[one], -self._of_topic[one][0]))
        return self._of_topic[topic][0]

    def _add(self, message: Message, is_known: bool) -> None:
        serial, topic = next(self._serials), message.topic
        self._waiting[serial] = message
        self._count(topic, _size(message))
        serials = self._of_topic.setdefault(topic, deque())
        serials.append(serial)
        if len(serials) > 1:
            self._several.add(topic)
        if not is_known:
            self._unknown[serial] = None

    def _take_out(self, serial: int) -> Message:
        message = self._waiting.pop(serial)
        self._unknown.pop(serial, None)
        self._count(message.topic, -_size(message))
        serials = self._of_topic[message.topic]
        serials.remove(serial)  # quick: it is the first or, in few, the last
        if len(serials) == 1:
            self._several.discard(message.topic)
        elif not serials:
            del self._of_topic[message.topic], self._bytes_of[message.topic]
        return message

    def _count(self, topic: str, size: int) -> None:
        self._bytes += size
        self._bytes_of[topic] = self._bytes_of.get(topic, 0) + size


def _size(message: Message) -> int:
    return len(message.topic) + len(message.payload or b"")


def _earlier(one: float | None, other: float) -> float:
    return other if one is None else min(one, other)
