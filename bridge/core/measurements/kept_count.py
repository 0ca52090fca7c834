"""What a restart of the process must not lose of a count, as plain values.

Without it each restart would forget the charge that went by, and how long values have stood.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from bridge.core.measurements.charge_count import Count, Look, Standing
from bridge.core.measurements.inputs import CELLS, PACK_CURRENT, PACK_VOLTAGE, SOC
from bridge.core.measurements.soc_bounds import SocBounds

_BY_NAME = {input_.name: input_ for input_ in (CELLS, PACK_VOLTAGE, PACK_CURRENT, SOC)}


@dataclass(frozen=True)
class KeptStanding:
    """One input's `Standing`, by the input's name."""

    name: str
    since: float
    net: float
    most: float
    felt: float
    felt_most: float


@dataclass(frozen=True)
class KeptCount:
    """A `Count`, and the last values by path, so that a first equal value is no movement.

    lives_until: monotonic s; None where there was no current. counter_at: when the counter of the
    publisher last moved (monotonic s); None where there is none.
    """

    at: float
    current: float | None
    lives_until: float | None
    standing: tuple[KeptStanding, ...]
    soc_steps: tuple[float, ...]
    lowest: float
    highest: float
    unheard: float
    values: tuple[tuple[str, float], ...]
    counter_at: float | None


def kept_count(
    count: Count, values: Mapping[str, float], counter_at: float | None = None
) -> KeptCount | None:
    """What to keep; None before the first look. counter_at: monotonic s."""
    if math.isinf(count.at):
        return None
    until = count.last.lives_until
    return KeptCount(
        at=count.at,
        current=count.last.current,
        lives_until=None if math.isinf(until) else until,
        standing=tuple(
            KeptStanding(input_.name, s.since, s.net, s.most, s.felt, s.felt_most)
            for input_, s in count.standing.items()
        ),
        soc_steps=count.soc_steps,
        lowest=count.bounds.lowest,
        highest=count.bounds.highest,
        unheard=count.unheard,
        values=tuple(values.items()),
        counter_at=counter_at,
    )


def restored(kept: KeptCount) -> Count:
    """The count that goes on after a restart. The time in between counts with the last current."""
    until = -math.inf if kept.lives_until is None else kept.lives_until
    return Count(
        at=kept.at,
        last=Look(current=kept.current, lives_until=until),
        standing={
            _BY_NAME[s.name]: Standing(s.since, s.net, s.most, s.felt, s.felt_most)
            for s in kept.standing
            if s.name in _BY_NAME
        },
        soc_steps=kept.soc_steps,
        bounds=SocBounds(kept.lowest, kept.highest),
        unheard=kept.unheard,
    )
