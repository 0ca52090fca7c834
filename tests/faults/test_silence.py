"""The stages with real seconds, a real broker, and publishers that really die.

The times are short, so that it can be waited for; tests/unit/test_freshness.py has all cases.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from integration.ear import Ear
from live import RunningBridge, battery, healthy, wait_for
from pocket import PocketGx

SHORT = {"grace": 2, "aging": 1, "stale": 2, "lost": 4, "clear": 3}
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


def batch() -> str:
    import json

    return json.dumps(healthy())


SET = "virtual-battery/virtual/set"


@pytest.fixture
def bridge(gx: PocketGx, tmp_path: Path) -> RunningBridge:
    fast = battery(
        freshness=SHORT,
        failsafe={"discharge_current": 20},
        limiter={**battery()["limiter"], "current_hold": 1, "current_rise": 0.5},
    )
    return RunningBridge(gx, tmp_path, fast).connected()


def test_a_publisher_killed_with_9_leads_through_all_stages_and_back(
    gx: PocketGx, bridge: RunningBridge
) -> None:
    living = publisher(gx, SET, batch())
    with bridge.bus() as bus:
        bus.comes("CCL", 100.0)
        assert bus[STAGE] == "fresh"
        living.kill()
        bus.comes(STAGE, "aging")
        assert bus["CCL"] == 100.0
        bus.comes(STAGE, "stale")
        assert (bus["CCL"], bus["DCL"], bus[CABLE]) == (0.0, 20.0, 1)
        assert bus["/Dc/0/Voltage"] is None
        assert bus["/Voltages/Cell1"] is None
        bus.comes(STAGE, "lost")
        assert (bus["CCL"], bus["DCL"], bus[CABLE]) == (0.0, 20.0, 2)
        assert bus["CVL"] == 55.2
        publisher(gx, SET, batch())
        bus.comes(STAGE, "fresh")
        assert bus["CCL"] == 0.0, "it holds first"
        bus.comes("CCL", 100.0)
        bus.comes(CABLE, 0)
    log = bridge.log()
    for stage in ("aging", "stale", "lost"):
        assert log.count(f"virtual: measurements are {stage}") == 1
    assert log.count("virtual: measurements are fresh") == 2


def test_a_broker_that_stops_is_silence(gx: PocketGx, bridge: RunningBridge) -> None:
    publisher(gx, SET, batch())
    with bridge.bus() as bus:
        bus.comes("CCL", 100.0)
        gx.kill_broker()
        bus.comes(STAGE, "stale")
        assert (bus["CCL"], bus["DCL"]) == (0.0, 20.0)


@pytest.mark.parametrize(
    "garbage", ["NaN", '{"Dc/0/Voltage": NaN}', '{"Voltages": {"Cell1": null}}', "{}", "unknown"]
)
def test_payloads_that_turn_into_garbage_are_silence(
    gx: PocketGx, bridge: RunningBridge, garbage: str
) -> None:
    with bridge.bus() as bus:
        with Ear(gx.port) as ear:
            ear.tell(SET, healthy())
        bus.comes("CCL", 100.0)
        publisher(gx, SET, garbage)
        bus.comes(STAGE, "stale")
        assert (bus["CCL"], bus["DCL"], bus[CABLE]) == (0.0, 20.0, 1)


def test_repeated_equal_set_values_are_life(bridge: RunningBridge) -> None:
    """velib alone would hide them; each is one of a resting battery's signs of life."""
    with bridge.bus() as bus:

        def repeat() -> bool:
            for path, value in healthy().items():
                assert bus.set(f"/{path}", value) == 0
            return False

        repeat()
        bus.comes("CCL", 100.0)
        with pytest.raises(AssertionError, match="in vain"):
            wait_for(repeat, lambda: "", seconds=3.0)
        assert bus[STAGE] == "fresh"


def test_after_a_restart_it_waits_and_does_not_drop_the_inverter(
    gx: PocketGx, bridge: RunningBridge
) -> None:
    publisher(gx, SET, batch())
    with bridge.bus() as bus:
        bus.comes("CCL", 100.0)
    bridge.process.kill()
    bridge.process.wait()
    gx.kill_broker()
    bridge.start()
    with bridge.bus() as bus:
        assert (bus[STAGE], bus["CCL"], bus["DCL"], bus["CVL"]) == ("waiting", 0.0, 150.0, 55.2)
        bus.comes(STAGE, "stale")
        assert (bus["CCL"], bus["DCL"], bus[CABLE]) == (0.0, 20.0, 1)
