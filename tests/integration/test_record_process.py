"""record as a process: a real broker, and what it wrote goes through replay."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt import publish
from pocket import PocketGx

ROOT = Path(__file__).parents[2]


def test_what_clients_write_is_recorded_and_replayed(shared_gx: PocketGx, tmp_path: Path) -> None:
    recording = tmp_path / "out.jsonl"
    publish.single("W/c0619ab1/battery/1/Soh", "99", retain=True, port=shared_gx.port)
    broker = f"127.0.0.1:{shared_gx.port}"
    words = [sys.executable, "-m", "bridge", "record", "--config", "config.yaml"]
    recorder = subprocess.Popen(
        [*words, "--broker", broker, str(recording)], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    try:
        assert recorder.stderr is not None
        assert "connected" in recorder.stderr.readline()
        _publish_until_recorded(shared_gx.port, recording)
        recorder.send_signal(signal.SIGTERM)
        assert recorder.wait(10) == 0
    finally:
        recorder.kill()
        recorder.wait()
    topics = [json.loads(line)["topic"] for line in recording.read_text().splitlines()]
    assert "W/c0619ab1/battery/1/Soc" in topics
    assert "virtual-battery/virtual/set" in topics
    assert "W/c0619ab1/battery/1/Soh" not in topics, "a retained message carries no age"
    replay = [sys.executable, "-m", "bridge", "replay", "--config", "config.yaml", str(recording)]
    done = subprocess.run(replay, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "61.0" in done.stdout


def _publish_until_recorded(port: int, recording: Path) -> None:
    """The subscription takes a moment after the connection, so say it until it is heard."""
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and "battery/1/Soc" not in recording.read_text():
        client.publish("virtual-battery/virtual/set", '{"Dc/0/Voltage": 52.8}')
        client.publish("W/c0619ab1/battery/1/Soc", '{"value": 61}')
        time.sleep(0.2)
    client.loop_stop()
    client.disconnect()
