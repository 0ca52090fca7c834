"""Plays the steps of a script to a whole battery: intake, packs, limiter, settings, restarts."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from typing import Any

from bridge.battery.battery import REQUESTS_KEY, SETTINGS_KEY, Battery
from bridge.core.model import Date, Refused, Value
from bridge.topics import BatteryTopics
from tests.search.script import (
    Batch,
    Dbus,
    Kept,
    Memory,
    Mqtt,
    Reboot,
    Restart,
    Script,
    Step,
    Wait,
    WallClock,
)
from tests.unit.doubles import Clock, FakeMemory, FakeTimer, battery_config

BOOT = 1000.0  # s, where the monotonic clock of a script begins
REBOOT_TAKES = 60.0  # s
WALL = 1.75e9  # s since 1970, where the wall clock of a script begins
GARBAGE = '{"version": 1'


class _Bus:
    """What stands on the bus."""

    def __init__(self) -> None:
        self.values: dict[str, Value] = {}

    def publish(self, changes: dict[str, Value]) -> None:
        self.values.update(changes)


class _Client:
    """Nobody listens: a search keeps no messages."""

    def publish(self, topic: str, payload: str, retain: bool = False) -> None:
        pass


class _Store:
    """The settings service: the last text of each key."""

    def __init__(self) -> None:
        self.kept: dict[str, Value] = {}

    def save(self, key: str, value: Value) -> None:
        self.kept[key] = value


class World:
    """One battery, its clock, and what outlives a restart."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = battery_config(**config)
        self.clock = Clock(BOOT)
        self.store = _Store()
        self._wall_less_clock: float | None = WALL - BOOT
        self._memory = FakeMemory()
        self._start()

    @property
    def now(self) -> float:
        """Monotonic s."""
        return self.clock.now

    @property
    def on_bus(self) -> dict[str, Value]:
        """What stands on the bus."""
        return self._bus.values

    def play(self, step: Step) -> None:
        """Let one step happen, with everything that follows from it in the same call."""
        now, battery = self.clock.now, self._battery
        if isinstance(step, Wait):
            self._timer.run(step.seconds)
            battery.on_tick(self.clock.now)
        elif isinstance(step, Batch):
            battery.on_batch(json.dumps(step.writes).encode(), "set", now)
            battery.settle(now)
        elif isinstance(step, Mqtt):
            battery.on_message(step.path, step.payload.encode(), f"W{step.path}", now)
            battery.settle(now)
        elif isinstance(step, Dbus):
            battery.on_write(step.path, step.value, now)
            battery.settle(now)
        elif isinstance(step, Restart):
            self.clock.now += step.after
            self._start()
        elif isinstance(step, Reboot):
            self.clock.now += REBOOT_TAKES
            self._boot()
            self._start()
        elif isinstance(step, Kept):
            with contextlib.suppress(Refused):
                battery.replace_settings(step.text)
            battery.settle(now)
        elif isinstance(step, WallClock):
            self._wall_less_clock = None if step.at is None else step.at - now
        elif isinstance(step, Memory):
            self._happen_to_memory(step.state)

    def _boot(self) -> None:
        """Lose what a boot clears. What could not be written cannot be written after it."""
        self._memory.text = None

    def _happen_to_memory(self, state: str) -> None:
        if state in ("gone", "garbage"):
            self._memory.text = None if state == "gone" else GARBAGE
        else:
            self._memory.works = state == "works"

    def _wall(self) -> float | None:
        offset = self._wall_less_clock
        return None if offset is None else self.clock.now + offset

    def _today(self) -> Date | None:
        wall = self._wall()
        if wall is None:
            return None
        at = datetime.fromtimestamp(wall, UTC)
        return Date(at.year, at.month, at.day, at.hour * 60 + at.minute)

    def _start(self) -> None:
        self._bus = _Bus()
        self._timer = FakeTimer(self.clock)
        self._battery = Battery(
            self.config,
            topics=BatteryTopics("virtual-battery", "test"),
            publish_interval=0.05,
            bus=self._bus,
            client=_Client(),
            timer=self._timer,
            store=self.store,
            memory=self._memory,
            monotonic=self.clock,
            today=self._today,
            wall=self._wall,
        )
        kept = self.store.kept.get(SETTINGS_KEY)
        if kept is not None:
            self._battery.load_settings(str(kept))
        self._battery.load_requests(str(self.store.kept.get(REQUESTS_KEY) or ""))
        self._battery.refresh(self.clock.now)


def play(script: Script) -> World:
    """The world after a script."""
    world = World(script.config)
    for step in script.steps:
        world.play(step)
    return world
