"""Frozen values are not fresh: values that do not change although charge flows.

A BMS that has hung may repeat its last values. That cannot be right when charge has flowed
meanwhile, by its own current or by that of another publisher. A publisher is one group of what
clients write. It moves when any digit of a value changes that the limiter uses, and by nothing
else: a current that changes says nothing about cells that do not, nor a time to go about a SoC.

The verdict is graded, because a false alarm makes a house dark:

    suspect   0.3 % of the capacity has flowed; for a SoC, which has coarse digits, two of its own
              steps. Nothing may loosen.
    full      the voltages do not move, and by the count the battery is full: no charge.
    empty     the voltages do not move, and by the count it is empty: no discharge.
    stale     neither the SoC nor the voltages moved for two steps of the SoC: that cannot be
              right.

Without a current, equal values are as good as others, for ever. A pause of charging makes the
voltages of a good battery move, which ends "full" by itself.

A current that itself does not move, nor does the pack voltage, is probably wrong. Then twice of it
counts, both as what goes in and as what goes out.
"""

from __future__ import annotations

from typing import Any

from bridge.core.measurements.charge_count import Count, Kind, Standing
from bridge.core.measurements.frozen_verdict import NOT_FROZEN, Frozen
from bridge.core.measurements.inputs import CELLS, PACK_CURRENT, PACK_VOLTAGE, SOC, Input
from bridge.core.model import Group

SUSPECT = 0.3
"""% of the capacity that may go by unnoticed.

Ours: three steps of a SoC of 0.1 %. The sixteen cells of an LFP pack in the flat middle, shown in
millivolts, move more often.
"""

SPARE = 2.0
"""% of the capacity that is left when the counted charge ends charging or discharging.

Ours: two steps of a SoC in whole percents, and more than the count is wrong by after a whole charge
with a meter that is 2 % off.
"""

UNSEEN_STEP = 5.0
"""%. The step of a SoC that was never seen to move. Ours: a gauge of twenty lights."""

MOST_OF_FROZEN = 2.0
"""How many times a current that stands still counts, in both directions.

Ours: with more, a good battery with a constant current and coarse digits could not be used.
"""

_NAMES = {CELLS: "the cell voltages", PACK_CURRENT: "pack voltage and current", SOC: "the SoC"}


def judged(count: Count, kind: Kind) -> Frozen:
    """What stands still, and what follows from it."""
    return _Judge(count, kind).verdict()


class _Judge:
    """One count, looked at from all sides."""

    def __init__(self, count: Count, kind: Kind) -> None:
        self._count = count
        self._kind = kind

    def verdict(self) -> Frozen:
        suspects = self._suspects()
        if not suspects:
            return NOT_FROZEN
        words = "; ".join(self._words(one) for one in suspects)
        full = empty = ""
        if self._are_voltages_frozen():
            lowest, highest = self._soc_between(PACK_CURRENT in suspects)
            full = f"counted as full: {words}" if highest >= 100 - SPARE else ""
            empty = f"counted as empty: {words}" if lowest <= SPARE else ""
        return Frozen(
            words=words,
            suspects="no change of " + ", ".join(_NAMES[one] for one in suspects),
            stale=self._stale(),
            full=full,
            empty=empty,
            voltage=self._count.last.voltage if self._is_suspect(PACK_VOLTAGE) else None,
        )

    def _suspects(self) -> list[Input[Any]]:
        """Of each group that stands still, the input that stands for it."""
        suspects: list[Input[Any]] = [CELLS] if self._is_suspect(CELLS) else []
        if self._is_suspect(PACK_CURRENT) and self._stood(PACK_VOLTAGE):
            suspects.append(PACK_CURRENT)
        soc = self._standing(SOC)
        if soc and self._is_soc_stuck(UNSEEN_STEP) and soc.most >= self._ah(SUSPECT):
            suspects.append(SOC)
        return suspects

    def _is_suspect(self, input_: Input[Any]) -> bool:
        standing = self._standing(input_)
        return standing is not None and standing.most >= self._ah(SUSPECT)

    def _stood(self, input_: Input[Any]) -> bool:
        """Whether an input stood still, or never had a value."""
        return self._standing(input_) is None or self._is_suspect(input_)

    def _are_voltages_frozen(self) -> bool:
        """Whether what the protections of the cells depend on stands still."""
        if self._count.last.is_whole:
            return self._is_suspect(CELLS)
        return self._is_suspect(CELLS) or self._is_suspect(PACK_VOLTAGE)

    def _is_soc_stuck(self, unseen_step: float) -> bool:
        """Whether two steps of the SoC went by, of currents that every BMS measures.

        At the ends a SoC stands for good reason: 100 % in absorption, 99 % until the BMS has seen
        a full battery. There the counted charge ends what leads further.
        """
        soc, bounds = self._standing(SOC), self._count.bounds
        if soc is None or self._count.last.soc is None:
            return False
        is_at_end = bounds.highest >= 100 - SPARE if soc.felt > 0 else bounds.lowest <= SPARE
        return not is_at_end and soc.felt_most >= self._ah(2 * self._soc_step(unseen_step))

    def _soc_step(self, unseen: float) -> float:
        """The largest of the last steps: a SoC that is read seldom moves by several at once."""
        return max(self._count.soc_steps, default=unseen)

    def _stale(self) -> frozenset[Group]:
        """The SoC and the voltages, if both stood for two steps that were seen before."""
        if not self._count.soc_steps or not self._is_soc_stuck(UNSEEN_STEP):
            return frozenset()
        least = self._ah(max(SUSPECT, 2 * self._soc_step(UNSEEN_STEP)))
        voltages = CELLS if self._standing(CELLS) else PACK_VOLTAGE
        needed = [self._standing(SOC), self._standing(voltages)]
        if any(one is None or one.felt_most < least for one in needed):
            return frozenset()
        return frozenset({Group.SOC, voltages.group})

    def _soc_between(self, is_current_frozen: bool) -> tuple[float, float]:
        """The bounds of the SoC in %, wider where the current is a poor measure of what flows."""
        lowest, highest = self._count.bounds
        if not is_current_frozen:
            return lowest, highest
        counted = self._count.unheard * 100 / self._kind.capacity
        either_way = MOST_OF_FROZEN * abs(counted)
        return lowest - counted - either_way, highest - counted + either_way

    def _words(self, input_: Input[Any]) -> str:
        group = (PACK_CURRENT, PACK_VOLTAGE) if input_ is PACK_CURRENT else (input_,)
        known = [one for one in map(self._standing, group) if one]
        standing = min(known, key=lambda one: one.most)
        verb = "has" if input_ is SOC else "have"
        return (
            f"{_NAMES[input_]} {verb} not changed for {_span(self._count.at - standing.since)}"
            f" while {standing.most:.1f} Ah flowed"
        )

    def _standing(self, input_: Input[Any]) -> Standing | None:
        return self._count.standing.get(input_)

    def _ah(self, percent: float) -> float:
        return percent * self._kind.capacity / 100


def _span(seconds: float) -> str:
    """A time in hours, minutes or steps of 10 s: a text that changes each second costs a signal."""
    if seconds < 120:
        return f"{seconds // 10 * 10:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.0f} h"
