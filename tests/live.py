"""A bridge that really runs: its own process, on a pocket GX, with a client on each side."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dbus
from contract.onlooker import Onlooker
from integration.ear import Ear
from pocket import PocketGx

LIMITS = {"CVL": "/Info/MaxChargeVoltage", "CCL": "/Info/MaxChargeCurrent",
          "DCL": "/Info/MaxDischargeCurrent"}  # fmt: skip


def battery(**changes: Any) -> dict[str, Any]:
    """One battery for a configuration file; keywords replace its keys."""
    return {
        "ident": "virtual",
        "cells": 16,
        "chemistry": "lfp",
        "capacity": 280,
        "ceiling": {"charge_current": 200, "discharge_current": 250},
        "limiter": {
            "max_charge_current": 100,
            "max_charge_current_above_cv1": 50,
            "max_charge_current_above_cv2": 10,
            "max_discharge_current": 150,
        },
        **changes,
    }


class RunningBridge:
    """`python3 -m bridge` as a process. Its log is a file; `says` waits for words in it."""

    def __init__(
        self,
        gx: PocketGx,
        directory: Path,
        *batteries: dict[str, Any],
        mqtt: dict[str, Any] | None = None,
        **top: Any,
    ) -> None:
        self.gx = gx
        self.batteries = batteries or (battery(),)
        self.log_file = directory / "bridge.log"
        self.config = directory / "config.yaml"
        content = {
            "mqtt": {"port": gx.port, **(mqtt or {})},
            "batteries": list(self.batteries),
            **top,
        }
        self.config.write_text(json.dumps(content), encoding="utf-8")
        self.process = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        """Start the process, once more if it has ended; wait until all batteries are there."""
        with self.log_file.open("ab") as log:
            self.process = self.gx.spawn(
                [sys.executable, "-m", "bridge", "--config", str(self.config)],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        for one in self.batteries:
            bus = Onlooker(self.gx, f"com.victronenergy.battery.{one['ident']}")
            wait_for(lambda bus=bus: self.process.poll() is not None or bus.is_there(), self.log)
            bus.close()
        return self.process

    def connected(self) -> RunningBridge:
        """Wait until the broker has us and knows the topics we want."""
        with Ear(self.gx.port, "virtual-battery/status") as ear:
            wait_for(lambda: "online" in ear.on("virtual-battery/status"), self.log)
        return self

    def bus(self, ident: str = "virtual") -> Bus:
        return Bus(self.gx, ident)

    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8")

    def says(self, words: str, seconds: float = 15.0) -> str:
        """Wait for words in the log."""
        wait_for(lambda: words in self.log(), self.log, seconds)
        return self.log()

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(10)


class Bus:
    """A battery as another process sees it on D-Bus, in plain Python values."""

    def __init__(self, gx: PocketGx, ident: str) -> None:
        self.onlooker = Onlooker(gx, f"com.victronenergy.battery.{ident}")

    def __enter__(self) -> Bus:
        return self

    def __exit__(self, *_problem: object) -> None:
        self.onlooker.close()

    def __getitem__(self, path: str) -> Any:
        """The value of a path, or of a limit by its short name."""
        value = self.onlooker.get(LIMITS.get(path, path))
        if isinstance(value, dbus.Array):
            return None
        kind = {dbus.Double: float, dbus.String: str}.get(type(value), int)
        return kind(value)

    def items(self) -> dict[str, Any]:
        """Every path with its value and text, as one answer of the bus."""
        return dict(self.onlooker.call("/", "GetItems"))

    def set(self, path: str, value: Any) -> int:
        return self.onlooker.set(path, value)

    def comes(self, path: str, value: Any, seconds: float = 10.0) -> None:
        """Wait until a path holds a value."""
        wait_for(lambda: self[path] == value, lambda: f"{path} is {self[path]!r}", seconds)


def wait_for(
    condition: Callable[[], Any], otherwise: Callable[[], object], seconds: float = 15.0
) -> None:
    """Poll until a condition holds; fail with what there is instead."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"in vain after {seconds:g} s: {otherwise()}"
        time.sleep(0.005)


def healthy(cells: int = 16, cell: float = 3.3) -> dict[str, Any]:
    """A batch with all that is required, and SoC and current."""
    voltages = {f"Voltages/Cell{n}": cell for n in range(1, cells + 1)}
    return {**voltages, "Dc/0/Voltage": cell * cells, "Dc/0/Current": -10, "Soc": 50}
