"""The settings behind com.victronenergy.settings: rules and file, without D-Bus.

Results and error codes are those of the platform's own settings service. Paths are absolute here
("/Settings/Devices/virtual/CustomName").
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

OK, FAILED = 0, -1
(
    UNDERSCORE,
    UNKNOWN_TYPE,
    INVALID_PATH,
    OTHER_TYPE,
    INVALID_DEFAULT,
    OUT_OF_RANGE,
    IS_GROUP,
    NOT_IN_SETTINGS,
) = range(-2, -10, -1)

Value = int | float | str

_TYPES: dict[str, type[Value]] = {"i": int, "f": float, "s": str}
_INSTANCE = "ClassAndVrmInstance"
_DEVICES = "/Settings/Devices/"


@dataclass
class Setting:
    """One setting. `type` is i, f or s; a minimum or maximum of None does not limit."""

    type: str
    value: Value
    default: Value
    minimum: Value | None = None
    maximum: Value | None = None
    silent: bool = False

    def allows(self, value: Value) -> bool:
        too_low = self.minimum is not None and value < self.minimum
        too_high = self.maximum is not None and value > self.maximum
        return not (too_low or too_high)


class Store:
    """All settings by path."""

    def __init__(self, settings: dict[str, Setting] | None = None) -> None:
        self.settings = settings or {}

    def add(
        self, path: str, default: Any, kind: str, minimum: Any, maximum: Any, silent: bool
    ) -> tuple[int, bool]:
        """Add a setting, or give an existing one new limits; its value stays.

        Returns an error code (0 for none) and whether anything changed.
        """
        if "/_" in path:
            return UNDERSCORE, False
        if kind not in _TYPES:
            return UNKNOWN_TYPE, False
        first = _converted(kind, default)
        if first is None:
            return INVALID_DEFAULT, False
        setting = Setting(kind, first, first, *_limits(kind, minimum, maximum), silent)
        if not setting.allows(first):
            return OUT_OF_RANGE, False
        if not path.startswith("/Settings/"):
            return NOT_IN_SETTINGS, False
        if path in self.settings:
            return self._adjust(path, setting)
        return self._create(path, setting)

    def set(self, path: str, value: Any) -> tuple[int, bool]:
        """Give a setting a new value. Returns 0 or -1, and whether anything changed."""
        setting = self.settings[path]
        new = _converted(setting.type, value)
        if new is None or not setting.allows(new):
            return FAILED, False
        if new == setting.value:
            return OK, False
        if _is_instance(path):
            new = self._free_instance(path, str(new))
            if new is None:
                return FAILED, False
        setting.value = new
        return OK, True

    def set_default(self, path: str) -> tuple[int, bool]:
        """Give a setting its default value. Returns the same as set(). An instance has none."""
        if _is_instance(path):
            return FAILED, False
        return self.set(path, self.settings[path].default)

    def below(self, group: str) -> Iterator[tuple[str, Setting]]:
        """The settings of a group, with their paths relative to it."""
        prefix = group.rstrip("/") + "/"
        for path, setting in self.settings.items():
            if path.startswith(prefix):
                yield path.removeprefix(prefix), setting

    def is_group(self, path: str) -> bool:
        always = path in ("/", "/Settings", _DEVICES.rstrip("/"))
        return always or any(True for _ in self.below(path))

    def _create(self, path: str, setting: Setting) -> tuple[int, bool]:
        if self.is_group(path):
            return IS_GROUP, False
        if _is_instance(path):
            free = self._free_instance(path, str(setting.value))
            if free is None:
                return INVALID_DEFAULT, False
            setting.value = free
        self.settings[path] = setting
        return OK, True

    def _adjust(self, path: str, wanted: Setting) -> tuple[int, bool]:
        existing = self.settings[path]
        if existing.type != wanted.type:
            return OTHER_TYPE, False
        if _is_instance(path) and _class_and_number(str(wanted.default)) is None:
            return INVALID_DEFAULT, False
        wanted.value = existing.value
        if wanted == existing:
            return OK, False
        self.settings[path] = wanted
        return OK, True

    def _free_instance(self, path: str, wanted: str) -> str | None:
        """The wanted "class:number", or the next number that no other device of the class has."""
        parsed = _class_and_number(wanted)
        if parsed is None:
            return None
        name, number = parsed
        taken = {s.value for p, s in self.settings.items() if _is_instance(p) and p != path}
        while f"{name}:{number}" in taken:
            number += 1
        return f"{name}:{number}"


def load(file: Path) -> Store:
    """Read the settings. No file means no settings.

    Raises ValueError for a file that holds anything other than settings.
    """
    if not file.exists():
        return Store()
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return Store({path: Setting(**fields) for path, fields in content.items()})
    except (AttributeError, TypeError) as error:
        raise ValueError(f"{file}: {error}") from error


def save(store: Store, file: Path) -> None:
    """Write the settings, so that a power cut leaves the complete old or the complete new file."""
    content = {path: asdict(setting) for path, setting in sorted(store.settings.items())}
    new = file.with_name(file.name + ".new")
    with new.open("w", encoding="utf-8") as stream:
        json.dump(content, stream, indent=1)
        stream.flush()
        os.fsync(stream.fileno())
    new.replace(file)
    _sync_directory(file.parent)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _converted(kind: str, value: Any) -> Value | None:
    try:
        return None if value is None else _TYPES[kind](value)
    except (TypeError, ValueError, OverflowError):
        return None


def _limits(kind: str, minimum: Any, maximum: Any) -> tuple[Value | None, Value | None]:
    """Texts have no limits; a minimum and a maximum of 0 mean that there are none."""
    limits = _converted(kind, minimum), _converted(kind, maximum)
    return (None, None) if kind == "s" or limits == (0, 0) else limits


def _is_instance(path: str) -> bool:
    return path.startswith(_DEVICES) and path.endswith("/" + _INSTANCE)


def _class_and_number(text: str) -> tuple[str, int] | None:
    name, colon, number = text.partition(":")
    try:
        return (name, int(number)) if colon else None
    except ValueError:
        return None
