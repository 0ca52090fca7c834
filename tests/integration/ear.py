"""A client of the broker for tests: hears topics, tells topics, and waits with a limit."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as mqtt

PATIENCE_S = 10.0


def wait_until(true: Callable[[], Any], what: str) -> Any:
    """The first true answer of `true`. Fails the test when it does not come in time."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if answer := true():
            return answer
        time.sleep(0.02)
    raise AssertionError(f"waited {PATIENCE_S:g} s in vain: {what}")


class Ear:
    """Hears everything on some topics, as (topic, content) in the order it came."""

    def __init__(self, port: int, *topics: str) -> None:
        self.heard: list[tuple[str, Any]] = []
        self._ready = False
        self._topics = topics
        self._mqtt = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        self._mqtt.on_connect = self._on_connect
        self._mqtt.on_subscribe = self._on_subscribe
        self._mqtt.on_message = self._on_message
        self._mqtt.connect("127.0.0.1", port)

    def __enter__(self) -> Ear:
        self._mqtt.loop_start()
        wait_until(lambda: self._ready, "the broker")
        return self

    def __exit__(self, *_problem: object) -> None:
        self._mqtt.disconnect()
        self._mqtt.loop_stop()

    def tell(self, topic: str, content: Any, retain: bool = False) -> None:
        """Publish; text as it is, anything else as JSON."""
        payload = content if isinstance(content, str) else json.dumps(content)
        self._mqtt.publish(topic, payload, retain=retain)

    def on(self, topic: str) -> list[Any]:
        """What was heard on one topic."""
        return [content for heard, content in list(self.heard) if heard == topic]

    def _on_connect(self, client: mqtt.Client, *_: object) -> None:
        if self._topics:
            client.subscribe([(topic, 0) for topic in self._topics])
        else:
            self._ready = True

    def _on_subscribe(self, *_: object) -> None:
        self._ready = True

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        self.heard.append((message.topic, _content(message.payload)))


def _content(payload: bytes) -> Any:
    """Parsed JSON, or the text of what is none."""
    try:
        return json.loads(payload)
    except ValueError:
        return payload.decode("utf-8", "replace")
