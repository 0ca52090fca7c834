"""N/ and R/ for our batteries: a client's view, with time in the test's hand."""

from __future__ import annotations

import json

import pytest
from doubles import FakeClient
from fake_ports import FakeNotificationSource

from bridge.gateways.victron_mqtt.messages import our_serial
from bridge.gateways.victron_mqtt.publisher import ALIVE, MAX_ECHOES, Notifications

PORTAL = "c0ffee"
SERIAL = f"N/{PORTAL}/system/0/Serial"
KEEPALIVE = f"R/{PORTAL}/keepalive"
ECHO = b'{"keepalive-options":[{"full-publish-completed-echo":"%s"}]}'
SUPPRESS = b'{"keepalive-options":["suppress-republish"]}'


class Wire(FakeClient):
    def take(self) -> dict[str, str]:
        """The latest payload of each topic since the last take."""
        sent, self.published = self.published, []
        return {topic: payload for topic, payload, _ in sent}


class House:
    """Notifications with two batteries on a broker."""

    def __init__(self, mode: str = "auto") -> None:
        self.wire, self.resubscribed = Wire(), 0
        self.one = FakeNotificationSource(1, Soc=50.0, Dc_0_Voltage=53.1, Dc_0_Current=None)
        self.two = FakeNotificationSource(2, Soc=60.0)
        self.it = Notifications(mode, self.wire, self._resubscribe, epoch=lambda: 1_700_000_000.9)
        self.it.add(self.one)
        self.it.add(self.two)
        self.now = 100.0

    def _resubscribe(self) -> None:
        self.resubscribed += 1

    def connect(self) -> None:
        self.it.set_portal(PORTAL, self.now)
        self.it.on_connected(self.now)

    def hear(self, topic: str, payload: bytes = b"", retained: bool = False) -> bool:
        heard = self.it.on_message(topic, payload, retained, self.now)
        self.it.settle(self.now)
        return heard

    def wait(self, seconds: int) -> None:
        for _ in range(seconds):
            self.now += 1.0
            self.it.on_tick(self.now)

    def own(self) -> None:
        self.connect()
        self.wait(3)
        self.hear(SERIAL, our_serial(PORTAL).encode())
        self.wire.take()


@pytest.fixture
def house() -> House:
    house = House()
    house.own()
    return house


def test_on_a_plain_broker_it_claims_by_a_retained_serial_once_nobody_else_spoke() -> None:
    house = House()
    house.connect()
    house.wait(1)
    assert not [topic for topic, _, _ in house.wire.published if topic.startswith("N/")]
    house.wait(1)
    assert house.wire.published[-1] == (SERIAL, our_serial(PORTAL), True)


@pytest.mark.parametrize("late", [False, True])
def test_where_a_gx_publishes_nothing_is_published_ever(late: bool) -> None:
    house = House()
    if late:
        house.own()
    else:
        house.connect()
    house.hear(SERIAL, b'{"value":"c0ffee"}', retained=not late)
    house.hear(KEEPALIVE)
    house.wait(200)
    house.it.on_changes(house.one, {"/Soc": 51.0})
    house.it.on_left(house.one)
    house.it.close()
    assert not [topic for topic in house.wire.take() if topic.startswith("N/")]
    assert house.it.topics() == [SERIAL], "nor are reads subscribed to"


def test_a_gx_that_answers_our_probe_is_noticed_before_its_serial_is_there() -> None:
    house = House()
    house.connect()
    assert f"R/{PORTAL}/battery/1/DeviceInstance" in house.wire.take()
    assert f"N/{PORTAL}/battery/1/DeviceInstance" in house.it.topics()
    house.hear(f"N/{PORTAL}/battery/1/DeviceInstance", b'{"value": 1}')
    house.wait(100)
    assert house.wire.take() == {}


def test_the_broker_that_lets_nobody_publish_hears_one_claim_and_no_more() -> None:
    house = House()
    house.connect()
    house.hear(KEEPALIVE)
    house.wait(200)
    assert [topic for topic, _, _ in house.wire.published if topic.startswith("N/")] == [SERIAL]


def test_off_says_nothing_and_on_speaks_at_once() -> None:
    off, on = House("off"), House("on")
    for house in (off, on):
        house.connect()
        house.hear(KEEPALIVE)
        house.wait(5)
    assert off.wire.take() == {} and off.it.topics() == []
    assert f"N/{PORTAL}/battery/1/Soc" in on.wire.take()


def test_a_keepalive_brings_everything_and_then_the_echo(house: House) -> None:
    house.hear(KEEPALIVE, ECHO % b"mine")
    topics = [topic for topic, _, _ in house.wire.published]
    assert topics[-1] == f"N/{PORTAL}/full_publish_completed"
    sent = house.wire.take()
    assert sent[f"N/{PORTAL}/battery/1/Soc"] == '{"value":50.0}'
    assert sent[f"N/{PORTAL}/battery/1/Dc/0/Current"] == '{"value":null}'
    assert sent[f"N/{PORTAL}/battery/2/Soc"] == '{"value":60.0}'
    assert json.loads(sent[topics[-1]]) == {
        "value": 1_700_000_000,
        "full-publish-completed-echo": "mine",
    }


def test_every_client_gets_its_echo_from_one_full_publish(house: House) -> None:
    for name in (b"a", b"b", b"a"):
        house.it.on_message(KEEPALIVE, ECHO % name, False, house.now)
    house.it.settle(house.now)
    echoes = [p for t, p, _ in house.wire.published if t.endswith("full_publish_completed")]
    assert [json.loads(p)["full-publish-completed-echo"] for p in echoes] == ["a", "b"]
    assert len([t for t, _, _ in house.wire.published if t.endswith("/1/Soc")]) == 1


def test_a_flood_of_keepalives_costs_few_full_publishes_and_loses_no_echo(house: House) -> None:
    for number in range(40):
        house.hear(KEEPALIVE, ECHO % str(number).encode())
    assert len([t for t, _, _ in house.wire.published if t.endswith("/1/Soc")]) <= 5
    house.wait(2)
    echoes = [t for t, _, _ in house.wire.published if t.endswith("full_publish_completed")]
    assert len(echoes) == 40


def test_suppressed_it_only_lasts_longer(house: House) -> None:
    house.hear(KEEPALIVE, SUPPRESS)
    assert house.wire.take() == {}
    house.it.on_changes(house.one, {"/Soc": 51.0})
    assert house.wire.take() == {f"N/{PORTAL}/battery/1/Soc": '{"value":51.0}'}


def test_changes_are_told_for_a_minute_after_a_keepalive_and_not_without(house: House) -> None:
    house.it.on_changes(house.one, {"/Soc": 51.0})
    assert house.wire.take() == {}
    house.hear(KEEPALIVE, SUPPRESS)
    house.wait(int(ALIVE) - 1)
    house.wire.take()
    house.it.on_changes(house.one, {"/Soc": 52.0})
    assert house.wire.take() == {f"N/{PORTAL}/battery/1/Soc": '{"value":52.0}'}
    house.wait(1)
    house.it.on_changes(house.one, {"/Soc": 53.0})
    assert house.wire.take() == {}


def test_the_heart_beats_every_three_seconds_while_alive(house: House) -> None:
    house.wait(10)
    assert house.wire.take() == {}
    house.hear(KEEPALIVE, SUPPRESS)
    house.wait(60)
    beats = [p for t, p, _ in house.wire.published if t == f"N/{PORTAL}/heartbeat"]
    assert len(beats) == 20
    assert beats[0] == '{"value":1700000000}'
    house.wire.take()
    house.wait(10)
    assert house.wire.take() == {}


def test_reads_are_answered_without_a_keepalive(house: House) -> None:
    house.hear(f"R/{PORTAL}/battery/1/Dc/0/Voltage")
    assert house.wire.take() == {f"N/{PORTAL}/battery/1/Dc/0/Voltage": '{"value":53.1}'}
    house.hear(f"R/{PORTAL}/battery/1/Dc/0")
    assert len(house.wire.take()) == 2
    house.hear(f"R/{PORTAL}/battery/2")
    assert house.wire.take() == {f"N/{PORTAL}/battery/2/Soc": '{"value":60.0}'}
    for nothing in ("battery/3/Soc", "battery/11", "battery/1/Nothing", "solarcharger/1/Soc"):
        house.hear(f"R/{PORTAL}/{nothing}")
    assert house.wire.take() == {}


def test_who_writes_and_then_reads_sees_what_was_written(house: House) -> None:
    house.one.gathered = {"/Soc": 51.0}
    house.hear(f"R/{PORTAL}/battery/1/Soc")
    assert house.wire.take() == {f"N/{PORTAL}/battery/1/Soc": '{"value":51.0}'}
    house.one.gathered = {"/Soc": 52.0}
    house.hear(KEEPALIVE)
    assert house.wire.take()[f"N/{PORTAL}/battery/1/Soc"] == '{"value":52.0}'


def test_reading_the_serial_is_a_keepalive_as_of_old(house: House) -> None:
    house.hear(f"R/{PORTAL}/system/0/Serial")
    sent = house.wire.take()
    assert SERIAL in sent and f"N/{PORTAL}/battery/1/Soc" in sent


def test_a_retained_keepalive_keeps_nobody_alive(house: House) -> None:
    assert house.hear(KEEPALIVE, b"", retained=True)
    assert house.wire.take() == {}


def test_a_battery_that_leaves_empties_its_topics_and_the_last_one_the_serial(
    house: House,
) -> None:
    house.it.on_left(house.one)
    assert house.wire.take() == {f"N/{PORTAL}/battery/1{path}": "" for path in house.one.values}
    house.it.close()
    assert house.wire.published == [(SERIAL, "", True)]


def test_a_new_instance_is_told_whole_and_its_reads_are_answered(house: House) -> None:
    house.hear(KEEPALIVE, SUPPRESS)
    house.it.on_left(house.one)
    house.one.instance = 7
    house.wire.take()
    house.it.on_entered(house.one)
    assert len(house.wire.take()) == 3
    assert f"R/{PORTAL}/battery/7/#" in house.it.topics()


def test_a_serial_that_another_bridge_cleared_when_it_left_is_put_back(house: House) -> None:
    house.hear(SERIAL, b"")
    assert house.wire.published == [(SERIAL, our_serial(PORTAL), True)]


def test_a_keepalive_that_came_while_we_still_listened_is_answered_then() -> None:
    house = House()
    house.connect()
    house.hear(KEEPALIVE, ECHO % b"early")
    house.wait(3)
    house.hear(SERIAL, our_serial(PORTAL).encode())
    assert f"N/{PORTAL}/full_publish_completed" in house.wire.take()


def test_a_broker_that_came_back_is_listened_to_anew_and_told_everything(house: House) -> None:
    house.hear(KEEPALIVE, SUPPRESS)
    house.wire.take()
    house.it.on_connected(house.now)
    house.it.on_changes(house.one, {"/Soc": 51.0})
    assert f"N/{PORTAL}/battery/1/Soc" not in house.wire.take()
    house.wait(3)
    house.hear(SERIAL, our_serial(PORTAL).encode())
    assert f"N/{PORTAL}/battery/1/Soc" in house.wire.take()


def test_what_is_not_for_it_is_left_to_others(house: House) -> None:
    assert not house.hear(f"W/{PORTAL}/battery/1/Soc", b"50")
    assert not house.hear("virtual-battery/virtual/set", b"{}")


@pytest.mark.parametrize(("payload", "retained"), [(b'{"value": 1}', True), (b"", False)])
def test_what_was_retained_or_is_empty_is_no_answer_of_a_gx(payload: bytes, retained: bool) -> None:
    house = House()
    house.connect()
    house.hear(f"N/{PORTAL}/battery/1/DeviceInstance", payload, retained)
    house.wait(3)
    assert SERIAL in house.wire.take(), "it claims"


def test_a_flood_of_reads_is_answered_in_part(house: House) -> None:
    for _ in range(1000):
        house.hear(f"R/{PORTAL}/battery/1/Soc")
    assert len(house.wire.published) == 100


def test_a_flood_of_echoes_is_answered_in_part(house: House) -> None:
    for number in range(1000):
        house.it.on_message(KEEPALIVE, ECHO % str(number).encode(), False, house.now)
    house.it.settle(house.now)
    echoes = [t for t, _, _ in house.wire.published if t.endswith("full_publish_completed")]
    assert len(echoes) == MAX_ECHOES


def test_an_echo_that_a_gx_has_answered_is_not_answered_later() -> None:
    house = House()
    house.connect()
    house.hear(KEEPALIVE, ECHO % b"early")
    house.hear(SERIAL, b'{"value":"c0ffee"}')  # a GX
    house.connect()
    house.wait(3)
    house.hear(SERIAL, our_serial(PORTAL).encode())
    house.hear(KEEPALIVE, ECHO % b"late")
    sent = [p for t, p, _ in house.wire.published if t.endswith("full_publish_completed")]
    assert [json.loads(p)["full-publish-completed-echo"] for p in sent] == ["late"]


def test_each_change_of_the_owner_changes_the_topics(house: House) -> None:
    before = house.resubscribed
    house.hear(SERIAL, b'{"value":"c0ffee"}')  # a GX
    house.hear(SERIAL, b'{"value":"c0ffee"}')
    assert house.resubscribed == before + 1


def test_who_publishes_is_logged_once_and_again_when_it_changes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    house = House()
    house.own()
    house.own()
    assert caplog.messages == ["the N/ topics of portal c0ffee are published by this program"]
    house.hear(SERIAL, b'{"value":"c0ffee"}')
    assert caplog.messages[1:] == [
        "the N/ topics of portal c0ffee are published by a GX, so not by this program"
    ]


def test_a_broker_that_lets_nobody_publish_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    house = House()
    house.connect()
    house.wait(100)
    words = "this broker does not let us publish the N/ topics of portal c0ffee"
    assert caplog.messages == [words]
