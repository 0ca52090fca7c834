"""com.victronenergy.settings on the bus: what it takes, refuses, signals and keeps."""

from pathlib import Path

import dbus
import pytest
from pocket import PocketGx

from tests.harness.bus_client import BusClient
from tests.harness.waiting import wait_for

SETTINGS = "com.victronenergy.Settings"
NAME = "/Settings/Devices/virtual/CustomName"
LIMIT = "/Settings/Devices/virtual/Limit"
INSTANCE = "/Settings/Devices/virtual/ClassAndVrmInstance"


def add(settings: BusClient, path: str, default: object, low: object = 0, high: object = 0) -> dict:
    """Add one setting by AddSettings, and give its answer without the path."""
    definition = {"path": path, "default": default, "min": low, "max": high}
    [answer] = settings.call("/", "AddSettings", [definition], signature="aa{sv}", on=SETTINGS)
    assert answer.pop("path") == path
    return answer


# Adding


@pytest.mark.parametrize(
    ("default", "on_the_wire"),
    [(7, dbus.Int32), (3.5, dbus.Double), ("text", dbus.String)],
)
def test_a_new_setting_has_its_default(
    settings: BusClient, default: object, on_the_wire: type
) -> None:
    assert add(settings, LIMIT, default) == {"error": 0, "value": default}
    assert settings.get(LIMIT) == settings.call(LIMIT, "GetDefault") == default
    assert type(settings.get(LIMIT)) is on_the_wire
    assert settings.text(LIMIT) == str(default)
    assert type(settings.text(LIMIT)) is dbus.String


@pytest.mark.parametrize(
    ("path", "default", "low", "high", "error"),
    [
        pytest.param("/Settings/_A", 1, 0, 0, -2, id="leading underscore"),
        pytest.param(LIMIT, True, 0, 0, -3, id="bool"),
        pytest.param(LIMIT, [1], 0, 0, -3, id="list"),
        pytest.param("/Settings/Taken", 1.5, 0, 0, -5, id="another type"),
        pytest.param(INSTANCE, "battery", 0, 0, -6, id="instance without a number"),
        pytest.param(INSTANCE, "battery:one", 0, 0, -6, id="instance with a word"),
        pytest.param(LIMIT, 11, 1, 10, -7, id="above the range"),
        pytest.param(LIMIT, 0.5, 1.0, 10.0, -7, id="below the range"),
        pytest.param("/Settings/Group", 1, 0, 0, -8, id="a group"),
        pytest.param("/Elsewhere/A", 1, 0, 0, -9, id="outside of /Settings"),
    ],
)
def test_bad_definitions_are_refused(
    settings: BusClient, path: str, default: object, low: object, high: object, error: int
) -> None:
    add(settings, "/Settings/Taken", 1)
    add(settings, "/Settings/Group/A", 1)
    before = settings.call("/", "GetItems")
    assert add(settings, path, default, low, high) == {"error": error}
    assert settings.call("/", "GetItems") == before


def test_one_bad_definition_does_not_hinder_the_others(settings: BusClient) -> None:
    definitions = dbus.Array(
        [{"path": NAME, "default": "a"}, {"default": 1}, {"path": LIMIT, "default": 2}],
        signature="a{sv}",
    )
    answers = settings.call("/", "AddSettings", definitions, signature="aa{sv}", on=SETTINGS)
    assert answers == [
        {"path": NAME, "error": 0, "value": "a"},
        {"error": -4},
        {"path": LIMIT, "error": 0, "value": 2},
    ]


@pytest.mark.parametrize("method", ["AddSetting", "AddSilentSetting"])
def test_adding_one_by_one(settings: BusClient, method: str) -> None:
    """The way of velib_python before 2025."""
    for kind, default, error in [("i", 5, 0), ("i", 5, 0), ("f", 5.0, -5), ("x", 5, -3)]:
        arguments = ("", "Devices/virtual/Limit", default, kind, 1, 10)
        signature = "ssvsvv"
        answer = settings.call("/Settings", method, *arguments, signature=signature, on=SETTINGS)
        assert answer == error
    attributes = settings.call(LIMIT, "GetAttributes", on=SETTINGS)
    assert attributes == (5, 1, 10, int(method == "AddSilentSetting"))


def test_a_group_name_is_put_before_the_path(settings: BusClient) -> None:
    arguments = ("Devices", "virtual/CustomName", "a", "s", 0, 0)
    settings.call("/Settings", "AddSetting", *arguments, signature="ssvsvv", on=SETTINGS)
    assert settings.get(NAME) == "a"


def test_a_value_is_kept_when_its_setting_is_added_again(settings: BusClient) -> None:
    add(settings, LIMIT, 5, 1, 10)
    settings.set(LIMIT, 9)
    assert add(settings, LIMIT, 6, 1, 7) == {"error": 0, "value": 9}
    assert settings.get(LIMIT) == 9
    assert settings.call(LIMIT, "GetAttributes", on=SETTINGS) == (6, 1, 7, 0)
    assert settings.set(LIMIT, 8) == -1


def test_adding_is_signalled_once(settings: BusClient) -> None:
    for _ in range(2):
        add(settings, LIMIT, 5, 1, 10)
    changes = {"Value": 5, "Text": "5", "Default": 5, "Min": 1, "Max": 10}
    assert settings.heard() == [(LIMIT, "PropertiesChanged", changes)]


# Writing


@pytest.mark.parametrize(
    ("definition", "written", "code", "value"),
    [
        pytest.param((5, 1, 10), 10, 0, 10, id="in range"),
        pytest.param((5, 1, 10), 5, 0, 5, id="equal"),
        pytest.param((5, 1, 10), 11, -1, 5, id="above"),
        pytest.param((5, 1, 10), 0, -1, 5, id="below"),
        pytest.param((5, 1, 10), "7", 0, 7, id="a number as text"),
        pytest.param((5, 1, 10), "seven", -1, 5, id="a word"),
        pytest.param((5, 1, 10), dbus.Array([], "i"), -1, 5, id="nothing"),
        pytest.param((5.0, 1.0, 10.0), dbus.Int32(7), 0, 7.0, id="an integer for a float"),
        pytest.param((5, 0, 0), -1000, 0, -1000, id="0 with 0 is no range"),
        pytest.param((-5, -10, 0), 1, -1, -5, id="0 alone is a limit"),
        pytest.param(("a", 1, 2), "zzz", 0, "zzz", id="text has no range"),
        pytest.param(("a", 0, 0), "", 0, "", id="empty text"),
    ],
)
def test_writing(
    settings: BusClient, definition: tuple, written: object, code: int, value: object
) -> None:
    default, low, high = definition
    add(settings, LIMIT, default, low, high)
    settings.heard()
    assert settings.set(LIMIT, written) == code
    assert settings.get(LIMIT) == value
    assert type(settings.get(LIMIT)) is type(settings.call(LIMIT, "GetDefault"))
    changed = value != default
    change = {"Value": value, "Text": str(value)}
    assert settings.heard() == [(LIMIT, "PropertiesChanged", change)] * changed


def test_limits_and_default(settings: BusClient) -> None:
    add(settings, LIMIT, 5.5, 1.5, 10.5)
    add(settings, NAME, "a", 1, 2)
    asked = ("GetMin", "GetMax", "GetDefault")
    assert [settings.call(LIMIT, method) for method in asked] == [1.5, 10.5, 5.5]
    assert [settings.call(NAME, method) for method in asked] == [0, 0, "a"]
    settings.set(LIMIT, 2.5)
    assert settings.call(LIMIT, "SetDefault") == 0
    assert settings.get(LIMIT) == 5.5


def test_items_and_groups(settings: BusClient) -> None:
    add(settings, LIMIT, 5, 1, 10)
    add(settings, NAME, "a")
    items = settings.call("/", "GetItems")
    assert items[LIMIT] == {"Value": 5, "Text": "5", "Default": 5, "Min": 1, "Max": 10}
    assert items[NAME] == {"Value": "a", "Text": "a", "Default": "a"}
    assert settings.get("/Settings/Devices/virtual") == {"Limit": 5, "CustomName": "a"}
    assert settings.get("/Settings/Devices") == {"virtual/Limit": 5, "virtual/CustomName": "a"}
    assert settings.text("/Settings/Devices/virtual") == {"Limit": "5", "CustomName": "a"}


def test_removing(settings: BusClient) -> None:
    add(settings, LIMIT, 5)
    settings.heard()
    names = [LIMIT, "/Settings/Unknown"]
    assert settings.call("/", "RemoveSettings", names, signature="as", on=SETTINGS) == [0, -1]
    assert settings.heard() == [(LIMIT, "PropertiesChanged", {"Value": [], "Text": ""})]
    for gone in (LIMIT, "/Settings/Devices/virtual"):
        with pytest.raises(dbus.DBusException, match="UnknownObject"):
            settings.get(gone)


def test_a_group_cannot_be_written(settings: BusClient) -> None:
    add(settings, LIMIT, 5)
    with pytest.raises(dbus.DBusException, match="UnknownMethod"):
        settings.set("/Settings/Devices/virtual", 6)


# Device instances


def instance_of(device: str) -> str:
    return f"/Settings/Devices/{device}/ClassAndVrmInstance"


def test_instances_are_unique_in_their_class(settings: BusClient) -> None:
    wanted = {"a": "battery:1", "b": "battery:1", "c": "battery:1", "d": "tank:1"}
    given = {
        device: add(settings, instance_of(device), instance)["value"]
        for device, instance in wanted.items()
    }
    assert given == {"a": "battery:1", "b": "battery:2", "c": "battery:3", "d": "tank:1"}


def test_an_instance_is_moved_on_when_it_is_written(settings: BusClient) -> None:
    for device, instance in [("a", "battery:1"), ("b", "battery:5")]:
        add(settings, instance_of(device), instance)
    settings.heard()
    assert settings.set(instance_of("b"), "battery:1") == 0
    assert settings.get(instance_of("b")) == "battery:2"
    changes = {"Value": "battery:2", "Text": "battery:2"}
    assert settings.heard() == [(instance_of("b"), "PropertiesChanged", changes)]


def test_an_instance_is_not_in_its_own_way(settings: BusClient) -> None:
    for device in "ab":
        add(settings, instance_of(device), "battery:1")
    assert settings.set(instance_of("b"), "battery:1") == 0
    assert settings.get(instance_of("b")) == "battery:2"


def test_an_instance_is_kept_when_it_is_added_again(settings: BusClient) -> None:
    for device in "ab":
        add(settings, instance_of(device), "battery:1")
    assert add(settings, instance_of("b"), "battery:1")["value"] == "battery:2"
    assert add(settings, instance_of("b"), "battery:9")["value"] == "battery:2"


@pytest.mark.parametrize("bad", ["battery", "battery:one", "battery:1:2", ""])
def test_a_bad_instance_is_refused(settings: BusClient, bad: str) -> None:
    add(settings, INSTANCE, "battery:1")
    assert settings.set(INSTANCE, bad) == -1
    assert settings.get(INSTANCE) == "battery:1"


# Keeping


@pytest.fixture
def file(settings_gx: PocketGx, localsettings: str) -> Path:
    return settings_gx.directory / ("settings.xml" if localsettings else "settings.json")


def test_settings_survive_an_orderly_end_at_once(
    settings_gx: PocketGx, settings: BusClient
) -> None:
    add(settings, INSTANCE, "battery:3")
    add(settings, LIMIT, 5.5, 1.5, 10.5)
    settings.set(LIMIT, 9.25)
    add(settings, NAME, "")
    settings.set(NAME, "Körper & <Akku> \"1\"")
    before = settings.call("/", "GetItems")
    settings_gx.stop_settings()
    settings_gx.start_settings()
    assert settings.call("/", "GetItems") == before
    assert settings.set(LIMIT, 10.75) == -1


def test_settings_survive_kill_9_a_little_later(
    settings_gx: PocketGx, settings: BusClient, file: Path
) -> None:
    add(settings, LIMIT, 5)
    settings.set(LIMIT, 77)
    wait_for(lambda: file.exists() and "77" in file.read_text(), "the change is on the disk")
    settings.set(LIMIT, 78)
    settings_gx.kill_settings()
    settings_gx.start_settings()
    assert settings.get(LIMIT) == 77
    assert settings.text(LIMIT) == "77"


def test_changes_are_gathered_before_they_are_written(settings: BusClient, file: Path) -> None:
    add(settings, LIMIT, 5)
    contents = set()

    def look() -> str:
        text = file.read_text() if file.exists() else ""
        contents.add(text)
        return text

    for value in range(100, 120):
        settings.set(LIMIT, value)
        look()
    wait_for(lambda: "119" in look(), "the last change is on the disk")
    written = {value for value in range(100, 120) for text in contents if str(value) in text}
    assert len(written) < 5, "20 changes at once must not be 20 writes"


def test_removed_settings_stay_removed(settings_gx: PocketGx, settings: BusClient) -> None:
    add(settings, LIMIT, 5)
    add(settings, NAME, "a")
    settings_gx.stop_settings()
    settings_gx.start_settings()
    settings.call("/", "RemoveSettings", [LIMIT], signature="as", on=SETTINGS)
    settings_gx.stop_settings()
    settings_gx.start_settings()
    assert list(settings.get("/Settings/Devices")) == ["virtual/CustomName"]


def test_a_file_that_cannot_be_read_does_not_stop_it(
    settings_gx: PocketGx, settings: BusClient, file: Path
) -> None:
    add(settings, LIMIT, 5)
    settings_gx.stop_settings()
    file.write_text(file.read_text()[:40])
    settings_gx.start_settings()
    assert add(settings, LIMIT, 6) == {"error": 0, "value": 6}
