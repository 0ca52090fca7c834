"""The state topic: one JSON object that tells everything about one battery."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from bridge.core.limiter import LimiterConfig, Requests
from bridge.core.measurements.freshness import Freshness
from bridge.core.model import Decision, Group, Limit, Request, Value
from bridge.core.paths.gate import LIMIT_AMP, VOLT
from bridge.core.paths.table import CCL_PATH, CVL_PATH, DCL_PATH
from bridge.core.settings.setting_paths import CHANGED, SETTING_ROWS

_TOLD_ELSEWHERE = {CVL_PATH, CCL_PATH, DCL_PATH, *(row.path for row in SETTING_ROWS)} - {CHANGED}
_DECIMALS = {"CVL": VOLT.decimals, "CCL": LIMIT_AMP.decimals, "DCL": LIMIT_AMP.decimals}


def state_document(
    values: Mapping[str, Value],
    decision: Decision,
    requests: Requests,
    freshness: Freshness,
    frame: LimiterConfig,
    identity: Mapping[str, Value],
    now: float,
) -> dict[str, Any]:
    """The content of the state topic. Ages and waits in s, limits in V and A."""
    limits = {"CVL": decision.cvl, "CCL": decision.ccl, "DCL": decision.dcl}
    wishes = {"CVL": requests.cvl, "CCL": requests.ccl, "DCL": requests.dcl}
    limit_paths = {"CVL": CVL_PATH, "CCL": CCL_PATH, "DCL": DCL_PATH}
    return {
        "stage": freshness.stage.word,
        "next": _next(freshness),
        "ages": {group.value: _age(freshness.ages.get(group)) for group in Group},
        "limits": {name: values.get(path) for name, path in limit_paths.items()},
        "rules": {name: limit.rule for name, limit in limits.items()},
        "reasons": {name: limit.reason for name, limit in limits.items()},
        "caps": {name: _caps(limit, _DECIMALS[name]) for name, limit in limits.items()},
        "requests": {name: _wish(wish, now) for name, wish in wishes.items() if wish is not None},
        "ceilings": {
            "CVL": round(frame.ceiling.cell_voltage * frame.cells, 2),
            "CCL": frame.ceiling.charge_current,
            "DCL": frame.ceiling.discharge_current,
        },
        "identity": dict(identity),
        "values": {
            path[1:]: value
            for path, value in values.items()
            if value is not None and path not in _TOLD_ELSEWHERE
        },
    }


def without_ages(content: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a report of which a change is worth telling: not that time passes."""
    requests = {name: wish["value"] for name, wish in content["requests"].items()}
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


def _wish(request: Request, now: float) -> dict[str, float]:
    return {"value": request.value, "age": round(max(0.0, now - request.at), 1)}
