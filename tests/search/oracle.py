"""Follows a script step by step, and says which law the battery's limits break.

It sees what a client sees: the steps, the clock, and what stands on the bus. It never asks the
battery for a stage, an age or a reason.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bridge.core.model import Value
from bridge.core.settings.configuration import BatteryConfig
from tests.search.counted import Counted
from tests.search.laws import LAWS, TINY, Moment, blocking
from tests.search.pace import Pace
from tests.search.requests import Asked
from tests.search.script import Batch, Dbus, Kept, Memory, Mqtt, Reboot, Restart, Step, Wait
from tests.search.settings import InForce
from tests.search.written import (
    CCL,
    CHARGE_FLAGS,
    CVL,
    DCL,
    DISCHARGE_FLAGS,
    FORGET,
    LIMITS,
    VOLTAGE,
    Written,
    payload_of,
)

SURELY_PASSED = 1.9  # s, of a longer step: a clock that jumped makes no limit fall
SETTLED_AFTER = 0.06  # s; the publish interval is 0.05
RULE_PATHS = {
    CVL: "/Info/ChargeVoltageLimitation",
    CCL: "/Info/ChargeLimitation",
    DCL: "/Info/DischargeLimitation",
}
"""Which rule holds each limit."""


@dataclass(frozen=True)
class Broken:
    """A law that a limit breaks."""

    law: str
    limit: str
    shown: float
    bound: float

    def __str__(self) -> str:
        return f"{self.limit} is {self.shown:g}, at most {self.bound:g} is right: {self.law}"


class Oracle:
    """One battery's oracle, from its start at `now` (monotonic s)."""

    def __init__(self, config: BatteryConfig, on_bus: Mapping[str, Value], now: float) -> None:
        self._settings = InForce(config)
        self._settings.read(on_bus)
        self._cells = config.cells
        self._blocked_at: dict[str, tuple[float, float]] = {}
        self._stopped = False
        self._at = now
        self._settings_set_at, self._settings_are_open = -math.inf, False
        self._ticked_at = -math.inf
        self._memory_has_been: set[str] = set()
        self._asked = Asked({CVL: 5.0 * self._cells, CCL: 5000.0, DCL: 5000.0})
        self._boot(now)
        self._start()

    def follow(self, step: Step, on_bus: Mapping[str, Value], now: float) -> Broken | None:
        """What is broken after this step, if anything. now: monotonic s, after the step."""
        passed, self._at = now - self._at, now
        writes = list(_writes(step))
        if _touches_settings(step, writes):
            self._settings_set_at = now
        if now - self._settings_set_at <= SETTLED_AFTER or self._settings_are_open:
            self._read_settings(on_bus, now)
        for path, raw in writes:
            self._write(path, raw, now)
        if isinstance(step, Memory):
            self._memory_has_been.add(step.state)
        elif isinstance(step, Reboot):
            self._boot(now)
            self._start()
        elif isinstance(step, Restart):
            self._lose_what_memory_lost(now)
            self._start()
        elif isinstance(step, Wait):
            self._ticked_at = now
        if passed > 0:  # what only time and refused readings change waits for the tick
            self._written.grow_old(self._settings, now)
            self._counted.go_on(passed, self._settings.freshness.aging, now)
        moment = self._moment(now)
        self._follow_latches(now)
        moment.stopped = self._stopped
        if not isinstance(step, (Restart, Reboot)):
            moment.falling = self._falling = self._fall(moment, passed)
        may_rise = self._is_fresh(now)
        if may_rise:
            self._fresh_at = moment.fresh_at = now
        return next(self._broken(moment, step, on_bus, passed, may_rise), None)

    # --- what happens ------------------------------------------------------------------------

    def _boot(self, now: float) -> None:
        """What a boot clears: latches, requests, limits, and since when there is no data."""
        self._fresh_at = now
        self._stopped = False
        self._blocked_at = {}
        self._asked.boot(self._ticked_at)
        self._memory_has_been &= {"full"}
        self._paces = {limit: Pace(limit) for limit in LIMITS}

    def _lose_what_memory_lost(self, now: float) -> None:
        """What a restart cannot know. Only where nothing shows an earlier start, grace is renewed.

        A damaged memory permits nothing, but latches and requests are lost with it.
        """
        spoiled, fresh_at, paces = set(self._memory_has_been), self._fresh_at, self._paces
        if spoiled & {"gone", "full", "garbage"}:
            self._boot(now)
        if not ("gone" in spoiled or spoiled >= {"full", "works"}):  # the last may be empty too
            self._fresh_at = fresh_at
        if not spoiled & {"gone", "full"}:
            self._paces = paces
        if "garbage" in spoiled:
            volts = self._settings.failsafe.charge_voltage * self._cells
            self._paces[CVL].at_most = max(self._paces[CVL].at_most, volts)

    def _start(self) -> None:
        """A process starts: nothing was written to it yet."""
        self._written = Written(self._cells)
        self._counted, self._falling, self._is_silent = Counted(), math.inf, False
        self._wrote_at = -math.inf

    def _write(self, path: str, raw: object, now: float) -> None:
        if path in LIMITS:
            expire = getattr(getattr(self._settings, "requests", None), "expire", 0.0)
            self._asked.write(path, raw, expire, now)
        elif path == FORGET:
            required = tuple(group.value for group in self._settings.freshness.required)
            self._written.forget(str(raw), required)
        else:
            self._written.write(path, raw, self._settings, now)
        self._counted.write(path, raw, self._written, now)
        self._wrote_at = now

    def _read_settings(self, on_bus: Mapping[str, Value], now: float) -> None:
        """Read the settings again until the publish interval after a change is over."""
        self._settings.read(on_bus)
        self._settings_are_open = now - self._settings_set_at <= SETTLED_AFTER

    # --- what follows --------------------------------------------------------------------------

    def _moment(self, now: float) -> Moment:
        settled = now - self._wrote_at >= SETTLED_AFTER
        return Moment(
            now, self._settings, self._written, self._asked.at(now), self._fresh_at, self._stopped,
            self._blocked_at, settled, self._counted.charge / self._settings.file.capacity,
        )  # fmt: skip

    def _fall(self, moment: Moment, passed: float) -> float:
        """What CVL must have fallen to since the battery is unknown, in V.

        It begins at the last pack voltage, if there was one since the start. Where a voltage was
        silent before, it has begun earlier.
        """
        voltages = self._written.ever((*self._written.cell_paths, VOLTAGE))
        was_silent, self._is_silent = self._is_silent, any(seen.is_silent for seen in voltages)
        if not moment.missing:
            return math.inf
        if math.isinf(self._falling):
            known = all(self._written.was_heard(group.value) for group in moment.missing)
            last = [max(seen.values) for seen in self._written.ever((VOLTAGE,))]
            highest = self._settings.ceiling.cell_voltage * self._cells
            return min([highest, *last]) if known and not was_silent else highest
        if self._settings_set_at == moment.now:  # it may fall to another voltage now
            return self._falling + 5.0 * self._cells
        return self._falling - self._settings.limiter.voltage_rise * min(passed, SURELY_PASSED)

    def _is_fresh(self, now: float) -> bool:
        written, freshness = self._written, self._settings.freshness
        for group in freshness.required:
            if not written.have(group.value):
                return False
            if now - written.youngest(group.value) > freshness.aging + 0.01:
                return False
        return True

    def _follow_latches(self, now: float) -> None:
        for flags in (CHARGE_FLAGS, DISCHARGE_FLAGS):
            if blocking(self._written, flags):
                until = now + self._settings.limiter.block_release
                self._blocked_at[flags[0]] = (now, until)
        s = self._settings.limiter
        low, mean = self._written.lowest_cell(now), self._written.mean_cell()
        low_cell = low is not None and low <= s.min_cell_voltage + TINY
        low_pack = mean is not None and mean[1] <= s.discharge_voltage + TINY
        if low_cell or low_pack:
            self._stopped = True
        elif self._stopped and (low is not None or mean is not None):
            margin = s.discharge_hysteresis
            cell_ok = low is None or low >= s.min_cell_voltage + margin - 2 * TINY
            pack_ok = mean is None or mean[1] >= s.discharge_voltage + margin - 2 * TINY
            self._stopped = not (cell_ok and pack_ok)

    def _broken(
        self,
        moment: Moment,
        step: Step,
        on_bus: Mapping[str, Value],
        passed: float,
        may_rise: bool,
    ) -> Iterator[Broken]:
        """Every law that is broken now, those about one moment first."""
        shown = {limit: on_bus.get(limit) for limit in LIMITS}
        is_heard = moment.settled and not moment.missing
        is_unheard = not all(moment.written.was_heard(group.value) for group in moment.missing)
        paced = list(self._paced(step, on_bus, passed, may_rise, is_heard, is_unheard))
        for limit, words, law in LAWS:
            value = shown[limit]
            if not isinstance(value, (int, float)):
                continue
            bound = law(moment)
            if bound is not None and value > bound + TINY:
                yield Broken(words, limit, float(value), bound)
        yield from paced

    def _paced(
        self,
        step: Step,
        on_bus: Mapping[str, Value],
        passed: float,
        may_rise: bool,
        is_heard: bool,
        is_unheard: bool,
    ) -> Iterator[Broken]:
        """The limits that have risen wrongly. What is withdrawn keeps its last value."""
        has_grace = "full" not in self._memory_has_been  # else what stands is the failsafe's
        for limit, pace in self._paces.items():
            value, rule = on_bus.get(limit), on_bus.get(RULE_PATHS[limit])
            if not isinstance(value, (int, float)):
                pace.hide(passed, self._settings)
                continue
            before = pace.at_most
            if is_heard or value:
                pace.stop_waiting()
            elif limit == CCL and is_unheard:
                pace.is_waiting = True
            if isinstance(step, (Restart, Reboot)):
                failsafe = self._settings.failsafe.charge_current if limit == CCL else 0.0
                wrong = pace.after_restart(float(value), failsafe)
            else:
                what = _in_words(step)
                wrong = pace.check(
                    float(value), rule, passed, may_rise, what, self._settings, self._at
                )
            has_used_data = {
                CVL: is_heard,
                CCL: is_heard or (has_grace and bool(value)),
                DCL: is_heard or has_grace,
            }
            pace.free = pace.free and not has_used_data[limit]
            if wrong:
                yield Broken(wrong, limit, float(value), before)


def _in_words(step: Step) -> str:
    """What a step is, for the words of a law."""
    paths = [path for path, _ in _writes(step)]
    if isinstance(step, Kept) or any(path.startswith("/Settings") for path in paths):
        return "a setting"
    if any(path in LIMITS for path in paths):
        return "a request"
    return "forgetting a path" if FORGET in paths else "a write"


def _touches_settings(step: Step, writes: list[tuple[str, object]]) -> bool:
    started = isinstance(step, (Kept, Restart, Reboot))
    return started or any(path.startswith("/Settings") for path, _ in writes)


def _writes(step: Step) -> Iterator[tuple[str, object]]:
    """The single writes of a step, by path."""
    if isinstance(step, Mqtt):
        if step.payload.strip():
            yield step.path, payload_of(step.payload)
    elif isinstance(step, Dbus):
        yield step.path, step.value
    elif isinstance(step, Batch):
        yield from step.writes.items()
