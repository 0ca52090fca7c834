"""A real bridge on a pocket GX, and a client that sees every message as it is on the wire."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import paho.mqtt.client as mqtt
from pocket import PocketGx

PATIENCE = 15.0  # s

CONFIG = """
mqtt: {mqtt}
batteries:
  - ident: virtual
    cells: 16
    chemistry: lfp
    capacity: 280
    ceiling: {{charge_current: 200, discharge_current: 250}}
    limiter: {{max_charge_current: 100, max_discharge_current: 150}}
"""

FULL = {
    "Soc": 55,
    "Dc/0/Voltage": 53.1,
    "Dc/0/Current": 10,
    **{f"Voltages/Cell{cell}": 3.31 for cell in range(1, 17)},
}
"""One frame that makes the battery fresh."""


class Heard(NamedTuple):
    topic: str
    payload: bytes
    retained: bool


class Client:
    """Subscribed to everything; `heard` is in order of arrival."""

    def __init__(self, port: int) -> None:
        self.heard: list[Heard] = []
        self._subscribed = False
        self._mqtt = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        self._mqtt.on_connect = lambda client, *_: client.subscribe("#")
        self._mqtt.on_subscribe = lambda *_: setattr(self, "_subscribed", True)
        self._mqtt.on_message = self._on_message
        self._mqtt.connect("127.0.0.1", port)

    def __enter__(self) -> Client:
        self._mqtt.loop_start()
        wait_until(lambda: self._subscribed, "subscribed")
        return self

    def __exit__(self, *_problem: object) -> None:
        self._mqtt.disconnect()
        self._mqtt.loop_stop()

    def send(self, topic: str, payload: object = "", retain: bool = False) -> None:
        text = payload if isinstance(payload, str) else json.dumps(payload)
        self._mqtt.publish(topic, text, retain=retain)

    def on(self, topic: str) -> list[bytes]:
        return [heard.payload for heard in list(self.heard) if heard.topic == topic]

    def below(self, prefix: str) -> list[Heard]:
        return [heard for heard in list(self.heard) if heard.topic.startswith(prefix)]

    def state(self, ident: str = "virtual") -> dict[str, Any]:
        told = self.on(f"virtual-battery/{ident}/state")
        return json.loads(told[-1]) if told else {}

    def _on_message(self, _client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        self.heard.append(Heard(message.topic, message.payload, message.retain))


def wait_until(true: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
    """The first true answer. Fails the test when it does not come in time."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if answer := true():
            return answer
        time.sleep(0.02)
    raise AssertionError(f"waited {patience:g} s in vain: {what}")


@contextmanager
def bridge(
    gx: PocketGx, directory: Path, config: str = CONFIG, **mqtt_keys: object
) -> Iterator[Any]:
    """A bridge process on this GX, from its start until SIGTERM; its log is `bridge.log`."""
    keys = {"host": "127.0.0.1", "port": gx.port, **mqtt_keys}
    file = directory / "config.yaml"
    file.write_text(config.format(mqtt=json.dumps(keys)))
    with (directory / "bridge.log").open("ab") as log:
        process = gx.spawn(
            [sys.executable, "-m", "bridge", "--config", str(file)], stdout=log, stderr=log
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(10)
