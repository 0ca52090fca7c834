"""Where an MQTT message goes, and what the log says of those that go nowhere."""

from __future__ import annotations

import logging

import pytest
from doubles import FakeClient
from host_bench import HostBench

from bridge.adapters.mailbox import Message
from bridge.gateways.home_assistant.device import Device
from bridge.gateways.home_assistant.publisher import Discovery
from bridge.inbox import MAX_RETAINED, Inbox

SET = "virtual-battery/test/set"
SOC = "W/c0ffee/battery/1/Soc"


class Bench:
    """An inbox with a real battery, real notifications and a real discovery behind it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.host = HostBench(monkeypatch).open()
        self.host.host.set_portal("c0ffee")
        self.announced = FakeClient()
        device = Device("test", "Bank", "virtual-battery", "1", {"CVL": 58, "CCL": 1, "DCL": 1})
        self.discovery = Discovery("on", self.announced, self.host.host.battery, device)
        batteries, notifications = [self.host.host], self.host.notifications
        self.inbox = Inbox(batteries, notifications, [self.discovery])

    def deliver(self, *messages: tuple[str, bytes], retained: bool = False) -> None:
        arrived = [Message(topic, data, len(data), retained) for topic, data in messages]
        self.host.clock.now += 1.0
        self.inbox.deliver(arrived, self.host.clock.now)

    @property
    def soc(self) -> object:
        return self.host.service.values["/Soc"]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


def test_a_write_goes_to_its_battery_and_is_published_with_the_burst(bench: Bench) -> None:
    before = len(bench.host.service.signals)
    bench.deliver((SOC, b"61"), (SET, b'{"Dc/0/Current": 5}'), (SOC, b"62"))
    assert bench.soc == 62.0
    assert len(bench.host.service.signals) == before + 1


def test_a_read_is_answered_by_the_notifications(bench: Bench) -> None:
    bench.host.client.published.clear()
    bench.deliver((SOC, b"61"), ("R/c0ffee/battery/1/Soc", b""))
    assert ("N/c0ffee/battery/1/Soc", '{"value":61.0}', False) in bench.host.client.published


def test_a_keepalive_is_answered_once_the_burst_is_over(bench: Bench) -> None:
    bench.host.client.published.clear()
    bench.deliver(("R/c0ffee/keepalive", b""), ("R/c0ffee/keepalive", b""))
    topics = [topic for topic, _, _ in bench.host.client.published]
    assert topics.count("N/c0ffee/full_publish_completed") == 1


def test_what_home_assistant_says_goes_to_the_discovery(bench: Bench) -> None:
    bench.discovery.on_connected(0.0)
    bench.deliver(("homeassistant/sensor/virtual_battery_test/old/config", b"{}"), retained=True)
    bench.discovery.on_tick(10.0)
    removed = [topic for topic, payload, _ in bench.announced.published if payload == ""]
    assert removed == ["homeassistant/sensor/virtual_battery_test/old/config"]


@pytest.mark.promise("retained")
def test_a_retained_write_is_ignored_and_named_once(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.deliver((SOC, b"61"), (SOC, b"61"), retained=True)
    assert bench.soc is None
    words = f"ignored the retained message on {SOC}: its age is unknown"
    assert caplog.messages == [words]


def test_only_so_many_retained_topics_are_named_and_none_can_write_into_the_log(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.deliver(*[(f"virtual-battery/{n}\n\x1b/set", b"1") for n in range(500)], retained=True)
    assert len(caplog.messages) == MAX_RETAINED
    assert not any(set("\n\x1b") & set(message) for message in caplog.messages)


@pytest.mark.parametrize(
    ("topic", "is_known"),
    [
        (SOC, True),
        ("W/c0ffee/battery/1/Nothing", False),
        ("W/c0ffee/battery/2/Soc", False),
        (SET, True),
        ("R/c0ffee/keepalive", True),
        ("homeassistant/status", True),
    ],
)
def test_only_a_write_can_lead_to_nothing_of_ours(
    bench: Bench, topic: str, is_known: bool
) -> None:
    assert bench.inbox.is_known(topic) is is_known


def test_dropped_messages_are_counted_in_the_log_now_and_then(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    bench.inbox.report_dropped(0, 0.0)
    assert caplog.messages == []
    for second in range(100):
        bench.inbox.report_dropped((second + 1) * 10, float(second))
    assert caplog.messages[0] == "too many topics at once: 10 messages were dropped"
    assert len(caplog.messages) < 8
    bench.inbox.report_dropped(1000, 1000.0)
    counted = sum(int(message.split(": ")[1].split()[0]) for message in caplog.messages)
    assert counted == 1000, "none is counted twice or not at all"
