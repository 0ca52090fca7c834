"""The bridge with a wall clock that the soak sets, and with a planted defect if it is asked for.

    python3 -m tests.soak.program --config FILE

SOAK_WALL: a file with the s that the wall clock is ahead; SOAK_DEFECT: a key of DEFECTS.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bridge.__main__ import main
from bridge.adapters import dbus_service, loop
from bridge.adapters.ending import StopSignals
from bridge.battery.intake import Intake
from bridge.core.model import Date

LEAK = 200_000  # bytes for each batch


def _ahead() -> float:
    """s by which the wall clock is ahead now."""
    return float(Path(os.environ["SOAK_WALL"]).read_text(encoding="ascii") or 0)


def _wall() -> float:
    return time.time() + _ahead()


def _today() -> Date:
    now = time.localtime(_wall())
    return Date(now.tm_year, now.tm_mon, now.tm_mday, now.tm_hour * 60 + now.tm_min)


def _leak_memory() -> None:
    on_batch, kept = Intake.on_batch, []

    def leaking(*arguments: Any) -> None:
        kept.append(b"x" * LEAK)
        on_batch(*arguments)

    Intake.on_batch = leaking  # type: ignore[method-assign]


def _leak_descriptors() -> None:
    on_batch = Intake.on_batch

    def leaking(*arguments: Any) -> None:
        if len(list(Path("/proc/self/fd").iterdir())) < 500:
            os.dup(0)
        on_batch(*arguments)

    Intake.on_batch = leaking  # type: ignore[method-assign]


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
