"""What is known from the writes alone: the last value of each path, its age, and what is doubtful.

A reading that is too far from the last one may be a glitch or the truth. Which of both the bridge
believes is its own choice, so both values are kept here, and a law takes the one that allows more.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from tests.search.settings import InForce

CVL, CCL, DCL = "/Info/MaxChargeVoltage", "/Info/MaxChargeCurrent", "/Info/MaxDischargeCurrent"
LIMITS = (CVL, CCL, DCL)
VOLTAGE, CURRENT, SOC = "/Dc/0/Voltage", "/Dc/0/Current", "/Soc"
LOWEST, HIGHEST = "/System/MinCellVoltage", "/System/MaxCellVoltage"
TEMPERATURES = ("/Dc/0/Temperature", "/System/MinCellTemperature", "/System/MaxCellTemperature")
MOSFET = "/System/MOSTemperature"
CHARGE_FLAGS = ("/Io/AllowToCharge", "/System/NrOfModulesBlockingCharge")
DISCHARGE_FLAGS = ("/Io/AllowToDischarge", "/System/NrOfModulesBlockingDischarge")
FORGET = "/Freshness/Forget"

GROUPS = {
    "cells": ("Voltages/Cell", "System/MinCellVoltage", "System/MaxCellVoltage"),
    "dc": ("Dc/0/Voltage", "Dc/0/Current"),
    "soc": ("Soc",),
    "temperature": (*(path[1:] for path in TEMPERATURES), MOSFET[1:]),
    "flags": tuple(path[1:] for path in (*CHARGE_FLAGS, *DISCHARGE_FLAGS)),
}

ROUNDING = 0.002  # s; a law about an age begins so much later than the age itself
COPY_WITHIN = 0.5  # s; a GX brings each write by two ways, a copy confirms nothing

RIVALS, RIVALS_WITHIN = 12, 10.0
"""So many readings in turns up and down, at most so many s apart, are surely of two writers."""
RIVALS_APART = 0.15  # V of a cell; so far apart, the values of two writers surely contradict

MIXED = 8
"""Of so many readings in turns refused and taken, surely more than one in five was refused."""

INVALID = object()


@dataclass(frozen=True)
class Kind:
    """What a path holds: the range of the gate, and how fast a value is believed to change.

    step: the name of the plausibility setting; rate: units per s. first: the range of a first
    reading that is believed. whole: only whole numbers.
    """

    low: float
    high: float
    step: str = ""
    rate: float = 0.0
    first: tuple[float, float] = (-math.inf, math.inf)
    scale: int = 1
    whole: bool = False


def kinds_of(cells: int) -> dict[str, Kind]:
    """The kinds of all paths on which a limit depends."""
    cell = Kind(0, 5, "cell_voltage_step", 0.01, (1.0, 4.5))
    degrees = Kind(-60, 150, "temperature_step", 0.1, (-40.0, 80.0))
    singles = {cell_path(n): cell for n in range(1, cells + 1)}
    flags = {path: Kind(0, 1, whole=True) for path in (CHARGE_FLAGS[0], DISCHARGE_FLAGS[0])}
    counts = {
        path: Kind(0, 1_000_000, whole=True) for path in (CHARGE_FLAGS[1], DISCHARGE_FLAGS[1])
    }
    pack = Kind(0, 5 * cells, "cell_voltage_step", 0.01, (1.0 * cells, 4.5 * cells), cells)
    return {
        **singles,
        LOWEST: cell,
        HIGHEST: cell,
        VOLTAGE: pack,
        CURRENT: Kind(-5000, 5000),
        SOC: Kind(0, 100, "soc_step", 0.1, (0.0, 100.0)),
        **dict.fromkeys(TEMPERATURES, degrees),
        MOSFET: Kind(-60, 150, "temperature_step", 1.0, (-40.0, 120.0)),
        **flags,
        **counts,
    }


def cell_path(number: int) -> str:
    """The path of a cell's voltage; cells count from 1."""
    return f"/Voltages/Cell{number}"


def says_no(path: str, value: float) -> bool:
    """Whether this value of a permission forbids."""
    if path.startswith("/Io/AllowTo"):
        return value == 0
    return path.startswith("/System/NrOfModulesBlocking") and value >= 1


def number_in(raw: object, kind: Kind) -> Any:
    """The number of a raw value, None for a null, INVALID for what is none."""
    if raw is None:
        return None
    if isinstance(raw, str):
        word = raw.strip().lower()
        if word in ("on", "true", "yes", "off", "false", "no"):
            raw = word in ("on", "true", "yes")
        else:
            try:
                raw = float(word)
            except ValueError:
                return INVALID
    if isinstance(raw, bool):
        return float(raw) if kind.whole else INVALID
    if not isinstance(raw, (int, float)) or not math.isfinite(raw):
        return INVALID
    if not kind.low <= raw <= kind.high or (kind.whole and raw != int(raw)):
        return INVALID
    return float(raw)


def payload_of(text: str) -> object:
    """The value in a payload of one path: {"value": x}, a bare JSON value, or words.

    An object with an expiry stays as it is.
    """
    try:
        value = json.loads(text)
    except ValueError:
        return text
    if isinstance(value, dict) and "expires" in value:
        return value
    return value.get("value", text) if isinstance(value, dict) else value


Reading = tuple[float, float]
"""A value and when it came (monotonic s)."""


@dataclass
class Seen:
    """What was written to one path.

    values: what the last value may be; several while a reading is doubtful. at: the last time when
    a reading was, or may have been, taken (monotonic s). is_silent: it has once been older than
    stale since then, or refused again and again. bad_since, bad_at: the first and the last of the
    readings since the last good one that were surely refused. is_withdrawn: the last write was a
    null. bases: with which reading the next one may be compared; None: with none. odd: a reading
    that is surely in doubt. last: the last readings, in doubt or not. fates: of the last MIXED
    readings, whether each was surely refused (True), surely taken (False) or neither, and when.
    """

    kind: Kind
    values: tuple[float, ...] = ()
    at: float = -math.inf
    is_silent: bool = False
    bad_since: float = math.inf
    bad_at: float = -math.inf
    is_withdrawn: bool = False
    bases: tuple[Reading | None, ...] = (None,)
    odd: Reading | None = None
    last: tuple[Reading, ...] = ()
    fates: tuple[tuple[bool | None, float], ...] = ()

    @property
    def is_known(self) -> bool:
        return not self.is_silent and bool(self.values)

    def write(self, number: float, step: float, stale: float, now: float) -> None:
        """A number has come. step: how far from the last one it is believed at once.

        stale: s, after which a doubtful reading may be forgotten.
        """
        self.last = (*self.last, (number, now))[-RIVALS:]
        near = [self._is_near(number, base, step, now) for base in self.bases]
        if self.odd is not None and now - self.odd[1] > stale - COPY_WITHIN:
            near.append(self._is_near(number, self.odd, step, now))
            self.odd = None
        agrees = self.odd is not None and self._is_near(number, self.odd, step, now)
        is_taken = all(near) or (agrees and self.odd is not None and self._is_older(self.odd, now))
        if is_taken:
            self.values, self.bases, self.odd = (number,), ((number, now),), None
            self.bad_since, self.bad_at = math.inf, -math.inf
        else:
            self.values = (*(v for v in self.values if v != number), number)[-5:]
            if not agrees:
                self.odd = (number, now)
            if any(near):
                self.bases = (*self.bases, (number, now))[-5:]
                self.bad_since, self.bad_at = math.inf, -math.inf
            else:
                self.note_bad(now)
        if is_taken or any(near):
            self.at, self.is_silent, self.is_withdrawn = now, False, False
        is_possible = self.kind.first[0] <= number <= self.kind.first[1]
        self.note_fate(False if is_taken else None if any(near) or is_possible else True, now)

    def rivals(self, now: float) -> tuple[float, ...]:
        """The last two values of a cell, if two writers surely contradict each other."""
        if len(self.last) < RIVALS or now - self.last[-1][1] > RIVALS_WITHIN:
            return ()
        signs = []
        for (one, since), (other, at) in pairwise(self.last):
            if abs(other - one) < RIVALS_APART or at - since > RIVALS_WITHIN:
                return ()
            signs.append(other > one)
        is_to_and_fro = all(one != other for one, other in pairwise(signs))
        if not is_to_and_fro:
            return ()
        in_doubt = None if self.odd is None else self.odd[0]
        return tuple(value for value, _ in self.last[-2:] if value != in_doubt)

    def note_bad(self, now: float) -> None:
        """A reading has come that cannot be believed."""
        self.bad_since = min(self.bad_since, now)
        self.bad_at = now

    def note_fate(self, is_refused: bool | None, now: float) -> None:
        """A reading was refused, taken, or nobody knows."""
        self.fates = (*self.fates, (is_refused, now))[-MIXED:]

    def is_mixed(self, stale: float, doubt: float, now: float) -> bool:
        """Whether refused and taken readings have come in turns for longer than doubt (s)."""
        fates = self.fates
        if len(fates) < MIXED or not any(fate is False for fate, _ in fates[: MIXED // 2]):
            return False
        refused = [at for fate, at in fates if fate is True]
        is_dense = all(one is True or other is True for (one, _), (other, _) in pairwise(fates))
        pauses = [later - at for (_, at), (_, later) in pairwise(fates)]
        is_paced = min(pauses) >= COPY_WITHIN + ROUNDING and 2 * max(pauses) < stale
        lasts = refused[-1] - refused[0] >= doubt + ROUNDING if refused else False
        return is_dense and is_paced and lasts and now - fates[-1][1] < stale / 2

    def grow_old(self, stale: float, doubt: float, now: float) -> None:
        """Silent is what was once older than stale (s), and what was refused for longer than doubt.

        Nothing but a new value ends that. A permission is silent after one refused reading.
        """
        if now - self.bad_at > stale + ROUNDING:
            self.bad_since = math.inf
        refused_for = now - self.bad_since if self.kind.whole else self.bad_at - self.bad_since
        is_missing = refused_for >= max(doubt, COPY_WITHIN) + ROUNDING
        if self.at == -math.inf:
            self.is_silent = is_missing
        elif is_missing or now - self.at > stale + ROUNDING or self.is_mixed(stale, doubt, now):
            self.is_silent = True

    @staticmethod
    def _is_older(reading: Reading, now: float) -> bool:
        return now - reading[1] >= COPY_WITHIN

    def _is_near(self, number: float, last: Reading | None, step: float, now: float) -> bool:
        if not self.kind.step or step == 0:
            return True
        if last is None:
            return self.kind.first[0] <= number <= self.kind.first[1]
        allowed = (step + self.kind.rate * max(0.0, now - last[1])) * self.kind.scale
        return abs(number - last[0]) <= allowed


@dataclass
class Written:
    """Everything that was written to the paths on which a limit depends, since the start."""

    cells: int
    paths: dict[str, Seen] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.kinds = kinds_of(self.cells)
        self.singles = tuple(cell_path(n) for n in range(1, self.cells + 1))

    def write(self, path: str, raw: object, settings: InForce, now: float) -> None:
        """A raw value was written to a path."""
        kind = self.kinds.get(path)
        if kind is None:
            return
        number, seen = number_in(raw, kind), self.paths.get(path)
        if number is None:
            if seen is not None:
                seen.is_withdrawn = True
            return
        if seen is None:
            seen = self.paths[path] = Seen(kind)
        if number is INVALID:
            seen.note_bad(now)
            seen.note_fate(True, now)
        else:
            step = getattr(settings.plausibility, kind.step, 0.0)
            seen.write(number, step, settings.freshness.stale, now)

    def grow_old(self, settings: InForce, now: float) -> None:
        """Find what has become silent."""
        for seen in self.paths.values():
            seen.grow_old(settings.freshness.stale, settings.plausibility.doubt, now)

    def forget(self, what: str, required: tuple[str, ...]) -> None:
        """Somebody asks to forget a path or a group.

        A required group can always be forgotten, which tightens. Else only what is silent, and what
        does not say no.
        """
        named = {
            path: seen
            for path, seen in self.paths.items()
            if what in (path, path[1:]) or path[1:].startswith(GROUPS.get(what, (" ",)))
        }
        taken = {path: seen for path, seen in named.items() if seen.at > -math.inf}
        if what not in required and not all(
            seen.is_silent and not says_no(path, seen.values[-1]) for path, seen in taken.items()
        ):
            return
        for path in named:
            del self.paths[path]

    # --- by their meaning ------------------------------------------------------------------

    def ever(self, paths: Iterable[str]) -> list[Seen]:
        """What was ever written of these paths, and taken."""
        return [seen for path in paths if (seen := self.paths.get(path)) and seen.at > -math.inf]

    def known(self, paths: Iterable[str]) -> list[Seen]:
        """Those that are not silent."""
        return [seen for seen in self.ever(paths) if seen.is_known]

    @property
    def cell_paths(self) -> tuple[str, ...]:
        return (*self.singles, LOWEST, HIGHEST)

    def is_surely_fresh(self, group: str, aging: float, now: float) -> bool:
        """Whether a group is complete, young and beyond doubt in whatever way it is looked at."""
        paths = self.cell_paths if group == "cells" else _VITAL[group]
        written = [self.paths[path] for path in paths if path in self.paths]
        return self.have(group) and all(
            now - seen.at <= aging - ROUNDING
            and len(seen.values) == 1
            and seen.odd is None
            and not seen.is_withdrawn
            and seen.bad_since == math.inf
            for seen in written
        )

    def have_cells(self) -> bool:
        """Whether something may be known of every cell: all single ones, or both extremes."""
        extremes = len(self.known((LOWEST, HIGHEST))) == 2
        return extremes or len(self.known(self.singles)) == self.cells

    def have(self, group: str) -> bool:
        """Whether a group may be complete and younger than stale."""
        if group == "cells":
            return self.have_cells()
        paths = _VITAL[group]
        ever = self.ever(paths)
        return bool(ever) and all(seen.is_known for seen in ever)

    def was_heard(self, group: str) -> bool:
        """Whether a group was ever complete since the start."""
        if group == "cells":
            extremes = len(self.ever((LOWEST, HIGHEST))) == 2
            return extremes or len(self.ever(self.singles)) == self.cells
        return bool(self.ever(_VITAL[group]))

    def youngest(self, group: str) -> float:
        """The latest time at which a group may have been fresh as a whole (monotonic s)."""
        if group == "cells":
            times = [-math.inf]
            for paths, count in ((self.singles, self.cells), ((LOWEST, HIGHEST), 2)):
                ever = self.ever(paths)
                if len(ever) == count:
                    times.append(min(seen.at for seen in ever))
            return max(times)
        return min((seen.at for seen in self.ever(_VITAL[group])), default=-math.inf)

    def newest_voltage(self) -> float:
        """When the last voltage came (monotonic s)."""
        voltages = self.ever((*self.cell_paths, VOLTAGE))
        return max((seen.at for seen in voltages), default=-math.inf)

    def highest_cell(self, now: float) -> float | None:
        """No less than this is the highest cell, in V; the higher one of two writers."""
        known = self.known(self.cell_paths)
        return max((*(min(seen.values) for seen in known), *_rivals(known, now)), default=None)

    def lowest_cell(self, now: float) -> float | None:
        """No more than this is the lowest cell, in V; the lower one of two writers."""
        known = self.known(self.cell_paths)
        return min((*(max(seen.values) for seen in known), *_rivals(known, now)), default=None)

    def mean_cell(self) -> tuple[float, float] | None:
        """The least and the most that the mean cell may be, in V."""
        known = self.known((VOLTAGE,))
        if not known:
            return None
        return min(known[0].values) / self.cells, max(known[0].values) / self.cells


def _rivals(cells: list[Seen], now: float) -> list[float]:
    """What two writers say of these cells, in V, where both may be true."""
    return [volts for seen in cells for volts in seen.rivals(now) if 1 <= volts <= 4.5]


_VITAL: dict[str, tuple[str, ...]] = {
    "dc": (VOLTAGE,),
    "soc": (SOC,),
    "temperature": (*TEMPERATURES, MOSFET),
    "flags": (*CHARGE_FLAGS, *DISCHARGE_FLAGS),
}
