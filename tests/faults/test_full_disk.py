"""multilog stands still while its disk is full: the bridge goes on, and counts what is lost."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from pocket import PocketGx

from tests.harness.batteries import healthy
from tests.harness.bridge_process import BridgeProcess
from tests.harness.mqtt_client import MqttClient
from tests.harness.multilog import Multilog
from tests.harness.reader import fill
from tests.harness.waiting import wait_for

SET = "virtual-battery/virtual/set"


def fill_pipes(bridge: BridgeProcess, multilog: Multilog) -> None:
    """As if the disk had been full for long: of the pipe to multilog, and of the bridge's own."""
    fill(multilog.entry_path)
    own = f"/proc/{bridge.process.pid}/fd/2"
    while fill(own):
        time.sleep(0.1)  # in which the bridge could pass on some of it


def flood(client: MqttClient) -> None:
    """Hostile writes of settings, each with a line in the log until there are too many."""
    for number in range(500):
        client.publish(SET, {f"Settings/Limiter/No{number}": "x" * 200})
    client.flush()


@pytest.mark.promise("log")
def test_limits_fall_and_it_leaves_while_the_disk_of_the_log_is_full(
    gx: PocketGx, tmp_path: Path
) -> None:
    with Multilog(tmp_path / "log") as multilog, MqttClient(gx.port) as client:
        bridge = BridgeProcess(gx, tmp_path, output=multilog.entry).connected()
        with bridge.bus() as bus:
            client.publish(SET, healthy())
            bus.comes("CCL", 100.0)
            multilog.fill_disk()
            fill_pipes(bridge, multilog)
            flood(client)
            client.publish(SET, healthy(cell=3.56))
            bus.comes("CCL", 0.0)
        asked = time.monotonic()
        assert bridge.stop() == 0
        assert time.monotonic() - asked < 3, "promised are two seconds"

        bridge.start()
        bridge.connected()
        fill_pipes(bridge, multilog)
        flood(client)
        multilog.free_disk()
        lost = wait_for(lambda: re.search(r"(\d+) lines of .* lost", multilog.log()), "the count")
        assert int(lost[1]) >= 5, "of the flood"
        bridge.stop()
