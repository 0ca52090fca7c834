"""How fast a limit may rise: never in the same call, never within its hold, never faster than rise.

A limit is seen rounded down to the bus's resolution, so one step of it is allowed for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tests.search.settings import InForce
from tests.search.written import CCL, CVL

LONGEST_STEP = 2.0  # s; a clock that jumped is no recovery
GATHERED = 0.06  # s; a decision may also be made at the end of the publish interval
RESOLUTION = {CVL: 0.01}  # V; A for the others
OF_AMPS = 0.1
AFTER_RESTART = "a restart never allows more than before"
COMPARING = {CVL: "high cell", CCL: "voltage mismatch"}
"""The rules that compare cells and pack voltage. What they do for half a frame need not be held."""
FRAME = 32.0  # s; a frame is over after 30 s, and seen at the next tick
EARLY = 0.1  # s by which a hold may seem too short, as falls are seen when they are published


@dataclass
class Pace:
    """Follows one limit. seen: its last value on the bus; at_most: what it may have risen to.

    free: no data was used yet, so the first may be used at once. is_waiting: it is 0 A since a
    restart, for lack of data: from there it may go back to what it was. compared_since: since when
    a rule of COMPARING holds it; infinite if none does. Times are monotonic s.
    """

    limit: str
    seen: float = 0.0
    at_most: float = math.inf
    fell_at: float = -math.inf
    free: bool = True
    is_waiting: bool = False
    compared_since: float = math.inf

    def check(
        self,
        shown: float,
        rule: object,
        passed: float,
        may_rise: bool,
        what: str,
        settings: InForce,
        now: float,
    ) -> str:
        """What is wrong with the limit now, in words; "" for nothing.

        rule: what holds the limit. passed: s since the last check. may_rise: everything required is
        fresh and beyond doubt. what: what has happened, "a write" for example.
        """
        if self.is_waiting:
            return ""
        hold, rise = self._hold_and_rise(settings)
        step = RESOLUTION.get(self.limit, OF_AMPS)
        decided = min(passed, LONGEST_STEP) + min(passed, GATHERED)
        wrong = ""
        has_risen = shown > self.seen + 1e-6
        if has_risen and not self.free:
            if passed == 0 and shown > self.at_most + 1e-6:
                wrong = f"{what} never lifts a limit in the same call"
            elif shown > self.at_most + rise * decided + 1e-6:
                wrong = "a limit never rises faster than its rise"
            elif not may_rise and shown > self.at_most + rise * GATHERED + 1e-6:
                wrong = "no limit rises while something required is not fresh"
            elif now - self.fell_at < hold - EARLY and shown > self.at_most + 1e-6:
                wrong = "no limit rises within its hold"
        risen = math.inf if self.free else self.at_most + rise * decided
        is_compared = rule == COMPARING.get(self.limit)
        self.compared_since = min(self.compared_since, now) if is_compared else math.inf
        if is_compared and now - self.compared_since < FRAME:
            self.at_most = risen
        else:
            self.at_most = min(risen, shown + step)
            if shown < self.seen - 1e-6:
                self.fell_at = now
        self.seen = shown
        return wrong

    def hide(self, passed: float, settings: InForce) -> None:
        """The limit is withdrawn; it may have risen a little before."""
        self.at_most += self._hold_and_rise(settings)[1] * min(passed, GATHERED)

    def after_restart(self, shown: float, failsafe: float) -> str:
        """What is wrong with the limit at the start of a process; "" for nothing.

        failsafe: what may hold in any case where 0 A was for lack of data.
        """
        if shown > max(self.at_most, failsafe) + 1e-6 and not self.free:
            return AFTER_RESTART
        self.is_waiting = shown == 0
        if shown:
            self.seen, self.at_most = shown, shown + RESOLUTION.get(self.limit, OF_AMPS)
        return ""

    def stop_waiting(self) -> None:
        """There is data again; the 0 A until now was no fall."""
        if self.is_waiting:
            self.is_waiting, self.seen = False, 0.0

    def _hold_and_rise(self, settings: InForce) -> tuple[float, float]:
        s = settings.limiter
        if self.limit == CVL:
            return s.voltage_hold, s.voltage_rise
        most = s.max_charge_current if self.limit == CCL else s.max_discharge_current
        return s.current_hold, s.current_rise * most
