"""Who decided last is right: the battery, its configuration, or the settings service.

The battery is the real one, the settings are the pocket GX's own, only D-Bus is left out.
"""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from doubles import Bench
from fake_ports import NO_REPLY, NOT_THERE, FakeSettingsService
from settings_store import Setting

from bridge.battery.battery import LAST_FULL_KEY, REQUESTS_KEY
from bridge.battery.persistence import (
    FILE_KEY,
    INSTANCE_KEY,
    RETRY,
    SettingsPersistence,
    checked_instance,
)
from bridge.core.model import Date, Refused
from bridge.core.paths.access import ALL_OPEN, Access, Kind, WriteAccess
from tests.harness.calls import count_calls

NAME, SETTINGS = "CustomName", "RemoteSettings"
CHARGE, CV1 = "/Settings/Limiter/MaxChargeCurrent", "/Settings/Limiter/Cv1"


class House:
    """A battery, the service that keeps its settings, and a process that can be restarted."""

    def __init__(self, fails: str = "", access: Access = ALL_OPEN) -> None:
        self.access = access
        self.service = FakeSettingsService("test", lambda key, value: None)
        self.service.fails = fails
        self.start()

    def start(self, **config: Any) -> None:
        """A new process: a battery that knows its configuration only."""
        self.bench = Bench(name="Bank", access=self.access, **config)
        self.instances: list[int] = []
        self.ready = 0
        self.persistence = SettingsPersistence(
            self.service,
            self.bench.config,
            self.bench.battery,
            self.access,
            self.bench.clock,
            self.instances.append,
            self._on_ready,
        )
        self.service.on_change = self.persistence.on_changed
        self.service.drop_calls()
        self.bench.store.save = self.persistence.save  # type: ignore[method-assign]

    def _on_ready(self) -> None:
        self.ready += 1

    def opened(self, **config: Any) -> House:
        """A new process whose service has answered."""
        self.start(**config)
        self.open()
        return self

    def open(self) -> None:
        self.persistence.open()
        self.service.answer()

    def wait(self, seconds: float) -> None:
        """Let time pass, with a tick each second, and let the service answer."""
        for _ in range(round(seconds)):
            self.bench.clock.now += 1.0
            self.persistence.on_tick(self.bench.clock.now)
            self.service.answer()

    def restart_service(self, *forgotten: str) -> None:
        self.service.forget(*forgotten)
        self.open()

    @property
    def kept(self) -> dict[str, Any]:
        """The settings that the service has, by their short names."""
        record = json.loads(self.service.value(SETTINGS) or "{}")
        return {name.rpartition("/")[2]: entry["value"] for name, entry in record.items()}

    @property
    def name(self) -> object:
        return self.bench["/CustomName"]


@pytest.fixture
def house() -> House:
    return House().opened()


# --- a service that works ---------------------------------------------------------------------


def test_the_first_start_keeps_what_the_configuration_says() -> None:
    house = House()
    house.persistence.open()
    assert (house.ready, house.instances) == (0, []), "nothing is known before the answer"
    house.service.answer()
    assert (house.ready, house.instances) == (1, [1])
    assert house.service.value(NAME) == "Bank"
    assert house.service.value(INSTANCE_KEY) == "battery:1"
    assert house.service.value(SETTINGS) == "{}"
    assert json.loads(house.service.value(FILE_KEY) or "") == {"name": "Bank", "instance": 1}


def test_what_clients_decide_is_kept_and_holds_after_a_restart(house: House) -> None:
    house.bench.dbus("/CustomName", "Cellar")
    house.bench.dbus(CHARGE, 60)
    house.service.answer()
    assert (house.service.value(NAME), house.kept) == ("Cellar", {"MaxChargeCurrent": 60.0})
    house.opened()
    house.bench.settle()
    assert (house.name, house.bench[CHARGE]) == ("Cellar", 60.0)
    assert house.ready == 1


def test_an_instance_that_another_device_has_is_moved_on() -> None:
    house = House()
    house.service.write(INSTANCE_KEY, "battery:1", ident="other")
    house.opened()
    assert house.instances == [2]


def test_an_empty_name_is_a_name(house: House) -> None:
    house.bench.dbus("/CustomName", "")
    house.service.answer()
    house.opened()
    house.bench.settle()
    assert house.name == ""


def test_a_second_question_waits_for_the_first_answer() -> None:
    house = House()
    house.persistence.open()
    house.persistence.open()
    assert house.service.asked == 1


# --- what the configuration says anew ---------------------------------------------------------


def test_a_new_name_and_instance_in_the_configuration_are_newer_than_what_was_kept(
    house: House,
) -> None:
    house.bench.dbus("/CustomName", "Cellar")
    house.service.answer()
    house.start(instance=9)
    house.open()
    assert set(house.instances) == {9}
    assert house.service.value(INSTANCE_KEY) == "battery:9"
    assert house.service.value(NAME) == "Cellar", "the name in the file has not changed"


def test_a_new_name_in_the_file_wins_over_what_a_client_has_set(house: House) -> None:
    house.bench.dbus("/CustomName", "Cellar")
    house.service.answer()
    house.service.write(FILE_KEY, '{"name":"Attic","instance":1}')  # as the file was last time
    house.opened()
    assert house.service.value(NAME) == "Bank"
    assert house.bench.battery.name == "Bank"


def test_a_new_instance_counts_as_the_service_has_kept_it(house: House) -> None:
    """The service may give another one than the configuration asks for."""
    house.service.write(INSTANCE_KEY, "battery:9", ident="other")
    house.start(instance=9)
    house.persistence.open()
    house.service.answer(1)
    assert house.instances == []
    house.service.answer()
    assert set(house.instances) == {10}


def test_what_a_client_decides_after_the_start_is_newer_than_a_new_name_in_the_file(
    house: House,
) -> None:
    house.service.write(FILE_KEY, '{"name":"Attic","instance":1}')  # as the file was last time
    house.service.write(NAME, "Garage")
    house.start()
    house.service.fails = NOT_THERE
    house.open()
    house.bench.dbus("/CustomName", "Cellar")
    house.service.fails = ""
    house.open()
    assert house.bench.battery.name == house.service.value(NAME) == "Cellar"


def test_a_new_instance_that_leads_to_the_present_one_is_an_answer_too(house: House) -> None:
    """The configuration asks for 9; another device has it, and ours has the next one already."""
    house.service.write(INSTANCE_KEY, "battery:9", ident="other")
    house.service.write(INSTANCE_KEY, "battery:10")
    house.opened(instance=9)
    assert (house.ready, house.instances) == (1, [10])


@pytest.mark.parametrize("identity", ["", "{", "[]", "null", "[" * 100_000, '{"name": 7}'])
def test_an_identity_that_cannot_be_read_says_nothing_new(house: House, identity: str) -> None:
    house.service.write(FILE_KEY, identity)
    house.service.write(INSTANCE_KEY, "battery:33")
    house.opened()
    assert house.instances == [33]


# --- a service that is absent, late, silent or erring -----------------------------------------


@pytest.mark.parametrize("reason", [NOT_THERE, NO_REPLY, "sends an answer that cannot be read"])
def test_without_an_answer_the_battery_is_ready_all_the_same(
    reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    house = House(fails=reason)
    house.open()
    assert (house.ready, house.instances) == (1, [])
    assert caplog.messages == [f"test: the settings service {reason}"]


def test_a_silent_service_is_asked_again_after_a_while_and_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    house = House(fails=NO_REPLY)
    house.open()
    house.service.fails = ""
    house.wait(RETRY - 1)
    assert house.instances == []
    house.wait(1)
    assert house.instances == [1]
    assert len(caplog.messages) == 1
    assert house.ready == 1, "once"


def test_it_goes_on_asking() -> None:
    house = House(fails=NOT_THERE)
    house.open()
    house.wait(3 * RETRY)
    house.service.fails = ""
    house.wait(RETRY)
    assert house.instances == [1]
    assert house.ready == 1


def test_what_clients_decide_before_a_late_service_comes_is_newer_than_what_it_has(
    house: House,
) -> None:
    house.bench.dbus(CHARGE, 60)
    house.bench.dbus(CV1, 3.41)
    house.bench.dbus("/CustomName", "Cellar")
    house.service.answer()
    house.start()
    house.service.fails = NOT_THERE
    house.open()
    house.bench.dbus(CHARGE, 70)
    house.bench.dbus("/CustomName", "Attic")
    house.service.fails = ""
    house.open()
    house.bench.settle()
    assert house.kept == {"MaxChargeCurrent": 70.0, "Cv1": 3.41}
    assert (house.bench[CHARGE], house.bench[CV1]) == (70.0, 3.41)
    assert house.service.value(NAME) == "Attic"
    assert house.bench.battery.name == "Attic"


def test_what_is_decided_while_the_question_is_under_way_is_newer_than_the_answer() -> None:
    house = House()
    house.service.write(NAME, "Cellar")
    house.persistence.open()
    house.bench.dbus("/CustomName", "Attic")
    house.service.answer()
    assert house.bench.battery.name == house.service.value(NAME) == "Attic"


def test_a_write_that_fails_is_sent_again_and_its_successor_wins(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.service.fails = NO_REPLY
    house.bench.dbus(CHARGE, 60)
    house.service.answer()
    assert f"test: {SETTINGS} is not kept, the settings service {NO_REPLY}" in caplog.messages
    house.bench.dbus(CHARGE, 70)
    assert house.service.asked == 0, "nothing is sent to a service that does not answer"
    house.service.fails = ""
    house.wait(RETRY)
    assert house.kept == {"MaxChargeCurrent": 70.0}


def test_once_it_has_answered_it_is_not_asked_again() -> None:
    house = House(fails=NO_REPLY)
    house.open()
    house.service.fails = ""
    house.wait(RETRY)
    house.bench.clock.now += 10 * RETRY
    house.persistence.on_tick(house.bench.clock.now)
    assert house.service.asked == 0


def test_a_service_that_goes_away_later_is_not_late(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.service.fails = NOT_THERE
    house.open()
    house.wait(3 * RETRY)
    assert caplog.messages == []


def test_what_clients_decide_like_before_does_not_hide_the_rest_of_what_was_kept(
    house: House,
) -> None:
    house.bench.dbus(CHARGE, 60)
    house.bench.dbus(CV1, 3.41)
    house.service.answer()
    house.start()
    house.service.fails = NOT_THERE
    house.open()
    house.bench.dbus(CHARGE, 60)
    house.service.fails = ""
    house.open()
    assert house.kept == {"MaxChargeCurrent": 60.0, "Cv1": 3.41}


def test_a_service_that_appears_is_asked_at_once(house: House) -> None:
    house.service.fails = NOT_THERE
    house.bench.dbus(CHARGE, 60)
    house.service.answer()
    house.service.fails = ""
    house.open()
    assert house.kept == {"MaxChargeCurrent": 60.0}


def test_settings_without_a_usable_name_or_instance_change_nothing(house: House) -> None:
    for key in (NAME, INSTANCE_KEY):
        setting = Setting("i", 7, 7)  # a number, not a text
        house.service.store.settings[f"/Settings/Devices/test/{key}"] = setting
    house.opened()
    assert (house.ready, house.instances) == (1, [])
    assert house.bench.battery.name == "Bank"


# --- a service that comes back ----------------------------------------------------------------


def test_a_service_that_comes_back_without_memory_is_sent_everything_again(house: House) -> None:
    house.bench.dbus("/CustomName", "Cellar")
    house.bench.dbus(CHARGE, 60)
    house.service.answer()
    house.restart_service(NAME, SETTINGS, FILE_KEY)
    assert (house.service.value(NAME), house.kept) == ("Cellar", {"MaxChargeCurrent": 60.0})
    assert '"instance":1' in (house.service.value(FILE_KEY) or "")
    house.bench.settle()
    assert (house.name, house.bench[CHARGE]) == ("Cellar", 60.0)


@pytest.mark.parametrize("key", [REQUESTS_KEY, LAST_FULL_KEY])
def test_what_is_kept_no_longer_is_sent_again_too(house: House, key: str) -> None:
    """A request that was withdrawn must not be back after the next start."""
    house.persistence.save(key, "old")
    house.service.answer()
    house.persistence.save(key, "")
    house.service.answer()
    house.service.go_back(key, "old")
    assert house.service.value(key) == "old"
    house.open()
    assert house.service.value(key) == ""


def test_an_instance_that_the_service_gives_anew_is_taken(house: House) -> None:
    house.service.forget(INSTANCE_KEY)
    house.service.write(INSTANCE_KEY, "battery:1", ident="other")
    house.restart_service()
    assert house.instances == [1, 2]


def test_a_service_that_comes_back_with_its_memory_is_sent_nothing(house: House) -> None:
    house.bench.dbus(CHARGE, 60)
    house.service.answer()
    house.persistence.open()
    house.service.answer(1)
    assert house.service.asked == 0


# --- somebody else decides --------------------------------------------------------------------


def test_a_change_in_the_settings_service_is_newest(house: House) -> None:
    house.bench.dbus(CV1, 3.41)
    house.service.answer()
    house.service.write(NAME, "Attic")
    house.service.write(SETTINGS, '{"Limiter/MaxChargeCurrent":55}')
    house.bench.settle()
    assert (house.name, house.bench[CHARGE], house.bench[CV1]) == ("Attic", 55.0, 3.4)
    house.service.answer()
    assert house.kept == {"MaxChargeCurrent": 55.0}, "it is written as the battery writes it"


def test_a_change_in_the_settings_service_is_published_at_once(house: House) -> None:
    house.bench.clock.now += 1.0
    house.service.write(NAME, "Attic")
    assert house.name == "Attic"


def test_what_a_client_has_decided_is_newer_than_a_change_that_comes_before_it_is_kept(
    house: House,
) -> None:
    house.bench.dbus("/CustomName", "Cellar")
    house.service.write(NAME, "Attic")
    assert house.bench.battery.name == "Cellar"
    house.service.answer()
    assert house.bench.battery.name == house.service.value(NAME) == "Cellar"


def test_a_new_instance_is_taken_whoever_gave_it(house: House) -> None:
    house.service.write(INSTANCE_KEY, "battery:33")
    assert house.instances == [1, 33]


def test_our_own_write_is_no_news(house: House) -> None:
    house.bench.dbus("/CustomName", "Cellar")
    house.service.answer()
    house.bench.dbus("/CustomName", "Attic")  # the signal of the first one comes late
    house.persistence.on_changed(NAME, "Cellar")
    house.service.answer()
    assert house.bench.battery.name == house.service.value(NAME) == "Attic"


def test_a_signal_that_repeats_what_is_known_is_no_news(house: House) -> None:
    house.persistence.on_changed(INSTANCE_KEY, "battery:1")
    assert house.instances == [1]


def test_a_signal_before_the_first_answer_is_no_decision() -> None:
    house = House()
    house.persistence.open()
    house.persistence.on_changed(NAME, "Default")
    assert house.bench.battery.name == "Bank"


def test_a_signal_of_a_service_that_has_not_answered_yet_is_no_decision() -> None:
    house = House(fails=NO_REPLY)
    house.open()
    house.persistence.on_changed(NAME, "Default")
    assert house.bench.battery.name == "Bank"


def test_a_signal_while_it_is_asked_again_may_be_a_default(house: House) -> None:
    """A service without memory falls back to its defaults before it answers."""
    house.bench.dbus(CHARGE, 60)
    house.service.answer()
    house.service.forget(SETTINGS)
    house.persistence.open()
    house.persistence.on_changed(SETTINGS, "{}")
    assert house.bench.battery.settings_record() != "{}"
    house.service.answer()
    assert house.kept == {"MaxChargeCurrent": 60.0}


# --- a way in like any other ------------------------------------------------------------------

CLOSED = Access(
    mqtt=WriteAccess("MQTT", "mqtt.accept", (Kind.MEASUREMENTS,)),
    dbus=WriteAccess("D-Bus", "dbus.accept", (Kind.MEASUREMENTS,)),
)
LOOSE = '{"Limiter/MaxChargeCurrent":{"value":190,"file":100}}'
FOREIGN = {NAME: "Attic", INSTANCE_KEY: "battery:33", SETTINGS: LOOSE}


def in_force(house: House) -> tuple[object, ...]:
    house.bench.settle()
    return house.name, house.instances[-1:], house.bench[CHARGE]


@pytest.mark.promise("settings")
@pytest.mark.parametrize("key", FOREIGN)
def test_a_change_that_dbus_does_not_accept_is_put_back_and_said(key: str) -> None:
    house = House(access=CLOSED).opened()
    before, kept = in_force(house), house.service.value(key)
    house.service.write(key, FOREIGN[key])
    house.service.answer()
    assert in_force(house) == before and house.service.value(key) == kept
    (refusal,) = house.bench.rejected
    assert (refusal["topic"], refusal["path"]) == ("the settings service", key)
    assert refusal["reason"] == "settings are not taken over D-Bus, says dbus.accept"


@pytest.mark.promise("settings")
@pytest.mark.parametrize(
    ("key", "value"),
    [
        (NAME, "x" * 33),
        (NAME, "x" * 5_000_000),
        (NAME, "a\x1b[31m"),
        (NAME, "a\nERROR all is lost"),
        (INSTANCE_KEY, "battery:999999999"),
        (INSTANCE_KEY, "tank:7"),
        (SETTINGS, ""),
        (SETTINGS, "{"),
        (SETTINGS, "[" * 100_000),
        (SETTINGS, "x" * 5_000_000),
        (SETTINGS, '{"Limiter/Cv1":3.3,"Limiter/Cv1":3.42}'),
        (SETTINGS, '{"Limiter/Cv1":3.42,"Limiter/Cv7":3.4}'),
        (SETTINGS, '{"Limiter/Cv1":3.42,"Limiter/MaxChargeCurrent":4000}'),
        (SETTINGS, '{"Limiter/Cv1":3.42,"Freshness/Required":"soc"}'),
        (SETTINGS, '{"a\\u001b[31m\\nERROR":1}'),
        (LAST_FULL_KEY, "2031-01-01"),
        (REQUESTS_KEY, ""),
        (FILE_KEY, "{}"),
    ],
)
def test_what_the_gate_refuses_is_put_back_as_a_whole(
    key: str, value: str, caplog: pytest.LogCaptureFixture
) -> None:
    house = House().opened()
    house.bench.dbus(CHARGE, 60)
    house.persistence.save(LAST_FULL_KEY, "2026-01-01")
    house.persistence.save(REQUESTS_KEY, "[]")
    house.service.answer()
    before, kept = in_force(house), house.service.value(key)
    house.service.write(key, value)
    house.service.answer()
    assert in_force(house) == before and house.service.value(key) == kept
    assert len(house.bench.rejected) == 1 and house.bench.rejected[0]["path"] == key
    assert all(line.isprintable() and len(line) < 2000 for line in caplog.messages)


def test_a_change_that_is_taken_is_in_the_log(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for key, value in FOREIGN.items():
        house.service.write(key, value)
    log = " ".join(caplog.messages)
    assert "name Attic" in log and "limiter.max_charge_current is 190 A (was 100 A)" in log


@pytest.mark.promise("flood")
@pytest.mark.parametrize("access", [ALL_OPEN, CLOSED], ids=["taken", "refused"])
@pytest.mark.parametrize("key", FOREIGN)
def test_a_flood_of_changes_makes_no_flood_of_ours(
    key: str, access: Access, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    house = House(access=access).opened()
    flood = {
        NAME: lambda n: f"Attic {n}",
        INSTANCE_KEY: lambda n: f"battery:{n}",
        SETTINGS: lambda n: json.dumps({"Limiter/MaxChargeCurrent": n % 100}),
    }[key]
    saves = 0
    save = house.service.save

    def counted(*words: Any) -> None:
        nonlocal saves
        saves += 1
        save(*words)

    monkeypatch.setattr(house.service, "save", counted)
    for n in range(3000):  # in a minute
        house.service.write(key, flood(n))
        house.service.answer()
        if n % 50 == 0:
            house.wait(1)
    assert saves <= 10 + 2, "SaveQueue: a burst, and one a minute"
    assert len(house.instances) <= 10 + 60 * 0.2 + 2
    assert len(caplog.messages) <= 60
    house.wait(300)
    if access is CLOSED:
        assert in_force(house) == ("Bank", [1], 100.0)
        assert house.service.value(INSTANCE_KEY) == "battery:1"
        assert house.service.value(NAME) == "Bank" and house.kept == {}
        assert len(house.bench.rejected) == 1, "said once"
    else:
        assert house.service.value(key) == {
            NAME: house.name,
            INSTANCE_KEY: f"battery:{house.instances[-1]}",
            SETTINGS: house.bench.battery.settings_record(),
        }[key], "and in the end both agree"


def test_the_last_change_of_a_flood_counts() -> None:
    house = House().opened()
    for n in range(100):
        house.service.write(NAME, f"Attic {n}")
    house.wait(60)
    assert house.name == "Attic 99"


# --- what was kept, at the start ------------------------------------------------------------------


@pytest.mark.promise("accept")
def test_what_was_kept_counts_for_nothing_where_nobody_may_write_it() -> None:
    house = House(access=CLOSED)
    house.service.write(SETTINGS, LOOSE)
    house.service.write(NAME, "Attic")
    house.opened()
    assert (house.name, house.bench[CHARGE]) == ("Bank", 100.0)
    assert house.kept == {} and house.service.value(NAME) == "Bank"
    assert "mqtt.accept and dbus.accept" in house.bench.rejected[-1]["reason"]


def test_one_open_way_is_enough_for_what_was_kept() -> None:
    house = House(access=Access(mqtt=ALL_OPEN.mqtt, dbus=CLOSED.dbus))
    house.service.write(SETTINGS, LOOSE)
    house.opened()
    assert house.bench[CHARGE] == 190.0 and house.bench.rejected == []


def test_an_instance_that_the_service_gave_at_the_start_counts_in_any_case() -> None:
    house = House(access=CLOSED)
    house.service.write(INSTANCE_KEY, "battery:1", ident="other")
    assert house.opened().instances == [2]


@pytest.mark.parametrize("name", ["x" * 33, "a\x1b[31m", "a\nb"])
def test_a_kept_name_passes_the_gate_too(name: str) -> None:
    house = House()
    house.service.write(NAME, name)
    house.opened()
    assert house.name == house.service.value(NAME) == "Bank"


@pytest.mark.parametrize("instance", ["battery:999999999", "tank:7", "battery:"])
def test_so_does_a_kept_instance(instance: str) -> None:
    house = House()
    house.service.write(INSTANCE_KEY, "battery:5")
    house.service.store.settings["/Settings/Devices/test/ClassAndVrmInstance"].value = instance
    house.opened()
    assert (house.ready, house.instances) == (1, [1])
    assert house.service.value(INSTANCE_KEY) == "battery:1"


def test_thousands_of_unknown_keys_are_little_work_and_few_words(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    many = json.dumps({f"Limiter/Cv{n}\n": 1 for n in range(3000)})
    calls = count_calls(lambda: house.service.write(SETTINGS, many))
    assert calls < 20_000
    assert len("".join(caplog.messages)) < 2000


# --- the order of writes ----------------------------------------------------------------------


def test_the_next_write_of_a_key_waits_for_the_answer_to_the_last(house: House) -> None:
    for amps in (60, 70, 80):
        house.bench.dbus(CHARGE, amps)
    assert house.service.asked == 1
    house.service.answer(1)
    assert house.kept == {"MaxChargeCurrent": 60.0}
    house.service.answer()
    assert house.kept == {"MaxChargeCurrent": 80.0}, "70 was overtaken"


def test_a_flow_that_runs_wild_costs_one_write_a_minute(house: House) -> None:
    writes: list[str] = []
    saved = house.service.save
    house.service.save = lambda key, value, kept, failed: (  # type: ignore[method-assign]
        writes.append(value), saved(key, value, kept, failed)
    )[1]  # fmt: skip
    for second in range(600):
        house.bench.dbus(CHARGE, 50 + second % 40)
        house.wait(1)
    assert len(writes) < 25
    house.wait(120)
    assert house.kept == {"MaxChargeCurrent": 50.0 + 599 % 40}


# --- small parts ------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "instance"), [("battery:0", 0), ("battery:10000", 10_000)])
def test_the_instance_in_a_text(text: str, instance: int) -> None:
    assert checked_instance(text) == instance


@pytest.mark.parametrize(
    "text",
    [
        *("battery:", "battery", "", "7", "battery:-1", "battery:1.5", "battery:1:2", "tank:7"),
        *("battery:\u0661", "battery:10001", "battery:999999999", "battery:" + "9" * 5000),
    ],
)
def test_what_is_no_instance_of_a_battery(text: str) -> None:
    with pytest.raises(Refused, match=r"not .battery:"):
        checked_instance(text)


def test_a_text_without_an_instance_is_not_taken(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        house.persistence.on_changed(INSTANCE_KEY, "nonsense")
    assert house.instances == [1]


WINDOW = {"limiter": {"charge_to_soc": 80, "full_charge_every": 14}}


class TestLastFull:
    """The days to the next full charge are counted over restarts and boots, by the calendar."""

    @staticmethod
    def run_on(house: House, day: int, soc: float = 80) -> None:
        house.bench.today = Date(2026, 5, day, 720)
        cell = 3.46 if soc > 95 else 3.33
        for _ in range(5):
            house.bench.feed(cell, current=1, Soc=soc)
            house.bench.battery.on_tick(house.bench.clock.now)
            house.wait(1)

    def booted(self, house: House, day: int, soc: float = 80) -> House:
        house.opened(**WINDOW)
        self.run_on(house, day, soc)
        return house

    def test_the_first_start_is_kept_and_a_boot_each_day_changes_nothing(self) -> None:
        house = House()
        for day in range(1, 15):
            self.booted(house, day)
            assert house.service.value("LastFull") == "2026-05-01"
            assert house.bench.ccl == 0, day
        self.booted(house, 15)
        assert house.bench["/Info/ChargeMode"] == "Bulk, full charge"
        self.booted(house, 16, soc=99)
        assert house.service.value("LastFull") == "2026-05-16"
        self.booted(house, 17)
        assert house.bench["/Info/ChargeMode"] == "Held at 80 %"

    def test_it_is_written_once_a_day_at_most(self) -> None:
        house = House()
        self.booted(house, 1)
        saves = []
        save = house.service.save
        house.service.save = lambda key, *rest: (saves.append(key), save(key, *rest))  # type: ignore[method-assign, func-returns-value]
        for _ in range(20):
            house.bench.clock.now += 3700
            self.run_on(house, 2, soc=100)
        assert saves == ["LastFull"]

    @pytest.mark.parametrize("kept", ["", "x", "9999-99-99", "-1", "2027-01-01"])
    def test_whatever_is_kept_the_window_holds(self, kept: str) -> None:
        house = House()
        self.booted(house, 1)
        house.service.write("LastFull", kept)
        self.booted(house, 2)
        assert house.bench["/Info/ChargeMode"] == "Held at 80 %"
        assert house.service.value("LastFull") == "2026-05-02"

    def test_a_change_in_the_running_service_is_not_taken(self) -> None:
        house = House()
        self.booted(house, 20)
        house.service.write("LastFull", "2020-01-01")
        house.wait(2)
        self.run_on(house, 20)
        assert house.bench["/Info/ChargeMode"] == "Held at 80 %"

    def test_a_service_that_lost_it_gets_it_again(self) -> None:
        house = House()
        self.booted(house, 1)
        house.restart_service("LastFull")
        house.wait(2)
        assert house.service.value("LastFull") == "2026-05-01"

    def test_a_clock_that_is_set_after_the_boot_finds_the_day(self) -> None:
        house = House()
        self.booted(house, 1)
        house.opened(**WINDOW)
        house.bench.today = Date(1970, 1)
        for _ in range(3):
            house.bench.feed(3.33, current=1, Soc=80)
            house.bench.battery.on_tick(house.bench.clock.now)
            house.wait(1)
        assert house.bench.ccl == 0
        self.run_on(house, 16)
        assert house.bench["/Info/ChargeMode"] == "Bulk, full charge"
