"""Readings that are refused again and again: the value of their path is missing.

A reading is refused when the gate does not take it, or when it cannot be believed. A path counts as
silent, whatever came before,

    at once     after `doubt` seconds in which only refused readings came
    lastingly   when more than about one in five was refused for `doubt` seconds or longer

Nobody knows which readings of such a sensor are good. One that is only a jump between two possible
values is not among the one in five: it counts itself, where it tightens a limit.

That share holds at every pace: what comes within COPY_WITHIN may be copies, so then good and
refused ones count half. A burst of refused readings within that time counts as one.

A single refused reading has no effect, except for a permission: what a BMS said about it could not
be understood, so after `doubt` it does not permit, until it can be understood.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from bridge.core.measurements.inputs import Input
from bridge.core.measurements.plausibility import COPY_WITHIN
from bridge.core.measurements.words import said_of

REFUSED = 4
"""What a refused reading adds to the score, while a good one takes 1 away.

Ours: then the score rises as soon as more than one in five is refused.
"""

LASTING = 12
"""The score at which a path that also has good readings is silent, and the highest one.

Ours: with good and refused ones in turns, the fourth refused reading. One glitch a minute at random
moments, among readings each second, reaches it once in weeks.
"""


@dataclass
class Trouble:
    """What was refused of one path, until the good readings outweigh it.

    since, last: the first and the last refused reading; only_since: the first one after the last
    good one; None after a good one. All in monotonic s. has_good: a good one came in between.
    is_lasting: the score was once LASTING since then.

    The score grows by groups: the readings within COPY_WITHIN after a first one. group_at: when
    that came (monotonic s); count, total: how many they are, and what they add up to;
    score_before: the score without them.
    """

    since: float
    last: float
    only_since: float | None = None
    has_good: bool = False
    is_lasting: bool = False
    score: float = 0.0
    group_at: float = -math.inf
    count: int = 0
    total: int = 0
    score_before: float = 0.0

    def add(self, weight: int, now: float) -> None:
        """Count a reading. weight: REFUSED, or -1 for a good one. now: monotonic s."""
        if now - self.group_at >= COPY_WITHIN:
            self.group_at, self.count, self.total = now, 0, 0
            self.score_before = self.score
        self.count += 1
        self.total += weight
        gained = self.total if self.count == 1 else min(self.total / 2, REFUSED)
        self.score = min(self.score_before + gained, LASTING)


class Refusals:
    """The refused readings of one pack of so many cells. troubles: by path."""

    def __init__(self, inputs: tuple[Input[Any], ...], cells: int) -> None:
        self._inputs = {
            path: input_
            for input_ in inputs
            if not input_.may_be_silent
            for path in input_.all_paths_of(cells)
        }
        self._singles = frozenset(
            path for input_ in inputs if input_.stand_ins for path in input_.paths_of(cells)
        )
        self.troubles: dict[str, Trouble] = {}

    def note(self, path: str, now: float, *, is_possible: bool = False) -> None:
        """A reading of this path was refused. now: monotonic s.

        is_possible: only the jump to it is hard to believe. It adds nothing to the score, because
        where such values come again and again, both count (contradictions.py).
        """
        if path not in self._inputs:
            return
        trouble = self.troubles.setdefault(path, Trouble(now, now))
        trouble.last = now
        if trouble.only_since is None:
            trouble.only_since = now
        if not is_possible:
            trouble.add(REFUSED, now)
        if trouble.score == LASTING and trouble.has_good:
            trouble.is_lasting = True

    def note_good(self, path: str, now: float) -> None:
        """A good reading has come of a path in `troubles`. now: monotonic s."""
        trouble = self.troubles[path]
        trouble.only_since = None
        trouble.has_good = True
        trouble.add(-1, now)
        if trouble.score <= 0:
            del self.troubles[path]

    def forget(self, path: str) -> None:
        """Forget what was refused of this path."""
        self.troubles.pop(path, None)

    def missing(self, doubt: float, forget: float, single_cells: float, now: float) -> list[str]:
        """The paths that count as silent. doubt: s. now: monotonic s.

        What was refused is over when nothing was refused for longer than `forget` (s), for a single
        cell than single_cells, if that is longer. That does not end what is `unclear`.
        """
        for path, trouble in list(self.troubles.items()):
            longest = max(forget, single_cells) if path in self._singles else forget
            if now - trouble.last > longest and not self._is_unclear(path):
                del self.troubles[path]
        return [path for path in self.troubles if self._is_missing(path, doubt, now)]

    def _is_missing(self, path: str, doubt: float, now: float) -> bool:
        trouble = self.troubles[path]
        if trouble.is_lasting and now - trouble.since >= doubt:
            return True
        if trouble.only_since is None:
            return False
        until = now if self._inputs[path].is_permission else trouble.last
        least = doubt if self._inputs[path].is_permission else max(doubt, COPY_WITHIN)
        return until - trouble.only_since >= least

    def _is_unclear(self, path: str) -> bool:
        is_permission = self._inputs[path].is_permission
        return is_permission and self.troubles[path].only_since is not None

    @property
    def unclear(self) -> dict[str, float]:
        """The permissions whose last word was refused, and when that came (monotonic s)."""
        return {path: one.last for path, one in self.troubles.items() if self._is_unclear(path)}

    @property
    def words(self) -> str:
        """Which paths were refused more than once lately, in words; "" for none."""
        often = [path for path, one in self.troubles.items() if one.score > REFUSED]
        return said_of(often, " is in doubt, readings are refused")

    def input_of(self, path: str) -> Input[Any]:
        """The input that a path belongs to."""
        return self._inputs[path]


def words_for(missing: list[str]) -> str:
    """Which paths are refused again and again, in words; "" for none."""
    return said_of(missing, " is refused again and again")
