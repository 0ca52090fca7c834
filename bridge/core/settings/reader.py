"""Reads one mapping of the configuration file, and notes every mistake with its place."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from bridge.core.paths.access import EVERYTHING, Kind
from bridge.core.settings import checks
from bridge.core.settings.declarations import Spec
from bridge.core.text import did_you_mean

REQUIRED = object()
"""The default of a key that must be there."""


class SectionReader:
    """One mapping of the file: returns checked values and notes what is wrong.

    Every getter returns the default where the key is absent or wrong, so that checking goes on.
    `done` notes the keys that no getter has asked for.
    """

    def __init__(self, raw: object, place: str, problems: list[str]) -> None:
        self.place = place
        self._problems = problems
        self._asked: list[str] = []
        self._raw: Mapping[str, Any] = {}
        if raw is None:
            return
        if isinstance(raw, Mapping):
            self._raw = {str(key): value for key, value in raw.items()}
        else:
            self.complain("", f"must be a mapping of keys to values, not {checks.kind_of(raw)}")

    def complain(self, key: str, words: str) -> None:
        """Note what is wrong with a key; "" for the section itself."""
        place = ".".join(part for part in (self.place, key) if part) or "the file"
        self._problems.append(f"{place}: {words}")

    def __contains__(self, key: str) -> bool:
        return self._raw.get(key) is not None

    def is_empty(self, key: str) -> bool:
        """Whether the key is there, with nothing behind it."""
        return key in self._raw and self._raw[key] is None

    def raw(self, key: str) -> Any:
        """The value as it was written, unchecked; None where there is none."""
        self._asked.append(key)
        return self._raw.get(key)

    def section(self, key: str) -> SectionReader:
        """The mapping below a key; an empty one where there is none."""
        return self.section_of(self.raw(key), f"{self.place}.{key}" if self.place else key)

    def section_of(self, raw: object, place: str) -> SectionReader:
        """A mapping at another place, such as an item of a list."""
        return SectionReader(raw, place, self._problems)

    def peek_number(self, key: str, default: float) -> float:
        """A number that another default depends on; its own getter checks it."""
        value = self._raw.get(key)
        try:
            return checks.check_number(value, -math.inf, math.inf, "")
        except ValueError:
            return default

    def _get(self, key: str, default: Any, check: Callable[[Any], Any]) -> Any:
        value = self.raw(key)
        if value is None:
            if default is REQUIRED:
                self.complain(key, "is missing")
                return None
            return default
        try:
            return check(value)
        except ValueError as problem:
            self.complain(key, str(problem))
            return None if default is REQUIRED else default

    def number(self, key: str, low: float, high: float, unit: str, default: Any) -> Any:
        """A finite number from low to high, in the unit."""
        return self._get(key, default, lambda value: checks.check_number(value, low, high, unit))

    def integer(self, key: str, low: int, high: int, default: Any) -> Any:
        """A whole number from low to high."""
        return self._get(key, default, lambda value: checks.check_integer(value, low, high))

    def text(self, key: str, default: Any, pattern: str = "", expected: str = "") -> Any:
        """Text that matches a pattern; expected: the pattern in words."""
        return self._get(key, default, lambda value: checks.check_text(value, pattern, expected))

    def choice(self, key: str, choices: tuple[str, ...], default: Any) -> Any:
        """One of a few words."""
        return self._get(key, default, lambda value: checks.check_choice(value, choices))

    def kinds(self, key: str) -> tuple[Kind, ...]:
        """Which kinds of writes; all kinds where the key is absent."""
        kinds = self._get(key, EVERYTHING, lambda value: checks.check_members(value, Kind))
        return tuple(kinds)

    def switch(self, key: str, default: bool) -> bool:
        """On or off."""
        return bool(self._get(key, default, checks.check_switch))

    def checked(self, key: str, default: Any, check: Callable[[Any], Any]) -> Any:
        """A value by a check of its own, which raises ValueError."""
        return self._get(key, default, check)

    def setting(self, spec: Spec, default: Any) -> Any:
        """One field of a settings dataclass, checked by its own declaration."""
        return self._get(spec.name, default, lambda value: checks.check_setting(spec, value))

    def done(self) -> None:
        """Note the keys that no getter has asked for: they are not known."""
        for key in self._raw:
            if key not in self._asked:
                self.complain(key, "is not a known key" + did_you_mean(key, self._asked))
