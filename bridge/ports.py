"""What a battery needs of its surroundings; it knows these, and no library."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from bridge.core.model import Value


class Bus(Protocol):
    """The D-Bus service of this battery."""

    def publish(self, changes: Mapping[str, Value]) -> None:
        """Make the changes known in one signal."""


class Client(Protocol):
    """The MQTT side."""

    def publish(self, topic: str, payload: str, retain: bool = False) -> None:
        """Send, or lose it when there is no connection. Never waits."""


class Timer(Protocol):
    """The main loop."""

    def call_in(self, seconds: float, callback: Callable[[], None]) -> None:
        """Call back once, after so many seconds."""


class Store(Protocol):
    """What is kept over a restart."""

    def save(self, key: str, value: Value) -> None:
        """Keep a value. Never waits."""
