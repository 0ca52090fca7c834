"""Feeds a recording to a battery without D-Bus: how a configuration would have behaved.

The battery is the real one; it ticks once a second of recorded time. No real time passes.
"""

from __future__ import annotations

import heapq
import itertools
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from bridge.battery.battery import Battery
from bridge.core.model import Date, Value
from bridge.core.panel import Curve, Panel
from bridge.core.paths.table import (
    CCL_PATH,
    CURRENT_PATH,
    CVL_PATH,
    DCL_PATH,
    MAX_CELL_PATH,
    MIN_CELL_PATH,
    VOLTAGE_PATH,
)
from bridge.core.settings.configuration import BatteryConfig, Config
from bridge.tools.recording import Entry, read
from bridge.topics import BatteryTopics, WriteTopic

MAX_GAP = 3600.0
"""s. A longer pause in the recording is cut to this: after `lost` nothing more happens."""

_COLUMNS = (
    ("V", VOLTAGE_PATH, "{:.2f}"),
    ("A", CURRENT_PATH, "{:.1f}"),
    ("SoC", "/Soc", "{:.1f}"),
    ("low", MIN_CELL_PATH, "{:.3f}"),
    ("high", MAX_CELL_PATH, "{:.3f}"),
    ("°C", "/Dc/0/Temperature", "{:.1f}"),
    ("CVL", CVL_PATH, "{:.2f}"),
    ("CCL", CCL_PATH, "{:.1f}"),
    ("DCL", DCL_PATH, "{:.1f}"),
)
_WIDTH = 8
_RULES = (
    ("CVL", "/Info/ChargeVoltageLimitation", "charge voltage"),
    ("CCL", "/Info/ChargeLimitation", "maximum"),
    ("DCL", "/Info/DischargeLimitation", "maximum"),
)
_MODE_PATH = "/Info/ChargeMode"
_DECIDED = (CVL_PATH, CCL_PATH, DCL_PATH, _MODE_PATH, *(path for _, path, _ in _RULES))


@dataclass(frozen=True)
class Moment:
    """What stood on the bus at one second of the recording.

    time: Unix time in s. values: by path. reasons: of the limits, by CVL, CCL and DCL.
    """

    time: float
    values: Mapping[str, Value]
    reasons: Mapping[str, str]


class Replay:
    """Feeds one battery from a recording, and is the battery's MQTT client and timer.

    refused: how many writes were refused, by path and reason. others: how many messages were for
    other batteries.
    """

    def __init__(self, config: BatteryConfig, whole: Config) -> None:
        self.refused: dict[str, int] = {}
        self.others = 0
        self._reasons: Mapping[str, str] = {}
        self._now = 0.0
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._serial = itertools.count()
        self._topics = BatteryTopics(whole.mqtt.base_topic, config.ident)
        self._config, self._whole = config, whole

    def run(self, lines: Iterable[str]) -> Iterator[Moment]:
        """Yield one Moment for every second of the recording. Raises BadRecording."""
        battery: Battery | None = None
        for entry in (read(line) for line in lines if line.strip()):
            if battery is None:
                self._now = entry.time
                battery = self._battery()
                battery.refresh(self._now)
                tick = self._now + 1.0
            until = min(entry.time, self._now + MAX_GAP)
            while tick <= until:
                self._pass_to(tick)
                battery.on_tick(self._now)
                yield Moment(self._now, battery.values(), self._reasons)
                tick += 1.0
            self._pass_to(max(entry.time, self._now))  # if the clock was set back, no time passes
            tick = max(tick, self._now)
            self._hand_over(battery, entry)
        if battery is not None:
            self._pass_to(tick)
            battery.on_tick(self._now)
            yield Moment(self._now, battery.values(), self._reasons)

    def _battery(self) -> Battery:
        return Battery(
            self._config,
            topics=self._topics,
            publish_interval=self._whole.publish_interval,
            bus=_Discard(),
            client=self,
            timer=self,
            store=_Discard(),
            monotonic=lambda: self._now,
            today=self._today,
            access=self._whole.access,
        )

    def _hand_over(self, battery: Battery, entry: Entry) -> None:
        """Give the battery a message for it. The portal id may differ from the recorded one."""
        write = WriteTopic.parse(entry.topic)
        if entry.topic == self._topics.set:
            battery.on_batch(entry.payload, entry.topic, self._now)
        elif write is not None and write.instance == self._config.instance:
            battery.on_message(write.path, entry.payload, entry.topic, self._now)
        else:
            self.others += 1
            return
        battery.settle(self._now)

    def _pass_to(self, moment: float) -> None:
        """Let time pass up to a moment, with every timer that is due until then."""
        while self._timers and self._timers[0][0] <= moment:
            at, _, callback = heapq.heappop(self._timers)
            self._now = max(self._now, at)
            callback()
        self._now = moment

    def _today(self) -> Date:
        now = time.localtime(self._now)
        return Date(now.tm_year, now.tm_mon, now.tm_mday, now.tm_hour * 60 + now.tm_min)

    # --- the ports of the battery ------------------------------------------------------------

    def call_in(self, seconds: float, callback: Callable[[], None]) -> None:
        """Call back once, after so many seconds of recorded time."""
        heapq.heappush(self._timers, (self._now + seconds, next(self._serial), callback))

    def publish(self, topic: str, payload: str, retain: bool = False) -> None:  # noqa: ARG002
        """Keep the reasons of a state, count the refusals; the rest is not needed."""
        if topic == self._topics.state:
            self._reasons = json.loads(payload)["reasons"]
        elif topic == self._topics.rejected:
            refusal = json.loads(payload)
            words = f"{refusal['path']}: {refusal['reason']}"
            self.refused[words] = self.refused.get(words, 0) + 1


class _Discard:
    """A bus and a store that ignore everything: `run` reads the values from the battery."""

    def publish(self, changes: Mapping[str, Value]) -> None:
        pass

    def save(self, key: str, value: Value) -> None:
        pass


def table(moments: Iterable[Moment], every: float) -> Iterator[str]:
    """A line whenever a limit, its rule or the charge mode has changed, and as often as wanted.

    every: s between two lines at most; 0 for changes only.
    """
    yield "time    " + "".join(f"{name:>{_WIDTH}}" for name, _, _ in _COLUMNS) + "  held by"
    shown_news, shown_at = None, 0.0
    for moment in moments:
        values = moment.values
        held = [name for name, path, unheld in _RULES if values.get(path) not in (unheld, None)]
        news = [values.get(path) for path in _DECIDED]
        is_due = every > 0 and moment.time - shown_at >= every
        if news != shown_news or is_due:
            shown_news, shown_at = news, moment.time
            shown = "".join(f"{_shown(values.get(p), text):>{_WIDTH}}" for _, p, text in _COLUMNS)
            clock = time.strftime("%H:%M:%S", time.localtime(moment.time))
            reasons = [f"{name}: {moment.reasons.get(name)}" for name in held]
            mode = values.get(_MODE_PATH)
            why = "; ".join([*([str(mode)] if mode else []), *reasons])
            yield f"{clock}{shown}  {why}".rstrip()


def panels(moments: list[Moment]) -> list[Panel]:
    """Measurements and limits over time, to be drawn; in hours from the beginning."""
    start = moments[0].time if moments else 0.0

    def curve(label: str, path: str) -> Curve:
        points = []
        for moment in moments:
            value = moment.values.get(path)
            number = float(value) if isinstance(value, (int, float)) else None
            points.append(((moment.time - start) / 3600, number))
        return Curve(label, tuple(points))

    cells = (curve("highest cell", MAX_CELL_PATH), curve("lowest cell", MIN_CELL_PATH))
    currents = (curve("CCL", CCL_PATH), curve("DCL", DCL_PATH), curve("current", CURRENT_PATH))
    volts = (curve("CVL", CVL_PATH), curve("pack", VOLTAGE_PATH))
    return [
        Panel("hours", currents, "A", (curve("SoC", "/Soc"),), "%"),
        Panel("hours", volts, "V", cells, "V per cell"),
    ]


def _shown(value: Value, text: str) -> str:
    return text.format(value) if isinstance(value, (int, float)) else "-"
