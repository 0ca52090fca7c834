"""What a protection is: one object that declares its inputs, its cap, its latch and its sweeps.

From its inputs follow freshness, plausibility, and which writes may tighten at once. From its
sweeps follows what `explain` shows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

from bridge.core.limiter.situation import LatchState, Situation
from bridge.core.limiter.sweeps import Sweep
from bridge.core.measurements.inputs import Input
from bridge.core.model import Cap

S = TypeVar("S")

CapFunction = Callable[[Situation], "Cap | None"]
"""The cap in a situation; None where the protection does not limit."""


@dataclass(frozen=True, eq=False)
class Latch(Generic[S]):
    """What a protection remembers from one decision to the next.

    One decision can set a latch; it ends only when everything that it depends on is known.
    at_rest: the state with nothing to remember; from this state, equal measurements never lead to
    another one, however much time passes. update(state, situation): the next state. The state
    survives a restart, by the type that `update` declares to return (bridge/core/limiter/kept.py).
    """

    name: str
    at_rest: S
    update: Callable[[S, Situation], S]

    def of(self, latches: LatchState) -> S:
        """Its state among those of all latches."""
        state: S = latches.get(self.name, self.at_rest)
        return state


def updated(latch: Latch[Any], latches: LatchState, situation: Situation) -> LatchState:
    """All latches after this one was updated; the same object if its state has not changed.

    A latch at rest is not in the mapping.
    """
    before = latches.get(latch.name, latch.at_rest)
    after = latch.update(before, situation)
    if after is before or after == before:
        return latches
    others = {name: state for name, state in latches.items() if name != latch.name}
    return others if after == latch.at_rest else {**others, latch.name: after}


@dataclass(frozen=True, eq=False)
class Protection:
    """One protection of one limit.

    name: as it stands on D-Bus while it holds the limit. limit: CVL, CCL or DCL. what: in words,
    for the documentation. inputs: all inputs that its cap or its latch depends on. cap: computes
    its cap. latch: several protections may share one. cap_inputs: the inputs that the cap itself
    looks at, besides its latch; without: all. sweeps: what `explain` shows of it.
    changes_with_time: its cap depends on the time itself while its latch is not at rest. after_ccl:
    it needs CCL, so it comes after all others. is_on: only for those: whether a latch at rest must
    be looked at. compares: it compares voltages with each other. While a frame is coming, its cap
    for half of it counts, but no hold follows.
    """

    name: str
    limit: str
    what: str
    inputs: frozenset[Input[Any]]
    cap: CapFunction
    latch: Latch[Any] | None = None
    cap_inputs: frozenset[Input[Any]] | None = None
    sweeps: tuple[Sweep, ...] = ()
    changes_with_time: bool = False
    after_ccl: bool = False
    compares: bool = False
    is_on: Callable[[Situation], bool] = lambda situation: True

    @cached_property
    def renewed_by(self) -> frozenset[Input[Any]]:
        """The inputs whose change makes another cap, while the latch stays what it is."""
        return self.inputs if self.cap_inputs is None else self.cap_inputs

    def __repr__(self) -> str:
        return f"{self.limit}: {self.name}"
