"""A process that was stopped goes on, and what was queued meanwhile is no sign of life."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from signal import SIGCONT, SIGSTOP

import pytest
from pocket import PocketGx

from tests.harness.batteries import battery, healthy
from tests.harness.bridge_process import BridgeProcess
from tests.harness.mqtt_client import MqttClient
from tests.harness.path_history import PathHistory

SET = "virtual-battery/virtual/set"
TIMES = {"grace": 2, "aging": 2, "stale": 30, "lost": 60}
STOOD = 3.2
"""Seconds: longer than aging and than what counts as a standstill, shorter than stale."""

BEATS = """
    import time
    from bridge.adapters.health import Watchdog
    dog = Watchdog(patience=1.5)
    dog.start()
    print("ready", flush=True)
    end = time.monotonic() + 3.5
    while time.monotonic() < end:
        dog.beat()
        time.sleep(0.1)
"""


@pytest.mark.promise("standstill")
def test_no_watchdog_ends_a_process_that_was_stopped() -> None:
    """Eight at once, each stopped for longer than the watchdog's patience."""
    command = [sys.executable, "-c", textwrap.dedent(BEATS)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(8)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(SIGSTOP)
    time.sleep(2.2)  # of real time, which is what is tested
    for process in processes:
        process.send_signal(SIGCONT)
    assert [process.wait(30) for process in processes] == [0] * 8


@pytest.mark.promise("standstill")
def test_what_was_queued_refreshes_nothing_and_tightens(gx: PocketGx, tmp_path: Path) -> None:
    """Whole sets of values wait on both ways, so either of them alone could make it fresh."""
    bridge = BridgeProcess(gx, tmp_path, battery(freshness=TIMES)).connected()
    with bridge.bus() as bus, MqttClient(gx.port) as client:
        client.publish(SET, healthy())
        bus.comes("CCL", 100.0)
        bus.comes("/Freshness/Stage", "fresh")
        history = PathHistory(bus, "/Freshness/Stage")
        bridge.freeze()
        started = time.monotonic()
        client.publish(SET, healthy())
        client.publish(SET, healthy(cell=3.42))
        client.flush()
        writers = [
            threading.Thread(target=_write, args=(bridge, f"/{path}", float(value)))
            for path, value in healthy(cell=3.42).items()
        ]
        for one in writers:
            one.start()
        time.sleep(max(0.0, STOOD - (time.monotonic() - started)))  # what is tested
        bridge.thaw()
        for one in writers:
            one.join()
        bus.comes("CCL", 50.0)
        time.sleep(1.0)  # in which it could become fresh
        assert [stage for (stage,) in history.entries()] == ["fresh", "aging"]
        client.publish(SET, healthy(cell=3.42))
        bus.comes("/Freshness/Stage", "fresh")


def _write(bridge: BridgeProcess, path: str, value: float) -> None:
    with bridge.bus() as bus:
        bus.set(path, value)
