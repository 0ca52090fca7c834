"""The processes of a soak, and what they are told; faults act on it."""

from __future__ import annotations

import contextlib
import json
import time
from collections import deque
from pathlib import Path
from random import Random
from typing import Any

import paho.mqtt.client as mqtt
from pocket import PocketGx

from bridge.core.settings.configuration import parse
from tests.harness.batteries import battery
from tests.harness.bridge_process import BridgeProcess
from tests.harness.reader import LogReader
from tests.soak.bound import Bound
from tests.soak.bus_watch import BusWatch
from tests.soak.growth import Growth
from tests.soak.publisher import COUNTER, PACE, Publisher

IDENT, CELLS = "virtual", 16
SERVICE = f"com.victronenergy.battery.{IDENT}"
SET = f"virtual-battery/{IDENT}/set"

BATTERY = battery(
    ident=IDENT,
    cells=CELLS,
    freshness={"aging": 3, "stale": 6, "lost": 12, "grace": 8},
    plausibility={"cell_voltage_step": 1.0},  # a lost frame brings no doubt between our levels
)
BATTERY["limiter"] |= {"current_hold": 1, "current_rise": 0.5, "voltage_hold": 1}

REMEMBERED = 60  # events before a failure


class Stage:
    """A GX, the bridge with its watch, and a publisher."""

    def __init__(self, random: Random, directory: Path, defect: str) -> None:
        """random: the publisher's own. directory: for the configuration.

        defect: one of `program.DEFECTS`, or "".
        """
        self.began = time.monotonic()
        self.events: deque[str] = deque(maxlen=REMEMBERED)
        self._opened = contextlib.ExitStack()
        self.gx = self._opened.enter_context(PocketGx())
        self.log = self._opened.enter_context(LogReader())
        self.is_log_read = True
        self._wall = directory / "wall"
        self.set_wall_clock(0.0)
        self.bridge = BridgeProcess(
            self.gx,
            directory,
            BATTERY,
            program="tests.soak.program",
            output=self.log.entry,
            env={"SOAK_WALL": str(self._wall), "SOAK_DEFECT": defect},
        )
        self.is_frozen = False
        self.watch = BusWatch(self.gx.bus_address, SERVICE)
        self._opened.callback(self.watch.close)
        self.watch.begin()
        config = parse({"batteries": [BATTERY]}).batteries[0]
        self.bound = Bound(config, self.watch.on_bus, time.monotonic())
        self.growth = Growth(self.bridge.process.pid)
        self.publisher = Publisher(random, CELLS)
        self._due = 0.0
        self._sure_from = 0
        self._last: dict[str, Any] = {}
        self._whole: dict[int, dict[str, Any]] = {}
        self.frames = 0
        self.mqtt = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        self.mqtt.reconnect_delay_set(1, 1)
        self.mqtt.connect_async("127.0.0.1", self.gx.port)
        self.mqtt.loop_start()
        self._opened.callback(self.mqtt.loop_stop)

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_problem: object) -> None:
        self._opened.close()

    def say(self, words: str) -> None:
        """Note an event, for the words of a failure."""
        self.events.append(f"{time.monotonic() - self.began:8.2f} s  {words}")

    @property
    def is_answering(self) -> bool:
        """Whether the bridge can be called."""
        return self.bridge.is_running() and not self.is_frozen

    # --- what is written ---------------------------------------------------------------------

    def publish(self, now: float) -> None:
        """The publisher's next frame, if it is due. now: monotonic s."""
        if now < self._due:
            return
        self._due = now + PACE
        made = self.publisher.next()
        if made is None or not self.send(made[0]):
            return
        writes = made[1]
        if not writes:
            return
        self.frames += 1
        self.bound.write(writes, now)
        self._last = writes
        if COUNTER in writes:
            self._whole[writes[COUNTER]] = writes
            while len(self._whole) > 100:
                del self._whole[min(self._whole)]

    def send(self, payload: str | bytes, topic: str = SET) -> bool:
        """Publish anything. Answers whether there is a connection."""
        if not self.mqtt.is_connected():
            return False
        return self.mqtt.publish(topic, payload).rc == mqtt.MQTT_ERR_SUCCESS

    def send_json(self, content: object) -> None:
        self.send(json.dumps(content))

    # --- messages that may get lost ------------------------------------------------------------

    def lose(self) -> None:
        """From now on it is not sure which messages arrive, until `is_over`."""
        self.bound.lose()
        self._sure_from = 2**31

    def is_over(self) -> None:
        """What was held up comes now; all is sure again with the next whole frame on the bus."""
        self.bound.write(self._last, time.monotonic())
        self._sure_from = self.publisher.counter + 1

    def find(self, now: float) -> None:
        """See whether a whole frame has arrived since `is_over`."""
        shown = self.watch.on_bus.get("/Freshness/Counter") or 0
        if not self.bound.is_sure and shown >= self._sure_from and shown in self._whole:
            self.bound.find(self._whole[shown], now)
            self.say("messages arrive again")

    # --- the bridge and its surroundings -----------------------------------------------------

    def restart(self) -> None:
        """A new process in place of one that has ended."""
        self.bridge.start()
        self.watch.begin()
        self.bound.restart(self.watch.on_bus, time.monotonic())
        self.growth = Growth(self.bridge.process.pid)
        self.is_over()

    def set_wall_clock(self, ahead: float) -> None:
        """ahead: s."""
        self._wall.write_text(str(ahead), encoding="ascii")

    def read_log(self) -> str:
        return self.log.read() if self.is_log_read else ""
