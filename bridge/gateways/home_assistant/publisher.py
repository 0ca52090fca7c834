"""Publishes, renews and removes the discovery messages for Home Assistant.

The messages of earlier runs are still retained on the broker. So they are read after each
connection: those that are still wanted stay, the others are removed. With discovery switched off,
all of them are removed.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace

from bridge.core.paths.table import Paths
from bridge.core.settings.configuration import BatteryConfig, Config
from bridge.gateways.home_assistant.device import Device
from bridge.ports import Client, DiscoverySource
from bridge.topics import HOME_ASSISTANT_STATUS, EntityTopic, all_entities

log = logging.getLogger(__name__)

LEARN = 2.0  # s for the retained messages of earlier runs to arrive
RENEW = 5.0  # s between two renewals while new measurements come into use

OFF, ON, ENTITIES = "off", "on", "entities"


def discovery_of(
    config: Config, battery: BatteryConfig, client: Client, source: DiscoverySource, version: str
) -> Discovery:
    """The discovery of one battery as the configuration wants it."""
    ceiling = battery.ceiling
    device = Device(
        ident=battery.ident,
        name=battery.name,
        base=config.mqtt.base_topic,
        version=version,
        ceilings={
            "CVL": round(ceiling.cell_voltage * battery.cells, 2),
            "CCL": ceiling.charge_current,
            "DCL": ceiling.discharge_current,
        },
    )
    return Discovery(config.mqtt.home_assistant, client, source, device)


class Discovery:
    """The discovery of one battery. mode: off, on (one message), entities (one for each).

    `on_message` takes what arrives on `topics`. Call `on_tick` once a second; it returns whether
    `topics` has changed.
    """

    def __init__(self, mode: str, client: Client, source: DiscoverySource, device: Device) -> None:
        """Make a discovery that publishes nothing until `on_connected`."""
        self._mode = mode
        self._client = client
        self._source = source
        self._device = device
        self._learning_since: float | None = None
        self._used: set[str] = set()
        self._unused: frozenset[str] = frozenset() if mode == OFF else _measured(source.paths)
        self._former: dict[str, str] = {}
        self._there: set[str] = set()
        self._sent: tuple[set[str], str] | None = None
        self._sent_at = float("-inf")

    def topics(self) -> list[str]:
        """What to subscribe to: Home Assistant's status, and at first messages of earlier runs."""
        topics = [] if self._mode == OFF else [HOME_ASSISTANT_STATUS]
        if self._learning_since is not None:
            topics += [self._device.config_topic, all_entities(self._device.node)]
        return topics

    def on_connected(self, now: float) -> None:
        """Read our messages that the broker has retained. now: monotonic seconds.

        The broker may have lost all of them, or may keep entities that no longer exist.
        """
        self._learning_since = now
        self._there = set()
        self._sent = None

    def on_message(self, topic: str, payload: bytes | None) -> None:
        """Take a message for this battery; ignore one for another battery."""
        if topic == HOME_ASSISTANT_STATUS:
            if payload == b"online" and self._learning_since is None:
                self._sent, self._sent_at = None, float("-inf")
                self._source.publish_again()
        elif topic == self._device.config_topic:
            former = {} if self._mode == OFF else _keys_in(payload or b"")
            self._learn(topic, payload, former)
        else:
            entity = EntityTopic.parse(topic)
            if entity and entity.node == self._device.node:
                self._learn(topic, payload, {entity.key: entity.platform})

    def _learn(self, topic: str, payload: bytes | None, keys: Mapping[str, str]) -> None:
        if self._learning_since is not None and payload != b"":
            self._there.add(topic)
            self._former.update(keys)

    def on_tick(self, now: float) -> bool:
        """Publish the discovery when it is due. Returns whether `topics` has changed.

        now: monotonic seconds.
        """
        if self._learning_since is not None:
            if 0 <= now - self._learning_since < LEARN:
                return False
            self._learning_since = None
            self._renew(now)
            return True
        if self._mode != OFF and self._has_news() and not 0 <= now - self._sent_at < RENEW:
            self._renew(now)
        return False

    def _has_news(self) -> bool:
        """Home Assistant has started, a measurement came into use, or the name has changed."""
        self._look()
        return self._sent != (self._used, self._name())

    def _look(self) -> None:
        """Note which measurements have come into use."""
        values = self._source.values()
        used = {path for path in self._unused if values.get(path) is not None}
        self._used |= used
        self._unused -= used

    def _name(self) -> str:
        return str(self._source.values().get("/CustomName") or "") or self._device.name

    def _renew(self, now: float) -> None:
        """Publish the wanted messages, and remove our others."""
        messages = {} if self._mode == OFF else self._messages()
        for topic in self._there - set(messages):
            self._client.publish(topic, "", retain=True)
        for topic, payload in messages.items():
            self._client.publish(topic, payload, retain=True)
        if self._there and self._mode == OFF:
            log.info("%s: removed from Home Assistant", self._device.ident)
        self._there = set(messages)
        self._sent_at = now

    def _messages(self) -> dict[str, str]:
        from bridge.gateways.home_assistant import entities  # here, to save memory when off

        self._look()
        self._sent = (set(self._used), self._name())
        device = replace(self._device, name=self._name())
        used = {*map(entities.key_of, self._used), *self._former}
        found = entities.entities(self._source.paths, device, used)
        if self._mode == ENTITIES:
            return entities.as_entities(device, found)
        return {device.config_topic: entities.as_device(device, found, self._former)}


def _measured(paths: Paths) -> frozenset[str]:
    from bridge.gateways.home_assistant.entities import measured

    return measured(paths)


def _keys_in(payload: bytes) -> Mapping[str, str]:
    from bridge.gateways.home_assistant.entities import keys_in

    return keys_in(payload)
