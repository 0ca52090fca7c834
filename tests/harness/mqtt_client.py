"""An MQTT client for tests: publishes, and notes every message in the order of arrival."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import paho.mqtt.client as mqtt

from tests.harness.waiting import PATIENCE, wait_for

EVERYTHING = "#"


def variable_length(number: int) -> bytes:
    """A variable byte integer of MQTT."""
    text = bytearray()
    while True:
        number, digit = divmod(number, 128)
        text.append(digit | (0x80 if number else 0))
        if not number:
            return bytes(text)


class Message(NamedTuple):
    """One message as it came from the broker."""

    topic: str
    payload: bytes
    retained: bool

    @property
    def content(self) -> Any:
        """The JSON in it, or its text where it is no JSON."""
        try:
            return json.loads(self.payload)
        except ValueError:
            return self.payload.decode("utf-8", "replace")


class Login(NamedTuple):
    """Who logs in to a broker."""

    user: str
    password: str


class MqttClient:
    """A context manager: connected and subscribed to `topics` inside of it.

    ca: a file of certificates; with it, the connection uses TLS
    """

    def __init__(
        self, port: int, *topics: str, login: Login | None = None, ca: Path | None = None
    ) -> None:
        self.heard: list[Message] = []
        self._port = port
        self._topics = topics
        self._subscribed = False
        self._mqtt = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        if login:
            self._mqtt.username_pw_set(*login)
        if ca:
            self._mqtt.tls_set(str(ca))
        self._mqtt.on_connect = self._on_connect
        self._mqtt.on_subscribe = self._on_subscribe
        self._mqtt.on_message = self._on_message

    def __enter__(self) -> MqttClient:
        self._mqtt.connect("127.0.0.1", self._port)
        self._mqtt.loop_start()
        wait_for(lambda: self._subscribed, f"a broker on port {self._port}")
        return self

    def __exit__(self, *_problem: object) -> None:
        self._mqtt.disconnect()
        self._mqtt.loop_stop()

    def publish(self, topic: str, content: Any = "", retain: bool = False) -> None:
        """Publish text as it is, anything else as JSON."""
        payload = content if isinstance(content, str) else json.dumps(content)
        self._mqtt.publish(topic, payload, retain=retain)

    def flush(self) -> None:
        """Wait until the broker has taken everything published so far.

        A broker keeps the order of one client's messages, and confirms those of QoS 1.
        """
        last = self._mqtt.publish("harness/flush", "", qos=1)
        last.wait_for_publish(PATIENCE)
        assert last.is_published(), "the broker confirms nothing"

    def read_no_more(self) -> None:
        """From now on what comes stays in the socket."""
        self._mqtt.loop_stop()

    def on(self, topic: str) -> list[Any]:
        """The contents of all messages on one topic."""
        return [message.content for message in list(self.heard) if message.topic == topic]

    def payloads(self, topic: str) -> list[bytes]:
        """The same as bytes, where the exact spelling counts."""
        return [message.payload for message in list(self.heard) if message.topic == topic]

    def below(self, prefix: str) -> list[Message]:
        """All messages on topics that begin so."""
        return [message for message in list(self.heard) if message.topic.startswith(prefix)]

    def state(self, ident: str = "virtual") -> dict[str, Any]:
        """The newest state of a battery; empty before there is one."""
        published = self.on(f"virtual-battery/{ident}/state")
        return published[-1] if published else {}

    def _on_connect(self, client: mqtt.Client, *_: object) -> None:
        if self._topics:
            client.subscribe([(topic, 0) for topic in self._topics])
        else:
            self._subscribed = True

    def _on_subscribe(self, *_: object) -> None:
        self._subscribed = True

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        self.heard.append(Message(message.topic, message.payload, message.retain))
