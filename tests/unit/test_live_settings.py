"""Settings that clients change: checked alone and as a set, echoed, kept, restored."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from doubles import Bench, battery_config

from bridge.core.settings.configuration import parse
from bridge.core.settings.live import LiveSettings, RefusedSettings
from bridge.core.settings.setting_paths import CHANGED, RESTORE, ROOT, SETTINGS

CV1, CV2 = "/Settings/Limiter/Cv1", "/Settings/Limiter/Cv2"
CHARGE, DISCHARGE = "/Settings/Limiter/MaxChargeCurrent", "/Settings/Limiter/MaxDischargeCurrent"
TEMPERATURE = "/Settings/Limiter/ChargeTemperature"


def live(**changes: Any) -> LiveSettings:
    return LiveSettings(battery_config(**changes))


def refusals(settings: LiveSettings, writes: dict[str, object]) -> dict[str, str]:
    with pytest.raises(RefusedSettings) as refused:
        settings.change(writes)
    return dict(refused.value.refusals)


# --- one by one -------------------------------------------------------------------------------


def test_every_setting_shows_what_the_configuration_says() -> None:
    settings = live()
    assert settings.on_bus[CV1] == 3.4
    assert settings.on_bus["/Settings/Limiter/Taper"] == "steps"
    assert settings.on_bus["/Settings/Freshness/Required"] == '["cells","dc"]'
    assert settings.on_bus["/Settings/Limiter/ChargeSoc"] == "off"
    assert settings.on_bus["/Settings/Limiter/Dv1"] is None
    assert settings.on_bus["/Settings/Ceiling/ChargeCurrent"] == 200
    assert settings.on_bus[TEMPERATURE].startswith("[[0,0],[2,0.25],")  # type: ignore[union-attr]
    assert settings.on_bus[CHANGED] == "nothing"


@pytest.mark.parametrize(
    ("path", "written", "shown"),
    [
        (CHARGE, 60, 60.0),
        (CHARGE, "60.5", 60.5),
        ("/Settings/Limiter/Taper", " linear\n", "linear"),
        ("/Settings/Limiter/ChargeSoc", [[80, 1], [90, 0.5]], "[[80,1],[90,0.5]]"),
        ("/Settings/Limiter/ChargeSoc", "[[80, 1], [90, 0.5]]", "[[80,1],[90,0.5]]"),
        (TEMPERATURE, "[[0,0],[9,1]]", "[[0,0],[9,1]]"),
        ("/Settings/Freshness/Required", "dc", '["dc"]'),
        ("/Settings/Freshness/Required", "soc, dc", '["soc","dc"]'),
        ("/Settings/Freshness/Required", ["cells"], '["cells"]'),
        ("/Settings/Freshness/Keep", "soc", '["soc"]'),
    ],
)
def test_a_setting_is_taken_and_echoed(path: str, written: object, shown: object) -> None:
    settings = live()
    assert settings.change({path: written})
    assert settings.on_bus[path] == shown
    assert settings.on_bus[CHANGED] == path.removeprefix(ROOT)
    again = LiveSettings(battery_config())
    assert again.load(settings.record()) == []
    assert again.in_force == settings.in_force


@pytest.mark.parametrize(
    ("path", "written", "words"),
    [
        (CV1, 3400, "outside 1 to 4.5 V, is it in mV? Send 3.4; 3.4 V stays in force"),
        (CV1, 3.46, "3.46 is above cv2 (3.45); 3.4 V stays in force"),
        (CV2, 3.3, "cv1 3.4 is above cv2 (3.3); 3.45 V stays in force"),
        (CV1, None, '"Limiter/Cv1" to Settings/Restore brings it back; 3.4 V stays in force'),
        (TEMPERATURE, [], "a setting is never empty"),
        (CV1, "off", "false is not a number"),
        (CHARGE, 201, "201 A is above ceiling.charge_current 200 A, which only the"),
        (CHARGE, "lots", "'lots' is not a number"),
        ("/Settings/Limiter/Dv1", "of", "'of' is not a number; did you mean \"off\"?"),
        (CHARGE, True, "not a number"),
        (CHARGE, float("nan"), "not a number"),
        ("/Settings/Limiter/Taper", "smooth", "'smooth' is none of steps, linear"),
        ("/Settings/Limiter/Dv1", 3.1, "max_discharge_current_below_dv1 is missing"),
        (TEMPERATURE, [[0, 1]], "one point is no curve"),
        (TEMPERATURE, [[5, 0], [0, 1]], "x must rise"),
        (TEMPERATURE, [[0, 0], [5, 2]], "point 2: 2 is outside 0 to 1"),
        (TEMPERATURE, "[[0, 0], [5", "stays in force"),
        (TEMPERATURE, [[10**400, 0], [5, 2]], "too large"),
        (TEMPERATURE, 7, "must be a list of points"),
        (TEMPERATURE, [[n / 100, 0] for n in range(1000)], "characters are too many"),
        ("/Settings/Freshness/Required", "", "must name at least one group"),
        ("/Settings/Freshness/Required", "cell", 'did you mean "cells"'),
        ("/Settings/Freshness/Aging", 61, "61 is above stale (60)"),
        ("/Settings/Failsafe/DischargeCurrent", 1, "above ceiling.failsafe.discharge_current 0 A"),
        (RESTORE, "Limiter/Cv9", 'nothing of this name to restore'),
        (RESTORE, 1, 'write "all"'),
        (RESTORE, None, 'write "all"'),
    ],
)
def test_a_refusal_says_what_is_wrong_and_what_is_in_force(
    path: str, written: object, words: str
) -> None:
    settings = live()
    before = settings.in_force
    assert words in refusals(settings, {path: written})[path]
    assert settings.in_force == before and settings.record() == "{}"


def test_every_setting_takes_back_what_it_shows_and_what_it_keeps() -> None:
    dv = {"dv1": 3.1, "max_discharge_current_below_dv1": 50}
    settings = live(limiter={**dv, "charge_soc": [[80, 1], [90, 0.5]]})
    for path, setting in SETTINGS.items():
        value = setting.of(settings.in_force)
        assert setting.read(setting.plain(value)) == value
        shown = setting.on_bus(value)
        if shown is not None:
            assert setting.read(shown) == value
            assert setting.row.coerce(shown) == shown, path


# --- together ---------------------------------------------------------------------------------


def test_two_move_past_each_other_together() -> None:
    settings = live()
    assert refusals(settings, {CV1: 3.46})
    assert len(settings.change({CV1: 3.46, CV2: 3.48})) == 2
    assert (settings.on_bus[CV1], settings.on_bus[CV2]) == (3.46, 3.48)


def test_one_mistake_refuses_all() -> None:
    settings = live()
    reasons = refusals(settings, {CV1: 3.41, CHARGE: 500})
    assert list(reasons) == [CHARGE]
    assert reasons[CHARGE].endswith("none of these 2 settings is taken")
    assert settings.on_bus[CV1] == 3.4


def test_every_mistake_of_a_batch_is_told_at_once() -> None:
    reasons = refusals(live(), {CV1: "?", CV2: 9, CHARGE: 80})
    assert list(reasons) == [CV1, CV2]


def test_a_batch_restores_before_it_sets() -> None:
    settings = live()
    settings.change({CHARGE: 60, CV1: 3.41})
    settings.change({CV1: 3.42, RESTORE: "all"})
    assert settings.on_bus[CHANGED] == "Limiter/Cv1"
    assert settings.on_bus[CV1] == 3.42


@pytest.mark.parametrize(
    ("word", "left"),
    [
        ("all", "nothing"),
        ("Limiter", "Freshness/Stale"),
        ("limiter/cv1", "Limiter/MaxChargeCurrent, Freshness/Stale"),
        ("/Settings/Limiter/Cv1", "Limiter/MaxChargeCurrent, Freshness/Stale"),
        ("Freshness/Stale", "Limiter/Cv1, Limiter/MaxChargeCurrent"),
    ],
)
def test_a_restore_brings_back_one_or_all(word: str, left: str) -> None:
    settings = live()
    settings.change({CHARGE: 60, CV1: 3.41, "/Settings/Freshness/Stale": 30})
    assert settings.change({RESTORE: word})
    assert settings.on_bus[CHANGED] == left
    assert settings.on_bus[RESTORE] is None


def test_a_restore_that_does_not_fit_the_others_is_refused() -> None:
    settings = live()
    settings.change({CV1: 3.46, CV2: 3.48})
    assert "cv1 3.46 is above cv2 (3.45)" in refusals(settings, {RESTORE: "Limiter/Cv2"})[RESTORE]
    assert settings.on_bus[CV2] == 3.48


# --- what is kept -----------------------------------------------------------------------------


def test_only_what_differs_is_kept() -> None:
    settings = live()
    settings.change({CHARGE: 60, CV1: 3.41})
    settings.change({CV1: 3.4})
    assert json.loads(settings.record()) == {"Limiter/MaxChargeCurrent": {"value": 60, "file": 100}}


def test_a_configuration_that_changed_since_wins() -> None:
    settings = live()
    settings.change({CHARGE: 60, CV1: 3.41})
    later = live(limiter={"max_charge_current": 80})
    warnings = later.load(settings.record())
    assert "60 A is forgotten, the configuration has changed since, to 80 A" in warnings[0]
    assert (later.on_bus[CHARGE], later.on_bus[CV1]) == (80, 3.41)
    assert "MaxChargeCurrent" not in later.record(), "else it would rise from the dead"


def test_a_key_that_was_kept_twice_is_not_guessed() -> None:
    settings = live()
    (warning,) = settings.load('{"Limiter/Cv1": 3.3, "Limiter/Cv1": 3.42}')
    assert "'Limiter/Cv1' twice" in warning and settings.on_bus[CV1] == 3.4


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        ("{", "not JSON"),
        ("[1]", "no JSON object"),
        ("[" * 100_000, "not JSON"),
        ('{"Limiter/Cv1": {"value": 9, "file": 3.4}}', "outside 1 to 4.5"),
        ('{"Limiter/Cv1": {"value": "x", "file": 3.4}}', "not a number"),
        ('{"Limiter/Cv1": {"value": 3.6, "file": 3.4}}', "cv1 3.6 is above cv2 (3.45)"),
        ('{"Limiter/Cv1": {}}', "not a number"),
        ('{"Limiter/Cv1": null}', "never empty"),
        ('{"Limiter/Cv7": 3.4}', "no setting of this version"),
        ('{"Restore": "all"}', "no setting of this version"),
        ('{"Limiter/MaxChargeCurrent": {"value": 5000, "file": 100}}', "ceiling.charge_current"),
    ],
)
def test_what_cannot_be_used_falls_back_to_the_file_and_the_rest_is_taken(
    kept: str, words: str
) -> None:
    settings = live()
    (warning,) = settings.load(kept)
    assert words in warning
    assert settings.in_force == battery_config()
    if kept.startswith("{") and kept != "{":
        more = kept[:-1] + ', "Limiter/MaxDischargeCurrent": {"value": 40, "file": 150}}'
        assert len(settings.load(more)) == 1
        assert settings.on_bus[DISCHARGE] == 40


def test_a_value_put_there_by_hand_needs_no_memory_of_the_file() -> None:
    settings = live()
    assert settings.load('{"Limiter/MaxChargeCurrent": 60}') == []
    assert json.loads(settings.record()) == {"Limiter/MaxChargeCurrent": {"value": 60, "file": 100}}


def test_kept_values_that_fit_only_together_are_taken_without_the_one_that_does_not() -> None:
    settings = live()
    kept = {"Limiter/Cv1": 3.46, "Limiter/Cv2": 3.48, "Limiter/MaxChargeCurrent": 900}
    (warning,) = settings.load(json.dumps(kept))
    assert warning.startswith("Limiter/MaxChargeCurrent: 900 A")
    assert (settings.on_bus[CV1], settings.on_bus[CV2]) == (3.46, 3.48)


def test_what_was_decided_before_a_late_store_came_wins() -> None:
    settings = live()
    settings.change({CHARGE: 60})
    settings.load('{"Limiter/MaxChargeCurrent": 90, "Limiter/MaxDischargeCurrent": 40}')
    assert (settings.on_bus[CHARGE], settings.on_bus[DISCHARGE]) == (60, 40)


def test_even_a_restore_before_a_late_store_came_wins() -> None:
    settings = live()
    settings.change({RESTORE: "Limiter/MaxChargeCurrent"})
    settings.load('{"Limiter/MaxChargeCurrent": 90}')
    assert settings.on_bus[CHARGE] == 100


def test_a_store_that_was_changed_by_hand_while_we_run_wins() -> None:
    settings = live()
    settings.change({CHARGE: 60, CV1: 3.41})
    news = settings.replace('{"Limiter/MaxChargeCurrent": 90}')
    assert sorted(news) == [
        "limiter.cv1 is 3.4 V (was 3.41 V)",
        "limiter.max_charge_current is 90 A (was 60 A)",
    ]
    assert (settings.on_bus[CHARGE], settings.on_bus[CV1]) == (90, 3.4)


# --- in the battery ---------------------------------------------------------------------------


def fed(**changes: Any) -> Bench:
    bench = Bench(**changes)
    bench.feed()
    return bench


@pytest.mark.parametrize("way", ["topic", "batch", "dbus"])
def test_a_setting_comes_by_every_door(way: str) -> None:
    bench = fed()
    if way == "topic":
        bench.mqtt(CHARGE, '{"value": 60}')
    elif way == "batch":
        bench.batch({"Settings": {"Limiter": {"MaxChargeCurrent": 60}}})
    else:
        assert bench.dbus(CHARGE, 60) == 0
    assert bench[CHARGE] == 60.0
    assert bench.ccl == 60.0, "a tightening acts in the same call"
    assert bench.store.saved == [
        ("RemoteSettings", '{"Limiter/MaxChargeCurrent":{"value":60,"file":100}}')
    ]
    assert bench.rejected == []


def test_a_setting_that_loosens_lets_the_limit_rise_slowly() -> None:
    bench = fed()
    bench.mqtt(CHARGE, "150")
    bench.settle()
    assert (bench[CHARGE], bench.ccl) == (150.0, 100.0)
    bench.pass_time(29, bench.feed)
    assert bench.ccl == 100.0
    bench.pass_time(20, bench.feed)
    assert bench.ccl == 150.0


def test_a_repeated_setting_changes_nothing_and_costs_no_flash() -> None:
    bench = fed()
    bench.mqtt(CHARGE, "60")
    assert bench.dbus(CHARGE, 60.0) == 0
    assert len(bench.store.saved) == 1


def test_a_refused_setting_is_told_with_what_is_in_force() -> None:
    bench = fed()
    assert bench.dbus(CV1, 3.6) == 2
    (answer,) = bench.rejected
    assert answer["path"] == CV1 and answer["value"] == 3.6
    assert answer["reason"] == "3.6 is above cv2 (3.45); 3.4 V stays in force"
    assert bench[CV1] == 3.4 and bench.store.saved == []


def test_a_batch_takes_its_settings_as_a_whole_and_its_measurements_one_by_one() -> None:
    bench = fed()
    bench.batch({"Soc": 77, "Settings": {"Limiter": {"Cv1": 3.46, "Cv2": 3.47}}})
    bench.settle()
    assert (bench["/Soc"], bench[CV1], bench[CV2]) == (77.0, 3.46, 3.47)
    bench.timer.run(1)
    bench.batch({"Soc": 78, "Settings": {"Limiter": {"Cv1": 3.41, "Cv2": 5}}})
    bench.settle()
    assert (bench["/Soc"], bench[CV1], bench[CV2]) == (78.0, 3.46, 3.47)
    assert [answer["path"] for answer in bench.rejected] == [CV2]


def test_the_settings_topic_tells_all_and_can_be_sent_back() -> None:
    bench = fed()
    topic = "virtual-battery/test/settings"
    bench.mqtt(CHARGE, "60")
    bench.mqtt("/Settings/Limiter/ChargeSoc", '{"value": [[80, 1], [90, 0.5]]}')
    bench.settle()
    assert all(retain for at, _, retain in bench.client.published if at == topic)
    told = bench.client.on(topic)[-1]
    assert told["Settings"]["Limiter"]["MaxChargeCurrent"] == 60
    assert told["Settings"]["Limiter"]["Dv1"] == "off"
    other = fed()
    other.batch(told)
    other.settle()
    assert other.client.on(topic)[-1] == told and other.rejected == []


def test_the_settings_topic_is_silent_while_nothing_changes() -> None:
    bench = fed()
    bench.pass_time(5, bench.feed)
    assert len(bench.client.on("virtual-battery/test/settings")) == 1
    bench.battery.publish_again()
    bench.pass_time(2, bench.feed)
    assert len(bench.client.on("virtual-battery/test/settings")) == 2


def test_the_state_names_what_differs_and_does_not_repeat_the_settings() -> None:
    bench = fed()
    bench.mqtt(CHARGE, "60")
    bench.pass_time(2, bench.feed)
    told = [path for path in bench.state["values"] if path.startswith("Settings/")]
    assert told == ["Settings/Changed"]
    assert bench.state["values"]["Settings/Changed"] == "Limiter/MaxChargeCurrent"


def test_freshness_settings_act_at_once() -> None:
    bench = fed()
    bench.pass_time(5)
    bench.batch({"Settings": {"Freshness": {"Aging": 1, "Stale": 3}}})
    assert bench["/Freshness/Stage"] == "stale"
    assert (bench.ccl, bench.dcl) == (0.0, 0.0)


def test_kept_settings_are_in_force_before_the_first_decision_is_seen() -> None:
    bench = fed()
    bench.battery.load_settings('{"Limiter/MaxDischargeCurrent":{"value":40,"file":150}}')
    bench.battery.settle(bench.clock.now)
    assert (bench.dcl, bench[DISCHARGE]) == (40.0, 40.0)
    assert bench.store.saved == [], "what is kept already is not written again"


def test_unusable_kept_settings_are_cleaned_up_once() -> None:
    bench = fed()
    bench.battery.load_settings('{"Limiter/Cv1":9}')
    assert bench.store.saved == [("RemoteSettings", "{}")]


@pytest.mark.promise("accept")
@pytest.mark.parametrize("door", ["mqtt", "dbus"])
@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("measurements", "/Soc", 50),
        ("measurements", "/Alarms/LowSoc", 1),
        ("requests", "/Info/MaxChargeCurrent", 10),
        ("settings", CHARGE, 60),
        ("settings", "/CustomName", "Cellar"),
        ("settings", RESTORE, "all"),
    ],
)
def test_each_door_can_be_closed_to_each_kind(
    door: str, kind: str, path: str, value: object
) -> None:
    others = [k for k in ("measurements", "requests", "settings") if k != kind]
    battery = {"ident": "test", "cells": 16, "chemistry": "lfp", "capacity": 280}
    config = parse({door: {"accept": others}, "batteries": [battery]})
    bench = Bench(config.batteries[0], access=config.access)
    bench.mqtt(path, json.dumps({"value": value}))
    batch_refused = len(bench.rejected)
    code = bench.dbus(path, value)
    assert (batch_refused, code) == ((1, 0) if door == "mqtt" else (0, 2))
    reason = bench.rejected[-1]["reason"]
    name = "MQTT" if door == "mqtt" else "D-Bus"
    assert reason == f"{kind} are not taken over {name}, says {door}.accept"


def test_every_setting_has_a_path_that_says_where_it_comes_from() -> None:
    for path, setting in SETTINGS.items():
        snake = re.sub(r"(?<!^)(?=[A-Z])", "_", path.rsplit("/", 1)[1]).lower()
        assert snake == setting.spec.name
        assert setting.row.doc and setting.row.writable
