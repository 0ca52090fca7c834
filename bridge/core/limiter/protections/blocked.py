"""No current while a BMS blocks it, or while the BMS's permission is silent."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.core.limiter.curves import nothing_for_silence
from bridge.core.limiter.protection import Latch, Protection
from bridge.core.limiter.situation import Situation
from bridge.core.measurements.inputs import CHARGE_PERMISSION, DISCHARGE_PERMISSION, Input
from bridge.core.model import CCL, DCL, Cap


@dataclass(frozen=True)
class Block:
    """A BMS that blocks, or has just stopped: the reason, and when the block ends (monotonic s)."""

    words: str
    until: float


def _protection(limit: str, permission: Input[str], what: str) -> Protection:
    def update(before: Block | None, situation: Situation) -> Block | None:
        """Set at once when a BMS blocks; ended only after block_release s without a block."""
        words, hold, now = situation.of(permission), situation.settings.block_release, situation.now
        if words:
            return Block(words, now + hold)
        if before is None or now >= min(before.until, now + hold):
            return None
        return before

    latch = Latch(f"{limit} blocked", None, update)

    def cap(situation: Situation) -> Cap | None:
        block = latch.of(situation.latches)
        if block is not None:
            return Cap(0.0, block.words)
        if situation.is_silent(permission):
            return nothing_for_silence(situation, permission)
        return None

    return Protection("blocked", limit, what, frozenset({permission}), cap, latch)


CHARGE = _protection(
    CCL, CHARGE_PERMISSION, "0 A while a BMS blocks charging, and block_release after it"
)
DISCHARGE = _protection(
    DCL, DISCHARGE_PERMISSION, "0 A while a BMS blocks discharging, and block_release after it"
)
