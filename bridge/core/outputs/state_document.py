"""The state topic: one JSON object with everything about one battery."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from bridge.core.limiter.decide import Requests
from bridge.core.limiter.situation import LimiterConfig
from bridge.core.measurements.freshness import Freshness
from bridge.core.model import CCL, CVL, DCL, Decision, Group, Request, Value
from bridge.core.paths.gate import LIMIT_AMP, VOLT
from bridge.core.paths.table import CCL_PATH, CVL_PATH, DCL_PATH
from bridge.core.settings.setting_paths import CHANGED, SETTING_ROWS

_NOT_IN_VALUES = {CVL_PATH, CCL_PATH, DCL_PATH, *(row.path for row in SETTING_ROWS)} - {CHANGED}
_LIMITS = (
    (CVL, CVL_PATH, VOLT.decimals),
    (CCL, CCL_PATH, LIMIT_AMP.decimals),
    (DCL, DCL_PATH, LIMIT_AMP.decimals),
)
_GROUP_NAMES = tuple((group, group.value) for group in Group)
_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def state_document(
    values: Mapping[str, Value],
    decision: Decision,
    requests: Requests,
    freshness: Freshness,
    doubt: str,
    config: LimiterConfig,
    identity: Mapping[str, Value],
    now: float,
) -> dict[str, Any]:
    """The content of the state topic. Ages and waits in s, limits in V and A. now: monotonic s."""
    limits: dict[str, Value] = {}
    rules: dict[str, str] = {}
    reasons: dict[str, str] = {}
    caps: dict[str, dict[str, float]] = {}
    of_all = (decision.cvl, decision.ccl, decision.dcl)
    for limit, (name, path, decimals) in zip(of_all, _LIMITS, strict=True):
        limits[name] = values.get(path)
        rules[name], reasons[name] = limit.rule, limit.reason
        caps[name] = rounded = {}
        for rule, cap in limit.caps.items():
            rounded[rule] = round(cap.value, decimals)
    ages = freshness.ages
    return {
        "stage": freshness.stage.word,
        "next": _next(freshness),
        "doubt": doubt,
        "ages": {
            name: round(age, 1) if (age := ages.get(group, math.inf)) < math.inf else None
            for group, name in _GROUP_NAMES
        },
        "frozen": freshness.frozen or None,
        "limits": limits,
        "rules": rules,
        "reasons": reasons,
        "caps": caps,
        "requests": {
            name: _request(request, now)
            for name, request in requests.items()
            if request is not None
        },
        "ceilings": {
            "CVL": round(config.ceiling_of_cvl.value, 2),
            "CCL": config.ceiling.charge_current,
            "DCL": config.ceiling.discharge_current,
        },
        "identity": dict(identity),
        "values": {
            path[1:]: value
            for path, value in values.items()
            if value is not None and path not in _NOT_IN_VALUES
        },
    }


def without_ages(content: Mapping[str, Any]) -> dict[str, Any]:
    """The state document without ages: passing time alone is no reason to publish it."""
    kept = {**content}
    del kept["next"], kept["ages"]
    if kept["requests"]:
        kept["requests"] = {name: asked["value"] for name, asked in kept["requests"].items()}
    return kept


def as_json(content: Mapping[str, Any]) -> str:
    """Compact JSON; there is never a NaN in it."""
    return _ENCODER.encode(content)


def _request(request: Request, now: float) -> dict[str, float]:
    shown = {"value": request.value, "age": round(max(0.0, now - request.at), 1)}
    if request.until is not None:
        shown["expires"] = round(max(0.0, request.until - now), 1)
    return shown


def _next(freshness: Freshness) -> dict[str, Any] | None:
    if freshness.next_stage is None or freshness.next_in is None:
        return None
    return {"stage": freshness.next_stage.word, "in": round(freshness.next_in, 1)}
