"""The real clients, where they are installed. They are large, so ./run test does without them.

NODE_RED             the program node-red; else the one on PATH
HOME_ASSISTANT       a Python with the package homeassistant; several with ":" between
VICTRON_MQTT         a Python with the package victron-mqtt
"""

from __future__ import annotations

import os
import shutil

import pytest


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "home_assistant" in metafunc.fixturenames:
        pythons = os.environ.get("HOME_ASSISTANT", "").split(":")
        metafunc.parametrize("home_assistant", [p or None for p in pythons], indirect=True)


@pytest.fixture
def home_assistant(request: pytest.FixtureRequest) -> str:
    missing = "no Home Assistant: set HOME_ASSISTANT to a Python with the package homeassistant"
    return needed(request.param, missing)


@pytest.fixture(scope="session")
def node_red_program() -> str:
    program = os.environ.get("NODE_RED") or shutil.which("node-red")
    return needed(program, "no Node-RED: set NODE_RED to the program node-red")


@pytest.fixture(scope="session")
def victron_mqtt() -> str:
    missing = "no victron-mqtt: set VICTRON_MQTT to a Python with that package"
    return needed(os.environ.get("VICTRON_MQTT"), missing)


def needed(path: str | None, words: str) -> str:
    if not path:
        pytest.skip(words)
    return path
