"""The interfaces between the parts of the bridge, and to the outside; no library is named here.

Each is a Protocol: any object with these methods fits. tests/contract/test_contract_ports.py
checks that the fakes of the unit tests behave like the real objects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

from bridge.core.model import Value
from bridge.core.paths.table import Paths


class Bus(Protocol):
    """The D-Bus service of one battery."""

    def publish(self, changes: Mapping[str, Value]) -> None:
        """Send the changes, by path, in one signal."""


class Client(Protocol):
    """The MQTT side."""

    def publish(self, topic: str, payload: str, retain: bool = False) -> None:
        """Send a message. Without a connection it is lost. Never waits."""


class Timer(Protocol):
    """The main loop."""

    def call_in(self, seconds: float, callback: Callable[[], None]) -> None:
        """Call back once, after this many seconds."""


class Store(Protocol):
    """What a battery keeps over a restart."""

    def save(self, key: str, value: Value) -> None:
        """Keep a value. Never waits."""


class Memory(Protocol):
    """A line of text of one battery that survives a restart of the process, but not a boot."""

    def read(self) -> str | None:
        """The text. None: nothing was written since the boot. May be anything: check it."""

    def write(self, text: str) -> bool:
        """Replace the text, at once and as a whole. Returns whether it is kept."""


class SettingsService(Protocol):
    """The platform's settings service: it keeps texts by key. Every answer comes later."""

    def open(
        self,
        defaults: Mapping[str, str],
        opened: Callable[[dict[str, str]], None],
        failed: Callable[[str], None],
    ) -> None:
        """Ask for these keys; those that do not exist yet are made, with their default.

        Afterwards either opened(values by key) is called, or failed(reason).
        """

    def save(
        self, key: str, value: str, kept: Callable[[], None], failed: Callable[[str], None]
    ) -> None:
        """Keep a value. Afterwards either kept() is called, or failed(reason)."""


class PersistentBattery(Protocol):
    """A battery whose name and settings are kept over a restart."""

    @property
    def name(self) -> str:
        """The user's name for the battery."""

    def set_name(self, name: str) -> None:
        """Take over a name that was kept, or was changed in the settings service.

        Raises Refused.
        """

    def settings_record(self) -> str:
        """The settings that differ from the configuration, as one text."""

    def load_settings(self, kept: str) -> None:
        """Take over a text of `settings_record`, at the start, as far as it can be used."""

    def replace_settings(self, text: str) -> None:
        """Take a text of `settings_record` in place of all changes, or raise Refused."""

    def refuse(self, way: str, key: str, value: str, reason: str) -> None:
        """Publish and log that this value was not taken from this way in, and why."""

    @property
    def last_full(self) -> str:
        """The day on which the battery was last full, as text; empty while it is unknown."""

    def load_requests(self, kept: str) -> None:
        """Take over the requests that were kept over a boot, at the start."""

    def load_last_full(self, kept: str) -> None:
        """Take over a text of `last_full`, at the start."""

    def settle(self, now: float) -> None:
        """Publish what has changed. now: monotonic seconds."""


class NotificationSource(Protocol):
    """One battery, for the N/ topics of a GX."""

    @property
    def instance(self) -> int:
        """Its device instance, as in the topics."""

    def catch_up(self, now: float) -> None:
        """Publish at once what is still being gathered. now: monotonic seconds."""

    def all_values(self) -> Mapping[str, Value]:
        """Every path with its value, None where it has none."""


class DiscoverySource(Protocol):
    """One battery, for Home Assistant."""

    paths: Paths

    def values(self) -> Mapping[str, Value]:
        """What stands on the bus now."""

    def publish_again(self) -> None:
        """Publish the state again although it has not changed."""


IncomingMessage: TypeAlias = tuple[str, bytes | None, int, bool, float | None]
"""Topic, payload, size of the payload in bytes, retained, since when it has waited.

Too large a payload is None. The last is in monotonic s, and None for what has just come.
"""


class WriteReceiver(Protocol):
    """One battery, for messages."""

    def knows(self, topic: str) -> bool:
        """Whether this is the topic of a write to one of its paths. Called on any thread."""

    def on_message(
        self,
        topic: str,
        payload: bytes | None,
        size: int,
        now: float,
        waited_since: float | None = None,
    ) -> None:
        """Take a message for this battery; ignore one for another battery.

        size: of the payload in bytes. now: monotonic seconds. waited_since: see IncomingMessage.
        """

    def settle(self) -> None:
        """Publish what has changed, after a burst of messages."""


class NotificationReceiver(Protocol):
    """The N/ and R/ topics of a GX, for messages."""

    def on_message(self, topic: str, payload: bytes | None, retained: bool, now: float) -> bool:
        """Take a message on an N/ or R/ topic of ours. Returns whether it was one.

        now: monotonic seconds.
        """

    def settle(self, now: float) -> None:
        """Publish what was asked for, after a burst of messages. now: monotonic seconds."""


class DiscoveryReceiver(Protocol):
    """Home Assistant's topics, for messages."""

    def on_message(self, topic: str, payload: bytes | None) -> None:
        """Take a message for this battery; ignore one for another battery."""
