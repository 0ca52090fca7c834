"""Every MQTT topic's shape, once: how it is built, and how it is read.

    <base>/status                                   whether the bridge runs
    <base>/<ident>/state, settings, rejected        what a battery publishes
    <base>/<ident>/set                              many writes in one message
    W/<portal>/battery/<instance>/<path>            one write
    R/<portal>/battery/<instance>/<path>            asks for a value, or for all below a path
    N/<portal>/battery/<instance>/<path>            a value
    R/<portal>/keepalive                            asks for changes during the next minute
    N/ and R/<portal>/system/0/Serial               the portal id of this broker
    N/<portal>/heartbeat, full_publish_completed
    homeassistant/status                            whether Home Assistant runs
    homeassistant/device/<node>/config              a device with all its entities
    homeassistant/<platform>/<node>/<key>/config    one entity

Pure text, no payloads. A path is a D-Bus path and begins with a slash; an instance is a device
instance, 0 to 999 999 999. `parse` returns None for every other text, and never raises.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, TypeVar

ALL_WRITES = "W/+/battery/+/#"
"""The subscription to every write to every battery of a broker."""

HOME_ASSISTANT_STATUS = "homeassistant/status"

_EACH_MESSAGE_COUNTS = ("/set", "/keepalive", "/Serial")
_LEVEL = "[^/+#]+"
_INSTANCE = "0|[1-9][0-9]{0,8}"


def is_level(text: str) -> bool:
    """Whether a text can be one level of a topic: not empty, no slash, no wildcard."""
    return re.fullmatch(_LEVEL, text) is not None


def each_message_counts(topic: str) -> bool:
    """Whether every message on a topic counts, not only the newest one."""
    return topic.endswith(_EACH_MESSAGE_COUNTS)


# --- the bridge's own topics ------------------------------------------------------------------


def bridge_status(base: str) -> str:
    """Where the bridge publishes whether it is online."""
    return f"{base}/status"


def all_batches(base: str) -> str:
    """The subscription to the batches of all batteries of a bridge."""
    return f"{base}/+/set"


@dataclass(frozen=True)
class BatteryTopics:
    """One battery's own topics."""

    base: str
    ident: str

    @cached_property
    def stem(self) -> str:
        """The beginning that these topics share."""
        return f"{self.base}/{self.ident}"

    @cached_property
    def state(self) -> str:
        """Limits, reasons and values, retained."""
        return f"{self.stem}/state"

    @cached_property
    def settings(self) -> str:
        """The settings in force, retained."""
        return f"{self.stem}/settings"

    @cached_property
    def rejected(self) -> str:
        """Writes that were refused, each with its reason."""
        return f"{self.stem}/rejected"

    @cached_property
    def set(self) -> str:
        """Where clients write many values in one message."""
        return f"{self.stem}/set"


# --- the topics of a GX: one value ------------------------------------------------------------

_Topic = TypeVar("_Topic", bound="_ValueTopic")


@dataclass(frozen=True)
class _ValueTopic:
    """The topic of one path of one battery, below W/, R/ or N/."""

    portal: str
    instance: int
    path: str

    LETTER: ClassVar[str]
    PATH: ClassVar[str] = "/.*"

    @classmethod
    def root(cls, portal: str, instance: int) -> str:
        """The beginning that the topics of one battery share."""
        return f"{cls.LETTER}/{portal}/battery/{instance}"

    def build(self) -> str:
        """The topic."""
        return self.root(self.portal, self.instance) + self.path

    @classmethod
    def parse(cls: type[_Topic], topic: str) -> _Topic | None:
        """The parts of a topic; None where it has another shape."""
        shape = f"{cls.LETTER}/({_LEVEL})/battery/({_INSTANCE})({cls.PATH})"
        match = re.fullmatch(shape, topic, re.DOTALL)
        return cls(match[1], int(match[2]), match[3]) if match else None


class WriteTopic(_ValueTopic):
    """A client writes here."""

    LETTER = "W"


class ReadTopic(_ValueTopic):
    """A client asks for a value here; without a path, for all values."""

    LETTER = "R"
    PATH = "(?:/.*)?"


class NotificationTopic(_ValueTopic):
    """A value is published here."""

    LETTER = "N"


def all_below(root: str) -> str:
    """The subscription to all topics of one battery; by MQTT's rules also to the root itself."""
    return f"{root}/#"


def path_below(root: str, topic: str) -> str | None:
    """The path that a topic names below a battery's root; None where it is not below it.

    The same as `parse` for one known battery, but faster: it is called for every message.
    """
    rest = topic.removeprefix(root)
    return rest if len(rest) < len(topic) and rest.startswith("/") else None


def is_write(topic: str) -> bool:
    """Whether a topic begins like a write to any device of a GX."""
    return topic.startswith("W/")


def is_read(topic: str) -> bool:
    """Whether a topic begins like a request for values of a GX."""
    return topic.startswith("R/")


def is_notification(topic: str) -> bool:
    """Whether a topic begins like a value that a GX publishes."""
    return topic.startswith("N/")


# --- the topics of a GX: the whole portal -----------------------------------------------------


@dataclass(frozen=True)
class PortalTopics:
    """The topics of a portal that belong to no single battery."""

    portal: str

    @cached_property
    def serial(self) -> str:
        """Where clients find the portal id, retained."""
        return f"N/{self.portal}/system/0/Serial"

    @cached_property
    def serial_read(self) -> str:
        """Asks for the serial; older clients use it as their keepalive."""
        return f"R/{self.portal}/system/0/Serial"

    @cached_property
    def keepalive(self) -> str:
        """Asks for changes during the next minute."""
        return f"R/{self.portal}/keepalive"

    @cached_property
    def heartbeat(self) -> str:
        """The time, every few seconds while a keepalive lasts."""
        return f"N/{self.portal}/heartbeat"

    @cached_property
    def full_publish_completed(self) -> str:
        """Marks the end of a full publish."""
        return f"N/{self.portal}/full_publish_completed"


# --- Home Assistant's topics ------------------------------------------------------------------


@dataclass(frozen=True)
class EntityTopic:
    """Where one entity of a device is announced."""

    platform: str
    node: str
    key: str

    def build(self) -> str:
        """The topic."""
        return f"homeassistant/{self.platform}/{self.node}/{self.key}/config"

    @classmethod
    def parse(cls, topic: str) -> EntityTopic | None:
        """The parts of a topic; None where it has another shape."""
        shape = f"homeassistant/({_LEVEL})/({_LEVEL})/({_LEVEL})/config"
        match = re.fullmatch(shape, topic)
        return cls(match[1], match[2], match[3]) if match else None


def device_config(node: str) -> str:
    """Where a device with all its entities is announced."""
    return f"homeassistant/device/{node}/config"


def all_entities(node: str) -> str:
    """The subscription to the entities of one device."""
    return f"homeassistant/+/{node}/+/config"


def is_home_assistant(topic: str) -> bool:
    """Whether a topic is one of Home Assistant's own."""
    return topic.startswith("homeassistant/")
