"""The mailbox between the two threads: what it keeps, what it drops, and in which order."""

from __future__ import annotations

import threading

import pytest
from doubles import Clock
from hypothesis import given
from hypothesis import strategies as st

from bridge.adapters import broker, mailbox, mqtt_link
from bridge.adapters.mailbox import CROWDED, MAX_WAITING, MAX_WAITING_BYTES, Mailbox, Message
from bridge.adapters.mqtt_link import AT_ONCE


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


def filled_link(wakes: list[bool], messages: int, clock: Clock) -> mqtt_link.MqttLink:
    link = mqtt_link.MqttLink(
        broker.Broker("127.0.0.1", 1883), wake=lambda: wakes.append(True), monotonic=clock
    )
    for n in range(messages):
        link._mailbox.put(message(str(n)))
    return link


@pytest.mark.promise("flood")
def test_of_a_flood_a_part_is_drained_and_the_loop_is_woken_for_the_rest() -> None:
    wakes: list[bool] = []
    link = filled_link(wakes, AT_ONCE + 1, Clock())
    assert [m.topic for m in link.drain()] == [str(n) for n in range(AT_ONCE)]
    assert wakes == [True]
    assert [m.topic for m in link.drain()] == [str(AT_ONCE)]
    assert wakes == [True]
    assert list(link.drain()) == []
    assert wakes == [True]


@pytest.mark.promise("flood")
@pytest.mark.parametrize(("takes", "at_a_time"), [(0.0011, 5), (0.004, 2), (1.0, 1)])
def test_slow_messages_are_drained_for_a_limited_time(takes: float, at_a_time: int) -> None:
    """Else a write over D-Bus waits for 128 large batches."""
    clock, wakes = Clock(), list[bool]()
    link = filled_link(wakes, 10, clock)
    handled = list[list[str]]()
    while len(handled) == len(wakes):
        burst = list[str]()
        for each in link.drain():
            burst.append(each.topic)
            clock.now += takes
        handled.append(burst)
    assert [topic for burst in handled for topic in burst] == [str(n) for n in range(10)]
    assert {len(burst) for burst in handled[:-1]} == {at_a_time}


def test_a_full_mailbox_loses_the_oldest() -> None:
    box = Mailbox()
    for n in range(MAX_WAITING + 10):
        box.put(message(str(n)))
    waiting = box.drain()
    assert len(waiting) == MAX_WAITING
    assert waiting[-1].topic == str(MAX_WAITING + 9)
    assert box.dropped == 10


@pytest.mark.promise("flood")
def test_a_mailbox_of_large_messages_is_full_earlier() -> None:
    box = Mailbox(is_queue=lambda topic: True)
    for n in range(500):
        box.put(message("set", bytes([n % 256]) * mqtt_link.MAX_PAYLOAD))
    waiting = box.drain()
    assert sum(m.size for m in waiting) <= MAX_WAITING_BYTES
    assert len(waiting) + box.dropped == 500
    assert waiting[-1].payload[:1] == bytes([499 % 256])  # type: ignore[index]


@pytest.mark.promise("flood")
def test_a_flood_on_one_topic_pushes_out_no_single_message_of_another() -> None:
    box = Mailbox(is_queue=lambda topic: topic.endswith("set"))
    box.put(message("AllowToCharge", b"0"))
    box.put(message("other/set", b"x"))
    box.put(message("other/set", b"y"))
    for _ in range(200):
        box.put(message("set", b"x" * 20_000))
    assert [m.payload for m in box.drain(3)] == [b"0", b"x", b"y"]


sizes = st.sampled_from([1, 2000, 60_000, 300_000])
floods = st.lists(st.tuples(st.sampled_from(["a", "b", "set", "other/set"]), sizes), max_size=60)


@given(floods)
def test_what_is_dropped_is_the_oldest_of_the_topic_with_the_most_bytes(
    flood: list[tuple[str, int]],
) -> None:
    box, model = Mailbox(is_queue=lambda topic: topic.endswith("set")), list[Message]()
    for number, (topic, size) in enumerate(flood):
        crowded = sum(map(weight, model)) >= mailbox.CROWDED_BYTES
        if crowded and not topic.endswith("set"):
            same = [m for m in model if m.topic == topic]
            model = [m for m in model if m is not (same or [None])[-1]]
        new = message(topic, bytes([number]) * size)
        box.put(new)
        model.append(new)
        while sum(map(weight, model)) > MAX_WAITING_BYTES:
            topics_in_order = dict.fromkeys(m.topic for m in model)
            by_topic = [[m for m in model if m.topic == topic] for topic in topics_in_order]
            several = [waiting for waiting in by_topic if len(waiting) > 1]
            lost = max(several, key=lambda w: sum(map(weight, w)))[0] if several else model[0]
            model.remove(lost)
    assert box.drain() == model


def weight(one: Message) -> int:
    return len(one.topic) + len(one.payload or b"")


def test_what_replaces_another_message_counts_once() -> None:
    box = Mailbox()
    for _ in range(500):
        box.put(message("a", b"x" * mqtt_link.MAX_PAYLOAD))
    waiting = box.drain()
    assert sum(m.size for m in waiting) <= mailbox.CROWDED_BYTES + mqtt_link.MAX_PAYLOAD
    assert box.dropped == 0


def test_a_mailbox_of_long_topics_is_full_earlier() -> None:
    box = Mailbox()
    for n in range(100):
        box.put(message(str(n) + "x" * 60_000, b""))
    waiting = box.drain()
    assert sum(len(m.topic) for m in waiting) <= MAX_WAITING_BYTES
    assert len(waiting) + box.dropped == 100 and box.dropped > 0


def test_an_oversized_message_is_kept_without_its_payload() -> None:
    box = Mailbox()
    box.put(Message("set", None, 10_000_000, False))
    assert box.drain() == [Message("set", None, 10_000_000, False)]


def test_what_was_drained_is_not_replaced_by_what_comes_later() -> None:
    box = Mailbox()
    for n in range(CROWDED + 1):
        box.put(message(str(n)))
    assert len(box.drain(CROWDED)) == CROWDED
    for n in range(CROWDED):
        box.put(message(str(n), b"2"))
    assert [m.topic for m in box.drain()] == [str(CROWDED), *map(str, range(CROWDED))]


topics = st.lists(st.sampled_from(["a", "b", "c", "queue", "unknown/1", "unknown/2"]), max_size=20)


@given(st.lists(st.one_of(topics, st.integers(0, 9)), max_size=40))
def test_nothing_is_lost_or_doubled_while_there_is_room(steps: list[list[str] | int]) -> None:
    """A list is messages that come, a number is a drain of so many."""
    box, put, taken = Mailbox(is_known=lambda topic: "unknown" not in topic), 0, []
    for step in steps:
        if isinstance(step, int):
            taken += box.drain(step)
            continue
        for topic in step[: CROWDED - put + len(taken)]:
            box.put(message(topic, str(put).encode()))
            put += 1
    taken += box.drain()
    assert [m.payload for m in taken] == [str(n).encode() for n in range(put)]
    assert box.is_empty and box.dropped == 0


def test_two_threads_lose_nothing() -> None:
    box, taken, done = Mailbox(is_queue=lambda topic: True), [], threading.Event()

    def fill() -> None:
        for n in range(MAX_WAITING):
            box.put(message(str(n)))
        done.set()

    thread = threading.Thread(target=fill)
    thread.start()
    while not done.is_set() or not box.is_empty:
        taken += box.drain(7)
    thread.join()
    assert [m.topic for m in taken] == [str(n) for n in range(MAX_WAITING)]
