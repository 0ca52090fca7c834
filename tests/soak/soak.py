"""Lets faults happen by seed for some time, and watches what must hold all the while."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from random import Random

from tests.soak.faults import OF_BATTERY, OF_CLIENTS, OF_PROCESSES, RESTARTS, Fault
from tests.soak.stage import Stage

EVERY = 0.05  # s between two looks
ANSWERS_WITHIN = 10.0
"""s in which the bridge must answer a call. Ours: the slowest in ten minutes of faults took 1 s."""
RECOVERS_WITHIN = 60.0
"""s from the end of all faults until the limits are back. Ours: holds and rises take 5 s here."""
RESTARTS_FOR = 0.3  # of the time; what a process uses is measured afterwards
HEALTHY = {"/Info/MaxChargeCurrent": 0.1, "/Info/MaxDischargeCurrent": 150.0}
"""A, at least: each fall at cv1 or cv2 leaves a quarter of CCL for 15 minutes."""


class Broken(Exception):
    """What must hold does not hold, in words."""


class _Lane:
    """One fault after the other, with a pause of up to so many s between two.

    Each lane has random numbers of its own, so that a seed repeats it whatever the others do.
    """

    def __init__(
        self, stage: Stage, seed: int, name: str, faults: Mapping[str, Fault], pause: float
    ) -> None:
        self._stage = stage
        self._name = name
        self._random = Random(f"{seed} {name}")
        self._pause = pause
        self.faults = faults
        self._now: Iterator[float] | None = None
        self._due = 0.0
        self.happened: Counter[str] = Counter()

    def go_on(self, now: float) -> None:
        if now < self._due:
            return
        if self._now is None:
            what = self._random.choice(list(self.faults))
            self._stage.say(what)
            self.happened[what] += 1
            self._now = self.faults[what](self._stage, self._random)
        self._due = time.monotonic() + self._next()

    def finish(self, now: float) -> bool:
        """Let the present fault end, and begin no other. Answers whether it has ended."""
        if self._now is not None and now >= self._due:
            self._due = time.monotonic() + self._next()
        return self._now is None

    def close(self) -> None:
        """End the present fault at once."""
        if isinstance(self._now, Generator):
            self._now.close()

    def _next(self) -> float:
        assert self._now is not None, "a fault happens"
        try:
            return next(self._now)
        except StopIteration:
            self._now = None
            self._stage.say(f"over ({self._name})")
            return self._random.uniform(0.5, self._pause)


class Soak:
    """seconds: how long faults happen; `run` takes a little longer.

    defect: one of `program.DEFECTS`. spares: nothing happens to processes.
    """

    def __init__(
        self, seed: int, seconds: float, directory: Path, defect: str = "", spares: bool = False
    ) -> None:
        self._looks = self._sure = 0
        self._seconds = seconds
        self._stage = stage = Stage(Random(seed), directory, defect)
        self._processes = _Lane(stage, seed, "processes", {**OF_PROCESSES, **RESTARTS}, 10.0)
        self._lanes = [
            *([] if spares else [self._processes]),
            _Lane(stage, seed, "clients", OF_CLIENTS, 4.0),
            _Lane(stage, seed, "battery", OF_BATTERY, 1.0),
        ]
        self._looked_at = time.monotonic()
        self._stalled = 0.0
        self._noted_at = self._asked_at = 0.0
        self._slowest = 0.0

    def __enter__(self) -> Soak:
        return self

    def __exit__(self, *_problem: object) -> None:
        for lane in self._lanes:
            lane.close()
        self._stage.__exit__()

    def run(self) -> None:
        """Raises Broken."""
        begin = time.monotonic()
        while (now := time.monotonic()) < begin + self._seconds:
            if now > begin + self._seconds * RESTARTS_FOR:
                self._processes.faults = OF_PROCESSES
            for lane in self._lanes:
                lane.go_on(now)
            self._look()
        while any(not lane.finish(time.monotonic()) for lane in self._lanes):
            self._look()
        self._recover()
        if grown := self._stage.growth.broken():
            raise Broken(grown)

    def _recover(self) -> None:
        """After all faults a healthy battery gets its limits back."""
        stage = self._stage
        stage.say("all faults have ended")
        stage.publisher.calm_down()
        stage.bound.requests.clear()
        for limit in HEALTHY:
            stage.watch.set(limit, "off")
        stage.watch.set("/Info/MaxChargeVoltage", "off")
        stage.watch.set("/Settings/Restore", "all")
        end = time.monotonic() + RECOVERS_WITHIN
        while any((stage.watch.on_bus.get(path) or 0) < least for path, least in HEALTHY.items()):
            self._look()
            if time.monotonic() > end:
                shown = {path: stage.watch.on_bus.get(path) for path in HEALTHY}
                raise Broken(f"{RECOVERS_WITHIN:g} s after all faults the limits are {shown}")

    # --- what must hold ------------------------------------------------------------------------

    def _look(self) -> None:
        """One look at everything, and a pause."""
        stage = self._stage
        now = time.monotonic()
        self._stalled = max(now - self._looked_at - EVERY, self._stalled - (now - self._looked_at))
        self._looked_at = now
        self._looks += 1
        self._sure += stage.bound.is_sure
        stage.publish(now)
        stage.watch.look()
        stage.find(now)
        self._look_at_limits(now)
        self._look_at_process(now)
        time.sleep(max(0.0, EVERY - (time.monotonic() - now)))

    def _look_at_limits(self, now: float) -> None:
        stage = self._stage
        if not stage.watch.on_bus:
            return  # it is not on the bus
        stage.bound.go_on(stage.watch.on_bus, now)
        if not stage.is_answering:
            return  # nobody can change what stands there
        slow = stage.watch.slow(now) + self._stalled
        if broken := stage.bound.broken(stage.watch.on_bus, now, slow):
            raise Broken(str(broken))

    def _look_at_process(self, now: float) -> None:
        stage = self._stage
        if "Traceback" in stage.read_log():
            raise Broken("the log has a traceback")
        if not stage.is_answering:
            if not stage.watch.on_bus or stage.is_frozen:
                return
            raise Broken(f"the bridge has ended with status {stage.bridge.process.returncode}")
        waits = stage.watch.waits(now)
        self._slowest = max(self._slowest, stage.watch.slow(now))
        if waits > ANSWERS_WITHIN + self._stalled:
            raise Broken(f"the bridge has not answered for {waits:.1f} s")
        if now - self._asked_at >= 0.5:
            self._asked_at = now
            stage.watch.ask()
        if now - self._noted_at >= 1.0:
            self._noted_at = now
            stage.growth.note(now)

    # --- words -----------------------------------------------------------------------------------

    def summary(self) -> str:
        """What has happened, in numbers."""
        stage = self._stage
        happened = [
            ", ".join(f"{count} {what}" for what, count in lane.happened.most_common())
            for lane in self._lanes
        ]
        return "\n".join(
            [
                *(f"  {words}" for words in happened if words),
                f"  {stage.frames} frames, {stage.watch.signals} signals, {self._looks} looks,"
                f" {self._sure / max(1, self._looks):.0%} of them at all laws;"
                f" slowest answer {self._slowest:.1f} s",
                f"  {stage.growth}",
            ]
        )

    def before(self) -> str:
        """What happened before now, and the end of the log."""
        log = re.sub(r"^", "  ", self._stage.log.read()[-3000:], flags=re.M)
        events = "\n".join(f"  {event}" for event in self._stage.events)
        return f"what happened before:\n{events}\nthe log ends:\n{log}"
