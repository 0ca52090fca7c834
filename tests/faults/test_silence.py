"""The stages with real seconds, a real broker, and publishers that really die.

The times are short, so that it can be waited for; tests/unit/test_freshness.py has all cases.
"""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from pocket import PocketGx

from tests.harness.batteries import FAILSAFE_CVL, battery, healthy
from tests.harness.bridge_process import BridgeProcess
from tests.harness.mqtt_client import MqttClient
from tests.harness.path_history import PathHistory
from tests.harness.waiting import repeat_for, wait_for

SHORT = {"grace": 3, "aging": 2, "stale": 3, "lost": 4, "clear": 2}
STAGE, CABLE = "/Freshness/Stage", "/Alarms/BmsCable"

PUBLISHER = """
    import json, sys, time
    import paho.mqtt.client as mqtt
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", int(sys.argv[1]))
    client.loop_start()
    while True:
        client.publish(sys.argv[2], sys.argv[3])
        time.sleep(0.2)
"""


def publisher(gx: PocketGx, topic: str, payload: str) -> subprocess.Popen[bytes]:
    """A process that publishes one message five times a second until it is killed."""
    program = textwrap.dedent(PUBLISHER)
    return gx.spawn([sys.executable, "-c", program, str(gx.port), topic, payload])


SET = "virtual-battery/virtual/set"


@pytest.fixture
def bridge(gx: PocketGx, tmp_path: Path) -> BridgeProcess:
    fast = battery(
        freshness=SHORT,
        failsafe={"discharge_current": 20},
        limiter={**battery()["limiter"], "current_hold": 1, "current_rise": 0.5},
    )
    return BridgeProcess(gx, tmp_path, fast).connected()


@pytest.mark.promise("silence")
def test_a_publisher_killed_with_9_leads_through_all_stages_and_back(
    gx: PocketGx, bridge: BridgeProcess
) -> None:
    living = publisher(gx, SET, json.dumps(healthy()))
    with bridge.bus() as bus:
        bus.comes("CCL", 100.0)
        history = PathHistory(bus, STAGE, CABLE, "CCL", "DCL", "/Dc/0/Voltage", "/Voltages/Cell1")
        living.kill()
        bus.comes(STAGE, "lost")
        assert history.entries() == [
            ("fresh", 0, 100.0, 150.0, 52.8, 3.3),
            ("aging", 0, 100.0, 150.0, 52.8, 3.3),
            ("stale", 1, 0.0, 20.0, None, None),
            ("lost", 2, 0.0, 20.0, None, None),
        ]
        assert bus["CVL"] == FAILSAFE_CVL
        publisher(gx, SET, json.dumps(healthy()))
        bus.comes("CCL", 100.0)
        back = next(entry for entry in history.entries()[4:] if entry[0] == "fresh")
        assert back[2] == 0.0, "it holds first"
        bus.comes(CABLE, 0)
    log = bridge.log()
    for stage in ("aging", "stale", "lost"):
        assert log.count(f"virtual: measurements are {stage}") == 1
    assert log.count("virtual: measurements are fresh") == 2


def test_a_broker_that_stops_is_silence(gx: PocketGx, bridge: BridgeProcess) -> None:
    publisher(gx, SET, json.dumps(healthy()))
    with bridge.bus() as bus:
        bus.comes("CCL", 100.0)
        history = PathHistory(bus, STAGE, "CCL", "DCL")
        gx.kill_broker()
        bus.comes("CCL", 0.0)
        assert ("stale", 0.0, 20.0) in history.entries()


@pytest.mark.parametrize(
    "garbage", ["NaN", '{"Dc/0/Voltage": NaN}', '{"Voltages": {"Cell1": null}}', "{}", "unknown"]
)
def test_payloads_that_turn_into_garbage_are_silence(
    gx: PocketGx, bridge: BridgeProcess, garbage: str
) -> None:
    with bridge.bus() as bus:
        with MqttClient(gx.port) as client:
            client.publish(SET, healthy())
        bus.comes("CCL", 100.0)
        history = PathHistory(bus, STAGE, CABLE, "CCL", "DCL")
        publisher(gx, SET, garbage)
        wait_for(lambda: ("stale", 1, 0.0, 20.0) in history.entries(), history.entries)


def test_repeated_equal_set_values_are_life(bridge: BridgeProcess) -> None:
    """velib alone would hide them; each is one of a resting battery's signs of life."""
    with bridge.bus() as bus:

        def repeat() -> None:
            for path, value in healthy().items():
                assert bus.set(f"/{path}", value) == 0

        repeat()
        bus.comes("CCL", 100.0)
        history = PathHistory(bus, STAGE)
        repeat_for(SHORT["stale"] + 0.5, repeat)
        assert history.entries() == [("fresh",)]


def test_after_a_restart_it_waits_and_does_not_drop_the_inverter(
    gx: PocketGx, bridge: BridgeProcess
) -> None:
    publisher(gx, SET, json.dumps(healthy()))
    with bridge.bus() as bus:
        bus.comes("CCL", 100.0)
    bridge.kill()
    gx.kill_broker()
    bridge.start()
    with bridge.bus() as bus:
        history = PathHistory(bus, STAGE, CABLE, "CCL", "DCL")
        bus.comes("DCL", 20.0)
        assert history.entries()[:2] == [
            ("waiting", 0, 0.0, 150.0),
            ("stale", 1, 0.0, 20.0),
        ]
        assert bus["CVL"] < 55.2, "it comes down slowly"
