"""The mailbox, the throttle, the nearest word, the watchdog: small parts with one promise each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.adapters import broker, mailbox, mqtt_link
from bridge.adapters.health import Watchdog
from bridge.adapters.mailbox import CROWDED, MAX_WAITING, Mailbox, Message
from bridge.adapters.mqtt_link import AT_ONCE
from bridge.core.text import did_you_mean, distance
from bridge.core.throttle import Throttle


def message(topic: str, payload: bytes = b"1") -> Message:
    return Message(topic, payload, len(payload), False)


def test_the_mailbox_keeps_every_message_in_order_of_arrival() -> None:
    """A valid value and the garbage right after it are two pieces of news."""
    box = Mailbox()
    for payload in (b"3.60", b"unavailable"):
        box.put(message("cell", payload))
    assert [m.payload for m in box.drain()] == [b"3.60", b"unavailable"]
    assert box.drain() == []


def test_a_crowded_mailbox_keeps_the_newest_of_a_topic_in_order_of_arrival() -> None:
    box = Mailbox()
    for n in range(CROWDED):
        box.put(message(str(n)))
    for payload in (b"1", b"2"):
        box.put(message("a", payload))
        box.put(message("b", payload))
    waiting = box.drain()
    assert [(m.topic, m.payload) for m in waiting[CROWDED:]] == [("a", b"2"), ("b", b"2")]


def test_a_full_mailbox_loses_strangers_first() -> None:
    """Whoever floods topics that nobody knows pushes no message out that matters."""
    box = Mailbox(is_known=lambda topic: topic == "AllowToCharge")
    box.put(message("AllowToCharge", b"0"))
    for n in range(MAX_WAITING * 2):
        box.put(message(f"junk/{n}"))
    waiting = box.drain()
    assert waiting[0].topic == "AllowToCharge"
    assert len(waiting) == MAX_WAITING


def test_the_mailbox_keeps_every_message_of_a_queue() -> None:
    box = Mailbox(is_queue=lambda topic: topic == "set")
    for payload in (b"1", b"2"):
        box.put(message("set", payload))
    assert [m.payload for m in box.drain()] == [b"1", b"2"]


def test_the_mailbox_says_once_per_filling() -> None:
    box = Mailbox()
    assert [box.put(message(t)) for t in "abc"] == [True, False, False]
    box.drain()
    assert box.put(message("a")) is True


def test_of_a_flood_a_part_is_drained_and_the_loop_is_woken_for_the_rest() -> None:
    wakes = []
    link = mqtt_link.MqttLink(broker.Broker(), wake=lambda: wakes.append(True))
    for n in range(AT_ONCE + 1):
        link._mailbox.put(message(str(n)))
    assert [m.topic for m in link.drain()] == [str(n) for n in range(AT_ONCE)]
    assert wakes == [True]
    assert [m.topic for m in link.drain()] == [str(AT_ONCE)]
    assert wakes == [True]


def test_a_full_mailbox_loses_the_oldest() -> None:
    box = Mailbox()
    for n in range(MAX_WAITING + 10):
        box.put(message(str(n)))
    waiting = box.drain()
    assert len(waiting) == MAX_WAITING
    assert waiting[-1].topic == str(MAX_WAITING + 9)
    assert box.dropped == 10


def test_a_mailbox_of_large_messages_is_full_earlier() -> None:
    box = Mailbox(is_queue=lambda topic: True)
    for n in range(500):
        box.put(message("set", bytes([n % 256]) * mqtt_link.MAX_PAYLOAD))
    waiting = box.drain()
    assert sum(m.size for m in waiting) <= mailbox.MAX_WAITING_BYTES
    assert len(waiting) + box.dropped == 500
    assert waiting[-1].payload[:1] == bytes([499 % 256])  # type: ignore[index]


def test_what_replaces_another_message_counts_once() -> None:
    box = Mailbox()
    for _ in range(500):
        box.put(message("a", b"x" * mqtt_link.MAX_PAYLOAD))
    waiting = box.drain()
    assert sum(m.size for m in waiting) <= mailbox.MAX_WAITING_BYTES // 4 + mqtt_link.MAX_PAYLOAD
    assert box.dropped == 0


def test_the_throttle_allows_a_burst_and_then_its_rate() -> None:
    throttle = Throttle(per_second=2, burst=5)
    assert sum(throttle.allows(0.0) for _ in range(100)) == 5
    assert sum(throttle.allows(1.0) for _ in range(100)) == 2
    assert throttle.take_withheld() == 193
    assert throttle.take_withheld() == 0
    assert not throttle.allows(-1e9)


words = st.text(alphabet="abcdef", max_size=8)


@given(words, words)
def test_the_distance_of_words_is_a_distance(a: str, b: str) -> None:
    assert distance(a, b) == distance(b, a)
    assert (distance(a, b) == 0) == (a == b)
    assert distance(a, b) <= max(len(a), len(b))


@given(words, words, words)
def test_no_detour_is_shorter(a: str, b: str, c: str) -> None:
    assert distance(a, c) <= distance(a, b) + distance(b, c)


def test_only_a_near_word_is_suggested() -> None:
    assert did_you_mean("cv3", ["cv1", "voltage"]) == '; did you mean "cv1"?'
    assert did_you_mean("banana", ["cv1", "voltage"]) == ""
    assert did_you_mean("x" * 1_000_000, ["cv1"]) == ""
    assert did_you_mean("x", []) == ""


@given(words, st.lists(words))
def test_what_a_suggestion_leaves_out_could_not_have_won(word: str, known: list[str]) -> None:
    near = [other for other in known if distance(word, other) <= max(1, len(other) // 3)]
    best = min(near, key=lambda other: (distance(word, other), other), default="")
    assert did_you_mean(word, known) == (f'; did you mean "{best}"?' if best else "")


@pytest.mark.parametrize(("silence", "ends"), [(19.0, False), (21.0, True)])
def test_the_watchdog_ends_a_process_whose_loop_stopped(silence: float, ends: bool) -> None:
    now = [100.0]
    ended = []
    dog = Watchdog(patience=20.0, monotonic=lambda: now[0], end=lambda: ended.append(True))
    now[0] += 1000.0
    dog.beat()
    now[0] += silence
    dog.check()
    assert bool(ended) is ends


def test_a_password_is_never_shown() -> None:
    secret = broker.Broker(username="me", password="secret")
    assert "secret" not in f"{secret} {secret!r}"
