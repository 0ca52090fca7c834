"""A checked configuration as text: what will be in force."""

from __future__ import annotations

from typing import Any

from bridge.core.settings.bounds import FREE, in_words
from bridge.core.settings.configuration import BatteryConfig, Config, MqttConfig
from bridge.core.settings.declarations import FROM_PRESET, LEVELS, WINDOW, Spec, fields_of
from bridge.core.settings.presets import CEILINGS
from bridge.core.settings.relations import SECTIONS

_FILE_ONLY = "only the file sets it"
_LEGEND = "settings, with how far clients may change each; without a remark: freely"


def overview(config: Config) -> str:
    """Every setting of every battery with its unit, as the service will use it."""
    mqtt = config.mqtt
    lines = [f"broker {mqtt.address}{_security(mqtt)}, own topics below {mqtt.base_topic}/"]
    for access in (config.access.mqtt, config.access.dbus):
        lines.append(f"taken over {access.name}: {', '.join(access.accept) or 'nothing'}")
    lines.append(_LEGEND)
    for battery in config.batteries:
        lines += _battery(battery)
    return "\n".join(lines)


def _security(mqtt: MqttConfig) -> str:
    if not mqtt.tls:
        return ""
    return " with TLS, its certificate is not checked" if mqtt.tls_insecure else " with TLS"


def _battery(battery: BatteryConfig) -> list[str]:
    lines = [
        f"battery {battery.ident}: {battery.name!r}, {battery.cells} {battery.chemistry} cells,"
        f" {battery.capacity:g} Ah, instance {battery.instance} if free"
    ]
    parts = {"ceiling": battery.ceiling, "ceiling.failsafe": battery.ceiling.failsafe}
    parts |= {name: getattr(battery, name) for name in SECTIONS}
    for part, settings in parts.items():
        lines.append(f"  {part}" if part in SECTIONS else f"  {part}  ({_FILE_ONLY})")
        for spec in fields_of(type(settings)):
            shown = _shown(getattr(settings, spec.name), spec)
            lines.append(f"    {spec.name:34} {shown}{_remark(battery, part, spec)}")
    return lines


def _remark(battery: BatteryConfig, part: str, spec: Spec) -> str:
    """What clients may do with a setting, or what a ceiling is by default, in brackets."""
    if spec.file_only:
        return f"  ({_FILE_ONLY})"
    if part in SECTIONS:
        words = in_words(f"{part}.{spec.name}")
        return "" if words == FREE else f"  ({words})"
    usual = CEILINGS[battery.chemistry].get(spec.name, spec.default)
    if part != "ceiling" or usual in (FROM_PRESET, getattr(battery.ceiling, spec.name)):
        return ""
    return f"  (usual: {_shown(usual, spec)})"


def _shown(value: Any, spec: Spec) -> str:
    if value is None or value == ():
        return "off"
    if isinstance(value, tuple) and isinstance(value[0], tuple):
        if spec.y_unit:
            return "  ".join(f"from {spec.unit} {x:g}: {y:g} {spec.y_unit}" for x, y in value)
        return "  ".join(f"{x:g}{spec.unit}: {share:.0%}" for x, share in value)
    if spec.kind == LEVELS:
        return f"warning {value[0]:g} {spec.unit}, alarm {value[1]:g} {spec.unit}"
    if spec.kind == WINDOW:
        return f"{value[0]:g} to {value[1]:g} {spec.unit}"
    if isinstance(value, tuple):
        return ", ".join(value)
    return f"{value:g} {spec.unit}".rstrip() if isinstance(value, float) else str(value)
