"""The bridge with a wall clock that the soak sets, and with a planted defect if it is asked for.

    python3 -m tests.soak.program --config FILE

SOAK_WALL: a file with the s that the wall clock is ahead; SOAK_DEFECT: a key of DEFECTS.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bridge.__main__ import main
from bridge.adapters import dbus_service, loop
from bridge.adapters.ending import StopSignals
from bridge.battery.battery import Battery
from bridge.core.model import Date

LEAK = 2_000_000  # bytes each second


def _ahead() -> float:
    """s by which the wall clock is ahead now."""
    return float(Path(os.environ["SOAK_WALL"]).read_text(encoding="ascii") or 0)


def _wall() -> float:
    return time.time() + _ahead()


def _today() -> Date:
    now = time.localtime(_wall())
    return Date(now.tm_year, now.tm_mon, now.tm_mday, now.tm_hour * 60 + now.tm_min)


def _leak_memory() -> None:
    kept: list[bytes] = []
    _at_each_tick(lambda: kept.append(b"x" * LEAK))


def _leak_descriptors() -> None:
    _at_each_tick(lambda: os.dup(0))


def _at_each_tick(leak: Callable[[], object]) -> None:
    on_tick = Battery.on_tick

    def leaking(battery: Battery, now: float) -> None:
        leak()
        on_tick(battery, now)

    Battery.on_tick = leaking  # type: ignore[method-assign]


def _show_too_much() -> None:
    """A charge current of 0 A is shown as 50 A."""
    publish = dbus_service.BatteryService.publish

    def showing(service: Any, changes: Mapping[str, Any]) -> None:
        path = "/Info/MaxChargeCurrent"
        publish(service, {**changes, path: 50.0} if changes.get(path) == 0 else changes)

    dbus_service.BatteryService.publish = showing  # type: ignore[method-assign]


DEFECTS = {
    "memory leaks": _leak_memory,
    "descriptors leak": _leak_descriptors,
    "a limit is shown too high": _show_too_much,
}

if __name__ == "__main__":
    loop.wall, loop.today = _wall, _today
    if defect := os.environ.get("SOAK_DEFECT"):
        DEFECTS[defect]()
    sys.exit(main(sys.argv[1:], StopSignals()))
