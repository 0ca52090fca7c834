"""Brokers that know MQTT 5, that do not, or that ignore the largest size of a packet."""

from __future__ import annotations

import socket
import struct
import threading
import tracemalloc
from collections.abc import Callable, Mapping

import paho.mqtt.client as paho
import pytest

from bridge.adapters import mqtt_link
from bridge.adapters.broker import Broker
from bridge.adapters.mqtt_link import MAX_PACKET, MqttLink
from tests.harness.mqtt_client import variable_length
from tests.harness.waiting import wait_for

NEW, OLD = 5, 4
"""The protocol's number in a CONNECT: MQTT 5, MQTT 3.1.1."""

ACCEPTED = {NEW: bytes([0x20, 3, 0, 0, 0]), OLD: bytes([0x20, 2, 0, 0])}
KNOWS_NO_5 = bytes([0x20, 2, 0, 1])
BIG = 16_000_000
MOMENT = 3.0  # s; each takes some milliseconds


class SmallBroker:
    """Answers each CONNECT with what `answers` has for its version; None closes the connection."""

    def __init__(self, answers: Mapping[int, bytes | None]) -> None:
        self.answers = answers
        self.versions: list[int] = []
        self.connects: list[bytes] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._connection: socket.socket | None = None
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> SmallBroker:
        self._thread.start()
        return self

    def __exit__(self, *_problem: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._server.close()
        self.drop()

    def drop(self) -> None:
        if self._connection:
            self._connection.close()

    def publish(self, topic: str, size: int, version: int) -> None:
        """Send a message of so many zeros, whatever the client said about its size."""
        name = topic.encode()
        head = struct.pack("!H", len(name)) + name + (b"\0" if version == NEW else b"")
        assert self._connection
        self._connection.sendall(b"\x30" + variable_length(len(head) + size) + head)
        part = bytes(100_000)
        for start in range(0, size, len(part)):
            self._connection.sendall(part[: size - start])

    def send(self, first: int, body: bytes) -> None:
        """Send one packet; first: its first byte."""
        assert self._connection
        self._connection.sendall(bytes([first]) + variable_length(len(body)) + body)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            packet = connection.recv(4096)
            version = packet[packet.index(b"MQTT") + 4]
            self.connects.append(packet)
            self.versions.append(version)
            answer = self.answers[version]
            if answer is None:
                connection.close()
            else:
                connection.sendall(answer)
                self._connection = connection


class Client:
    def __init__(self, port: int) -> None:
        self.states: list[tuple[bool, str]] = []
        self.link = MqttLink(
            Broker("127.0.0.1", port),
            wake=lambda: None,
            on_state=lambda connected, words: self.states.append((connected, words)),
        )
        self.link.start()

    @property
    def is_connected(self) -> bool:
        return bool(self.states) and self.states[-1][0]


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt_link, "BACKOFF", (0.05, 0.1))


def test_a_broker_that_knows_mqtt_5_is_told_the_largest_packet() -> None:
    with SmallBroker(ACCEPTED) as broker:
        client = Client(broker.port)
        wait_for(lambda: client.is_connected, "it is connected")
        assert broker.versions == [NEW]
        assert b"\x27" + struct.pack("!I", MAX_PACKET) in broker.connects[0]
        broker.drop()
        wait_for(lambda: broker.versions == [NEW, NEW], "it connects")
        client.link.stop()


@pytest.mark.parametrize("answer", [KNOWS_NO_5, None, ACCEPTED[OLD] + b"\0" * 8])
def test_another_one_is_spoken_to_in_mqtt_3_without_a_complaint(answer: bytes | None) -> None:
    with SmallBroker({NEW: answer, OLD: ACCEPTED[OLD]}) as broker:
        client = Client(broker.port)
        wait_for(lambda: client.is_connected, "it is connected")
        assert broker.versions == [NEW, OLD]
        assert len(client.states) == 1, client.states
        broker.drop()
        again = [OLD] if answer == KNOWS_NO_5 else [NEW, OLD]
        wait_for(lambda: broker.versions == [NEW, OLD, *again], "it connects")
        wait_for(lambda: client.is_connected, "it is connected")
        client.link.stop()


def test_a_broker_that_closes_every_connection_is_lost_and_mqtt_5_is_tried_again() -> None:
    with SmallBroker({NEW: None, OLD: None}) as broker:
        client = Client(broker.port)
        wait_for(lambda: broker.versions[:4] == [NEW, OLD, NEW, OLD], "it connects")
        assert [connected for connected, _ in client.states] == [False]
        broker.answers = dict(ACCEPTED)
        wait_for(lambda: client.is_connected, "it is connected")
        client.link.stop()


@pytest.mark.parametrize("version", [NEW, OLD])
def test_a_packet_that_is_too_large_is_read_and_not_kept(version: int) -> None:
    with SmallBroker({NEW: KNOWS_NO_5, version: ACCEPTED[version]}) as broker:
        client = Client(broker.port)
        wait_for(lambda: client.is_connected, "it is connected")
        tracemalloc.start()
        for _ in range(3):
            broker.publish("big", BIG, version)
        broker.publish("small", 10, version)
        messages = []
        wait_for(lambda: messages.extend(client.link.drain()) or len(messages) == 4, "all come")
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert [message.topic for message in messages] == ["big", "big", "big", "small"]
        assert [message.payload for message in messages] == [None, None, None, bytes(10)]
        assert all(message.size >= BIG for message in messages[:3])
        assert most < 2_000_000
        assert client.is_connected and len(client.states) == 1
        client.link.stop()


PROPERTIES = (b"\x26" + bytes(4)) * 60_000 + b"\x26" + bytes(2) + b"\0\3\xef\xbb\xbf"
"""Of users, which any packet of MQTT 5 may have: very many, and a byte order mark."""

WITH_PROPERTIES = variable_length(len(PROPERTIES)) + PROPERTIES


def test_no_property_of_the_broker_s_own_packets_is_read() -> None:
    accepted = b"\x20" + variable_length(2 + len(WITH_PROPERTIES)) + bytes(2) + WITH_PROPERTIES
    with SmallBroker({NEW: accepted}) as broker:
        client = Client(broker.port)
        wait_for(lambda: client.is_connected, "it is connected", MOMENT)
        for first, head in ((0x90, 2), (0xB0, 2), (0x40, 3)):
            broker.send(first, bytes(head) + WITH_PROPERTIES)
        broker.publish("small", 10, NEW)
        wait_for(lambda: list(client.link.drain()), "it comes", MOMENT)
        broker.send(0xE0, b"\x8b" + WITH_PROPERTIES)
        wait_for(lambda: not client.is_connected, "it is lost", MOMENT)
        assert "shutting down" in client.states[-1][1]
        wait_for(lambda: client.is_connected, "it is connected again", MOMENT)
        client.link.stop()


@pytest.mark.parametrize(
    "message",
    {
        "a topic alias": b"\0\0" + b"\3\x23\0\1" + b"3.3",
        "properties beyond the end": b"\0\1a" + b"\x7f" + b"3.3",
        "a topic beyond the end": b"\x7f\0" + b"a",
        "no properties": b"\0\1a",
    }.items(),
    ids=lambda item: item[0],
)
def test_a_message_that_mqtt_5_forbids_is_a_lost_connection(message: tuple[str, bytes]) -> None:
    with SmallBroker(ACCEPTED) as broker:
        client = Client(broker.port)
        wait_for(lambda: client.is_connected, "it is connected")
        broker.send(0x30, message[1])
        wait_for(lambda: [state for state, _ in client.states] == [True, False, True], "again")
        assert list(client.link.drain()) == []
        client.link.stop()


def test_the_version_does_not_change_in_the_middle_of_a_packet() -> None:
    """paho asks for it several times for each packet, and its thread changes it."""

    class Topic(str):
        __slots__ = ()

        def encode(self, *_: str) -> bytes:
            changer = threading.Thread(target=client.speak_older)
            changer.start()
            changer.join(0.05)  # it waits until the packet is made
            return b"topic"

    client = mqtt_link._Client(lambda: None)
    client._sock, other_end = socket.socketpair()
    sent: list[Callable[[Topic], object]] = [
        lambda topic: client.follow([topic]),
        lambda topic: client.unsubscribe([topic]),
        lambda topic: client.publish(topic, b"1"),
    ]
    for send in sent:
        for _version in (NEW, OLD):
            send(Topic("topic"))
    client._sock.close()
    other_end.close()


def test_no_problem_in_connecting_again_ends_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    with SmallBroker(ACCEPTED) as broker:
        client = Client(broker.port)
        wait_for(lambda: client.is_connected, "it is connected")
        problems = [ValueError("no host"), RuntimeError("no thread"), OSError("no network")]
        connect = paho.Client._create_socket

        def fail_first(self: paho.Client) -> object:
            if problems:
                raise problems.pop(0)
            return connect(self)

        monkeypatch.setattr(paho.Client, "_create_socket", fail_first)
        broker.send(0x30, b"\0")
        wait_for(lambda: not problems and client.is_connected, "it is connected again")
        client.link.stop()
