"""The paths that a configuration names: whether they exist."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.core.paths.gate import PathSpec, Role
from bridge.core.paths.table import path_table
from bridge.core.settings.configuration import BatteryConfig, Config
from bridge.core.text import did_you_mean


def problems_with_paths(config: Config) -> list[str]:
    """What is wrong with the paths that the batteries name, each with its place."""
    problems = []
    for number, battery in enumerate(config.batteries):
        words = _problem_with_counter(battery, path_table(battery.cells))
        if words:
            problems.append(f"batteries[{number}].freshness.moves: {words}")
    return problems


def _problem_with_counter(battery: BatteryConfig, paths: Mapping[str, PathSpec]) -> str:
    name = battery.freshness.moves
    if name is None:
        return ""
    spec = paths.get(name)
    if spec is None:
        return f"there is no path {name}" + did_you_mean(name, paths)
    if spec.role is not Role.MEASUREMENT or spec.quantity.kind is str:
        return f"{name} is no number that clients measure"
    return ""
