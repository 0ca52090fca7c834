"""The lines that ./run prints for pasting: a shell must read them as they are meant."""

import json
import shlex

import pytest
from welcome import Place, welcome

from bridge.core.settings.configuration import BatteryConfig, parse

PLACE = Place(
    port=1884,
    bus_address="unix:path=/a folder/bus",
    portal_id="c0ffee000001",
    instance=3,
    base_topic="virtual-battery",
)


def battery(**more: object) -> BatteryConfig:
    given = {"ident": "virtual", "name": "A", "instance": 1, "cells": 16, "chemistry": "lfp"}
    return parse({"batteries": [{**given, "capacity": 280, **more}]}).batteries[0]


def commands(of: BatteryConfig) -> list[list[str]]:
    lines = welcome(of, PLACE).splitlines()
    return [shlex.split(line) for line in lines if line.startswith("  ")]


def published(of: BatteryConfig, ending: str) -> dict[str, object]:
    """The payload of the line whose topic ends so."""
    (found,) = [words for words in commands(of) if "-m" in words and words[6].endswith(ending)]
    return json.loads(found[found.index("-m") + 1])


def test_every_line_goes_to_the_broker_or_the_bus_of_this_session() -> None:
    for words in commands(battery()):
        if words[0] == "dbus-send":
            assert "--bus=unix:path=/a folder/bus" in words
            assert "--dest=com.victronenergy.battery.virtual" in words
        else:
            assert words[:5] == [words[0], "-h", "127.0.0.1", "-p", "1884"]


def test_writes_go_to_the_portal_and_the_instance_that_the_battery_got() -> None:
    topics = [words[6] for words in commands(battery()) if words[0] == "mosquitto_pub"]

    assert "W/c0ffee000001/battery/3/Voltages/Cell1" in topics


@pytest.mark.parametrize("cells", [1, 4, 16])
def test_the_frame_holds_every_cell_and_a_voltage_that_fits(cells: int) -> None:
    frame = published(battery(cells=cells), "/set")

    assert list(frame["Voltages"]) == [f"Cell{number}" for number in range(1, cells + 1)]
    assert frame["Dc"]["0"]["Voltage"] == pytest.approx(sum(frame["Voltages"].values()), abs=0.01)


@pytest.mark.parametrize("chemistry", ["lfp", "lto", "nmc"])
def test_the_raised_cell_passes_cv2_and_nothing_else(chemistry: str) -> None:
    of = battery(chemistry=chemistry)
    limiter = of.limiter
    resting = published(of, "/set")["Voltages"]["Cell1"]
    raised = published(of, "/Cell1")["value"]

    assert limiter.min_cell_voltage < resting < limiter.cv1
    assert limiter.cv2 <= raised < limiter.max_cell_voltage


def test_the_raised_cell_is_the_3_46_v_of_the_lfp_preset() -> None:
    assert published(battery(), "/Cell1") == {"value": 3.46}
