"""Counts the charge since each input last moved, and with it the SoC.

Pure: what is seen goes in once a tick, with the time, and the next state comes out. An input moves
when any digit of one of its values changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bridge.core.measurements.inputs import CELLS, PACK_CURRENT, PACK_VOLTAGE, SOC, Input
from bridge.core.measurements.soc_bounds import SocBounds

FELT = 0.005
"""1/h, times the capacity: the A that every BMS measures.

Ours: 1.4 A at 280 Ah. Many BMSs take currents below about half an ampere for none.
"""

REST = 0.001
"""1/h, times the capacity: the A below which a current may be the zero error of a meter.

Ours: 0.28 A at 280 Ah, a few digits of a BMS that shows 0.1 A.
"""

LONGEST_GAP = 120.0
"""s. A clock that jumped, or a process that was stopped, is not that much charge.

Ours: twice the default of `freshness.stale`, so that a slow publisher is counted in full.
"""

_STEPS_KEPT = 3
"""Of the SoC. So many steps after a correction of the SoC, its step is seen right again."""

_SECONDS_PER_HOUR = 3600.0


class Kind(NamedTuple):
    """What must be known of a pack. capacity: Ah; chemistry: a key of presets.py."""

    capacity: float
    chemistry: str


class Look(NamedTuple):
    """What is seen once a tick.

    moved: the inputs of which a value has changed since the last look, or came for the first time.
    current: A, positive charges; None: unknown. lives_until: when it becomes stale (monotonic s).
    soc: %. voltage: of the pack in V. lowest, highest: the extreme cells, or else the mean one, in
    V. Each is None where it is unknown. is_whole: whether all cells are known.
    """

    moved: frozenset[Input[Any]] = frozenset()
    current: float | None = None
    lives_until: float = float("-inf")
    soc: float | None = None
    voltage: float | None = None
    lowest: float | None = None
    highest: float | None = None
    is_whole: bool = False


@dataclass(frozen=True)
class Standing:
    """The charge in Ah since an input last moved, positive: charged.

    since: when it moved (monotonic s). net: the charge; most: the largest that |net| has been.
    felt, felt_most: the same of the currents that every BMS measures.
    """

    since: float
    net: float = 0.0
    most: float = 0.0
    felt: float = 0.0
    felt_most: float = 0.0

    def after(self, charge: float, is_felt: bool) -> Standing:
        """After so many Ah more."""
        if not charge:
            return self
        net, felt = self.net + charge, self.felt + (charge if is_felt else 0.0)
        return Standing(
            self.since, net, max(self.most, abs(net)), felt, max(self.felt_most, abs(felt))
        )


@dataclass(frozen=True)
class Count:
    """What is kept from one look to the next.

    at: monotonic s. standing: by input, for those that ever had a value. soc_steps: the last ones
    in which the SoC was seen to move, in %. bounds: of the SoC. unheard: the charge in Ah since
    pack voltage, current or SoC last moved, without that of a battery at rest.
    """

    at: float = float("-inf")
    last: Look = Look()
    standing: Mapping[Input[Any], Standing] = field(default_factory=dict)
    soc_steps: tuple[float, ...] = ()
    bounds: SocBounds = SocBounds()
    unheard: float = 0.0


def counted(before: Count, look: Look, kind: Kind, now: float) -> Count:
    """The count at the next look. now: monotonic s."""
    now = max(now, before.at)
    seconds = _seconds_counted(before, now)
    current = before.last.current or 0.0
    charge = current * seconds / _SECONDS_PER_HOUR
    is_felt = abs(current) >= FELT * kind.capacity
    standing = {input_: one.after(charge, is_felt) for input_, one in before.standing.items()}
    standing.update({input_: Standing(now) for input_ in look.moved})
    at_rest = abs(current) < REST * kind.capacity
    bounds = before.bounds.after(charge * 100 / kind.capacity, at_rest)
    return Count(
        at=now,
        last=look,
        standing=standing,
        soc_steps=_soc_steps(before, look),
        bounds=_corrected(bounds, look, kind),
        unheard=_unheard(before, look, 0.0 if at_rest else charge),
    )


def _seconds_counted(before: Count, now: float) -> float:
    """A current counts until the next look, but not longer than it is fresh."""
    until = min(now, before.last.lives_until)
    return min(max(0.0, until - before.at), LONGEST_GAP)


def _soc_steps(before: Count, look: Look) -> tuple[float, ...]:
    if SOC not in look.moved or look.soc is None or before.last.soc is None:
        return before.soc_steps
    step = abs(look.soc - before.last.soc)
    return (*before.soc_steps, step)[-_STEPS_KEPT:] if step else before.soc_steps


def _unheard(before: Count, look: Look, charge: float) -> float:
    is_heard = look.moved & {PACK_VOLTAGE, PACK_CURRENT, SOC}
    return 0.0 if is_heard else before.unheard + charge


def _corrected(bounds: SocBounds, look: Look, kind: Kind) -> SocBounds:
    """The bounds of the SoC, corrected by what has moved: the SoC itself, and the voltages."""
    has_soc = look.soc is not None and SOC in look.moved
    if look.soc is not None and has_soc:
        bounds = SocBounds(look.soc, look.soc)
    voltages = CELLS if look.is_whole else PACK_VOLTAGE
    has_voltages = voltages in look.moved and look.lowest is not None and look.highest is not None
    if look.lowest is not None and look.highest is not None and has_voltages:
        rate = 1.0 if look.current is None else look.current / kind.capacity
        bounds = bounds.by_voltage(kind.chemistry, look.lowest, look.highest, rate)
    if look.soc is not None and (has_soc or has_voltages):
        bounds = bounds.including(look.soc)
    return bounds
