"""The pocket GX with the bridge and the echo on it, and somebody who writes and watches."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dbus.bus
import dbus.lowlevel
import dbus.mainloop
import paho.mqtt.client as mqtt
from dbus.mainloop.glib import DBusGMainLoop
from gi.repository import GLib
from pocket import PocketGx

from bridge.core.paths.table import path_table
from tests.bench import echo
from tests.harness.batteries import battery
from tests.harness.bridge_process import BridgeProcess
from tests.harness.process_usage import ProcessUsage
from tests.harness.waiting import PATIENCE, wait_for

CELLS = 16
BUS_ITEM = "com.victronenergy.BusItem"
_CONTEXT = GLib.MainContext.default()

Values = dict[str, float]


class Subject:
    """One of the two that are measured: where to write to it, and what it is on the bus."""

    def __init__(self, gx: PocketGx, service: str, prefix: str, pid: int) -> None:
        self.address = gx.bus_address
        self.service = service
        self.prefix = prefix
        self.process = ProcessUsage(pid)


class Stage:
    """Both subjects, side by side, and one publisher for both."""

    def __init__(self, port: int, bridge: Subject, echo: Subject) -> None:
        self.port = port
        self.bridge = bridge
        self.echo = echo
        self.publisher = Publisher(port)

    @property
    def subjects(self) -> tuple[Subject, Subject]:
        return self.bridge, self.echo


@contextmanager
def stage(directory: Path) -> Iterator[Stage]:
    """Everything started and warm; ended with the context."""
    with PocketGx() as gx:
        running = BridgeProcess(gx, directory, battery(cells=CELLS)).connected()
        bridge = Subject(
            gx,
            "com.victronenergy.battery.virtual",
            f"W/{gx.portal_id}/battery/1",
            running.process.pid,
        )
        built = Stage(gx.port, bridge, _start_echo(gx))
        for subject in built.subjects:
            _warm_up(built.publisher, subject)
        yield built


def _start_echo(gx: PocketGx) -> Subject:
    prefix = f"W/{gx.portal_id}/battery/99"
    argv = [sys.executable, "-m", "tests.bench.echo", str(gx.port), prefix]
    process = gx.spawn(argv, stdin=subprocess.PIPE)
    process.stdin.write(json.dumps(list(path_table(CELLS))).encode())
    process.stdin.close()
    bus = dbus.bus.BusConnection(gx.bus_address, mainloop=dbus.mainloop.NULL_MAIN_LOOP)
    wait_for(lambda: bus.name_has_owner(echo.NAME), "the echo on the bus")
    bus.close()
    return Subject(gx, echo.NAME, prefix, process.pid)


def frame(number: int) -> Values:
    """64 values of a healthy battery, all of them other ones than in the frame before."""
    step = number % 2
    cells = {f"/Voltages/Cell{cell}": (3300 + step) / 1000 for cell in range(1, CELLS + 1)}
    balances = {f"/Balances/Cell{cell}": step for cell in range(1, CELLS + 1)}
    return {**cells, **balances, **{path: low + step for path, low in _FRAME.items()}}


_FRAME: Values = {
    "/Dc/0/Voltage": 52, "/Dc/0/Current": -10, "/Dc/0/Temperature": 20, "/Dc/0/MidVoltage": 26,
    "/Dc/1/Voltage": 12, "/Soc": 50, "/Soh": 98,
    "/System/MinCellTemperature": 19, "/System/MaxCellTemperature": 22,
    "/System/MOSTemperature": 30, "/Io/AllowToBalance": 0, "/Io/ExternalRelay": 0,
    "/Alarms/LowSoc": 0, "/Alarms/LowVoltage": 0, "/Alarms/HighCurrent": 0,
    "/Alarms/CellImbalance": 0, "/Alarms/InternalFailure": 0, "/Alarms/HighTemperature": 0,
    "/History/ChargeCycles": 10, "/History/FullDischarges": 1, "/History/TotalAhDrawn": -900,
    "/History/MinimumVoltage": 45, "/History/MaximumVoltage": 56, "/History/ChargedEnergy": 9,
    "/History/DischargedEnergy": 8, "/History/AutomaticSyncs": 3, "/History/LowVoltageAlarms": 0,
    "/History/HighVoltageAlarms": 0, "/History/DeepestDischarge": -200,
    "/History/LastDischarge": -100, "/History/AverageDischarge": -150,
    "/History/TimeSinceLastFullCharge": 1000,
}  # fmt: skip
"""The part of a frame besides the cells, by the first of two values that take turns."""


def _warm_up(publisher: Publisher, subject: Subject) -> None:
    """Until a whole frame has passed: the subscription is there, and nothing is the first time."""
    with Witness(subject) as witness:
        for number in range(100):
            publisher.publish_all(subject, frame(number))
            if witness.wait(frame(number), patience=0.2):
                return
    raise AssertionError(f"{subject.service} shows nothing of what is written to it")


class Publisher:
    """A client of the broker without a thread: a write is on the wire when `publish` returns."""

    def __init__(self, port: int) -> None:
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        self._client.connect("127.0.0.1", port, keepalive=3600)
        while not self._client.is_connected():
            self._client.loop(0.1)
        self._client.socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def publish(self, subject: Subject, path: str, value: float) -> float:
        """Write one value; answers the moment before (perf_counter, s)."""
        topic, payload = subject.prefix + path, json.dumps({"value": value})
        at = time.perf_counter()
        self._client.publish(topic, payload)
        return at

    def publish_all(self, subject: Subject, values: Values) -> float:
        """Write many, one by one; answers the moment before the first."""
        moments = [self.publish(subject, path, value) for path, value in values.items()]
        return moments[0]


class Witness:
    """Hears every ItemsChanged of a subject, with its moment, on a connection of its own."""

    def __init__(self, subject: Subject) -> None:
        self.signals = 0
        self._latest: dict[str, Any] = {}
        self._at = 0.0
        self._bus = dbus.bus.BusConnection(subject.address, mainloop=DBusGMainLoop())
        self._bus.set_exit_on_disconnect(False)
        match = f"type='signal',sender='{subject.service}',member='ItemsChanged'"
        self._bus.add_match_string(match)
        self._bus.add_message_filter(self._note)
        self._learn(self._bus.call_blocking(subject.service, "/", BUS_ITEM, "GetItems", "", []))

    def __enter__(self) -> Witness:
        return self

    def __exit__(self, *_problem: object) -> None:
        self._bus.close()

    def wait(self, wanted: Mapping[str, float], patience: float = PATIENCE) -> float | None:
        """The moment of the signal by which all of the wanted values stand on the bus; None when
        they do not come."""
        expired: list[bool] = []
        guard = GLib.timeout_add(int(patience * 1000), lambda: expired.append(True))
        while not all(self._latest.get(path) == value for path, value in wanted.items()):
            if expired:
                return None
            _CONTEXT.iteration(True)
        GLib.source_remove(guard)
        return self._at

    def catch_up(self) -> None:
        """Hear what has come meanwhile."""
        while _CONTEXT.pending():
            _CONTEXT.iteration(False)

    def _note(self, _bus: Any, message: dbus.lowlevel.Message) -> int:
        at = time.perf_counter()
        if message.get_member() == "ItemsChanged":
            self._at = at
            self.signals += 1
            self._learn(message.get_args_list()[0])
        return dbus.lowlevel.HANDLER_RESULT_NOT_YET_HANDLED

    def _learn(self, items: Mapping[str, Mapping[str, Any]]) -> None:
        self._latest.update((str(path), item["Value"]) for path, item in items.items())
