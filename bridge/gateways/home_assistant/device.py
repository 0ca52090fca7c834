"""One battery as a device of Home Assistant: its ids and its topics."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bridge.topics import BatteryTopics, EntityTopic, device_config


def slug(name: str) -> str:
    """Small letters, digits and underscores, as in Home Assistant's identifiers."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


@dataclass(frozen=True)
class Device:
    """One battery as Home Assistant sees it.

    ident: of the battery. name: given by the user. base: the base topic. version: of this program.
    ceilings: the highest limits that the configuration allows; CVL in V, CCL and DCL in A.
    """

    ident: str
    name: str
    base: str
    version: str
    ceilings: Mapping[str, float]

    @property
    def topics(self) -> BatteryTopics:
        """The battery's own topics, which its entities read and write."""
        return BatteryTopics(self.base, self.ident)

    @property
    def node(self) -> str:
        """Its id among all of Home Assistant's devices."""
        return slug(self.topics.stem)

    @property
    def config_topic(self) -> str:
        """Where the device is announced with all its entities in one message."""
        return device_config(self.node)

    def entity_topic(self, platform: str, key: str) -> str:
        """Where one entity is announced."""
        return EntityTopic(platform, self.node, key).build()
