"""A current remembers its falls: after each one it comes back by a part of it only.

When a current is limited because of a cell, the cell moves away from its threshold, by current
times resistance. So without a memory the limit would rise again, the cell would come back, and so
on, many times an hour.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bridge.core.limiter.situation import Situation
from bridge.core.model import Cap, Stage
from bridge.core.typed_json import Past

COMES_BACK = 0.25
"""Share of a fall that the current may rise again.

Ours: two falls find the current at which the cell stays on the safe side of its threshold, within a
few A. With 0 a single noisy reading would cost the whole difference between two steps.
"""

FORGET = 900.0
"""Seconds for which every cell must be away from its threshold. Ours: longer than most clouds."""


@dataclass(frozen=True)
class Falls:
    """What is remembered of the falls of one current.

    level: A, the most that it rises to. allowed: A, what the curve allowed last. away_since:
    since when every cell has been away from the threshold (monotonic s); None: one is not, or it is
    unknown.
    """

    level: float
    allowed: float
    away_since: Past | None


def followed(
    before: Falls | None,
    situation: Situation,
    allowed: float | None,
    most: float,
    is_near: bool,
) -> Falls | None:
    """Lower the level each time the allowed current falls below it.

    allowed: what the curve allows now, None while the cells are unknown; most: without a limit;
    both in A. is_near: whether a cell is near its threshold. All is forgotten when none has been
    near for FORGET seconds. What is in doubt changes nothing: a single wrong reading would cost
    current for a long time.
    """
    if allowed is None or situation.stage is not Stage.FRESH:
        return None if before is None else replace(before, away_since=None)
    if not situation.is_certain:
        return before
    if before is None:
        return Falls(_lowered(most, allowed), allowed, None) if allowed < most else None
    level = before.level
    if allowed < min(level, before.allowed):
        level = _lowered(level, allowed)
    if is_near:
        return Falls(level, allowed, None)
    since = situation.now if before.away_since is None else before.away_since
    return None if situation.now - since >= FORGET else Falls(level, allowed, since)


def _lowered(level: float, allowed: float) -> float:
    return allowed + COMES_BACK * (level - allowed)


def with_falls(now: Cap | None, falls: Falls | None, threshold: str) -> Cap | None:
    """The cap of the curve, or that of the falls where it is smaller.

    threshold: in words, what a cell was at and what it must be away from.
    """
    if falls is None or (now is not None and now.value <= falls.level):
        return now
    return Cap(falls.level, f"a cell was at {threshold} for {FORGET / 60:.0f} min")
