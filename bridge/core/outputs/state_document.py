"""The state topic: one JSON object that tells everything about one battery."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from bridge.core.limiter.decide import Requests
from bridge.core.limiter.situation import LimiterConfig
from bridge.core.measurements.freshness import Freshness
from bridge.core.model import Decision, Group, Limit, Limits, Request, Value
from bridge.core.paths.gate import LIMIT_AMP, VOLT
from bridge.core.paths.table import CCL_PATH, CVL_PATH, DCL_PATH
from bridge.core.settings.setting_paths import CHANGED, SETTING_ROWS

_TOLD_ELSEWHERE = {CVL_PATH, CCL_PATH, DCL_PATH, *(row.path for row in SETTING_ROWS)} - {CHANGED}
_DECIMALS = Limits(VOLT.decimals, LIMIT_AMP.decimals, LIMIT_AMP.decimals)
_PATHS = Limits(CVL_PATH, CCL_PATH, DCL_PATH)


def state_document(
    values: Mapping[str, Value],
    decision: Decision,
    requests: Requests,
    freshness: Freshness,
    config: LimiterConfig,
    identity: Mapping[str, Value],
    now: float,
) -> dict[str, Any]:
    """The content of the state topic. Ages and waits in s, limits in V and A. now: monotonic s."""
    limits = decision.items()
    return {
        "stage": freshness.stage.word,
        "next": _next(freshness),
        "ages": {group.value: _age(freshness.ages.get(group)) for group in Group},
        "limits": {name: values.get(path) for name, path in _PATHS.items()},
        "rules": {name: limit.rule for name, limit in limits},
        "reasons": {name: limit.reason for name, limit in limits},
        "caps": {name: _caps(limit, _DECIMALS[name]) for name, limit in limits},
        "requests": {
            name: _request(request, now) for name, request in requests.items() if request
        },
        "ceilings": {
            "CVL": round(config.ceiling.cell_voltage * config.cells, 2),
            "CCL": config.ceiling.charge_current,
            "DCL": config.ceiling.discharge_current,
        },
        "identity": dict(identity),
        "values": {
            path[1:]: value
            for path, value in values.items()
            if value is not None and path not in _TOLD_ELSEWHERE
        },
    }


def without_ages(content: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a state document of which a change is worth telling: not that time passes."""
    requests = {name: request["value"] for name, request in content["requests"].items()}
    kept = {key: part for key, part in content.items() if key not in ("next", "ages", "requests")}
    return {**kept, "requests": requests}


def as_json(content: Mapping[str, Any]) -> str:
    """Compact JSON; there is never a NaN in it."""
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _next(freshness: Freshness) -> dict[str, Any] | None:
    if freshness.next_stage is None or freshness.next_in is None:
        return None
    return {"stage": freshness.next_stage.word, "in": round(freshness.next_in, 1)}


def _age(age: float | None) -> float | None:
    return None if age is None or math.isinf(age) else round(age, 1)


def _caps(limit: Limit, decimals: int) -> dict[str, float]:
    return {name: round(cap.value, decimals) for name, cap in limit.caps.items()}


def _request(request: Request, now: float) -> dict[str, float]:
    return {"value": request.value, "age": round(max(0.0, now - request.at), 1)}
