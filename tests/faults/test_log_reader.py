"""Whoever reads the log may stop, end or have no room: the bridge goes on, and ends if it must."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pocket import PocketGx

from tests.harness.batteries import healthy
from tests.harness.bridge_process import BridgeProcess
from tests.harness.mqtt_client import MqttClient
from tests.harness.reader import LogReader
from tests.harness.waiting import wait_for

SET = "virtual-battery/virtual/set"
HANGS = 30.0  # s; a process that does not end within them hangs

WITHOUT_FILES = 'exec "$0" "$@" 0<&- 1>&- 2>&-'

MANY = 20_000
"""Lines: more than the pipes hold."""

WORDY = f"""
    import logging, os, sys
    from bridge.adapters import log
    ready = os.dup(1)
    log.start("info")
    for number in range({MANY}):
        logging.info("line %d", number)
    os.write(ready, b"all is logged\\n")
    sys.stdin.readline()
    logging.info("the last line")
    logging.shutdown()
"""

HUNG_LOOP = """
    import time
    from bridge.adapters import log
    from bridge.adapters.health import Watchdog
    outlet = log.start("info")
    Watchdog(patience=1.0, stacks_to=outlet.last_resort()).start()
    time.sleep(60)
"""

HUNG_IN_C = """
    import re
    from bridge.adapters import log
    from bridge.adapters.health import Watchdog
    outlet = log.start("info")
    Watchdog(patience=1.0, stacks_to=outlet.last_resort()).start()
    re.fullmatch("(a|aa)+b", "a" * 1000)
"""

BUG_IN_A_CALLBACK = """
    from bridge.adapters import log
    from bridge.adapters.loop import Loop
    log.start("info")
    loop = Loop()
    loop.call_in(0.1, lambda: 1 / 0)
    loop.run()
"""

DEAD_THREAD = """
    import threading, time
    from bridge.adapters import log
    from bridge.adapters.ending import end_process_with_threads
    log.start("info")
    end_process_with_threads()
    threading.Thread(target=lambda: 1 / 0).start()
    time.sleep(60)
"""

LIBRARIES = """
    import os, sys, warnings
    from bridge.adapters import log
    log.start("info")
    for number in range(3000):
        print("a stray print", "x" * 80)
        sys.stderr.write("an exception nobody can catch\\n")
        warnings.warn(f"a warning {number}")
        try:
            os.write(2, b"a library in C\\n")  # as it does, it ignores the error
        except BlockingIOError:
            pass
    os._exit(7)
"""


LOCK_OF_PYTHON_3_13 = """
    import logging
    def handle(self, record):
        passed = self.filter(record)
        if isinstance(passed, logging.LogRecord):
            record = passed
        if passed:
            with self.lock:
                self.emit(record)
        return passed
    logging.Handler.handle = handle
    from bridge.adapters import log
    log.start("info")
    logging.getLogger().handlers[0].addFilter(lambda record: "secret" not in record.msg)
    logging.info("a line")
    logging.info("a secret line")
    logging.shutdown()
"""

STANDARD_FILES = """
    import logging, os, time
    from bridge.adapters import log
    log.start("info")
    logging.info("a line")
    time.sleep(0.2)
    used = time.process_time()
    time.sleep(0.2)
    used = time.process_time() - used
    new = os.open(os.devnull, os.O_RDONLY)
    logging.shutdown()
    os._exit(8 if used > 0.1 else 9 if new <= 2 else 0)
"""


@pytest.fixture
def reader() -> Iterator[LogReader]:
    with LogReader() as one:
        yield one


def start(program: str, output: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-u", "-c", textwrap.dedent(program)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=output, text=True)


@pytest.mark.promise("log")
def test_limits_fall_while_nobody_reads_the_log(
    gx: PocketGx, tmp_path: Path, reader: LogReader
) -> None:
    bridge = BridgeProcess(gx, tmp_path, output=reader.entry).connected()
    with MqttClient(gx.port) as client, bridge.bus() as bus:
        client.publish(SET, healthy())
        bus.comes("CCL", 100.0)
        reader.fill()
        for number in range(200):
            client.publish(SET, {f"Settings/Limiter/No{number}": "x" * 200})
        client.publish(SET, healthy(cell=3.56))
        bus.comes("CCL", 0.0)
        asked = time.monotonic()
        assert bridge.stop() == 0
        assert time.monotonic() - asked < 3, "promised are two seconds"


def test_lost_lines_are_counted_and_said_when_the_reader_is_back(reader: LogReader) -> None:
    process = start(WORDY, reader.entry)
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == "all is logged\n"
    wait_for(lambda: "were lost" in reader.read(), "the count")
    process.stdin.close()
    assert process.wait(HANGS) == 0
    said = reader.read()
    lost = re.search(r"WARNING (\d+) lines of the log were lost", said)
    assert lost
    assert int(lost[1]) > 0
    assert len(re.findall(r"INFO line \d+\n", said)) + int(lost[1]) == MANY
    assert said.endswith("INFO the last line\n")


@pytest.mark.parametrize(
    ("program", "statuses"),
    [(HUNG_LOOP, (1,)), (HUNG_IN_C, (-27,)), (BUG_IN_A_CALLBACK, (1,)), (DEAD_THREAD, (1,))],
)
def test_what_must_end_ends_while_nobody_reads(
    program: str, statuses: tuple[int, ...], reader: LogReader
) -> None:
    reader.fill()
    assert start(program, reader.entry).wait(HANGS) in statuses


def test_output_of_libraries_waits_for_nobody(reader: LogReader) -> None:
    reader.fill()
    assert start(LIBRARIES, reader.entry).wait(HANGS) == 7


@pytest.mark.parametrize("problem", ["the reader has ended", "there is no room"])
def test_a_log_that_cannot_be_written_is_no_reason_to_end(
    problem: str, gx: PocketGx, tmp_path: Path, reader: LogReader
) -> None:
    if problem == "there is no room":
        output = os.open("/dev/full", os.O_WRONLY)
    else:
        output = reader.entry
        reader.leave()
    bridge = BridgeProcess(gx, tmp_path, output=output).connected()
    with MqttClient(gx.port) as client, bridge.bus() as bus:
        client.publish(SET, healthy())
        bus.comes("CCL", 100.0)
        client.publish(SET, healthy(cell=3.56))
        bus.comes("CCL", 0.0)
        assert bridge.stop() == 0


def test_the_reader_s_side_keeps_its_flags(reader: LogReader) -> None:
    """Other processes share the description of our standard error, such as the shell before us."""
    assert start(LIBRARIES.replace("3000", "1"), reader.entry).wait(HANGS) == 7
    assert os.get_blocking(reader.entry)


def test_a_line_of_the_log_needs_no_lock_in_any_version_of_python(reader: LogReader) -> None:
    assert start(LOCK_OF_PYTHON_3_13, reader.entry).wait(HANGS) == 0
    assert reader.read() == "INFO a line\n"


@pytest.mark.parametrize("closed", ["1>&-", "2>&-", "0<&-", "1>&- 2>&-", "0<&- 1>&- 2>&-"])
def test_a_standard_file_may_be_closed_at_the_start(closed: str, reader: LogReader) -> None:
    """The next file that is opened gets its number. Then a line would go round for ever."""
    shell = f'exec "$0" -c "$1" {closed}'
    command = ["sh", "-c", shell, sys.executable, textwrap.dedent(STANDARD_FILES)]
    assert subprocess.run(command, stderr=reader.entry, timeout=HANGS, check=False).returncode == 0
    assert reader.read() == ("" if "2>&-" in closed else "INFO a line\n")


def test_the_bridge_runs_without_standard_files(gx: PocketGx, tmp_path: Path) -> None:
    bridge = BridgeProcess(gx, tmp_path, through=("sh", "-c", WITHOUT_FILES)).connected()
    files = [str(Path(f"/proc/{bridge.process.pid}/fd/{n}").readlink()) for n in range(3)]
    assert files[0] == os.devnull and files[1] == files[2] and files[1].startswith("pipe")
    with MqttClient(gx.port) as client, bridge.bus() as bus:
        client.publish(SET, healthy())
        bus.comes("CCL", 100.0)
        assert bridge.stop() == 0
