"""What each way in takes, as the configuration says."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.core.model import Refused
from bridge.core.paths.access import EVERYTHING, Kind
from bridge.core.paths.gate import WRITABLE
from bridge.core.settings.configuration import BadConfiguration, Config, parse
from bridge.tools.overview import overview


def configured(**access: Any) -> Config:
    battery = {"ident": "test", "cells": 16, "chemistry": "lfp", "capacity": 280}
    return parse({**access, "batteries": [battery]})


def test_everything_is_taken_where_nothing_is_said() -> None:
    access = configured().access
    assert access.mqtt.accept == access.dbus.accept == EVERYTHING
    for role in WRITABLE:
        access.mqtt.check(role)
        access.dbus.check(role)


def test_a_door_can_be_closed_altogether() -> None:
    access = configured(dbus={"accept": []}).access
    for role in WRITABLE:
        access.mqtt.check(role)
        with pytest.raises(Refused, match=r"are not taken over D-Bus, says dbus\.accept"):
            access.dbus.check(role)


def test_what_will_be_taken_is_told_before_it_runs() -> None:
    told = overview(configured(mqtt={"accept": ["measurements"]}, dbus={"accept": []}))
    assert "taken over MQTT: measurements\ntaken over D-Bus: nothing\n" in told
    assert configured(mqtt={"accept": ["requests"]}).access.mqtt.accept == (Kind.REQUESTS,)


@pytest.mark.parametrize(
    ("access", "words"),
    [
        ({"mqtt": {"accept": ["setting"]}}, 'mqtt.accept: \'setting\' is none of measurements, '
         'requests, settings; did you mean "settings"?'),
        ({"dbus": {"accept": "settings"}}, "dbus.accept: must be a list"),
        ({"dbus": {"acept": []}}, 'dbus.acept: is not a known key; did you mean "accept"?'),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(access: dict[str, Any], words: str) -> None:
    with pytest.raises(BadConfiguration) as bad:
        configured(**access)
    (problem,) = bad.value.problems
    assert words in problem
