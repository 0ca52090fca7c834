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

from bridge.battery.persistence import (
    FILE_KEY,
    INSTANCE_KEY,
    RETRY,
    SettingsPersistence,
    instance_of,
)
from bridge.core.model import Date

NAME, SETTINGS = "CustomName", "RemoteSettings"
CHARGE, CV1 = "/Settings/Limiter/MaxChargeCurrent", "/Settings/Limiter/Cv1"


class House:
    """A battery, the service that keeps its settings, and a process that can be restarted."""

    def __init__(self, fails: str = "") -> None:
        self.service = FakeSettingsService("test", lambda key, value: None)
        self.service.fails = fails
        self.start()

    def start(self, **config: Any) -> None:
        """A new process: a battery that knows its configuration only."""
        self.bench = Bench(name="Bank", **config)
        self.instances: list[int] = []
        self.ready = 0
        self.persistence = SettingsPersistence(
            self.service,
            self.bench.config,
            self.bench.battery,
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


def test_a_setting_of_ours_that_nobody_uses_is_left_alone(house: House) -> None:
    house.persistence.on_changed(FILE_KEY, "{}")
    assert house.bench.battery.name == "Bank"


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


@pytest.mark.parametrize(
    ("text", "instance"),
    [
        ("battery:7", 7),
        ("battery:0", 0),
        ("tank:999999999", 999_999_999),
        ("battery:", None),
        ("battery", None),
        ("", None),
        ("battery:-1", None),
        ("battery:1.5", None),
        ("battery:\u0661", None),
        ("battery:1000000000", None),
    ],
)
def test_the_instance_in_a_text(text: str, instance: int | None) -> None:
    assert instance_of(text) == instance


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
