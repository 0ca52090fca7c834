"""record as a process: a real broker, and what it wrote goes through replay."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from pocket import PocketGx

from tests.harness.mqtt_client import MqttClient
from tests.harness.waiting import PATIENCE, wait_for

ROOT = Path(__file__).parents[2]
BATTERY = "W/c0619ab1/battery/1"
BATCH = "virtual-battery/virtual/set"


def test_what_clients_write_is_recorded_and_replayed(gx: PocketGx, tmp_path: Path) -> None:
    recording = tmp_path / "out.jsonl"
    words = ["record", "--config", "config.yaml", "--broker", f"127.0.0.1:{gx.port}"]
    with MqttClient(gx.port) as client:
        client.publish(f"{BATTERY}/Soh", "99", retain=True)
        client.flush()
        recorder = gx.spawn(
            [sys.executable, "-m", "bridge", *words, str(recording)],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert "connected" in recorder.stderr.readline()

        def both_are_recorded() -> bool:
            # The subscription takes a moment after the connection, so publish until it is heard.
            client.publish(BATCH, {"Dc/0/Voltage": 52.8})
            client.publish(f"{BATTERY}/Soc", {"value": 61})
            return {BATCH, f"{BATTERY}/Soc"} <= topics_in(recording)

        wait_for(both_are_recorded, lambda: topics_in(recording))
    recorder.terminate()
    assert recorder.wait(PATIENCE) == 0
    assert f"{BATTERY}/Soh" not in topics_in(recording), "a retained message carries no age"
    replay = [sys.executable, "-m", "bridge", "replay", "--config", "config.yaml", str(recording)]
    done = subprocess.run(replay, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "61.0" in done.stdout


def topics_in(recording: Path) -> set[str]:
    """The topics of all whole lines; the last line may be half written."""
    *lines, _rest = recording.read_text().split("\n")
    return {json.loads(line)["topic"] for line in lines}
