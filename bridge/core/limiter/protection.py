"""The shape of a protection: one object that says everything about itself.

From its inputs follow their freshness, the plausibility of their readings, and that a write to
one of their paths may tighten at once. From its sweeps follows `explain`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from bridge.core.limiter.situation import LatchState, Situation
from bridge.core.limiter.sweeps import Sweep
from bridge.core.measurements.inputs import Input
from bridge.core.model import Cap
from bridge.core.settings.declarations import LimiterSettings

S = TypeVar("S")

Rule = Callable[[Situation], "Cap | None"]
"""No more than this, and why; or None: no opinion."""


@dataclass(frozen=True, eq=False)
class Latch(Generic[S]):
    """What a protection remembers from one decision to the next.

    It is set by a single look and ended only when everything that it rests on is known.
    at_rest: its state while there is nothing to remember; in this state, equal measurements leave
    it at rest however much time passes. follow: the state after a situation.
    """

    name: str
    at_rest: S
    follow: Callable[[S, Situation], S]

    def of(self, latches: LatchState) -> S:
        """Its state among those of all latches."""
        state: S = latches.get(self.name, self.at_rest)
        return state


def followed(latch: Latch[Any], latches: LatchState, situation: Situation) -> LatchState:
    """All latches after this one has followed a situation; the same object if it has not moved.

    A latch at rest is not among them.
    """
    before = latch.of(latches)
    after = latch.follow(before, situation)
    if after == before:
        return latches
    others = {name: state for name, state in latches.items() if name != latch.name}
    return others if after == latch.at_rest else {**others, latch.name: after}


@dataclass(frozen=True, eq=False)
class Protection:
    """One protection of one limit.

    name: as it stands on D-Bus while it holds the limit. limit: CVL, CCL or DCL. what: in words,
    for the documentation. inputs: everything measured that its cap or its latch rests on.
    cap: its answer. sweeps: what `explain` shows of it. changes_with_time: its cap depends on the
    time itself. after_ccl: it looks at CCL, so it comes after all others. is_on: whether these
    settings use it at all.
    """

    name: str
    limit: str
    what: str
    inputs: frozenset[Input[Any]]
    cap: Rule
    latch: Latch[Any] | None = None
    sweeps: tuple[Sweep, ...] = ()
    changes_with_time: bool = False
    after_ccl: bool = False
    is_on: Callable[[LimiterSettings], bool] = lambda settings: True

    def __repr__(self) -> str:
        return f"{self.limit}: {self.name}"
