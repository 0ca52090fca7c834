"""Both sides of the bus, once with our stand-ins and once with the real thing where it is at hand.

VELIB_PYTHON names a folder with the real velib_python, LOCALSETTINGS one with the real
localsettings. Without them only the stand-ins are tested; nothing is skipped and looks green.
"""

import os
from collections.abc import Iterator

import pytest
from pocket import PocketGx

from tests.contract.gx_of_parts import started
from tests.contract.subject_process import Subject
from tests.harness.bus_client import SETTINGS_SERVICE, BusClient

VELIBS = {"velib stand-in": "", "real velib": os.environ.get("VELIB_PYTHON", "")}
SETTINGS = {"settings stand-in": "", "real localsettings": os.environ.get("LOCALSETTINGS", "")}


def _at_hand(folders: dict[str, str]) -> list[str]:
    return [name for name, folder in folders.items() if folder or "stand-in" in name]


@pytest.fixture(scope="module", params=_at_hand(VELIBS))
def velib(request: pytest.FixtureRequest) -> str:
    """The folder of the velib_python to use; empty for the stand-in."""
    return VELIBS[request.param]


@pytest.fixture(scope="module", params=_at_hand(SETTINGS))
def localsettings(request: pytest.FixtureRequest) -> str:
    """The folder of the settings service to use; empty for the stand-in."""
    return SETTINGS[request.param]


@pytest.fixture(scope="module")
def velib_gx(velib: str) -> Iterator[PocketGx]:
    with started(velib, settings=False, system=False) as gx:
        yield gx


@pytest.fixture
def subject(velib_gx: PocketGx) -> Iterator[Subject]:
    """A process with velib_python; see subject.py for the names it knows."""
    process = Subject(velib_gx)
    yield process
    process.end()


@pytest.fixture
def client(velib_gx: PocketGx) -> Iterator[BusClient]:
    """A client of the service that the subject offers."""
    with BusClient(velib_gx, "com.victronenergy.battery.subject") as client:
        yield client


@pytest.fixture
def settings_gx(localsettings: str) -> Iterator[PocketGx]:
    """A pocket GX with blank settings."""
    with started(localsettings=localsettings, system=False) as gx:
        yield gx


@pytest.fixture
def settings(settings_gx: PocketGx) -> Iterator[BusClient]:
    """A client of the settings service."""
    with BusClient(settings_gx, SETTINGS_SERVICE) as client:
        yield client
