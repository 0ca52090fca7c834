"""The process is killed, and the next one permits no more than what held before."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pocket import PocketGx

from tests.harness.batteries import battery, healthy
from tests.harness.bridge_process import BridgeProcess
from tests.harness.mqtt_client import MqttClient
from tests.harness.path_history import PathHistory
from tests.harness.waiting import repeat_for

SET = "virtual-battery/virtual/set"


def _feeding(client: MqttClient, cell: float) -> Callable[[], None]:
    return lambda: client.publish(SET, healthy(cell=cell))


def _killed(bridge: BridgeProcess) -> BridgeProcess:
    bridge.kill()
    bridge.start()
    return bridge.connected()


@pytest.mark.promise("kill")
def test_a_discharge_stop_holds_from_the_first_moment(gx: PocketGx, tmp_path: Path) -> None:
    bridge = BridgeProcess(gx, tmp_path).connected()
    with MqttClient(gx.port) as client, bridge.bus() as bus:
        client.publish(SET, healthy(cell=2.79))
        bus.comes("DCL", 0.0)
        client.publish(SET, healthy(cell=2.86))
        bus.comes("/System/MinCellVoltage", 2.86)
        _killed(bridge)
        history = PathHistory(bus, "DCL")
        client.publish(SET, healthy(cell=2.86))
        bus.comes("/Freshness/Stage", "fresh")
        assert history.entries() == [(0.0,)]


@pytest.mark.promise("kill")
def test_a_tightening_is_kept_although_the_kill_comes_at_once(
    gx: PocketGx, tmp_path: Path
) -> None:
    bridge = BridgeProcess(gx, tmp_path).connected()
    with MqttClient(gx.port) as client, bridge.bus() as bus:
        client.publish(SET, healthy())
        bus.comes("CCL", 100.0)
        for cell, amps in ((3.41, 50.0), (3.46, 10.0), (3.56, 0.0)):
            client.publish(SET, healthy(cell=cell))
            bus.comes("CCL", amps)
            _killed(bridge)
            history = PathHistory(bus, "CCL")
            repeat_for(1.0, _feeding(client, 3.3))
            bus.comes("/Freshness/Stage", "fresh")
            assert max(entry[0] for entry in history.entries()) <= amps
            assert bus["CCL"] == amps, "it has come back, and not more"


def test_kills_without_data_spend_the_grace_once(gx: PocketGx, tmp_path: Path) -> None:
    grace = 3.0
    started = time.monotonic()
    bridge = BridgeProcess(gx, tmp_path, battery(freshness={"grace": grace}))
    seen: list[tuple[float, Any]] = []
    with bridge.bus() as bus:
        while time.monotonic() - started < grace + 2:
            seen.append((time.monotonic() - started, bus["DCL"]))
            bridge.kill()
            bridge.start()
    assert seen[0][1] == 150.0, "the first start since the boot"
    late = [amps for at, amps in seen if at > grace + 1]
    assert late and set(late) == {0.0}


def test_requests_survive(gx: PocketGx, tmp_path: Path) -> None:
    bridge = BridgeProcess(gx, tmp_path).connected()
    with MqttClient(gx.port) as client, bridge.bus() as bus:
        client.publish(SET, healthy())
        client.publish(SET, {"Info": {"MaxDischargeCurrent": 0}})
        client.publish(SET, {"Info": {"MaxChargeCurrent": {"value": 20, "expires": 900}}})
        bus.comes("CCL", 20.0)
        _killed(bridge)
        client.publish(SET, healthy())
        bus.comes("CCL", 20.0)
        assert (bus["DCL"], bus["/Info/DischargeLimitation"]) == (0.0, "request")


@pytest.mark.promise("memory")
def test_a_memory_that_cannot_be_written_stops_no_service(gx: PocketGx, tmp_path: Path) -> None:
    no_folder = tmp_path / "file"
    no_folder.write_text("")
    bridge = BridgeProcess(gx, tmp_path, env={"RUNTIME_DIRECTORY": str(no_folder)}).connected()
    with MqttClient(gx.port) as client, bridge.bus() as bus:
        client.publish(SET, healthy())
        bus.comes("CCL", 100.0)
    assert bridge.says("are not kept over a restart").count("are not kept over a restart") == 1
