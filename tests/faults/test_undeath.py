"""A process that no longer works ends, loudly, so that the supervisor starts a new one."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from pocket import PocketGx

from bridge.adapters.health import PATIENCE
from tests.harness.batteries import battery, healthy
from tests.harness.bridge_process import BridgeProcess
from tests.harness.mqtt_client import MqttClient
from tests.harness.path_history import PathHistory

HANGS = 50.0  # s; each program would go on for longer than that

HUNG_LOOP = """
    import logging, time
    from bridge.adapters.health import Watchdog
    logging.basicConfig()
    dog = Watchdog(patience=2.0)
    dog.start()
    for _ in range(30):  # longer than its patience
        dog.beat()
        time.sleep(0.1)
    def stuck():
        time.sleep(60)
    stuck()
"""

HUNG_IN_C = """
    import re
    from bridge.adapters.health import Watchdog
    dog = Watchdog(patience=1.0)
    dog.start()
    def stuck():
        re.fullmatch("(a|aa)+b", "a" * 1000)
    stuck()
"""

DEAD_THREAD = """
    import logging, threading, time
    from bridge.adapters.ending import end_process_with_threads
    logging.basicConfig()
    end_process_with_threads()
    def paho():
        raise KeyError("a bug in a library")
    threading.Thread(target=paho).start()
    time.sleep(60)
"""

BUG_ON_THE_LINK = """
    import logging, socket, time
    from bridge.adapters.ending import end_process_with_threads
    from bridge.adapters.mqtt_link import Broker, MqttLink
    logging.basicConfig()
    end_process_with_threads()
    server = socket.create_server(("127.0.0.1", 0))
    def wake():
        raise IndexError("a bug of ours")
    MqttLink(Broker("127.0.0.1", server.getsockname()[1]), wake=wake).start()
    server.accept()[0].sendall(bytes([0x20, 3, 0, 0, 0, 0x30, 5, 0, 1]) + b"a\\0001")
    time.sleep(60)
"""

BUG_IN_A_CALLBACK = """
    import logging
    from bridge.adapters.loop import Loop
    logging.basicConfig()
    loop = Loop()
    loop.call_in(0.1, lambda: 1 / 0)
    loop.run()
"""


LAST_WORDS_FAIL = """
    import logging
    from bridge.adapters.ending import end
    class Log(logging.Handler):
        def flush(self):
            raise MemoryError
    logging.getLogger().addHandler(Log())
    end(7, lambda: 1 / 0)
"""


def run(program: str) -> tuple[int, str]:
    """The exit status, and what it said. A program that does not end fails the test."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=HANGS,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.promise("hang")
def test_a_main_loop_that_stops_turning_ends_the_process() -> None:
    status, said = run(HUNG_LOOP)
    assert status == 1
    assert "the main loop has not run" in said
    assert "in stuck" in said, "where it hung"


def test_a_call_that_never_lets_another_thread_run_ends_the_process_too() -> None:
    status, said = run(HUNG_IN_C)
    assert status == -signal.SIGPROF
    assert "in stuck" in said, "where it hung"


def test_the_patience_is_within_what_is_promised() -> None:
    assert PATIENCE * 1.25 <= 30


def test_a_dead_thread_ends_the_process_at_once() -> None:
    status, said = run(DEAD_THREAD)
    assert status == 1
    assert "an exception has ended a thread" in said
    assert "a bug in a library" in said


def test_a_bug_on_the_thread_of_the_link_ends_the_process() -> None:
    """Nonsense from a broker does not, but that is no nonsense."""
    status, said = run(BUG_ON_THE_LINK)
    assert status == 1
    assert "a bug of ours" in said


@pytest.mark.promise("hang")
def test_a_bug_in_a_callback_of_the_loop_ends_the_process() -> None:
    status, said = run(BUG_IN_A_CALLBACK)
    assert status == 1
    assert "ZeroDivisionError" in said


def test_the_log_level_changes_at_run_time(gx: PocketGx, tmp_path: Path) -> None:
    bridge = BridgeProcess(gx, tmp_path, log_level="warning").connected()
    assert "INFO" not in bridge.log()
    bridge.process.send_signal(signal.SIGUSR1)
    bridge.says("the log is at level debug now")
    bridge.process.send_signal(signal.SIGUSR2)
    bridge.says("the log is at level warning now")
    assert bridge.is_running()


def test_a_stopped_process_that_wakes_up_has_aged(gx: PocketGx, tmp_path: Path) -> None:
    """Frozen for longer than `stale`, it publishes no old permission when it goes on."""
    times = {"grace": 2, "aging": 2, "stale": 3, "lost": 60}
    bridge = BridgeProcess(gx, tmp_path, battery(freshness=times)).connected()
    with bridge.bus() as bus, MqttClient(gx.port) as client:
        client.publish("virtual-battery/virtual/set", healthy())
        bus.comes("CCL", 100.0)
        history = PathHistory(bus, "/Freshness/Stage", "CCL", "DCL")
        bridge.freeze()
        time.sleep(times["stale"] + 0.5)  # the time that passes is what is tested
        bridge.thaw()
        bus.comes("/Freshness/Stage", "stale")
        assert history.entries() == [("fresh", 100.0, 150.0), ("stale", 0.0, 0.0)]


def test_it_ends_even_if_its_last_words_fail() -> None:
    assert run(LAST_WORDS_FAIL)[0] == 7
