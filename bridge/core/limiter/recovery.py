"""Tighten in the same call, loosen slowly: hold, then rise.

A limit whose caps allow more first waits `hold` seconds. The wait starts anew when its caps allow
no more, so an input that moves around a threshold never raises the limit. It also starts anew while
the measurements are not fresh: what is not known has not allowed more. While a reading is in doubt
the wait stands still, so that a glitch now and then does not hold a limit for ever. Then the limit
rises at a constant rate. From 0 it rises only if its caps allow at least `release`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

LONGEST_STEP = 2.0
"""Seconds. A clock that jumped, or a process that was stopped, is not that much recovery.

Our choice: two ticks of 1 s, so that one that comes late costs nothing.
"""

NOISE = 1e-6
"""V or A. The same sum of decimal fractions in another order differs by less; that is no rise.

Our choice: a thousandth of the millivolt in which cells are shown.
"""


class Certainty(enum.Enum):
    """How certain the measurements are, and so how a limit may rise."""

    CERTAIN = "it may rise"
    IN_DOUBT = "they are fresh, but one is in doubt: the wait pauses"
    NOT_FRESH = "the wait starts again from the beginning"


@dataclass(frozen=True)
class Pace:
    """How one limit recovers: hold in s, rise in V or A per s, release in V or A."""

    hold: float
    rise: float
    release: float = 0.0


@dataclass(frozen=True)
class Recovering:
    """A limit on its way up.

    value: V or A. rising_since: since when its caps have allowed more (None: they do not). at: when
    the limit was last computed. Both in monotonic s. hold: s that this rise waits; a setting that
    changes meanwhile can only make it longer.
    """

    value: float
    rising_since: float | None
    at: float
    hold: float = 0.0


def recover(
    before: Recovering | None,
    target: float,
    pace: Pace,
    now: float,
    certainty: Certainty,
) -> Recovering:
    """The limit now: never above target (V or A), and above the last value only by recovery.

    now: monotonic s.
    """
    if before is None:
        return Recovering(target, None, now)
    now = max(now, before.at)
    if target <= before.value:
        return Recovering(target, None, now)
    is_worth_it = before.value > 0.0 or target >= pace.release
    if target <= before.value + NOISE or not is_worth_it:
        return Recovering(before.value, None, now)
    since = before.rising_since
    if certainty is Certainty.NOT_FRESH:
        return Recovering(before.value, None, now, before.hold)
    if certainty is Certainty.IN_DOUBT:
        paused = None if since is None else since + now - before.at
        return Recovering(before.value, paused, now, before.hold)
    hold = max(before.hold, pace.hold)
    since = now if since is None else since
    if now - since < hold:
        return Recovering(before.value, since, now, hold)
    rising_for = min(now - before.at, now - since - hold, LONGEST_STEP)
    return Recovering(min(target, before.value + pace.rise * rising_for), since, now, hold)


def seconds_counted(since: float, now: float) -> float:
    """The time since then that counts for slow changes, in s (both monotonic s)."""
    return min(max(0.0, now - since), LONGEST_STEP)


def seconds_to(state: Recovering, target: float, pace: Pace) -> float:
    """Seconds until the limit reaches target (V or A), if nothing changes and it may rise."""
    if state.value >= target:
        return 0.0
    waited = 0.0 if state.rising_since is None else state.at - state.rising_since
    return max(0.0, max(state.hold, pace.hold) - waited) + (target - state.value) / pace.rise
