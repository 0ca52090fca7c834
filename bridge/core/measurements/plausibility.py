"""Readings that are hard to believe wait until the next one agrees.

A reading that is too far from the last one, for the time between them, is in doubt: it is not
shown, does not make its group any fresher, and until it is settled nothing may loosen.

    the next reading is near the last good one    it was a glitch, and is forgotten
    the next reading is near the one in doubt     it was real, and is taken
    neither comes for `doubt` seconds             it counts, but only where it tightens a limit

So one glitch of a BMS that sends every second neither loosens a limit nor stops an inverter, and
a real jump is never ignored for longer than `doubt`. A reading that the gate refused (a cell at
12 V) has no value that could count, but its path is in doubt too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bridge.core.measurements.inputs import Input, Plausible
from bridge.core.measurements.words import said_of
from bridge.core.model import Refused, Value
from bridge.core.settings.declarations import PlausibilitySettings

COPY_WITHIN = 0.5
"""Seconds. On a GX each write comes twice, by D-Bus and by MQTT; a copy confirms nothing.

Our choice: the two ways differ by milliseconds, and most BMSs are read once a second
(dbus-serialbattery, config.default.ini).
"""


@dataclass(frozen=True)
class Doubt:
    """A reading in doubt, and when it came; None for one that the gate refused."""

    value: float | None
    at: float


class Plausibility:
    """The readings in doubt of one pack of so many cells. inputs: those that are looked at."""

    def __init__(self, inputs: tuple[Input[Any], ...], cells: int) -> None:
        self._rules: dict[str, tuple[Plausible, int]] = {
            path: (rule, cells if rule.of_pack else 1)
            for input_ in inputs
            if (rule := input_.plausible)
            for path in input_.all_paths_of(cells)
        }
        self._singles = frozenset(
            path for input_ in inputs if input_.stand_ins for path in input_.paths_of(cells)
        )
        self._doubts: dict[str, Doubt] = {}

    def check(
        self,
        path: str,
        value: Value,
        last: tuple[Value, float] | None,
        settings: PlausibilitySettings,
        now: float,
    ) -> None:
        """Check whether a reading can be believed. Raises Refused if it cannot be believed yet.

        value: in the path's unit. last: the last reading that was taken, and when (monotonic s);
        None if there was none. now: monotonic s.
        """
        rule = self._rules.get(path)
        if rule is None or not isinstance(value, (int, float)):
            return
        if not _is_sudden(rule, value, last, settings, now):
            self._doubts.pop(path, None)
            return
        before = self._doubts.get(path)
        agrees = (
            before is not None
            and before.value is not None
            and not _is_sudden(rule, value, (before.value, before.at), settings, now)
        )
        if agrees and before is not None and now - before.at >= COPY_WITHIN:
            del self._doubts[path]
            return
        if not agrees:
            self._doubts[path] = Doubt(float(value), now)
        raise Refused(_why(value, last))

    def is_possible(self, path: str, value: Value) -> bool:
        """Whether a value is within the range of a first reading of its path."""
        rule, scale = self._rules[path]
        return isinstance(value, (int, float)) and rule.low * scale <= value <= rule.high * scale

    def doubt(self, path: str, now: float) -> None:
        """Note that the gate refused a reading of this path. now: monotonic s."""
        if path in self._rules:
            self._doubts.setdefault(path, Doubt(None, now))

    def words(self, now: float, forget: float, single_cells: float = 0.0) -> str:
        """What is in doubt, in words; "" for nothing. now: monotonic s.

        Doubts older than `forget` s end by themselves: by then the last good reading is stale.
        single_cells: s, likewise for a cell's, if that is longer.
        """
        if not self._doubts:
            return ""
        for path, doubt in list(self._doubts.items()):
            if now - doubt.at > (max(forget, single_cells) if path in self._singles else forget):
                del self._doubts[path]
        return said_of(self._doubts, " is in doubt")

    def counting(self, settings: PlausibilitySettings, now: float) -> Mapping[str, float]:
        """The readings in doubt that count, because no other came for settings.doubt seconds.

        now: monotonic s.
        """
        return {
            path: doubt.value
            for path, doubt in self._doubts.items()
            if doubt.value is not None and now - doubt.at >= settings.doubt
        }


def _is_sudden(
    rule: tuple[Plausible, int],
    value: float,
    last: tuple[Value, float] | None,
    settings: PlausibilitySettings,
    now: float,
) -> bool:
    """Whether a value is too far from the last one, for the time between them."""
    plausible, scale = rule
    step: float = getattr(settings, plausible.step)
    if step == 0:
        return False
    if last is None or not isinstance(last[0], (int, float)):
        return not plausible.low * scale <= value <= plausible.high * scale
    allowed = step * scale + plausible.rate * scale * max(0.0, now - last[1])
    return abs(value - last[0]) > allowed


def _why(value: float, last: tuple[Value, float] | None) -> str:
    after = "as a first reading" if last is None else f"after {last[0]:g}"
    return f"{value:g} {after} is hard to believe, it is taken when the next reading agrees"
