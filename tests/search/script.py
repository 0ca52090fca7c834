"""What can happen to a battery, step by step; a script can be pasted into a test as it is printed.

Every step stands for itself, so a script from which steps were left out is still a script.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Mqtt:
    """A write to one path by MQTT. payload: as it is on the wire."""

    path: str
    payload: str


@dataclass(frozen=True)
class Dbus:
    """A SetValue by D-Bus."""

    path: str
    value: object


@dataclass(frozen=True)
class Batch:
    """Many writes by MQTT in one JSON object, by path."""

    writes: dict[str, Any]


@dataclass(frozen=True)
class Wait:
    """So many seconds pass, and a tick comes at their end."""

    seconds: float


@dataclass(frozen=True)
class Restart:
    """The process ends without a word, and starts again after so many seconds. No boot."""

    after: float


@dataclass(frozen=True)
class Reboot:
    """The machine starts again: what a boot clears is gone."""


@dataclass(frozen=True)
class Kept:
    """The settings service says while the bridge runs that these settings were kept (a text)."""

    text: str


@dataclass(frozen=True)
class WallClock:
    """The wall clock is set. at: s since 1970; None: it is not set."""

    at: float | None


MEMORY = ("gone", "garbage", "full", "works")
"""What can happen to the memory of a boot: emptied, damaged, not to be written, and in order."""


@dataclass(frozen=True)
class Memory:
    """Something happens to the memory that a restart reads. state: one of MEMORY."""

    state: str


Step = Mqtt | Dbus | Batch | Wait | Restart | Reboot | Kept | WallClock | Memory


@dataclass(frozen=True)
class Script:
    """A battery's configuration (keys of the file, see `battery_config`) and what happens to it.

    misreports: the names of the ways in which its publishers misreported.
    """

    config: dict[str, Any]
    steps: Sequence[Step]
    misreports: Sequence[str] = ()

    def __str__(self) -> str:
        lines = "".join(f"    {step!r},\n" for step in self.steps)
        return f"Script(\n  {self.config!r},\n  (\n{lines}  ),\n)"
