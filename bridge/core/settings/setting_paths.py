"""The settings on D-Bus: their paths, made from the declarations, and the form of their values.

`limiter.max_charge_current` of the configuration stands at /Settings/Limiter/MaxChargeCurrent.
Numbers are numbers, choices are words, tables and lists are one JSON text. What may be switched
off (`dv1`, a table) shows and takes the word "off".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from bridge.core.model import Refused, Value
from bridge.core.paths.gate import TEXT, PathSpec, Quantity, Role, coerce_beside
from bridge.core.settings import declarations as settings
from bridge.core.settings.checks import check_setting
from bridge.core.settings.configuration import BatteryConfig
from bridge.core.settings.declarations import Ceiling, FailsafeSettings, Spec
from bridge.core.settings.relations import SECTIONS
from bridge.core.strict_json import parse

ROOT = "/Settings/"
RESTORE = "/Settings/Restore"
CHANGED = "/Settings/Changed"
OFF = "off"

_LONGEST_TEXT = 2000  # characters of a table; ours: a hundred points and more
_DECIMALS = {"A": 1, "s": 0}  # how finely a client's editor steps; 3 where nothing is said


@dataclass(frozen=True)
class Setting:
    """One setting: its section and declaration in the configuration, its row in the path table."""

    section: str
    spec: Spec
    row: PathSpec

    @property
    def key(self) -> str:
        """Its short name, "Limiter/Cv1"."""
        return self.row.path[len(ROOT) :]

    @property
    def may_be_off(self) -> bool:
        """Lists can be empty; numbers only where their default is none."""
        is_list = self.spec.kind not in (settings.NUMBER, settings.CHOICE)
        return is_list or self.spec.default is None

    def of(self, config: BatteryConfig) -> Any:
        """The setting's value in a configuration."""
        return getattr(getattr(config, self.section), self.spec.name)

    def read(self, raw: object) -> Any:
        """The value that a client wrote, checked by itself. Raises Refused."""
        if raw is None or raw == []:  # on D-Bus the two are the same
            raise Refused(f'a setting is never empty; "{self.key}" to {RESTORE[1:]} brings it back')
        if self.spec.kind == settings.NUMBER:
            if not self.may_be_off:
                return self.row.coerce(raw)
            is_off = isinstance(raw, str) and raw.strip().lower() == OFF
            return None if is_off else coerce_beside(self.row, raw, OFF)
        try:
            value = check_setting(self.spec, self._listed(raw))
        except (ValueError, OverflowError, RecursionError) as problem:
            raise Refused(str(problem)[:200]) from None
        if len(str(self.on_bus(value))) > self.row.high:
            raise Refused(f"more than {self.row.high:g} characters are too many")
        return value

    def on_bus(self, value: Any) -> Value:
        """A value as its path shows it. Off is a word: an empty path says "unknown"."""
        if value is None or (value == () and self.may_be_off):
            return OFF if self.row.quantity.kind is str else None
        if isinstance(value, tuple):
            return json.dumps(self.plain(value), separators=(",", ":"))
        return float(value) if self.spec.kind == settings.NUMBER else str(value)

    def plain(self, value: Any) -> Any:
        """A value as JSON can hold it; `read` takes the same form."""
        if value is None or (value == () and self.may_be_off):
            return OFF
        return _plain(value)

    def words(self, value: Any) -> str:
        """A value for a message."""
        shown = self.plain(value)
        if isinstance(shown, (int, float)):
            return f"{shown:g} {self.spec.unit}".rstrip()
        text = str(self.on_bus(value) or OFF)
        return text if len(text) <= 80 else text[:79] + "…"

    def _listed(self, raw: object) -> object:
        """A list from any form in which clients send it: a list, JSON text, words with commas."""
        if not isinstance(raw, str):
            return raw
        text = raw.strip()
        if self.spec.kind == settings.CHOICE:
            return text
        if text.lower() == OFF and self.may_be_off:
            return []
        if text.startswith("["):
            return parse(text)
        if self.spec.kind == settings.GROUPS:
            return [word.strip() for word in text.split(",") if word.strip()]
        return raw


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    if isinstance(value, Enum):
        return value.value
    return int(value) if isinstance(value, float) and value.is_integer() else value


def camel_case(name: str) -> str:
    """max_charge_current → MaxChargeCurrent."""
    return "".join(part.capitalize() for part in name.split("_"))


def _quantity(spec: Spec) -> Quantity:
    if spec.kind != settings.NUMBER:
        return TEXT
    decimals = _DECIMALS.get(spec.unit, 3)
    return Quantity(float, spec.unit, decimals, f"{{:g}}{spec.unit}", spec.low, spec.high)


def _row(section: str, spec: Spec, role: Role) -> PathSpec:
    quantity = _quantity(spec)
    is_text = quantity is TEXT
    return PathSpec(
        path=f"{ROOT}{camel_case(section)}/{camel_case(spec.name)}",
        quantity=quantity,
        role=role,
        low=0 if is_text else spec.low,
        high=_LONGEST_TEXT if is_text else spec.high,
        consumers="C",
        doc=spec.doc,
    )


def _text_row(path: str, role: Role, doc: str) -> PathSpec:
    return PathSpec(path, TEXT, role, high=_LONGEST_TEXT, consumers="C", doc=doc)


def _settings() -> dict[str, Setting]:
    rows = (
        Setting(section, spec, _row(section, spec, Role.SETTING))
        for section, declared in SECTIONS.items()
        for spec in settings.fields_of(declared.kind)
        if not spec.file_only
    )
    return {setting.row.path: setting for setting in rows}


SETTINGS: Mapping[str, Setting] = _settings()
"""Every setting by its path."""

CEILING_ROWS: Mapping[str, PathSpec] = {
    spec.name: _row("ceiling", spec, Role.CEILING)
    for spec in (
        *settings.fields_of(Ceiling),
        *(replace(s, name=f"failsafe_{s.name}") for s in settings.fields_of(FailsafeSettings)),
    )
}
"""The ceilings, by their names; those of the failsafe begin with failsafe_."""

SETTING_ROWS = (
    *(setting.row for setting in SETTINGS.values()),
    *CEILING_ROWS.values(),
    _text_row(RESTORE, Role.SETTING, 'written: back to the file: "all", "Limiter", "Limiter/Cv1"'),
    _text_row(CHANGED, Role.DECISION, "the settings that differ from the configuration"),
)
"""All of them for the path table."""


def ceilings(config: BatteryConfig) -> dict[str, Value]:
    """What the paths of the ceilings show."""
    failsafe = {f"failsafe_{name}": value for name, value in vars(config.ceiling.failsafe).items()}
    values = {**vars(config.ceiling), **failsafe}
    return {row.path: _shown(values[name]) for name, row in CEILING_ROWS.items()}


def _shown(value: Any) -> Value:
    shown: Value = json.dumps(_plain(value), separators=(",", ":")) if _is_list(value) else value
    return shown


def _is_list(value: Any) -> bool:
    return isinstance(value, tuple)
