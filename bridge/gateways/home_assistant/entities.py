"""Home Assistant's discovery: the path table as entities of one device.

Every entity reads the bridge's own topics, never N/: Home Assistant sends no keepalive. Keys are
abbreviated as Home Assistant allows, for a battery has a hundred entities and more.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from bridge.core.model import Stage
from bridge.core.paths.gate import (
    AMP,
    CELL_VOLT,
    CELSIUS,
    FLAG,
    KILOWATT_HOUR,
    LIMIT_AMP,
    SECONDS,
    VOLT,
    WATT,
    PathSpec,
    Quantity,
    Role,
)
from bridge.core.paths.table import CCL_PATH, CVL_PATH, DCL_PATH, Paths
from bridge.core.settings.declarations import NUMBER, TIME
from bridge.core.settings.relations import switched_off_with
from bridge.core.settings.setting_paths import OFF, RESTORE, SETTINGS, camel_case
from bridge.gateways.home_assistant.device import Device, slug
from bridge.gateways.home_assistant.names import name_of
from bridge.topics import bridge_status

Entity = dict[str, Any]
Entities = dict[str, Entity]
"""By key; each with its platform at "p"."""

_CLASSES: Mapping[Quantity, str] = {
    VOLT: "voltage",
    CELL_VOLT: "voltage",
    AMP: "current",
    LIMIT_AMP: "current",
    WATT: "power",
    KILOWATT_HOUR: "energy",
    CELSIUS: "temperature",
    SECONDS: "duration",
}

_LIMITS = (
    ("CVL", CVL_PATH, "Charge voltage", "Charge voltage limit"),
    ("CCL", CCL_PATH, "Charge current", "Charge current limit"),
    ("DCL", DCL_PATH, "Discharge current", "Discharge current limit"),
)
_STOPS = (("Stop charging", "CCL", CCL_PATH), ("Stop discharging", "DCL", DCL_PATH))

_PLAIN = {"/Voltages/Sum", "/Voltages/Diff", "/System/MinCellVoltage", "/System/MaxCellVoltage"}
_DIAGNOSTIC = ("/System/", "/History/", "/State", "/ErrorCode", "/InstalledCapacity")
_TIME_OR_OFF = "off|([01]?[0-9]|2[0-3]):[0-5][0-9]"
_SILENT = [Stage.STALE.word, Stage.LOST.word]


def measured(paths: Paths) -> frozenset[str]:
    """The paths that become entities only once they are in use."""
    return frozenset(path for path, row in paths.items() if _is_measured(row))


def entities(paths: Paths, device: Device, used: Iterable[str]) -> Entities:
    """All entities; of the measurements only those whose key is in `used`."""
    used = set(used)
    found: Entities = {}
    for path, row in paths.items():
        key = key_of(path)
        if _is_measured(row):
            if key in used:
                found[key] = _measurement(row)
        elif row.role is Role.SETTING and (entity := _setting(row, device)):
            found[key] = entity
            if off := _off_button(row):
                found[f"{key}_off"] = off
    found.update(_of_limits(device))
    found.update(_of_state())
    found.update(_buttons())
    for key, entity in found.items():
        _complete(key, entity, device)
    return found


def key_of(path: str) -> str:
    """The key of a path's entity: small letters, digits and underscores."""
    return slug(path)


def as_device(device: Device, found: Entities, gone: Mapping[str, str]) -> str:
    """One message for all entities (Home Assistant 2024.11 and newer).

    gone: key and platform of entities of earlier runs, listed so that Home Assistant removes them.
    """
    common = _state_topics(device)
    components = {
        key: {name: value for name, value in entity.items() if common.get(name) != value}
        for key, entity in found.items()
    }
    removed = {key: {"p": platform} for key, platform in gone.items() if key not in found}
    return _json(
        {"dev": _device(device), "o": _origin(device), **common, "cmps": {**components, **removed}}
    )


def as_entities(device: Device, found: Entities) -> dict[str, str]:
    """One message for each entity, by topic (any Home Assistant)."""
    common = {"dev": _device(device), "o": _origin(device)}
    return {
        device.entity_topic(entity["p"], key): _json(
            {**{name: value for name, value in entity.items() if name != "p"}, **common}
        )
        for key, entity in found.items()
    }


def keys_in(payload: bytes) -> dict[str, str]:
    """Keys and platforms of the entities in a device's message of an earlier run."""
    try:
        components = json.loads(payload)["cmps"]
        return {
            key: entity["p"]
            for key, entity in components.items()
            if len(entity) > 1 and isinstance(entity["p"], str)
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


# --- single entities ------------------------------------------------------------------------


def _is_measured(row: PathSpec) -> bool:
    return row.role in (Role.MEASUREMENT, Role.ALARM)


def _measurement(row: PathSpec) -> Entity:
    value = f"value_json['values'].get('{row.path[1:]}')"
    entity: Entity = {"name": name_of(row.path)}
    if row.role is Role.ALARM:
        return entity | _alarm(value) | {"avty": _WHILE_RUNNING}
    if row.quantity is FLAG:
        entity |= {"p": "binary_sensor", "val_tpl": _on_off(f"{value} == 1", value)}
    else:
        entity |= _sensor(row.quantity) | {"val_tpl": f"{{{{ {value} }}}}"}
    if row.path == "/Soc":
        entity["dev_cla"] = "battery"
    if row.path == "/Balancing":
        entity["dev_cla"] = "running"
    if row.path.startswith(_DIAGNOSTIC) and row.path not in _PLAIN:
        entity["ent_cat"] = "diagnostic"
    if row.group is None:
        entity["avty"] = _WHILE_RUNNING
    return entity


_WHILE_RUNNING = "while the bridge runs"  # stands for an availability; others need fresh values too


def _sensor(quantity: Quantity) -> Entity:
    entity: Entity = {"p": "sensor"}
    if quantity.kind is str:
        return entity
    entity["stat_cla"] = "total_increasing" if quantity is KILOWATT_HOUR else "measurement"
    if quantity in _CLASSES:
        entity["dev_cla"] = _CLASSES[quantity]
    if quantity.unit:
        entity["unit_of_meas"] = quantity.unit
    if quantity.kind is float:
        entity["sug_dsp_prc"] = quantity.decimals
    return entity


def _alarm(value: str) -> Entity:
    """A problem from level 1 (warning) on; the level is an attribute."""
    level = f"{{'level': {{0: 'ok', 1: 'warning', 2: 'alarm'}}.get({value})}}"
    return {
        "p": "binary_sensor",
        "dev_cla": "problem",
        "val_tpl": _on_off(f"{value} > 0", value),
        "json_attr_tpl": f"{{{{ {level} | tojson }}}}",
    }


def _on_off(condition: str, value: str) -> str:
    """ON or OFF, and None (unknown) without a value."""
    return f"{{{{ None if {value} is none else ('ON' if {condition} else 'OFF') }}}}"


def _of_limits(device: Device) -> Entities:
    """Each limit, why it is what it is, and the request that can tighten it."""
    found: Entities = {}
    for limit, path, short, name in _LIMITS:
        quantity = VOLT if limit == "CVL" else LIMIT_AMP
        about = f"{{'rule': value_json.rules.{limit}, 'caps': value_json.caps.{limit}}}"
        found[f"limit_{limit.lower()}"] = {
            **_sensor(quantity),
            "name": name,
            "val_tpl": f"{{{{ value_json.limits.{limit} }}}}",
            "json_attr_tpl": f"{{{{ {about} | tojson }}}}",
            "avty": _WHILE_RUNNING,
        }
        found[f"reason_{limit.lower()}"] = {
            "p": "sensor",
            "name": f"{name} reason",
            "val_tpl": f"{{{{ value_json.reasons.{limit}[:255] }}}}",
            "ent_cat": "diagnostic",
            "avty": _WHILE_RUNNING,
        }
        found[f"request_{limit.lower()}"] = {
            "p": "number",
            "name": f"{short} request",
            "dev_cla": _CLASSES[quantity],
            "unit_of_meas": quantity.unit,
            "min": 0,
            "max": device.ceilings[limit],
            "step": 0.1,
            "mode": "box",
            "val_tpl": f"{{{{ value_json.requests.get('{limit}', {{}}).get('value') }}}}",
            "cmd_tpl": f'{{"{path[1:]}": {{{{ value }}}}}}',
            "avty": _WHILE_RUNNING,
        }
    for name, limit, path in _STOPS:
        requested = f"value_json.requests.get('{limit}', {{}}).get('value')"
        found[slug(name)] = {
            "p": "switch",
            "name": name,
            "val_tpl": f"{{{{ 'ON' if {requested} == 0 else 'OFF' }}}}",
            "stat_on": "ON",
            "stat_off": "OFF",
            "pl_on": _json({path[1:]: 0}),
            "pl_off": _json({path[1:]: "off"}),
            "avty": _WHILE_RUNNING,
        }
    return found


def _of_state() -> Entities:
    oldest = "value_json.ages.values() | reject('none') | max | default(None)"
    return {
        "stage": {
            "p": "sensor",
            "name": name_of("/Freshness/Stage"),
            "dev_cla": "enum",
            "ops": [stage.word for stage in Stage],
            "val_tpl": "{{ value_json.stage }}",
            "json_attr_tpl": "{{ {'ages': value_json.ages, 'next': value_json.next} | tojson }}",
            "ent_cat": "diagnostic",
            "avty": _WHILE_RUNNING,
        },
        "age": {
            "p": "sensor",
            "name": "Age of the oldest value",
            "dev_cla": "duration",
            "unit_of_meas": "s",
            "val_tpl": f"{{{{ {oldest} }}}}",
            "ent_cat": "diagnostic",
            "en": False,
            "avty": _WHILE_RUNNING,
        },
    }


def _buttons() -> Entities:
    return {
        "withdraw_requests": {
            "p": "button",
            "name": "Withdraw all requests",
            "pl_prs": _json({path[1:]: "off" for _, path, _, _ in _LIMITS}),
            "avty": _WHILE_RUNNING,
        },
        "restore_settings": {
            "p": "button",
            "name": "Restore all settings",
            "pl_prs": _json({RESTORE[1:]: "all"}),
            "ent_cat": "config",
            "en": False,
            "avty": _WHILE_RUNNING,
        },
    }


def _setting(row: PathSpec, device: Device) -> Entity | None:
    """A number or a choice. Tables have no entity: they are written as JSON to the set topic."""
    setting = SETTINGS.get(row.path)
    if setting is None:
        return None
    entity: Entity = {
        "name": name_of(row.path),
        "stat_t": device.topics.settings,
        "val_tpl": f"{{{{ value_json{_steps(row.path)} }}}}",
        "ent_cat": "config",
        "avty": _WHILE_RUNNING,
    }
    if setting.section != "limiter":
        entity["en"] = False  # seldom changed, so disabled at first
    command = f'{{"{row.path[1:]}": {{{{ value | tojson }}}}}}'
    if setting.spec.kind == TIME:
        return entity | {"p": "text", "pattern": _TIME_OR_OFF, "cmd_tpl": command}
    if setting.spec.choices:
        return entity | {"p": "select", "ops": list(setting.spec.choices), "cmd_tpl": command}
    if row.quantity.kind is not float:
        return None
    value = f"value_json{_steps(row.path)}"
    entity["val_tpl"] = f"{{{{ {value} if {value} is number else None }}}}"  # it may be "off"
    entity |= {"p": "number", "min": row.low, "max": row.high, "mode": "box"}
    entity |= {"step": 10.0**-row.quantity.decimals}
    entity |= {"cmd_tpl": f'{{"{row.path[1:]}": {{{{ value }}}}}}'}
    if row.quantity.unit:
        entity["unit_of_meas"] = row.quantity.unit
    if row.quantity.unit in ("V", "A"):
        entity["dev_cla"] = "voltage" if row.quantity.unit == "V" else "current"
    return entity


def _off_button(row: PathSpec) -> Entity | None:
    """A button for a number that may be off: a number alone has no such state."""
    setting = SETTINGS[row.path]
    names = switched_off_with(setting.spec.name)
    if setting.spec.kind != NUMBER or not setting.may_be_off or not names:
        return None
    folder = row.path[1:].rpartition("/")[0]
    return {
        "p": "button",
        "name": f"{name_of(row.path)} off",
        "pl_prs": _json({f"{folder}/{camel_case(name)}": OFF for name in names}),
        "ent_cat": "config",
        "avty": _WHILE_RUNNING,
    }


def _steps(path: str) -> str:
    """/Settings/Limiter/Cv1 → ['Settings']['Limiter']['Cv1'], its place in the settings topic."""
    return "".join(f"['{part}']" for part in path[1:].split("/"))


_READS = ("sensor", "binary_sensor", "number", "switch", "select", "text")
_COMMANDS = ("number", "switch", "select", "button", "text")


def _complete(key: str, entity: Entity, device: Device) -> None:
    """Add what every entity needs: ids (old and new form), topics, availability."""
    platform = entity["p"]
    entity_id = f"{device.ident.lower()}_{slug(entity['name'])}"
    entity["uniq_id"] = f"{device.node}_{key}"
    entity["obj_id"] = entity_id  # until 2026
    entity["default_entity_id"] = f"{platform}.{entity_id}"  # since 2025
    if platform in _READS:
        entity.setdefault("stat_t", device.topics.state)
    if platform in _COMMANDS:
        entity["cmd_t"] = device.topics.set
    if "json_attr_tpl" in entity:
        entity["json_attr_t"] = device.topics.state
    common = _state_topics(device)
    while_running = entity.get("avty") == _WHILE_RUNNING
    entity["avty"] = common["avty"][:1] if while_running else common["avty"]
    entity["avty_mode"] = common["avty_mode"]


def _state_topics(device: Device) -> Entity:
    """What most entities share: they are available while the bridge runs and gets values."""
    stage = f"{{{{ 'offline' if value_json.stage in {_SILENT} else 'online' }}}}"
    return {
        "stat_t": device.topics.state,
        "avty": [
            {"t": bridge_status(device.base)},
            {"t": device.topics.state, "val_tpl": stage},
        ],
        "avty_mode": "all",
    }


def _device(device: Device) -> Entity:
    return {
        "ids": [device.node],
        "name": device.name,
        "mf": "virtual-battery",
        "mdl": "Virtual battery",
        "sn": device.ident,
        "sw": device.version,
    }


def _origin(device: Device) -> Entity:
    return {"name": "virtual-battery", "sw": device.version}


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
