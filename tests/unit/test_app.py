"""The whole service in one process, without its wires: what is connected to what, and when."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable
from typing import Any

import pytest
from doubles import Clock, battery_config

import bridge.app
from bridge.adapters.broker import INSECURE, Broker
from bridge.app import CONNECT_WITHIN, DAY, NAME_TAKEN, RAN, App
from bridge.core.settings.configuration import Config, MqttConfig
from tests.unit.fake_ports import FakeBatteryService, FakeLink, FakeLoop, FakeSettingsService

STATUS = "virtual-battery/status"
SET = "virtual-battery/test/set"
SOC = "W/c0ffee/battery/1/Soc"
BROKER = Broker("venus.local", 1883)


class Loop(FakeLoop):
    """The loop of an application: `run` does what the test wants to see."""

    def __init__(self, clock: Clock, during: Callable[[], None]) -> None:
        super().__init__(clock)
        self.during = during
        self.signals: dict[int, Callable[[], None]] = {}
        self.has_quit = False
        self._every: list[Callable[[], None]] = []

    def call_soon(self, callback: Callable[[], None]) -> None:
        self.call_in(0.0, callback)

    def call_every(self, seconds: int, callback: Callable[[], None]) -> None:
        assert seconds == 1
        self._every.append(callback)

    def on_signal(self, number: int, callback: Callable[[], None]) -> None:
        self.signals[number] = callback

    def quit(self) -> None:
        self.has_quit = True

    def run(self, seconds: float | None = None) -> None:
        if seconds is None:
            self.during()
            return
        for _ in range(round(seconds)):
            super().run(1.0)
            for callback in self._every:
                callback()
        super().run(0.0)


class Service:
    """One application; `run` runs it with something to do in its middle."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        portal: str,
        home_assistant: str,
        broker: Broker = BROKER,
    ) -> None:
        self.clock, self.names, self.seen = Clock(), set[str](), list[Any]()
        self.services: list[FakeBatteryService] = []
        self.loop = Loop(self.clock, lambda: None)
        self.asked: list[tuple[str, str, Callable[[object], None]]] = []
        self.appeared: list[Callable[[], None]] = []
        self.beats = 0
        app = bridge.app
        monkeypatch.setattr(app, "MqttLink", self._link)
        monkeypatch.setattr(app, "Loop", lambda: self.loop)
        monkeypatch.setattr(app, "monotonic", self.clock)
        monkeypatch.setattr(app.health, "Watchdog", lambda **_: self)
        monkeypatch.setattr(app.dbus_service, "private_bus", lambda: self)
        monkeypatch.setattr(app.dbus_service, "BatteryService", self._battery)
        monkeypatch.setattr(app.settings, "DeviceSettings", self._settings)
        monkeypatch.setattr(app.settings, "ask", lambda bus, *call: self.asked.append(call))
        watch = lambda bus, name, appeared: self.appeared.append(appeared)  # noqa: E731
        monkeypatch.setattr(app.settings, "watch_for", watch)
        mqtt = MqttConfig(portal_id=portal, notifications="on", home_assistant=home_assistant)
        self.app = App(Config(mqtt=mqtt, batteries=(battery_config(),)), broker)

    def _link(self, broker: Broker, **named: Any) -> FakeLink:
        self.link = FakeLink(broker, **named)
        return self.link

    def _battery(self, *arguments: Any) -> FakeBatteryService:
        self.services.append(FakeBatteryService(*arguments, names=self.names))
        return self.services[-1]

    def _settings(self, _bus: object, *arguments: Any, guard: object) -> FakeSettingsService:
        assert guard is not None
        self.settings = FakeSettingsService(*arguments)
        return self.settings

    # the watchdog, and the bus of the settings

    def start(self) -> None:
        self.beats = 0

    def beat(self) -> None:
        self.beats += 1

    def name_has_owner(self, name: str) -> bool:
        return name in self.names

    # what a test does

    def run(self, during: Callable[[], None]) -> int:
        self.loop.during = during
        status = self.app.run()
        self.app.leave()
        return status

    def pass_time(self, seconds: float = 0.0) -> None:
        self.loop.run(seconds)
        for battery in self.services:
            battery.answer_end()

    def payloads(self, topic: str) -> list[str]:
        return [payload for at, payload, _ in self.link.published if at == topic]


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    return Service(monkeypatch, "c0ffee", "off")


def test_it_connects_once_it_knows_its_topics_and_says_that_it_listens(service: Service) -> None:
    def during() -> None:
        assert not service.link.is_started, "the settings service has not said who we are"
        service.settings.answer()
        assert service.link.is_started
        assert set(service.link.topics) == {SET, "W/c0ffee/battery/1/#"}
        service.pass_time()
        assert service.payloads(STATUS) == ["online"]

    assert service.run(during) == RAN
    assert service.link.will == (STATUS, "offline")
    assert service.payloads(STATUS) == ["online", "offline"]
    assert not service.names and not service.link.is_started


def test_it_connects_after_a_while_without_a_portal_id(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service = Service(monkeypatch, "auto", "off")

    def during() -> None:
        service.settings.answer()
        service.pass_time(CONNECT_WITHIN - 1)
        assert not service.link.is_started
        service.pass_time(1)
        assert service.link.is_started and SET in service.link.topics
        assert not [topic for topic in service.link.topics if topic.startswith("W/")]
        service.asked[-1][2]("c0ffee")
        assert "W/c0ffee/battery/1/#" in service.link.topics
        assert "N/c0ffee/system/0/Serial" in service.link.topics

    service.run(during)
    assert service.asked[0][:2] == ("com.victronenergy.system", "/Serial")


def test_messages_reach_the_battery_and_its_answers_the_broker(service: Service) -> None:
    def during() -> None:
        service.settings.answer()
        service.pass_time(1)
        service.link.arrive(SOC, b"61")
        service.link.arrive("R/c0ffee/battery/1/Soc", b"")
        service.pass_time()
        assert service.services[-1].values["/Soc"] == 61.0
        assert service.payloads("N/c0ffee/battery/1/Soc")[-1] == '{"value":61.0}'

    service.run(during)
    assert service.payloads("N/c0ffee/battery/1/Soc")[-1] == "", "emptied at the end"
    assert service.payloads("N/c0ffee/system/0/Serial")[-1] == ""


def test_while_a_keepalive_lasts_the_heart_beats(service: Service) -> None:
    def during() -> None:
        service.settings.answer()
        service.pass_time(1)
        service.link.arrive("R/c0ffee/keepalive", b"")
        service.pass_time(10)
        assert len(service.payloads("N/c0ffee/heartbeat")) >= 3

    service.run(during)


def test_each_second_it_shows_that_it_is_alive(service: Service) -> None:
    service.run(lambda: service.pass_time(5))
    assert service.beats == 6


def test_another_instance_changes_the_subscriptions(service: Service) -> None:
    def during() -> None:
        service.settings.answer()
        service.settings.write("ClassAndVrmInstance", "battery:33")
        assert "W/c0ffee/battery/33/#" in service.link.topics
        assert "W/c0ffee/battery/1/#" not in service.link.topics

    service.run(during)


def test_a_settings_service_that_appears_is_asked(service: Service) -> None:
    def during() -> None:
        service.settings.answer()
        (appeared,) = service.appeared
        appeared()
        assert service.settings.asked == 1

    service.run(during)


def test_home_assistants_past_is_read_first_and_then_no_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service = Service(monkeypatch, "c0ffee", "on")
    past = "homeassistant/device/virtual_battery_test/config"

    def during() -> None:
        service.settings.answer()
        service.pass_time()
        assert past in service.link.topics
        service.pass_time(3)
        assert past not in service.link.topics
        assert "homeassistant/status" in service.link.topics
        assert service.payloads(past)

    service.run(during)


def test_after_a_lost_connection_everything_is_published_again(service: Service) -> None:
    def during() -> None:
        service.settings.answer()
        service.pass_time(2)
        service.link.published.clear()
        service.link.start()  # it has come back
        service.pass_time(1)
        assert service.payloads(STATUS) == ["online"]
        assert service.payloads("virtual-battery/test/state")

    service.run(during)


def test_a_name_that_is_taken_ends_it_with_a_status_of_its_own(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    service.names.add("com.victronenergy.battery.test")
    assert service.run(lambda: service.pass_time()) == NAME_TAKEN
    assert service.loop.has_quit
    words = "com.victronenergy.battery.test is on the bus already: another service has this ident"
    assert words in caplog.messages


def test_a_request_to_stop_ends_it(service: Service) -> None:
    service.app.stop()
    assert not service.loop.has_quit, "it comes on another thread"
    service.pass_time()
    assert service.loop.has_quit


def test_two_signals_change_the_level_of_the_log(
    service: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    levels: list[str] = []
    monkeypatch.setattr(bridge.app.log, "set_level", levels.append)
    service.loop.signals[signal.SIGUSR1]()
    service.loop.signals[signal.SIGUSR2]()
    assert levels == ["debug", "info"]
    assert caplog.messages == [f"the log is at level {level} now" for level in levels]


def test_a_broker_that_drops_us_each_second_does_not_fill_the_log(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for number in range(100):
        service.app._on_link_state(False, f"lost broker {number}")
    assert len(caplog.messages) == 20
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_what_is_lost_in_a_flood_is_logged(
    service: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(FakeLink, "dropped", property(lambda link: 7))
    service.run(lambda: service.pass_time(1))
    assert "too many topics at once: 7 messages were dropped" in caplog.messages


def test_a_broker_that_anybody_could_be_is_warned_of_at_the_start_and_once_a_day(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broker = Broker("venus.local", 8883, tls=True, tls_insecure=True)
    service = Service(monkeypatch, "c0ffee", "off", broker)
    warnings = lambda: caplog.messages.count(INSECURE)  # noqa: E731

    def during() -> None:
        assert warnings() == 1
        service.pass_time(10)
        assert warnings() == 1
        service.clock.now += DAY
        service.pass_time(1)
        assert warnings() == 2

    service.run(during)


def test_of_a_broker_that_is_checked_nothing_is_warned(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    service.run(lambda: service.pass_time(1))
    assert INSECURE not in caplog.messages
