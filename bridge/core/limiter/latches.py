"""What one decision leaves to the next, apart from limits on their way up.

A latch is set by a single look and ended only when everything that it rests on is known.
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.core.limiter.phases import Phase


@dataclass(frozen=True)
class Block:
    """A BMS that blocks, or did until a moment ago: its words, and until when (monotonic s)."""

    words: str
    until: float


@dataclass(frozen=True)
class LatchState:
    """discharge_stopped: the latch of the discharge stop.
    maintaining: the latch of the SoC to maintain.
    charge_block, discharge_block: None where nothing blocks.
    slide: V, where CVL has slid to; None while it does not slide.
    at: when all this was true.
    """

    discharge_stopped: bool = False
    maintaining: bool = False
    charge_block: Block | None = None
    discharge_block: Block | None = None
    phase: Phase = Phase()
    slide: float | None = None
    at: float = float("-inf")


def remember_block(before: Block | None, words: str, hold: float, now: float) -> Block | None:
    """The block now: at once when it comes, ended only after `hold` s without it."""
    if words:
        return Block(words, now + hold)
    if before is None or now >= min(before.until, now + hold):
        return None
    return before
