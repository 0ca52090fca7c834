"""One battery as a device of Home Assistant: its ids and its topics."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

PREFIX = "homeassistant"
STATUS = f"{PREFIX}/status"


def slug(name: str) -> str:
    """Small letters, digits and underscores, as in Home Assistant's identifiers."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


@dataclass(frozen=True)
class Device:
    """One battery as Home Assistant sees it.

    topic: its own topics' stem. ceilings: V or A by CVL, CCL, DCL.
    """

    ident: str
    name: str
    base: str
    version: str
    ceilings: Mapping[str, float]

    @property
    def topic(self) -> str:
        return f"{self.base}/{self.ident}"

    @property
    def node(self) -> str:
        """Its id among all of Home Assistant's devices."""
        return slug(self.topic)

    @property
    def config_topic(self) -> str:
        return f"{PREFIX}/device/{self.node}/config"

    def entity_topic(self, platform: str, key: str) -> str:
        return f"{PREFIX}/{platform}/{self.node}/{key}/config"
