"""Measurements for tests, by short names."""

from __future__ import annotations

from typing import Any

from bridge.battery.control import INPUTS
from bridge.core.measurements.inputs import (
    CELLS,
    CHARGE_PERMISSION,
    DISCHARGE_PERMISSION,
    MOSFET,
    PACK_CURRENT,
    PACK_VOLTAGE,
    SOC,
    TEMPERATURE,
    Cells,
    Input,
    Measurements,
    Temperatures,
)

_INPUT_OF: dict[str, Input[Any]] = {
    "cells": CELLS,
    "voltage": PACK_VOLTAGE,
    "current": PACK_CURRENT,
    "soc": SOC,
    "mosfet": MOSFET,
    "charge_blocked_by": CHARGE_PERMISSION,
    "discharge_blocked_by": DISCHARGE_PERMISSION,
}


def measured(**fields: Any) -> Measurements:
    """What is measured: `cells` as Cells, `voltage` (V), `current` (A), `soc` (%), `coldest` and
    `hottest` (°C), `mosfet` (°C), `charge_blocked_by`, `silent`, `doubt`, `frozen`. All else is
    unknown."""
    unknown = {source: source.read({}, ()) for source in INPUTS}
    return changed(Measurements({**unknown, CELLS: Cells()}), **fields)


def changed(measurements: Measurements, **fields: Any) -> Measurements:
    """The same with some other fields."""
    readings = dict(measurements.readings)
    silent = fields.pop("silent", measurements.silent)
    doubt = fields.pop("doubt", measurements.doubt)
    frozen = fields.pop("frozen", measurements.frozen)
    if "coldest" in fields or "hottest" in fields:
        coldest, hottest = fields.pop("coldest", None), fields.pop("hottest", None)
        told = [degrees for degrees in (coldest, hottest) if degrees is not None]
        readings[TEMPERATURE] = Temperatures(min(told), max(told)) if told else None
    for name, value in fields.items():
        readings[_INPUT_OF[name]] = value
    return Measurements(readings, silent, doubt, frozen)
