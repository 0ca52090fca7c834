"""The real process on a memory that fails: it starts, says so, and permits nothing without data."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pocket import PocketGx

from tests.harness.batteries import healthy
from tests.harness.bridge_process import BridgeProcess
from tests.harness.mqtt_client import MqttClient

SET = "virtual-battery/virtual/set"


@contextmanager
def _nearly_full() -> Iterator[None]:
    """A process that is started now can write no file beyond 4 kB, as on a disk without room."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))



IN_ITS_PLACE: dict[str, Callable[[Path], object]] = {
    "folder": Path.mkdir,
    "pipe": os.mkfifo,
    "link": lambda file: file.symlink_to("/dev/null"),
}


def _is_dark_until_there_is_data(gx: PocketGx, directory: Path, folder: Path) -> str:
    """Start and kill it twice without data, and feed the third one. Answers the log."""
    bridge = BridgeProcess(gx, directory, env={"RUNTIME_DIRECTORY": str(folder)})
    with MqttClient(gx.port) as client, bridge.bus() as bus:
        for _ in range(2):
            assert (bus["CCL"], bus["DCL"], bus["/Freshness/Stage"]) == (0.0, 0.0, "stale")
            bridge.kill()
            bridge.start()
        bridge.connected()
        client.publish(SET, healthy())
        bus.comes("CCL", 100.0)
        assert bus["DCL"] == 150.0
    bridge.stop()
    return bridge.log()


@pytest.mark.parametrize("kind", IN_ITS_PLACE)
def test_no_file_in_its_place(gx: PocketGx, tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    IN_ITS_PLACE[kind](folder / "virtual.json")
    log = _is_dark_until_there_is_data(gx, tmp_path, folder)
    assert log.count("no start can be kept") == 3


def test_a_folder_that_is_read_only(gx: PocketGx, tmp_path: Path) -> None:
    log = _is_dark_until_there_is_data(gx, tmp_path, Path("/sys/kernel"))
    assert log.count("no start can be kept") == 3


def test_a_disk_that_is_full(gx: PocketGx, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with _nearly_full():
        log = _is_dark_until_there_is_data(gx, tmp_path, folder)
    assert log.count("no start can be kept") == 3
