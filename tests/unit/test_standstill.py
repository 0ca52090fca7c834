"""What was queued while the process stood still is as old as the standstill, on both ways in."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from doubles import Bench
from hypothesis import given
from hypothesis import strategies as st

from bridge.adapters.broker import Broker
from bridge.adapters.mailbox import Mailbox, Message
from bridge.adapters.mqtt_link import MqttLink
from bridge.app import CATCH_UP, WAITED_AT_MOST
from bridge.standstill import LONGEST_PAUSE, Standstill
from tests.unit.test_app import SET, Service

STOOD = 20.0
"""Seconds: longer than aging, shorter than stale."""


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    return Service(monkeypatch, "c0ffee", "off")


def healthy(cell: float = 3.3) -> dict[str, Any]:
    cells = {f"Voltages/Cell{n}": cell for n in range(1, 17)}
    return {**cells, "Dc/0/Voltage": 16 * cell, "Dc/0/Current": -10, "Soc": 50}


@given(st.lists(st.floats(0.0, 100.0), max_size=20))
def test_a_pause_that_is_longer_than_the_ticks_is_a_standstill(pauses: list[float]) -> None:
    now, found = 1000.0, list[tuple[float, float]]()
    watch = Standstill(now, lambda since, at: found.append((since, at)))
    expected = []
    for pause in pauses:
        before, now = now, now + pause
        watch.note(now)
        if now - before > LONGEST_PAUSE:
            expected.append((before, now))
    assert found == expected


# --- the measurements -------------------------------------------------------------------------


def waiting_bench() -> tuple[Bench, float]:
    """A fresh battery that then stood still; and since when."""
    bench = Bench()
    bench.feed()
    bench.pass_time(3, bench.feed)
    since = bench.clock.now
    bench.clock.now += STOOD
    bench.battery.on_tick(bench.clock.now)
    bench.battery.waited_since = since
    return bench, since


def test_what_waited_refreshes_nothing() -> None:
    bench, _ = waiting_bench()
    assert bench["/Freshness/Stage"] == "aging"
    bench.feed()
    assert bench["/Freshness/Stage"] == "aging"
    bench.pass_time(45)
    assert bench["/Freshness/Stage"] == "stale", "its age counts from the standstill"


def test_what_waited_may_tighten() -> None:
    bench, _ = waiting_bench()
    bench.feed(cell=3.56)
    assert bench.ccl == 0.0
    bench, _ = waiting_bench()
    bench.mqtt("/Io/AllowToCharge", "0")
    assert bench.ccl == 0.0
    bench, _ = waiting_bench()
    bench.mqtt("/Info/MaxDischargeCurrent", '{"value": 0, "expires": 30}')
    assert bench.dcl == 0.0
    bench.pass_time(29)
    assert bench.dcl == 0.0, "it expires counted from when it came"


def test_what_waited_replaces_nothing_that_came_later() -> None:
    bench, since = waiting_bench()
    bench.battery.waited_since = None
    bench.feed(cell=3.56)
    assert bench.ccl == 0.0
    bench.battery.waited_since = since
    bench.feed(cell=3.3)
    bench.pass_time(2)
    assert bench.ccl == 0.0
    assert bench["/System/MaxCellVoltage"] == 3.56


def test_fresh_data_after_it_count_at_once() -> None:
    bench, _ = waiting_bench()
    bench.feed()
    bench.battery.waited_since = None
    bench.feed()
    bench.settle()
    assert bench["/Freshness/Stage"] == "fresh"


def test_a_counter_that_waited_proves_no_movement_of_now() -> None:
    bench = Bench(freshness={"moves": "/Freshness/Counter", "frozen": 60})
    bench.feed(Freshness_Counter=1)
    bench.pass_time(3, lambda: bench.feed(Freshness_Counter=1))
    since = bench.clock.now
    bench.clock.now += STOOD
    bench.battery.on_tick(bench.clock.now)
    bench.battery.waited_since = since
    bench.feed(Freshness_Counter=2)
    bench.battery.waited_since = None
    bench.pass_time(42, lambda: bench.feed(Freshness_Counter=2))
    assert bench["/Freshness/Stage"] == "stale", "60 s after the standstill began"


# --- the ways in ------------------------------------------------------------------------------


def test_a_mailbox_marks_what_waits_and_what_comes_until_the_end() -> None:
    box = Mailbox()

    def put(topic: str) -> None:
        box.put(Message(topic, b"1", 1, False))

    put("before")
    box.mark_waited(5.0)
    put("between")
    box.mark_waited(9.0)
    put("after the second standstill, before the end of the first")
    box.end_waited()
    put("new")
    assert [m.waited_since for m in box.drain()] == [5.0, 5.0, 5.0, None]


def fresh_then_still(service: Service) -> None:
    """The service is fed and on the bus, then stands still for STOOD."""
    service.settings.answer()
    service.pass_time(1)
    service.link.arrive(SET, json.dumps(healthy()).encode())
    service.pass_time(1)
    assert stage(service) == "fresh"
    service.clock.now += STOOD


def stage(service: Service) -> Any:
    return service.services[0].values["/Freshness/Stage"]


def write_all(service: Service) -> None:
    """All healthy values over D-Bus, each one taken."""
    for path, value in healthy().items():
        assert service.services[0].write(f"/{path}", value) == 0


def test_a_message_that_waited_is_no_sign_of_life(service: Service) -> None:
    def during() -> None:
        fresh_then_still(service)
        service.link.arrive(SET, json.dumps(healthy()).encode())
        service.pass_time(0.01)
        assert stage(service) == "aging"
        service.pass_time(1)
        service.link.arrive(SET, json.dumps(healthy()).encode())
        service.pass_time(0.1)
        assert stage(service) == "fresh"

    service.run(during)


def test_a_write_over_dbus_that_waited_is_no_sign_of_life(service: Service) -> None:
    def during() -> None:
        fresh_then_still(service)
        write_all(service)
        assert stage(service) == "aging", "before the first of them is taken"
        service.pass_time(0.01)
        assert stage(service) == "aging"
        service.pass_time(1)
        write_all(service)
        service.pass_time(0.1)
        assert stage(service) == "fresh"

    service.run(during)


def test_the_answer_about_one_standstill_is_none_about_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    link, numbers = MqttLink(Broker("127.0.0.1", 1883), wake=lambda: None), itertools.count(1)
    monkeypatch.setattr(link._client, "unsubscribe", lambda _topic: (0, next(numbers)))

    def answer(number: int) -> None:
        link._client.on_unsubscribe(link._client, None, number, [], None)  # type: ignore

    def waited_since() -> float | None:
        link._mailbox.put(Message("cell", b"3.3", 3, False))
        return next(link.drain()).waited_since

    link.mark_waited(100.0)
    link.ask_end_of_waited()
    link.mark_waited(105.0)
    answer(1)
    assert waited_since() == 100.0
    link.ask_end_of_waited()
    answer(1)
    assert waited_since() == 100.0
    answer(2)
    assert waited_since() is None


def test_the_bus_answers_about_the_standstill_that_was_asked_about(service: Service) -> None:
    def during() -> None:
        fresh_then_still(service)
        service.loop.run(2)  # it is noticed, and the bus is asked
        assert stage(service) == "aging"
        service.clock.now += LONGEST_PAUSE + 0.1
        write_all(service)
        service.services[0].answer_end()
        write_all(service)
        service.loop.run(0)
        assert stage(service) == "aging"
        service.pass_time(1)
        write_all(service)
        service.pass_time(0.1)
        assert stage(service) == "fresh"

    service.run(during)


def test_the_end_is_asked_for_only_after_the_last_standstill(service: Service) -> None:
    """The broker may still have to wake up from the second one."""

    def during() -> None:
        service.settings.answer()
        service.pass_time(1)
        for _ in range(2):
            since, service.clock.now = service.clock.now, service.clock.now + STOOD
            service.app._on_standstill(since, service.clock.now)
        service.loop.run(0)  # the first one was long ago
        assert service.link.asked == 0
        service.clock.now += CATCH_UP
        service.loop.run(0)
        assert service.link.asked == 1

    service.run(during)


def arrives_as(service: Service) -> Any:
    """The stage after a message that comes now."""
    service.link.arrive(SET, json.dumps(healthy()).encode())
    service.pass_time(0.01)
    return stage(service)


def test_a_broker_that_never_confirms_is_believed_again_in_the_end(service: Service) -> None:
    def during() -> None:
        service.link.confirms = False
        fresh_then_still(service)
        service.pass_time(1)  # it is noticed
        service.pass_time(WAITED_AT_MOST - 1)
        assert arrives_as(service) == "aging"
        service.pass_time(1)
        assert arrives_as(service) == "fresh"

    service.run(during)


def test_it_is_believed_counted_from_the_last_standstill(service: Service) -> None:
    def during() -> None:
        service.link.confirms = False
        fresh_then_still(service)
        service.pass_time(1)  # it is noticed
        service.pass_time(WAITED_AT_MOST - 5)
        service.clock.now += LONGEST_PAUSE
        service.pass_time(1)
        service.pass_time(WAITED_AT_MOST - 1)
        assert arrives_as(service) == "aging"
        service.pass_time(1)
        assert arrives_as(service) == "fresh"

    service.run(during)


def test_a_standstill_is_logged_but_does_not_fill_the_log(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    def during() -> None:
        for _ in range(50):
            service.clock.now += STOOD
            service.pass_time(1)

    service.run(during)
    said = [words for words in caplog.messages if "stood still" in words]
    assert said[0] == "the process stood still for 21 s"
    assert len(said) < 20
