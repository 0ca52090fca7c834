"""The nouns that the rest of the core speaks in."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

Value = float | int | str | None
"""What a D-Bus path can hold. None is "unknown", an empty array on the wire."""


class Refused(Exception):
    """A write that was not taken. The message says why, in words for the writer."""


class Group(str, enum.Enum):
    """Measurements that live and die together, each with an age of its own."""

    CELLS = "cells"
    DC = "dc"
    SOC = "soc"
    TEMPERATURE = "temperature"
    FLAGS = "flags"


class Input(str, enum.Enum):
    """What the limiter's rules look at; each may fall silent by itself."""

    CELLS = "the cell voltages"
    VOLTAGE = "the pack voltage"
    SOC = "the SoC"
    TEMPERATURE = "the temperature"
    MOSFET = "the MOSFETs' temperature"
    CHARGE_FLAGS = "the permission to charge"
    DISCHARGE_FLAGS = "the permission to discharge"


class Stage(enum.IntEnum):
    """How much the measurements can be trusted, from best to worst."""

    FRESH = 0
    AGING = 1
    WAITING = 2
    STALE = 3
    LOST = 4

    @property
    def word(self) -> str:
        return self.name.lower()


class Date(NamedTuple):
    """What the calendar says: a year, and a month from 1 to 12."""

    year: int
    month: int


@dataclass(frozen=True)
class Cells:
    """The cell voltages in V, in order, None where unknown, with the written extremes if any."""

    voltages: tuple[float | None, ...] = ()
    lowest: float | None = None
    highest: float | None = None


@dataclass(frozen=True)
class Measurements:
    """What the limiter is told. None is unknown, and None is never permission.

    `cells` is None unless the whole pack is known: every cell, or both extremes.
    `known` holds what is known even of an incomplete pack; it may tighten, never loosen.
    `silent` names the inputs that were seen once, went stale, and are not covered by the
    failsafe: a rule that needs one of them answers its most careful value.
    """

    known: Cells = Cells()
    cells: Cells | None = None
    voltage: float | None = None  # V, the pack
    current: float | None = None  # A, positive charges
    soc: float | None = None  # %
    coldest: float | None = None  # degrees C
    hottest: float | None = None  # degrees C
    mosfet: float | None = None  # degrees C
    charge_blocked_by: str = ""  # what blocks, in words; "" nothing that we know of
    discharge_blocked_by: str = ""
    silent: frozenset[Input] = frozenset()
    doubt: str = ""  # which reading cannot be believed yet, in words; then nothing may loosen


@dataclass(frozen=True)
class Cap:
    """One rule's answer: no more than `value`, and why."""

    value: float
    reason: str


@dataclass(frozen=True)
class Request:
    """A client's wish for a limit, and when it came (monotonic seconds)."""

    value: float
    at: float


@dataclass(frozen=True)
class Limit:
    """One published limit: its value (V or A; None when withdrawn), the rule that holds it,
    the reason in words, and every rule's cap by name."""

    value: float | None
    rule: str
    reason: str
    caps: Mapping[str, Cap] = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """What the chargers and inverters may do now."""

    cvl: Limit
    ccl: Limit
    dcl: Limit
    charge_mode: str | None = None  # the phase of charging; None where there are no phases
    charge_request: int | None = None  # 1: below the SoC to maintain; None: nothing to maintain
