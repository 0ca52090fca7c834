"""Writes down what a restart of the process must not lose, as often as needed and not more.

What tightens is written at once, and before it is on the bus: then nobody has seen a limit that a
restart does not know. What loosens is written at most once a second, because an older and lower
limit is only too careful.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from bridge.core.limiter.decide import NO_REQUESTS, Requests
from bridge.core.limiter.kept import KeptState, decoded, encoded, nothing_known
from bridge.core.limiter.recovery import Recovering
from bridge.core.limiter.situation import LatchState
from bridge.core.measurements.kept_count import KeptCount
from bridge.core.measurements.unheard import Written
from bridge.core.model import Limits
from bridge.core.typed_json import Unreadable
from bridge.ports import Memory

log = logging.getLogger(__name__)

LOOSENING_EVERY = 1.0
"""Seconds between two writes of what is not tighter. Ours: limits rise once a second."""

HEARD_EVERY = 10.0
"""Seconds by which the kept time of the last fresh data may be behind.

Our choice: a restart then waits for data up to so much less than `grace`, and a battery that only
stays fresh costs one small write to memory in this time.
"""


class RestartMemory:
    """What one battery keeps over a restart of the process. memory: None keeps nothing.

    is_newest: whether `recall` has found what is newer than all that the settings service keeps.
    """

    def __init__(self, memory: Memory | None, ident: str, cells: int) -> None:
        self._memory = memory
        self._ident = ident
        self._cells = cells
        self._is_on = False
        self.is_newest = False
        self._limits: _Values = (None, None, None)
        self._latches: _Latches = ({}, {})
        self._requests = NO_REQUESTS
        self._heard_at: float | None = None
        self._written_at = self._failed_at = float("-inf")

    def recall(self, now: float) -> KeptState:
        """What was kept until this start (monotonic s), written again before it is used.

        A start that cannot be kept has no grace: the next one would look like the first since the
        boot, and so would each one after it.
        """
        kept, words = self._read(now)
        self.is_newest = kept.was_on_bus
        if not self._can_keep(encoded(kept, now)):
            self.is_newest = False
            known = KeptState(None, self._cells) if words else kept
            kept = replace(known, heard_at=None)
            words = "no start can be kept, so none has a grace: the failsafe holds until fresh data"
        if words:
            log.warning("%s: %s", self._ident, words)
        return kept

    def _read(self, now: float) -> tuple[KeptState, str]:
        """What was kept, and what is wrong with it; "" for nothing."""
        text = None if self._memory is None else self._memory.read()
        if text is None:
            return KeptState(now, self._cells), ""
        try:
            kept = decoded(text, self._cells, now)
        except Unreadable as problem:
            words = f"what was kept of before the restart cannot be used ({problem})"
            return nothing_known(self._cells), f"{words}: the currents rise from 0 A"
        log.info("%s: goes on from before the restart; %s", self._ident, _silence(kept, now))
        return kept, ""

    def _can_keep(self, text: str) -> bool:
        memory = self._memory
        return memory is not None and memory.write(text) and memory.read() == text

    def begin(self) -> None:
        """Write from now on: the battery is about to enter the bus."""
        self._is_on = self._memory is not None

    def note(
        self,
        limits: Limits[Recovering | None],
        latches: _Latches,
        requests: Requests,
        heard_at: float | None,
        now: float,
        count: Callable[[], KeptCount | None],
        written: Callable[[], Written],
    ) -> None:
        """Write this state if it is time to. latches: of the pack, and of the battery.

        heard_at: the last moment of fresh data, if any. Both times in monotonic s. count: gives the
        charge that went by; written: which paths were written.
        """
        if not self._is_on:
            return
        cvl, ccl, dcl = limits.cvl, limits.ccl, limits.dcl
        values = (
            None if cvl is None else cvl.value,
            None if ccl is None else ccl.value,
            None if dcl is None else dcl.value,
        )
        if values == self._limits and latches == self._latches and requests is self._requests:
            heard_before = self._heard_at
            is_due = heard_at is not None and (
                heard_before is None or heard_at - heard_before >= HEARD_EVERY
            )
        else:
            is_due = (
                now - self._written_at >= LOOSENING_EVERY
                or requests is not self._requests
                or _are_tighter(values, self._limits)
                or _are_others(latches, self._latches)
            )
        if is_due and now - self._failed_at >= LOOSENING_EVERY:
            self._write(values, latches, requests, heard_at, now, count(), written())

    def _write(
        self,
        values: _Values,
        latches: _Latches,
        requests: Requests,
        heard_at: float | None,
        now: float,
        count: KeptCount | None,
        written: Written,
    ) -> None:
        both = {**latches[0], **latches[1]}
        limits = Limits(*values)
        state = KeptState(heard_at, self._cells, limits, both, requests, count, written, True)
        assert self._memory is not None, "without a memory nothing is written"
        if not self._memory.write(encoded(state, now)):
            self._failed_at = now
            return
        self._limits, self._latches, self._requests = values, latches, requests
        self._heard_at, self._written_at = heard_at, now


def _silence(kept: KeptState, now: float) -> str:
    if kept.heard_at is None:
        return "there is no grace"
    return f"grace counts from {now - kept.heard_at:.0f} s ago"


_Values = tuple[float | None, float | None, float | None]
_Latches = tuple[LatchState, LatchState]


def _are_tighter(values: _Values, before: _Values) -> bool:
    for new, old in zip(values, before, strict=True):
        if new is not None and (old is None or new < old):
            return True
    return False


def _are_others(latches: _Latches, before: _Latches) -> bool:
    """Whether a latch was set or has ended. That its state has changed can wait for a second."""
    return any(new.keys() != old.keys() for new, old in zip(latches, before, strict=True))
