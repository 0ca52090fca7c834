"""The basic types that the rest of the core uses."""

from __future__ import annotations

import datetime
import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

Value = float | int | str | None
"""What a D-Bus path can hold. None is "unknown", an empty array on the wire."""


class Refused(Exception):
    """A write that was not taken. The message says why, in words for the writer."""


class Group(str, enum.Enum):
    """The groups of measurements. Each group has its own age and freshness stage."""

    CELLS = "cells"
    DC = "dc"
    SOC = "soc"
    TEMPERATURE = "temperature"
    FLAGS = "flags"


class Stage(enum.IntEnum):
    """How fresh the measurements are, from best to worst."""

    FRESH = 0, "fresh"
    AGING = 1, "aging"
    WAITING = 2, "waiting"
    STALE = 3, "stale"
    LOST = 4, "lost"

    word: str
    """The stage's name on D-Bus, in MQTT and in the log."""

    def __new__(cls, rank: int, word: str) -> Stage:
        """Of the two values of a member, the rank is its number."""
        stage = int.__new__(cls, rank)
        stage._value_, stage.word = rank, word
        return stage


EARLIEST_YEAR = 2024
"""A clock that shows an earlier year was never set. Our choice: this program began in 2026."""


class Date(NamedTuple):
    """The local calendar date and time of day.

    month: from 1 to 12. day: of the month. minute: of the day, 0 to 1439.
    """

    year: int
    month: int
    day: int = 1
    minute: int = 0

    @property
    def is_set(self) -> bool:
        """Whether the clock can be right: a clock that was never set shows an early year."""
        return self.year >= EARLIEST_YEAR

    @property
    def day_number(self) -> int:
        """The days since the first of January of the year 1, counted from 1."""
        return datetime.date(self.year, self.month, self.day).toordinal()


@dataclass(frozen=True)
class Cap:
    """The cap of one protection: no more than `value` (V or A), and why.

    of_silence: given because an input is silent, and not because of a measured value.
    """

    value: float
    reason: str
    of_silence: bool = False


@dataclass(frozen=True)
class Request:
    """A limit that a client asks for.

    value: V or A. at: when it came; until: when it expires, None for never. Both in monotonic s.
    """

    value: float
    at: float
    until: float | None = None


CVL, CCL, DCL = "CVL", "CCL", "DCL"
"""Charge voltage limit (V, whole pack), charge and discharge current limit (A)."""

LIMIT_NAMES = (CVL, CCL, DCL)


@dataclass(frozen=True)
class Limits(Generic[T]):
    """One value of some type for each of the three limits."""

    cvl: T
    ccl: T
    dcl: T

    def items(self) -> tuple[tuple[str, T], ...]:
        """Each with the name of its limit: CVL, CCL, DCL."""
        return ((CVL, self.cvl), (CCL, self.ccl), (DCL, self.dcl))

    def __iter__(self) -> Iterator[T]:
        return iter((self.cvl, self.ccl, self.dcl))

    def __getitem__(self, name: str) -> T:
        """The value of this limit: CVL, CCL or DCL. Raises KeyError for any other name."""
        return dict(self.items())[name]

    def with_(self, name: str, value: T) -> Limits[T]:
        """A copy with another value for this limit."""
        return Limits(*(value if one == name else old for one, old in self.items()))


@dataclass(frozen=True)
class Limit:
    """One published limit.

    value: V or A; None when withdrawn. rule: name of the protection that holds the limit.
    reason: in words. caps: the cap of every protection, by name.
    """

    value: float | None
    rule: str
    reason: str
    caps: Mapping[str, Cap] = field(default_factory=dict)


@dataclass(frozen=True)
class Decision(Limits[Limit]):
    """What the chargers and inverters may do now.

    charge_mode: the phase of charging; None where there are no phases.
    charge_request: 1 below the SoC to maintain, else 0; None where nothing is maintained.
    """

    charge_mode: str | None = None
    charge_request: int | None = None
