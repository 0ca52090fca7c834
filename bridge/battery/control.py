"""Decides the limits of one battery: from its pack, the requests, and the settings in force."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from bridge.battery.requests import RequestDesk
from bridge.battery.restart_memory import RestartMemory
from bridge.core.limiter.charging import full_charge, plan
from bridge.core.limiter.decide import (
    NO_REQUESTS,
    BatteryState,
    Requests,
    battery_state,
    limits_from,
)
from bridge.core.limiter.protections import PROTECTIONS
from bridge.core.limiter.situation import LimiterConfig
from bridge.core.measurements.charge_count import Kind
from bridge.core.measurements.inputs import inputs_of
from bridge.core.model import Date, Decision
from bridge.core.outputs.alarms import WATCHED
from bridge.core.packs.pack import Pack, PackSettings, PackView
from bridge.core.paths.table import Paths
from bridge.core.settings.configuration import BatteryConfig
from bridge.core.settings.live import LiveSettings
from bridge.ports import Memory

log = logging.getLogger(__name__)

INPUTS = inputs_of((*(p.inputs for p in PROTECTIONS), *(alarm.inputs for alarm in WATCHED)))
"""All inputs in use: those that a protection or an alarm depends on."""


@dataclass(frozen=True)
class Assessment:
    """The battery at one moment: the pack, the decision, and the state for the next decision."""

    pack: PackView
    decision: Decision
    state: BatteryState


class Control:
    """From measurements, requests and settings to a decision.

    `assess` decides nothing for good; `commit` makes an assessment the battery's last one.
    memory: what it keeps over a restart; None: nothing.
    started: monotonic s. today: the date, None where the machine does not know it.
    """

    def __init__(
        self,
        config: BatteryConfig,
        paths: Paths,
        started: float,
        today: Callable[[], Date | None],
        memory: Memory | None,
    ) -> None:
        self.settings = LiveSettings(config)
        self.limiter = LimiterConfig.of(config)
        self._memory = RestartMemory(memory, config.ident, config.cells)
        kept = self._memory.recall(started)
        self.pack = Pack(
            paths,
            INPUTS,
            self._pack_settings(),
            started,
            kept.heard_at,
            kept.latches,
            kept.count,
            kept.written,
        )
        self.requests = RequestDesk(kept.requests)
        self.last: Assessment | None = None
        self._state = battery_state(kept.limits, kept.latches, started)
        self._today = today

    @property
    def config(self) -> BatteryConfig:
        """The configuration with the settings in force."""
        return self.settings.in_force

    def count_charge(self, now: float) -> None:
        """Once a tick: count the charge that went by. now: monotonic s."""
        self.pack.count_charge(now)

    def assess(self, now: float) -> Assessment:
        """The decision for the present measurements. now: monotonic s."""
        now = max(now, self._state.at)
        view = self.pack.assess(now, self._today())
        desk = self.requests
        requests = desk.in_force if desk.undecided is NO_REQUESTS else desk.most_careful()
        decision, state = limits_from(
            view.allowed, self.limiter, requests, self._state, now, view.voltage_age
        )
        return Assessment(view, decision, state)

    def commit(self, assessment: Assessment) -> None:
        """Make this assessment the last one: the next one starts from its state."""
        self.pack.commit(assessment.pack)
        self._state = state = assessment.state
        self.last = assessment
        self.requests.undecided = NO_REQUESTS
        view = assessment.pack
        latches = (view.allowed.state.latches, state.latches)
        heard_at, requests = view.freshness.heard_at, self.requests.in_force
        count, written = self.pack.keep_count, self.pack.written
        self._memory.note(state.limits, latches, requests, heard_at, state.at, count, written)

    def keep(self) -> None:
        """From now on keep what a restart must not lose."""
        self._memory.begin()

    @property
    def last_full(self) -> str:
        """The day on which the battery was last full, as text; empty while it is unknown."""
        return full_charge.as_text(self.pack.latch_of(plan.LATCH).full)

    def load_requests(self, kept: Requests) -> None:
        """Take over requests of before a boot, where nobody asks for anything now.

        After a restart within a boot, those in memory are newer.
        """
        if not self._memory.is_newest:
            self.requests.add(kept)

    def load_last_full(self, text: str, now: float) -> None:
        """Take over a day that was kept. A text that is none is left out. now: monotonic s.

        After a restart within a boot, what is in memory is newer.
        """
        kept = full_charge.from_text(text, now)
        if kept is not None and not self._memory.is_newest:
            before = self.pack.latch_of(plan.LATCH)
            self.pack.set_latch(plan.LATCH, replace(before, full=kept))

    def is_tighter(self, assessment: Assessment) -> bool:
        """Whether a limit is lower than in the last assessment, or withdrawn, or given again.

        Or whether a latch is another one: a limit that is 0 A already shows no block of a BMS.
        """
        if self.last is None:
            return True
        if assessment.pack.allowed.state.latches != self.last.pack.allowed.state.latches:
            return True
        now, before = assessment.decision, self.last.decision
        for new, old in ((now.cvl, before.cvl), (now.ccl, before.ccl), (now.dcl, before.dcl)):
            if new.value is None or old.value is None:
                if new.value is not old.value:
                    return True
            elif new.value < old.value:
                return True
        return False

    def change_settings(self, writes: Mapping[str, object], now: float) -> list[str]:
        """Change settings together. Returns what has changed, in words.

        Raises RefusedSettings, and then nothing has changed.
        """
        return self._applied(self.settings.change(writes), now)

    def replace_settings(self, text: str, now: float) -> list[str]:
        """Take this text in place of all changes of settings. Returns what has changed, in words.

        Raises Refused, and then nothing has changed.
        """
        return self._applied(self.settings.replace(text), now)

    def load_settings(self, kept: str, now: float) -> list[str]:
        """Take over settings that were kept. Returns those that cannot be used, in words."""
        unusable = self.settings.load(kept)
        self._apply(now)
        return unusable

    def _applied(self, news: list[str], now: float) -> list[str]:
        if news:
            self._apply(now)
        return news

    def _apply(self, now: float) -> None:
        self.limiter = LimiterConfig.of(self.config)
        self.pack.change_settings(self._pack_settings(), now)

    def _pack_settings(self) -> PackSettings:
        config = self.config
        kind = Kind(config.capacity, config.chemistry)
        return PackSettings(config.freshness, config.plausibility, self.limiter, kind)
