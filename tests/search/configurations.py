"""Random configurations of a battery, and random values of its settings.

Some settings are those with which a limiter is used; a few come from their whole range.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

from bridge.core.settings import declarations as kinds
from bridge.core.settings.configuration import BadConfiguration
from bridge.core.settings.presets import PRESETS
from bridge.core.settings.setting_paths import SETTINGS, Setting
from tests.unit.doubles import battery_config

SMALL = 0.2
"""Ah. So small a battery is full within a script; most others never are."""

TRIES = 5
"""How often settings from the whole range are drawn: many contradict each other."""


def random_configuration(random: Random) -> dict[str, Any]:
    """Keys of the file, see `battery_config`. They are valid."""
    usual = _usual(random)
    if random.random() < 0.5:
        return usual
    for _ in range(TRIES):
        unusual = _with_any_settings(usual, random)
        if is_valid(unusual):
            return unusual
    return usual


def is_valid(config: Mapping[str, Any]) -> bool:
    """Whether the bridge would start with it."""
    try:
        battery_config(**config)
    except BadConfiguration:
        return False
    return True


def _usual(random: Random) -> dict[str, Any]:
    chemistry = random.choice(("lfp", "lto", "nmc"))
    aging = random.choice((3, 10, 15, 30))
    stale = aging + random.choice((0, 5, 45))
    limiter: dict[str, Any] = {
        "max_charge_current": 100,
        "max_charge_current_above_cv1": 50,
        "max_charge_current_above_cv2": 10,
        "max_discharge_current": 150,
        "current_hold": random.choice((0, 3, 30)),
        "current_rise": random.choice((0.05, 0.5, 1.0)),
        "voltage_hold": random.choice((0, 5, 60)),
        "voltage_rise": random.choice((0.01, 0.5)),
    }
    _perhaps(random, limiter, "taper", "linear")
    _perhaps(random, limiter, "charge_soc", [[80, 1], [90, 0.5], [100, 0.1]])
    _perhaps(random, limiter, "discharge_soc", [[5, 0], [20, 1]])
    _perhaps(random, limiter, "mosfet_temperature", [[70, 1], [80, 0.25], [90, 0]])
    _perhaps(random, limiter, "imbalance", [[0.05, 1], [0.1, 0.3], [0.2, 0.02]])
    _perhaps(random, limiter, "block_release", random.choice((5, 20)))
    _perhaps(random, limiter, "slide", "on")
    if random.random() < 0.3:
        least = PRESETS[chemistry]["min_cell_voltage"]
        limiter |= {"dv1": least + 0.2, "max_discharge_current_below_dv1": 75}
        limiter |= {"dv2": least + 0.1, "max_discharge_current_below_dv2": 20}
    return {
        "cells": random.choice((2, 2, 3, 4)),
        "chemistry": chemistry,
        "capacity": random.choice((280, SMALL)),
        "ceiling": {
            "charge_current": random.choice((100, 200)),
            "discharge_current": random.choice((150, 250)),
        },
        "limiter": limiter,
        "freshness": {
            "aging": aging,
            "stale": stale,
            "lost": stale + random.choice((0, 30, 500)),
            "grace": random.choice((0, 10, 60)),
            "on_lost": random.choice(("hold", "hold", "withdraw")),
            "required": random.choice(
                (["cells", "dc"], ["cells", "dc"], ["dc"], ["cells"], ["cells", "dc", "flags"])
            ),
        },
        "failsafe": {
            "charge_current": random.choice((0, 0, 5)),
            "discharge_current": random.choice((0, 0, 20)),
        },
        "plausibility": {"cell_voltage_step": random.choice((0, 0.5, 0.5, 0.1))},
        "requests": {"expire": random.choice((0, 0, 20, 300))},
    }


def _perhaps(random: Random, section: dict[str, Any], name: str, value: Any) -> None:
    if random.random() < 0.25:
        section[name] = value


def _with_any_settings(usual: dict[str, Any], random: Random) -> dict[str, Any]:
    """With a pair of settings from their whole range; beyond a ceiling, the file raises it."""
    config = usual
    for path in random.sample(sorted(SETTINGS), 2):
        setting = SETTINGS[path]
        section = config.get(setting.section, {})
        changed = {**section, setting.spec.name: some_value(setting, random)}
        config = {**config, setting.section: changed}
    return config


def some_value(setting: Setting, random: Random) -> Any:
    """A value of a setting: the file's kind of value, an extreme one, or off."""
    spec = setting.spec
    if spec.kind == kinds.NUMBER:
        ends = [spec.low, spec.high, spec.high]
        if setting.may_be_off:
            ends.append("off")  # type: ignore[arg-type]
        if spec.unit == "s":
            ends += [0.0, 5.0, 20.0, 200.0, 300.0, 300.0, 86400.0]
        if spec.unit in ("A", "V", "1/s", "V/s", "%", ""):
            ends += [round(random.uniform(spec.low, min(spec.high, 200.0)), 3) for _ in range(3)]
        return random.choice(ends)
    if spec.kind == kinds.CHOICE:
        return random.choice(spec.choices)
    if spec.kind == kinds.GROUPS:
        return random.choice((["soc"], ["dc"], ["cells", "dc"], ["flags"], ["cells"], "off"))
    if spec.kind == kinds.TABLE:
        low, high = spec.low, spec.high
        y = [round(random.uniform(spec.y_low, spec.y_high), 2) for _ in range(3)]
        tables: list[Any] = [
            "off",
            [[low, spec.y_high], [high, spec.y_high]],
            [[low, spec.y_low], [high, spec.y_low]],
            [[low, y[0]], [(low + high) / 2, y[1]], [high, y[2]]],
        ]
        return random.choice(tables)
    level = round(random.uniform(spec.low, spec.high), 2)
    return random.choice(("off", [level, level]))
