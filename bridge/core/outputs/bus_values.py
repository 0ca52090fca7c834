"""What stands on the bus: measurements, what follows from them, the decision, the alarms."""

from __future__ import annotations

import math
from collections.abc import Mapping

from bridge.core.limiter import LimiterConfig
from bridge.core.measurements.freshness import Freshness
from bridge.core.model import Decision, Group, Limit, Value
from bridge.core.outputs.derived import derive, derive_from_decision
from bridge.core.paths.table import CCL_PATH, CVL_PATH, DCL_PATH, Paths, cell_path
from bridge.core.settings.declarations import FreshnessSettings

AGE_STEP = 5  # s; ages go to the bus in such steps, and only from `aging` on

_REQUEST = "/Info/ChargeRequest"
_AGE_PATHS = {group: f"/Freshness/{group.value.capitalize()}" for group in Group}


def bus_values(
    paths: Paths,
    written: Mapping[str, Value],
    own_alarms: Mapping[str, int],
    decision: Decision,
    freshness: Freshness,
    frame: LimiterConfig,
    settings: FreshnessSettings,
) -> dict[str, Value]:
    """The value of every path that has one now; all others are invalid.

    written: the measurements and alarms on display, already rounded by the gate, over the
    constants of the configuration.
    """
    values: dict[str, Value] = {
        path: paths[path].show(value)
        for path, value in (
            *derive(written, frame.cells).items(),
            *derive_from_decision(decision, freshness.stage).items(),
        )
    }
    values.update(written)
    values.update(_cell_page(values, frame.cells))
    for path, level in own_alarms.items():
        values[path] = max(level, _level(written.get(path)))
    values.update(_limits(paths, decision, frame))
    if decision.charge_request is not None:
        values[_REQUEST] = max(decision.charge_request, _level(written.get(_REQUEST)))
    values.update(_freshness(freshness, settings))
    return values


def _cell_page(values: Mapping[str, Value], cells: int) -> dict[str, Value]:
    """The same cell voltages where the GUI's cell page looks for them."""
    return {
        f"/Battery/1/Cell/{cell}/Voltage": values.get(cell_path(cell))
        for cell in range(1, cells + 1)
    }


def _level(value: Value) -> int:
    return int(value) if isinstance(value, (int, float)) else 0


def _limits(paths: Paths, decision: Decision, frame: LimiterConfig) -> dict[str, Value]:
    limits = {
        CVL_PATH: decision.cvl,
        CCL_PATH: decision.ccl,
        DCL_PATH: decision.dcl,
    }
    low = frame.limiter.discharge_voltage * frame.cells
    return {
        **{path: _shown(paths, path, limit) for path, limit in limits.items()},
        "/Info/BatteryLowVoltage": paths["/Info/BatteryLowVoltage"].show(low),
        "/Info/ChargeMode": decision.charge_mode,
        "/Info/ChargeVoltageLimitation": decision.cvl.rule,
        "/Info/ChargeLimitation": decision.ccl.rule,
        "/Info/DischargeLimitation": decision.dcl.rule,
    }


def _shown(paths: Paths, path: str, limit: Limit) -> Value:
    return None if limit.value is None else paths[path].show_limit(limit.value)


def _freshness(freshness: Freshness, settings: FreshnessSettings) -> dict[str, Value]:
    ages = {
        path: _shown_age(freshness.ages[group], settings.aging) if group in freshness.ages else None
        for group, path in _AGE_PATHS.items()
    }
    return {"/Freshness/Stage": freshness.stage.word, **_next_stage(freshness), **ages}


def _next_stage(freshness: Freshness) -> dict[str, Value]:
    """Nothing while fresh: then each write would move it."""
    if freshness.next_stage is None or freshness.next_in is None or freshness.may_loosen:
        return {}
    seconds = math.ceil(freshness.next_in / AGE_STEP) * AGE_STEP
    return {
        "/Freshness/NextStage": freshness.next_stage.word,
        "/Freshness/NextStageIn": seconds,
    }


def _shown_age(age: float, aging: float) -> Value:
    """0 while fresh: a number that changes every second would cost a signal every second."""
    if math.isinf(age):
        return None
    return 0 if age <= aging else int(age // AGE_STEP) * AGE_STEP
