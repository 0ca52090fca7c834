"""What each way in takes, as the configuration says."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.core.access import EVERYTHING, Kind
from bridge.core.configuration import BadConfiguration, Config, parse
from bridge.core.gate import WRITABLE
from bridge.core.model import Refused
from bridge.core.overview import overview


def configured(**doors: Any) -> Config:
    battery = {"ident": "test", "cells": 16, "chemistry": "lfp", "capacity": 280}
    return parse({**doors, "batteries": [battery]})


def test_everything_is_taken_where_nothing_is_said() -> None:
    doors = configured().doors
    assert doors.mqtt.accept == doors.dbus.accept == EVERYTHING
    for role in WRITABLE:
        doors.mqtt.check(role)
        doors.dbus.check(role)


def test_a_door_can_be_closed_altogether() -> None:
    doors = configured(dbus={"accept": []}).doors
    for role in WRITABLE:
        doors.mqtt.check(role)
        with pytest.raises(Refused, match=r"are not taken over D-Bus, says dbus\.accept"):
            doors.dbus.check(role)


def test_what_will_be_taken_is_told_before_it_runs() -> None:
    told = overview(configured(mqtt={"accept": ["measurements"]}, dbus={"accept": []}))
    assert "taken over MQTT: measurements\ntaken over D-Bus: nothing\n" in told
    assert configured(mqtt={"accept": ["requests"]}).doors.mqtt.accept == (Kind.REQUESTS,)


@pytest.mark.parametrize(
    ("doors", "words"),
    [
        ({"mqtt": {"accept": ["setting"]}}, 'mqtt.accept: \'setting\' is none of measurements, '
         'requests, settings; did you mean "settings"?'),
        ({"dbus": {"accept": "settings"}}, "dbus.accept: must be a list"),
        ({"dbus": {"acept": []}}, 'dbus.acept: is not a known key; did you mean "accept"?'),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(doors: dict[str, Any], words: str) -> None:
    with pytest.raises(BadConfiguration) as bad:
        configured(**doors)
    (problem,) = bad.value.problems
    assert words in problem
