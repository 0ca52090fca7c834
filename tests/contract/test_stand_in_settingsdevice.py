"""The stand-in forgives nothing that one of the real velib_pythons in the field does not.

So these are no part of the contract: they hold for our stand-in alone, and each for some of the
real ones. A bridge that lives with the stand-in lives with all of them.
"""

from collections.abc import Iterator

import pytest
from gx_of_parts import started
from onlooker import Onlooker, Subject, until
from pocket import PocketGx


@pytest.fixture
def strict_gx() -> Iterator[PocketGx]:
    with started(system=False) as gx:
        yield gx


@pytest.fixture
def program(strict_gx: PocketGx) -> Iterator[Subject]:
    process = Subject(strict_gx)
    process("""
        def limit_of(ident, connection):
            offer = {'limit': [f'/Settings/Devices/{ident}/Limit', 1, 0, 0]}
            return SettingsDevice(connection, offer, None)
    """)
    yield process
    process.end()


@pytest.fixture
def settings(strict_gx: PocketGx) -> Iterator[Onlooker]:
    client = Onlooker(strict_gx, "com.victronenergy.settings")
    yield client
    client.close()


def test_a_device_from_before_a_restart_is_deaf(
    program: Subject, settings: Onlooker, strict_gx: PocketGx
) -> None:
    program("old = limit_of('a', bus)")
    strict_gx.stop_settings()
    strict_gx.start_settings()
    program("new = limit_of('b', bus)")
    for ident in "ab":
        settings.set(f"/Settings/Devices/{ident}/Limit", 2)
    until(lambda: program("new['limit']") == 2)
    assert program("old['limit']") == 1


def test_all_are_deaf_when_the_first_connection_is_closed(
    program: Subject, settings: Onlooker
) -> None:
    program("""
        first, second = own_connection(), own_connection()
        one, two = limit_of('a', first), limit_of('b', second)
        second.add_signal_receiver(lambda changes: heard.append(1), 'PropertiesChanged')
        first.close()
    """)
    settings.set("/Settings/Devices/b/Limit", 2)
    until(lambda: program("heard") == [1])
    assert program("two['limit']") == 1
