"""The N/ topics of our batteries where no GX publishes them, and the answers to R/.

It knows ports, not libraries; whoever calls tells the time (monotonic seconds).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Protocol

from bridge.core.model import Value
from bridge.core.throttle import Throttle
from bridge.gateways.victron_mqtt.messages import (
    GONE,
    SERIAL,
    below,
    completed,
    notification,
    our_serial,
    parse_keepalive,
)
from bridge.gateways.victron_mqtt.ownership import Owner, Ownership

log = logging.getLogger(__name__)

ALIVE = 60.0  # s that a keepalive lasts
HEARTBEAT = 3.0  # s
MOST_ECHOES = 50  # of keepalives that one full publish answers

_TOLD = {
    Owner.WE: "N/%s: published by this program",
    Owner.A_GX: "N/%s: published by a GX here, so not by this program",
}


class Client(Protocol):
    """The MQTT side."""

    def publish(self, topic: str, payload: str, retain: bool = False) -> None:
        """Send, or lose it when there is no connection. Never waits."""


class Source(Protocol):
    """One battery on the bus."""

    @property
    def instance(self) -> int:
        """Its device instance, as in the topics."""

    def catch_up(self, now: float) -> None:
        """Publish at once what is still being gathered."""

    def all_values(self) -> Mapping[str, Value]:
        """Every path with its value, None where it has none."""


class Notifications:
    """What a GX's broker does for its services, done for our batteries.

    `on_message` takes what arrives on `topics`; after a burst of it call `settle`. Call `on_tick`
    once a second. `resubscribe` is called when `topics` has changed.
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
        self._sources: list[Source] = []
        self._resubscribe = resubscribe
        self._epoch = epoch
        self._portal = ""
        self._connected = False
        self._told: Owner | None = None
        self._told_held_back = False
        self._alive_since = float("-inf")
        self._alive = False
        self._beaten_at = float("-inf")
        self._wanted = False
        self._echoes: list[str | None] = []
        self._full_publishes = Throttle(per_second=1, burst=5)
        self._reads = Throttle(per_second=20, burst=100)

    def add(self, source: Source) -> None:
        """One more battery to tell about."""
        self._sources.append(source)

    # --- where we are --------------------------------------------------------------------

    def set_portal(self, portal: str, now: float) -> None:
        self._portal = portal
        self._start(now)

    def on_connected(self, now: float) -> None:
        """A broker that has just come may be another one, with a GX behind it or without."""
        self._connected = True
        self._start(now)

    def topics(self) -> list[str]:
        """What to subscribe to: nothing of it where a GX answers, but for its Serial."""
        owner = self._ownership.owner
        if owner is Owner.NOBODY:
            return []
        topics = [self._n(SERIAL)]
        if owner is not Owner.A_GX:
            topics += [f"R/{self._portal}/keepalive", f"R/{self._portal}/{SERIAL}"]
            for source in self._sources:
                topics.append(f"R/{self._portal}/battery/{source.instance}/#")
        if owner is Owner.LISTENING:
            topics += [self._probe(source) for source in self._sources]
        return topics

    def _start(self, now: float) -> None:
        if self._connected and self._portal:
            self._ownership.start(now)
            self._follow(Owner.NOBODY, now)

    # --- what comes in -------------------------------------------------------------------

    def on_message(self, topic: str, payload: bytes | None, retained: bool, now: float) -> bool:
        """A message that may be for us. Answers whether it was."""
        if not self._portal or not topic.startswith(("N/", "R/")):
            return False
        before = self._ownership.owner
        if topic == self._n(SERIAL):
            self._ownership.hear_serial(payload or b"", retained)
            if not payload and not retained and before is Owner.WE:
                self._claim()  # another bridge has left and cleared what was ours as well
        elif topic.startswith("N/"):
            if not retained and payload:
                self._ownership.hear_answer()
        elif not retained:  # a keepalive of last year keeps nobody alive
            self._asked(topic[len(f"R/{self._portal}/") :], payload or b"", now)
        self._follow(before, now)
        return True

    def _asked(self, what: str, payload: bytes, now: float) -> None:
        if what == "keepalive":
            self._keep_alive(payload, now)
        elif what == SERIAL:
            self._keep_alive(b"", now)  # how clients of old do it
        elif self._is_ours and self._reads.allows(now):
            self._answer(what, now)

    def _keep_alive(self, payload: bytes, now: float) -> None:
        self._alive, self._alive_since = True, now
        keepalive = parse_keepalive(payload)
        if keepalive.republish:
            self._wanted = True
            if len(self._echoes) < MOST_ECHOES and keepalive.echo not in self._echoes:
                self._echoes.append(keepalive.echo)

    def _answer(self, what: str, now: float) -> None:
        """Who writes and then reads must see what was written."""
        for source in self._sources:
            prefix = f"battery/{source.instance}"
            if what == prefix or what.startswith(prefix + "/"):
                source.catch_up(now)
                values = source.all_values()
                self._tell(source, {p: values[p] for p in below(what[len(prefix) :], values)})

    # --- what goes out -------------------------------------------------------------------

    def on_changes(self, source: Source, changes: Mapping[str, Value]) -> None:
        """What has changed on the bus. Costs nothing while nobody wants to know."""
        if self._alive and self._is_ours:
            self._tell(source, changes)

    def on_entered(self, source: Source) -> None:
        """A battery has come to the bus, or come back with another instance."""
        self.on_changes(source, source.all_values())

    def on_left(self, source: Source) -> None:
        """A battery has left the bus, or is about to."""
        if self._is_ours:
            for path in source.all_values():
                self._client.publish(self._topic(source, path), GONE)

    def settle(self, now: float) -> None:
        """After a burst of messages: one full publish for all keepalives in it."""
        if self._wanted and self._is_ours and self._full_publishes.allows(now):
            self._publish_all(now)

    def on_tick(self, now: float) -> None:
        """Once a second: the heartbeat, the end of a keepalive, and whose turn it is."""
        before = self._ownership.owner
        self._ownership.tick(now)
        self._follow(before, now)
        self._alive = self._alive and 0 <= now - self._alive_since < ALIVE
        self.settle(now)
        if self._alive and self._is_ours and now - self._beaten_at > HEARTBEAT - 0.5:
            self._beaten_at = now
            self._client.publish(self._n("heartbeat"), notification(int(self._epoch())))
        if self._ownership.is_held_back(now) and not self._told_held_back:
            self._told_held_back = True
            log.warning("N/%s: this broker does not let us publish there", self._portal)

    def close(self) -> None:
        """Before the connection ends; the batteries have left already."""
        if self._is_ours:
            self._client.publish(self._n(SERIAL), GONE, retain=True)

    @property
    def _is_ours(self) -> bool:
        return self._ownership.owner is Owner.WE

    def _publish_all(self, now: float) -> None:
        for source in self._sources:
            source.catch_up(now)
            self._tell(source, source.all_values())
        self._client.publish(self._n(SERIAL), our_serial(self._portal), retain=True)
        epoch = int(self._epoch())
        for echo in self._echoes:
            self._client.publish(self._n("full_publish_completed"), completed(epoch, echo))
        self._wanted, self._echoes = False, []

    def _tell(self, source: Source, values: Mapping[str, Value]) -> None:
        for path, value in values.items():
            self._client.publish(self._topic(source, path), notification(value))

    # --- whose turn it is ----------------------------------------------------------------

    def _follow(self, before: Owner, now: float) -> None:
        """Do what a change of the owner asks for."""
        owner = self._ownership.owner
        if owner is before:
            return
        self._resubscribe()
        if owner is Owner.LISTENING:
            for source in self._sources:
                self._client.publish(self._probe(source).replace("N/", "R/", 1), "")
        elif owner is Owner.CLAIMING or (owner is Owner.WE and before is not Owner.CLAIMING):
            self._claim()
        if owner is Owner.WE:
            self._wanted = self._wanted or self._alive
            self.settle(now)
        elif owner is Owner.A_GX:
            self._wanted, self._echoes = False, []
        if owner in _TOLD and owner is not self._told:
            self._told = owner
            log.info(_TOLD[owner], self._portal)

    def _claim(self) -> None:
        self._client.publish(self._n(SERIAL), our_serial(self._portal), retain=True)

    def _probe(self, source: Source) -> str:
        """A topic on which only a GX would answer a read while we are listening."""
        return self._topic(source, "/DeviceInstance")

    def _topic(self, source: Source, path: str) -> str:
        return self._n(f"battery/{source.instance}{path}")

    def _n(self, rest: str) -> str:
        return f"N/{self._portal}/{rest}"
