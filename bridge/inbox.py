"""Passes each MQTT message to its receiver, and logs those that are ignored or dropped."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from bridge.core.text import sanitize_for_log
from bridge.core.throttle import Throttle
from bridge.ports import DiscoveryReceiver, IncomingMessage, NotificationReceiver, WriteReceiver
from bridge.topics import is_home_assistant, is_write

log = logging.getLogger(__name__)

MAX_RETAINED = 100  # topics that the log names at most


class Inbox:
    """Passes each message to its receivers."""

    def __init__(
        self,
        batteries: Sequence[WriteReceiver],
        notifications: NotificationReceiver,
        discoveries: Sequence[DiscoveryReceiver],
    ) -> None:
        """Pass messages to these receivers."""
        self._batteries = batteries
        self._notifications = notifications
        self._discoveries = discoveries
        self._retained_logged: set[str] = set()
        self._dropped_logged = 0
        self._drops_allowed = Throttle(per_second=0.02, burst=5)

    def is_known(self, topic: str) -> bool:
        """Whether a message on this topic can be used. Called on any thread.

        We subscribe to all topics below a battery's root; a write must name one of its paths.
        """
        return not is_write(topic) or any(battery.knows(topic) for battery in self._batteries)

    def deliver(self, messages: Iterable[IncomingMessage], now: float) -> None:
        """Pass on a burst of messages. now: monotonic seconds."""
        for message in messages:
            self._deliver(message, now)
        for battery in self._batteries:
            battery.settle()
        self._notifications.settle(now)

    def _deliver(self, message: IncomingMessage, now: float) -> None:
        topic, payload, size, retained, waited_since = message
        if is_home_assistant(topic):
            for discovery in self._discoveries:
                discovery.on_message(topic, payload)
        elif self._notifications.on_message(topic, payload, retained, now):
            return
        elif retained:
            self._ignore_retained(topic)
        else:
            for battery in self._batteries:
                battery.on_message(topic, payload, size, now, waited_since)

    def _ignore_retained(self, topic: str) -> None:
        """A retained message has no age: it may be a year old."""
        if topic not in self._retained_logged and len(self._retained_logged) < MAX_RETAINED:
            self._retained_logged.add(topic)
            words = "ignored the retained message on %s: its age is unknown"
            log.warning(words, sanitize_for_log(topic))

    def report_dropped(self, dropped: int, now: float) -> None:
        """Log dropped messages, at a limited rate. dropped: how many since the start."""
        new = dropped - self._dropped_logged
        if new and self._drops_allowed.allows(now):
            self._dropped_logged = dropped
            log.warning("too many topics at once: %d messages were dropped", new)
