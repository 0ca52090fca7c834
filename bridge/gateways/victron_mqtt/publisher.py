"""The N/ topics of our batteries where no GX publishes them, and the answers to R/.

It knows ports, not libraries, and has no clock: `now` is always monotonic seconds.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from bridge.core.model import Value
from bridge.core.throttle import Throttle
from bridge.gateways.victron_mqtt.messages import (
    EMPTY,
    below,
    completed,
    notification,
    our_serial,
    parse_keepalive,
)
from bridge.gateways.victron_mqtt.ownership import Owner, Ownership
from bridge.ports import Client, NotificationSource
from bridge.topics import (
    NotificationTopic,
    PortalTopics,
    ReadTopic,
    all_below,
    is_notification,
    is_read,
)

log = logging.getLogger(__name__)

ALIVE = 60.0  # s that a keepalive lasts
HEARTBEAT = 3.0  # s
MAX_ECHOES = 50  # of keepalives that one full publish answers

_PROBE = "/DeviceInstance"
"""A path on which only a GX would answer a read while we are listening."""

_LOG_OF_OWNER = {
    Owner.WE: "the N/ topics of portal %s are published by this program",
    Owner.A_GX: "the N/ topics of portal %s are published by a GX, so not by this program",
}


class Notifications:
    """What the broker of a GX does for its services, done for our batteries.

    `on_message` takes what arrives on `topics`; after a burst of messages call `settle`. Call
    `on_tick` once a second. `resubscribe` is called when `topics` has changed.
    """

    def __init__(
        self,
        mode: str,
        client: Client,
        resubscribe: Callable[[], None],
        epoch: Callable[[], float],
    ) -> None:
        """mode: auto, on or off. epoch: the Unix time in s."""
        self._ownership = Ownership(mode)
        self._client = client
        self._sources: list[NotificationSource] = []
        self._resubscribe = resubscribe
        self._epoch = epoch
        self._portal = PortalTopics("")
        self._connected = False
        self._logged_owner: Owner | None = None
        self._logged_held_back = False
        self._alive_since = float("-inf")
        self._alive = False
        self._heartbeat_at = float("-inf")
        self._full_publish_wanted = False
        self._echoes: list[str | None] = []
        self._full_publishes = Throttle(per_second=1, burst=5)
        self._reads = Throttle(per_second=20, burst=100)

    def add(self, source: NotificationSource) -> None:
        """Publish for one more battery."""
        self._sources.append(source)

    # --- portal and connection -----------------------------------------------------------

    def set_portal(self, portal: str, now: float) -> None:
        """The portal id, as soon as it is known; "" before."""
        self._portal = PortalTopics(portal)
        self._start(now)

    def on_connected(self, now: float) -> None:
        """Find the owner again: it may be another broker, with a GX or without."""
        self._connected = True
        self._start(now)

    def topics(self) -> list[str]:
        """What to subscribe to. Where a GX publishes, only its Serial."""
        owner = self._ownership.owner
        if owner is Owner.NOBODY:
            return []
        topics = [self._portal.serial]
        if owner is not Owner.A_GX:
            topics += [self._portal.keepalive, self._portal.serial_read]
            topics += [all_below(self._read_root(source)) for source in self._sources]
        if owner is Owner.LISTENING:
            topics += [self._topic(source, _PROBE) for source in self._sources]
        return topics

    def _start(self, now: float) -> None:
        if self._connected and self._portal.portal:
            self._ownership.start(now)
            self._on_owner_changed(Owner.NOBODY, now)

    # --- what comes in -------------------------------------------------------------------

    def on_message(self, topic: str, payload: bytes | None, retained: bool, now: float) -> bool:
        """Take a message on an N/ or R/ topic of ours. Returns whether it was one."""
        if not self._portal.portal or not (is_notification(topic) or is_read(topic)):
            return False
        before = self._ownership.owner
        if topic == self._portal.serial:
            self._ownership.on_serial(payload or b"", retained)
            if not payload and not retained and before is Owner.WE:
                self._claim()  # another bridge has left, and has cleared our serial as well
        elif is_notification(topic):
            if not retained and payload:
                self._ownership.on_answer()
        elif not retained:  # a retained keepalive may be very old
            self._on_read(topic, payload or b"", now)
        self._on_owner_changed(before, now)
        return True

    def _on_read(self, topic: str, payload: bytes, now: float) -> None:
        if topic == self._portal.keepalive:
            self._keep_alive(payload, now)
        elif topic == self._portal.serial_read:
            self._keep_alive(b"", now)  # the keepalive of older clients
        elif self._is_ours and self._reads.allows(now):
            self._answer(topic, now)

    def _keep_alive(self, payload: bytes, now: float) -> None:
        self._alive, self._alive_since = True, now
        keepalive = parse_keepalive(payload)
        if keepalive.republish:
            self._full_publish_wanted = True
            if len(self._echoes) < MAX_ECHOES and keepalive.echo not in self._echoes:
                self._echoes.append(keepalive.echo)

    def _answer(self, topic: str, now: float) -> None:
        """Publish what was asked for, with all writes before it: a client may read back its own."""
        asked = ReadTopic.parse(topic)
        for source in self._sources:
            if asked and asked.instance == source.instance:
                source.catch_up(now)
                values = source.all_values()
                self._publish(source, {path: values[path] for path in below(asked.path, values)})

    # --- what goes out -------------------------------------------------------------------

    def on_changes(self, source: NotificationSource, changes: Mapping[str, Value]) -> None:
        """Publish what has changed on the bus, while a keepalive lasts."""
        if self._alive and self._is_ours:
            self._publish(source, changes)

    def on_entered(self, source: NotificationSource) -> None:
        """A battery has entered the bus, perhaps again with another instance."""
        self.on_changes(source, source.all_values())

    def on_left(self, source: NotificationSource) -> None:
        """A battery has left the bus, or is about to: its topics are emptied."""
        if self._is_ours:
            for path in source.all_values():
                self._client.publish(self._topic(source, path), EMPTY)

    def settle(self, now: float) -> None:
        """After a burst of messages: one full publish for all keepalives in it."""
        if self._full_publish_wanted and self._is_ours and self._full_publishes.allows(now):
            self._publish_all(now)

    def on_tick(self, now: float) -> None:
        """Once a second: heartbeat, end of a keepalive, and the next step of the ownership."""
        before = self._ownership.owner
        self._ownership.tick(now)
        self._on_owner_changed(before, now)
        self._alive = self._alive and 0 <= now - self._alive_since < ALIVE
        self.settle(now)
        if self._alive and self._is_ours and now - self._heartbeat_at > HEARTBEAT - 0.5:
            self._heartbeat_at = now
            self._client.publish(self._portal.heartbeat, notification(int(self._epoch())))
        if self._ownership.is_held_back(now) and not self._logged_held_back:
            self._logged_held_back = True
            words = "this broker does not let us publish the N/ topics of portal %s"
            log.warning(words, self._portal.portal)

    def close(self) -> None:
        """Before the connection ends, when the batteries have left."""
        if self._is_ours:
            self._client.publish(self._portal.serial, EMPTY, retain=True)

    @property
    def _is_ours(self) -> bool:
        return self._ownership.owner is Owner.WE

    def _publish_all(self, now: float) -> None:
        for source in self._sources:
            source.catch_up(now)
            self._publish(source, source.all_values())
        self._claim()
        epoch = int(self._epoch())
        for echo in self._echoes:
            self._client.publish(self._portal.full_publish_completed, completed(epoch, echo))
        self._full_publish_wanted, self._echoes = False, []

    def _publish(self, source: NotificationSource, values: Mapping[str, Value]) -> None:
        for path, value in values.items():
            self._client.publish(self._topic(source, path), notification(value))

    # --- who publishes -------------------------------------------------------------------

    def _on_owner_changed(self, before: Owner, now: float) -> None:
        """Do what a change of the owner requires."""
        owner = self._ownership.owner
        if owner is before:
            return
        self._resubscribe()
        if owner is Owner.LISTENING:
            for source in self._sources:
                self._client.publish(self._read_root(source) + _PROBE, "")
        elif owner is Owner.CLAIMING or (owner is Owner.WE and before is not Owner.CLAIMING):
            self._claim()
        if owner is Owner.WE:
            self._full_publish_wanted = self._full_publish_wanted or self._alive
            self.settle(now)
        elif owner is Owner.A_GX:
            self._full_publish_wanted, self._echoes = False, []
        if owner in _LOG_OF_OWNER and owner is not self._logged_owner:
            self._logged_owner = owner
            log.info(_LOG_OF_OWNER[owner], self._portal.portal)

    def _claim(self) -> None:
        """Publish our serial, by which clients find the portal."""
        self._client.publish(self._portal.serial, our_serial(self._portal.portal), retain=True)

    def _read_root(self, source: NotificationSource) -> str:
        return ReadTopic.root(self._portal.portal, source.instance)

    def _topic(self, source: NotificationSource, path: str) -> str:
        return NotificationTopic(self._portal.portal, source.instance, path).build()
