"""settingsdevice as a battery service meets it, with a settings service behind it."""

from collections.abc import Iterator

import pytest
from gx_of_parts import started
from onlooker import Onlooker, Subject, SubjectError, until
from pocket import PocketGx

OFFER = """{
    'instance': ['/Settings/Devices/virtual/ClassAndVrmInstance', 'battery:1', 0, 0],
    'name': ['/Settings/Devices/virtual/CustomName', '', 0, 0],
    'limit': ['/Settings/Devices/virtual/Limit', 5.5, 1.0, 10.0],
    'count': ['/Settings/Devices/virtual/Count', 5, 0, 0, True],
}"""
LIMIT = "/Settings/Devices/virtual/Limit"
INSTANCE = "/Settings/Devices/virtual/ClassAndVrmInstance"
# Also called when a setting is added, with the value that it has already.
HEAR = "lambda name, old, new: old != new and heard.append([name, old, new])"


@pytest.fixture
def device_gx(velib: str, localsettings: str) -> Iterator[PocketGx]:
    with started(velib, localsettings, system=False) as gx:
        yield gx


@pytest.fixture
def program(device_gx: PocketGx) -> Iterator[Subject]:
    process = Subject(device_gx)
    yield process
    process.end()


@pytest.fixture
def settings(device_gx: PocketGx) -> Iterator[Onlooker]:
    client = Onlooker(device_gx, "com.victronenergy.settings")
    yield client
    client.close()


def values(program: Subject, device: str = "device") -> dict[str, object]:
    return program(f"{{name: {device}[name] for name in ('instance', 'name', 'limit', 'count')}}")


def test_new_settings_have_their_defaults(program: Subject, settings: Onlooker) -> None:
    program(f"device = SettingsDevice(bus, {OFFER}, None)")
    expected = {"instance": "battery:1", "name": "", "limit": 5.5, "count": 5}
    assert values(program) == expected
    assert program("[type(device[name]).__name__ for name in ('name', 'limit', 'count')]") == [
        "str",
        "float",
        "int",
    ]
    assert settings.get(LIMIT) == 5.5
    silent = settings.call(
        "/Settings/Devices/virtual/Count", "GetAttributes", on="com.victronenergy.Settings"
    )[3]
    assert silent == 1


def test_a_write_is_kept_and_heard(program: Subject, settings: Onlooker) -> None:
    program(f"device = SettingsDevice(bus, {OFFER}, {HEAR})")
    program("device['limit'] = 7.5")
    assert settings.get(LIMIT) == 7.5
    until(lambda: program("heard") == [["limit", 5.5, 7.5]])
    assert program("device['limit']") == 7.5


def test_a_write_from_elsewhere_is_heard(program: Subject, settings: Onlooker) -> None:
    program(f"device = SettingsDevice(bus, {OFFER}, {HEAR})")
    settings.set(LIMIT, 8.5)
    until(lambda: program("heard") == [["limit", 5.5, 8.5]])
    assert program("device['limit']") == 8.5


def test_without_a_callback_the_value_follows_all_the_same(
    program: Subject, settings: Onlooker
) -> None:
    program(f"device = SettingsDevice(bus, {OFFER}, None)")
    settings.set(LIMIT, 8.5)
    until(lambda: program("device['limit']") == 8.5)


def test_a_refused_write_raises_and_changes_nothing(program: Subject, settings: Onlooker) -> None:
    program(f"device = SettingsDevice(bus, {OFFER}, {HEAR})")
    for refused in ("device['limit'] = 10.5", "device['instance'] = 'battery'"):
        with pytest.raises(SubjectError, match="AssertionError"):
            program(refused)
    with pytest.raises(SubjectError, match="KeyError"):
        program("device['unknown'] = 1")
    assert values(program) == {"instance": "battery:1", "name": "", "limit": 5.5, "count": 5}
    assert settings.get(LIMIT) == 5.5
    assert program("heard") == []


def test_an_instance_that_is_taken_is_moved_on(program: Subject) -> None:
    """What was asked for is not what one gets: it has to be read back."""
    program("""
        def settings_of(ident, instance):
            path = f'/Settings/Devices/{ident}/ClassAndVrmInstance'
            return SettingsDevice(bus, {'instance': [path, instance, 0, 0]}, None)
        first, second = settings_of('first', 'battery:1'), settings_of('second', 'battery:1')
    """)
    assert program("[first['instance'], second['instance']]") == ["battery:1", "battery:2"]
    program("second['instance'] = 'battery:7'")
    until(lambda: program("second['instance']") == "battery:7")
    program("second['instance'] = 'battery:1'")
    until(lambda: program("second['instance']") == "battery:2")


def test_kept_values_win_over_new_defaults(program: Subject, settings: Onlooker) -> None:
    program(f"device = SettingsDevice(bus, {OFFER}, None)")
    settings.set(LIMIT, 8.5)
    program(f"again = SettingsDevice(bus, {OFFER.replace('5.5', '2.5')}, None)")
    assert values(program, "again")["limit"] == 8.5
    assert settings.call(LIMIT, "GetDefault") == 2.5


def test_settings_can_be_added_later(program: Subject, settings: Onlooker) -> None:
    program(f"device = SettingsDevice(bus, {{}}, {HEAR})")
    program(f"device.addSettings({OFFER})")
    assert program("device['limit']") == 5.5
    settings.set(LIMIT, 8.5)
    until(lambda: ["limit", 5.5, 8.5] in program("heard"))


def test_a_refused_setting_does_not_hinder_the_others(program: Subject) -> None:
    refused = OFFER.replace("'/Settings/Devices/virtual/Count', 5, 0, 0", "'/Settings/X', 5, 6, 7")
    program(f"device = SettingsDevice(bus, {refused}, None)")
    assert program("device['limit']") == 5.5


def test_two_connections_in_one_process(program: Subject, settings: Onlooker) -> None:
    """Several batteries: each with its own connection and settings."""
    program(f"one = SettingsDevice(own_connection(), {OFFER}, {HEAR})")
    other = OFFER.replace("virtual", "other")
    program(f"two = SettingsDevice(own_connection(), {other}, {HEAR})")
    assert program("two['instance']") == "battery:2"
    settings.set(LIMIT.replace("virtual", "other"), 8.5)
    until(lambda: program("heard"))
    assert program("[heard, one['limit'], two['limit']]") == [[["limit", 5.5, 8.5]], 5.5, 8.5]


def test_no_settings_service_in_time_is_an_error(program: Subject, device_gx: PocketGx) -> None:
    device_gx.stop_settings()
    with pytest.raises(SubjectError, match=r"^Exception$"):
        program(f"SettingsDevice(bus, {OFFER}, None)")
    with pytest.raises(SubjectError, match=r"^Exception$"):
        program(f"SettingsDevice(bus, {OFFER}, None, timeout=1)")
    device_gx.start_settings()
    assert program(f"SettingsDevice(bus, {OFFER}, None, timeout=1)['limit']") == 5.5


def test_a_late_settings_service_is_waited_for(program: Subject, device_gx: PocketGx) -> None:
    device_gx.stop_settings()
    program.begin(f"device = SettingsDevice(bus, {OFFER}, None, timeout=30)")
    device_gx.start_settings()
    program.finish()
    assert program("device['limit']") == 5.5


def test_after_a_restart_of_the_settings_service_a_new_device_serves(
    program: Subject, settings: Onlooker, device_gx: PocketGx
) -> None:
    program(f"device = SettingsDevice(bus, {OFFER}, None)")
    program("device['limit'] = 7.5")
    until(lambda: program("device['limit']") == 7.5)
    device_gx.stop_settings()
    with pytest.raises(SubjectError, match="DBusException"):
        program("device['limit'] = 8.5")
    assert program("device['limit']") == 7.5
    device_gx.start_settings()

    program(f"device = SettingsDevice(bus, {OFFER}, {HEAR})")
    assert program("device['limit']") == 7.5
    settings.set(LIMIT, 9.5)
    until(lambda: program("heard") == [["limit", 7.5, 9.5]])
    program("device['instance'] = 'battery:4'")
    assert settings.get(INSTANCE) == "battery:4"
