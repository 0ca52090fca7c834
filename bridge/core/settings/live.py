"""The settings in force: the configuration's, with what clients have changed since.

Writes that come together are checked together and taken or refused as a whole. What clients have
changed is kept over a restart as one JSON text, with only what differs from the configuration:

    {"Limiter/Cv1":{"value":3.42,"file":3.4}}

One text, so that the store never holds half of a change, and a change costs one write of flash.
"file" is the value of the configuration that the client replaced. If the configuration has another
value at the next start, that is newer than the client's, and the client's value is forgotten.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from bridge.core.model import Refused, Value
from bridge.core.settings.bounds import beyond_ceiling, too_loose
from bridge.core.settings.configuration import BatteryConfig
from bridge.core.settings.relations import SECTIONS
from bridge.core.settings.setting_paths import CHANGED, RESTORE, ROOT, SETTINGS, Setting, ceilings
from bridge.core.strict_json import NotJson, parse
from bridge.core.text import did_you_mean, sanitize_for_log

LONGEST_RECORD = 128 * 1024
"""Characters of a kept text. Ours: each list and table twice at its longest is 116 000."""

_MOST_WORDS = 5  # wrong entries of a kept text that are named; the rest is counted

NOTHING_TO_RESTORE = "there is nothing of this name to restore"

Values = dict[str, Any]
"""The typed value of every setting, by path."""


class RefusedSettings(Refused):
    """Settings that were not taken: (path, reason), at least one, and nothing has changed."""

    def __init__(self, refusals: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(reason for _, reason in refusals))
        self.refusals = refusals


class LiveSettings:
    """The settings of one battery.

    `in_force` is the configuration with the settings that hold now.
    """

    def __init__(self, config: BatteryConfig) -> None:
        self._file = _values_of(config)
        self._config = config
        self._values = dict(self._file)
        self._decided: set[str] = set()
        self._take(self._values)

    def change(self, writes: Mapping[str, object]) -> list[str]:
        """Take all these writes, or none. Returns what has changed, in words for the log.

        writes: what clients wrote, by path; a restore comes before all others.
        Raises RefusedSettings.
        """
        values, decided, refusals = dict(self._values), set[str](), list[tuple[str, str]]()
        for path, raw in sorted(writes.items(), key=lambda write: write[0] != RESTORE):
            try:
                if path == RESTORE:
                    restored = _named(raw)
                    values.update({path: self._file[path] for path in restored})
                    decided.update(restored)
                else:
                    values[path] = SETTINGS[path].read(raw)
                    decided.add(path)
            except Refused as refusal:
                refusals.append((path, str(refusal)))
        refusals = refusals or self._set_refusals(values, writes)
        if refusals:
            raise RefusedSettings(
                [(path, self._in_full(path, why, writes)) for path, why in refusals]
            )
        self._decided |= decided
        return self._take_news(values)

    def replace(self, text: str) -> list[str]:
        """Take a text of `record` in place of all changes, as a whole or not at all.

        Returns what has changed, in words for the log. Raises Refused.
        """
        if not text.strip():
            raise Refused("an empty text may be an error: {} is no changes")
        kept, warnings = self._parsed(text)
        values = {**self._file, **kept}
        if not warnings:
            warnings = [f"{setting.key}: {words}" for setting, words in self._set_problems(values)]
        if warnings:
            raise Refused("; ".join(warnings[:_MOST_WORDS]))
        return self._take_news(values)

    def load(self, text: str) -> list[str]:
        """Take over what was kept. Returns what could not be taken over, in words for the log.

        A setting that was changed since the start keeps its value.
        """
        kept, warnings = self._parsed(text)
        wanted = {path: value for path, value in kept.items() if path not in self._decided}
        values = _fitting(self._values, wanted, self._is_sound)
        for path, value in wanted.items():
            if values[path] != value:
                setting = SETTINGS[path]
                why = self._why_not({**values, path: value})
                warnings.append(f"{setting.key}: {setting.words(value)}, because {why}")
        self._take(values)
        return warnings

    def record(self) -> str:
        """The text to keep: the settings that differ from the configuration."""
        changes = {
            SETTINGS[path].key: {
                "value": SETTINGS[path].plain(self._values[path]),
                "file": SETTINGS[path].plain(self._file[path]),
            }
            for path in self._changed()
        }
        return json.dumps(changes, separators=(",", ":"), ensure_ascii=False)

    def tree(self) -> dict[str, Any]:
        """All settings in force, nested as in a batch: sent as a batch, it restores them."""
        tree: dict[str, Any] = {}
        for path, setting in SETTINGS.items():
            section, name = setting.key.split("/")
            tree.setdefault(section, {})[name] = setting.plain(self._values[path])
        return {ROOT.strip("/"): tree}

    def _take_news(self, values: Values) -> list[str]:
        """Take these values. Returns what has changed, in words for the log."""
        news = [
            f"{setting.section}.{setting.spec.name} is {setting.words(values[path])}"
            f" (was {setting.words(self._values[path])})"
            for path, setting in SETTINGS.items()
            if values[path] != self._values[path]
        ]
        if news:
            self._take(values)
        return news

    def _take(self, values: Values) -> None:
        self._values = values
        self.in_force = _with_values(self._config, values)
        self.on_bus: dict[str, Value] = {
            **{path: setting.on_bus(values[path]) for path, setting in SETTINGS.items()},
            **ceilings(self._config),
            RESTORE: None,
            CHANGED: ", ".join(SETTINGS[path].key for path in self._changed()) or "nothing",
        }

    def _changed(self) -> Iterable[str]:
        return (path for path in SETTINGS if self._values[path] != self._file[path])

    def _why_not(self, values: Values) -> str:
        setting, words = next(iter(self._set_problems(values)))
        return f"{setting.spec.name} {words}"

    def _is_sound(self, values: Values) -> bool:
        return not any(True for _ in self._set_problems(values))

    def _set_problems(self, values: Values) -> Iterable[tuple[Setting, str]]:
        """What is wrong with these values as a set: the setting that is wrong, and why."""
        config = _with_values(self._config, values)
        blamed = {(setting.section, setting.spec.name): setting for setting in SETTINGS.values()}
        for section, declared in SECTIONS.items():
            settings = getattr(config, section)
            for name, words in beyond_ceiling(section, settings, config.ceiling):
                words += ", which only the configuration file can change"
                yield blamed[section, name], words
            for name, words in declared.problems(settings):
                yield blamed[section, name], words
        for path, setting in SETTINGS.items():
            in_file, name = self._file[path], f"{setting.section}.{setting.spec.name}"
            words = too_loose(name, setting.spec, values[path], in_file, config.ceiling)
            if words:
                yield setting, words

    def _set_refusals(self, values: Values, writes: Mapping[str, object]) -> list[tuple[str, str]]:
        """The same as refusals of what was written, one for each path: a ceiling comes first."""
        refusals: dict[str, str] = {}
        for setting, words in self._set_problems(values):
            if setting.row.path in writes:
                refusals.setdefault(setting.row.path, words)
            else:
                at_fault = _written_in(setting.section, writes)
                refusals.setdefault(at_fault, f"{setting.spec.name} {words}")
        return list(refusals.items())

    def _in_full(self, path: str, why: str, writes: Mapping[str, object]) -> str:
        """The reason, with the value that stays in force and what was refused together."""
        if path in SETTINGS:
            why += f"; {SETTINGS[path].words(self._values[path])} stays in force"
        return why + (f", none of these {len(writes)} settings is taken" if len(writes) > 1 else "")

    def _parsed(self, text: str) -> tuple[Values, list[str]]:
        """The kept values that can still be used, and warnings about the others."""
        if len(text) > LONGEST_RECORD:
            return {}, [f"what was kept is longer than {LONGEST_RECORD} characters"]
        if not text.strip():
            return {}, []
        try:
            content = parse(text)
        except NotJson as problem:
            return {}, [f"what was kept is {problem}"]
        if not isinstance(content, dict):
            return {}, ["what was kept is no JSON object"]
        values: Values = {}
        warnings: list[str] = []
        unnamed = 0
        for key, entry in content.items():
            if len(warnings) >= _MOST_WORDS and ROOT + key not in SETTINGS:
                unnamed += 1  # no word of help either: it is slow
                continue
            try:
                path, value = self._entry(key, entry)
                values[path] = value
            except Refused as refusal:
                warnings.append(f"{sanitize_for_log(key, 60)}: {refusal}")
        return values, [*warnings, f"and {unnamed} more"] if unnamed else warnings

    def _entry(self, key: str, entry: object) -> tuple[str, Any]:
        """One kept value by its path. A bare value without "file" was written by a person."""
        path = ROOT + key
        if path not in SETTINGS:
            raise Refused("is no setting of this version" + did_you_mean(path, SETTINGS))
        setting = SETTINGS[path]
        by_client = isinstance(entry, dict) and "value" in entry
        value = setting.read(entry["value"] if by_client else entry)  # type: ignore[index]
        in_file = setting.plain(self._file[path])
        if by_client and "file" in entry and entry["file"] != in_file:  # type: ignore[operator,index]
            old, new = setting.words(value), setting.words(self._file[path])
            raise Refused(f"{old} is forgotten, the configuration has changed since, to {new}")
        return path, value


def _values_of(config: BatteryConfig) -> Values:
    return {path: setting.of(config) for path, setting in SETTINGS.items()}


def _with_values(config: BatteryConfig, values: Values) -> BatteryConfig:
    changes: dict[str, Any] = {}
    for section in SECTIONS:
        named = {s.spec.name: values[p] for p, s in SETTINGS.items() if s.section == section}
        changes[section] = replace(getattr(config, section), **named)
    return replace(config, **changes)


def _written_in(section: str, writes: Mapping[str, object]) -> str:
    """The first write to this section; a restore writes to all of them."""
    paths = [path for path in writes if path in SETTINGS and SETTINGS[path].section == section]
    return (paths or list(writes))[0]


def _named(raw: object) -> list[str]:
    """The settings that a restore names: "all", a section, or one setting. Raises Refused."""
    if not isinstance(raw, str):
        raise Refused('write "all", a section ("Limiter") or a setting ("Limiter/Cv1")')
    word = raw.strip().strip("/").lower().removeprefix("settings/")
    if word not in _RESTORABLE:
        raise Refused(NOTHING_TO_RESTORE)
    return _RESTORABLE[word]


def _restorable() -> dict[str, list[str]]:
    names = {"all": list(SETTINGS)}
    for path, setting in SETTINGS.items():
        names.setdefault(setting.section, []).append(path)
        names[setting.key.lower()] = [path]
    return names


_RESTORABLE = _restorable()
RESTORABLE = (*(setting.key for setting in SETTINGS.values()), *_RESTORABLE)
"""The words that a restore knows, for a hint."""


def _fitting(base: Values, wanted: Values, is_sound: Any) -> Values:
    """The base with all of the wanted values, or else with as many as fit together.

    Some fit only after others (cv1 and cv2 that both moved up), so this repeats until no further
    value fits.
    """
    whole = {**base, **wanted}
    if is_sound(whole):
        return whole
    taken, before = dict(base), None
    while taken != before:
        before = dict(taken)
        for path, value in wanted.items():
            if is_sound({**taken, path: value}):
                taken[path] = value
    return taken
