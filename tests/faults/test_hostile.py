"""What clients may send in error or in malice: none of it ends the process, nor holds it up."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest
from integration.ear import Ear
from live import RunningBridge, healthy, wait_for
from pocket import PocketGx

WRITE = "W/c0ffee000001/battery/1"
BATCH = "virtual-battery/virtual/set"
READ = "R/c0ffee000001"

HOSTILE = {
    "half a character as a value": (f"{WRITE}/Dc/0/Voltage", '"\\ud800"'),
    "half a character as a path": (BATCH, '{"\\ud800": 1}'),
    "half a character in a setting": (f"{WRITE}/Settings/Limiter/Taper", '{"value": "\\ud800"}'),
    "half a character as an echo": (
        f"{READ}/keepalive",
        '{"keepalive-options": [{"full-publish-completed-echo": "\\ud800"}]}',
    ),
    "blanks that can be shared out in many ways": (
        f"{WRITE}/Dc/0/Voltage",
        "{'value':" + " " * 4000 + "x}}",
    ),
    "digits without an end": (BATCH, '{"Soc": "' + "1" * 60_000 + 'x"}'),
    "thousands of unknown paths": (
        BATCH,
        "{" + ",".join(f'"Voltages/Cell{n}x": 1' for n in range(2000)) + "}",
    ),
    "brackets without an end": (BATCH, "[" * 60_000),
    "a number without an end": (f"{WRITE}/Soc", "9" * 4000),
    "an empty path": (f"{WRITE}/", "1"),
    "a double slash": (f"{WRITE}//Soc", "1"),
    "no path": (WRITE, "1"),
}


@pytest.fixture(scope="module")
def bridge(shared_gx: PocketGx, tmp_path_factory: pytest.TempPathFactory) -> RunningBridge:
    return RunningBridge(shared_gx, Path(tmp_path_factory.mktemp("bridge"))).connected()


@pytest.mark.parametrize("what", HOSTILE)
def test_it_goes_on_as_if_nothing_had_been_said(bridge: RunningBridge, what: str) -> None:
    topic, payload = HOSTILE[what]
    if bridge.process.poll() is not None:  # one culprit, one failure
        bridge.start()
        bridge.connected()
    with bridge.bus() as bus, Ear(bridge.gx.port) as ear:
        ear.tell(BATCH, healthy(cell=3.3))
        bus.comes("/Voltages/Cell7", 3.3)
        ear.tell(topic, payload)
        ear.tell(BATCH, {"Voltages/Cell7": 3.56})
        bus.comes("CCL", 0.0, seconds=2)
    assert bridge.process.poll() is None, bridge.log()


def test_a_message_that_does_not_fit_into_memory_costs_the_connection_at_most(
    gx: PocketGx, tmp_path: Path
) -> None:
    bridge = RunningBridge(gx, tmp_path).connected()
    status = Path(f"/proc/{bridge.process.pid}/status").read_text(encoding="ascii")
    used = int(next(line for line in status.splitlines() if "VmData" in line).split()[1]) * 1024
    few = used + 20_000_000  # service/run limits it so
    resource.prlimit(bridge.process.pid, resource.RLIMIT_DATA, (few, few))
    with bridge.bus() as bus, Ear(gx.port) as ear:
        for soc in (41, 42):
            ear.tell(BATCH, "x" * 60_000_000)
            bridge.says("sends what cannot be read")
            # What is told while the bridge connects anew is lost, so tell it until it is heard.
            wait_for(lambda s=soc: ear.tell(BATCH, {"Soc": s}) or bus["/Soc"] == s, bridge.log)
