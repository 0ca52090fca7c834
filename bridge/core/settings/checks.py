"""Checks of single values from the configuration file, or from clients who change a setting.

Each function returns the value in its own type, or raises ValueError with the reason.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from enum import Enum
from itertools import pairwise
from typing import Any, TypeVar

from bridge.core.model import Group
from bridge.core.settings import declarations as settings
from bridge.core.settings.declarations import Spec, Table
from bridge.core.text import did_you_mean, quoted

Member = TypeVar("Member", bound=Enum)

MAX_TEXT = 1000
"""Characters; ours: longer than any path or topic in use, and far below the 65535 bytes of MQTT."""

_NOT_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters, and halves of characters that UTF-8 cannot write."""


def check_number(value: object, low: float, high: float, unit: str) -> float:
    """A finite number in range. Raises ValueError."""
    if isinstance(value, str):
        raise ValueError(f"{quoted(value)} is text, a number is needed here")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"must be a number, not {kind_of(value)}")
    try:
        number = float(value)
    except OverflowError:
        raise ValueError("the number is too large to work with") from None
    if not math.isfinite(number):
        raise ValueError(f"{number} is not a number to work with")
    if not low <= number <= high:
        raise ValueError(f"{number:g} is outside {low:g} to {high:g} {unit}".rstrip())
    return number


def check_choice(value: object, choices: tuple[str, ...]) -> str:
    """One of a few words; YAML reads a bare on or off as true or false. Raises ValueError."""
    word = {True: "on", False: "off"}.get(value, value) if isinstance(value, bool) else value
    if word not in choices:
        hint = did_you_mean(str(word), choices)
        raise ValueError(f"{quoted(word)} is none of {', '.join(choices)}{hint}")
    return str(word)


def check_table(value: object, spec: Spec) -> Table:
    """A table: at least two points [x, y], x rising, both in range. An empty list is off.

    Raises ValueError.
    """
    expected = f"[{spec.unit if spec.y_unit else 'x'}, {spec.y_unit or 'share of the maximum'}]"
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"must be a list of points {expected}")
    points = []
    for number, point in enumerate(value, start=1):
        if not isinstance(point, (list, tuple)) or len(point) != 2:
            raise ValueError(f"point {number} must be {expected}")
        try:
            x = check_number(point[0], spec.low, spec.high, spec.unit)
            points.append((x, check_number(point[1], spec.y_low, spec.y_high, spec.y_unit)))
        except ValueError as problem:
            raise ValueError(f"point {number}: {problem}") from None
    if len(points) == 1:
        raise ValueError("one point is no curve: give at least two, or none")
    for (x, _), (after, _) in pairwise(points):
        if after <= x:
            raise ValueError(f"x must rise from point to point, but {after:g} follows {x:g}")
    return tuple(points)


def check_levels(value: object, spec: Spec) -> settings.Levels:
    """[warning, alarm], the alarm further out than the warning. An empty list is off.

    Raises ValueError.
    """
    if not isinstance(value, (list, tuple)) or len(value) not in (0, 2):
        raise ValueError("must be [warning, alarm], or [] for none")
    if not value:
        return ()
    warning, alarm = (check_number(level, spec.low, spec.high, spec.unit) for level in value)
    if (alarm > warning) if spec.falling else (alarm < warning):
        words = "above" if spec.falling else "below"
        raise ValueError(f"the alarm ({alarm:g}) is {words} the warning ({warning:g})")
    return (warning, alarm)


def check_window(value: object, spec: Spec) -> settings.Window:
    """[lowest, highest], the lowest below the highest. Raises ValueError."""
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise ValueError("must be [lowest, highest]")
    low, high = (check_number(end, spec.low, spec.high, spec.unit) for end in value)
    if low >= high:
        raise ValueError(f"the lowest ({low:g}) is not below the highest ({high:g})")
    return (low, high)


def check_groups(value: object) -> tuple[Group, ...]:
    """A list of freshness groups. Raises ValueError."""
    return check_members(value, Group)


def check_members(value: object, kind: type[Member]) -> tuple[Member, ...]:
    """A list of some of a few words, each once. Raises ValueError."""
    names = [member.value for member in kind]
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"must be a list such as [{', '.join(names[:2])}], not {kind_of(value)}")
    for name in value:
        if name not in names:
            hint = did_you_mean(str(name), names)
            raise ValueError(f"{quoted(name)} is none of {', '.join(names)}{hint}")
    return tuple(kind(name) for name in dict.fromkeys(value))


def check_time(value: object) -> str | None:
    """A time of day in the form HH:MM; an empty list is off. Raises ValueError.

    YAML reads 16:00 without quotes as 960, which are its minutes.
    """
    if value == []:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1440:
        return f"{value // 60:02d}:{value % 60:02d}"
    found = re.fullmatch(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", str(value))
    if found is None or not isinstance(value, str):
        raise ValueError(f'{quoted(value)} is no time of day: it is written as "16:00"')
    return f"{int(found[1]):02d}:{found[2]}"


def check_setting(spec: Spec, value: object) -> Any:
    """Check one setting by its declaration. Raises ValueError."""
    if spec.kind == settings.NUMBER:
        return check_number(value, spec.low, spec.high, spec.unit)
    if spec.kind == settings.CHOICE:
        return check_choice(value, spec.choices)
    if spec.kind == settings.LEVELS:
        return check_levels(value, spec)
    if spec.kind == settings.TABLE:
        return check_table(value, spec)
    if spec.kind == settings.PATH:
        return check_text(value, r"(/[A-Za-z0-9]+)+", "a path such as /Freshness/Counter is needed")
    if spec.kind == settings.WINDOW:
        return check_window(value, spec)
    if spec.kind == settings.TIME:
        return check_time(value)
    return check_groups(value)


def check_integer(value: object, low: int, high: int) -> int:
    """A whole number from low to high. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"must be a whole number, not {kind_of(value)}")
    if not low <= value <= high:
        raise ValueError(f"{value} is outside {low} to {high}")
    return value


def check_text(value: object, pattern: str, expected: str) -> str:
    """Text that matches a pattern; expected: the pattern in words. Raises ValueError."""
    if not isinstance(value, str):
        raise ValueError(f"must be text, not {kind_of(value)}; put it in quotes")
    if len(value) > MAX_TEXT:
        raise ValueError(f"is longer than {MAX_TEXT} characters")
    if _NOT_TEXT.search(value):
        raise ValueError(f"{quoted(value)} has a character that cannot be used here")
    if pattern and not re.fullmatch(pattern, value):
        raise ValueError(f"{quoted(value)} is not allowed: {expected}")
    return value


def check_switch(value: object) -> bool:
    """On or off. Raises ValueError."""
    if not isinstance(value, bool):
        raise ValueError(f"must be on or off, not {quoted(value)}")
    return value


def kind_of(value: object) -> str:
    """What a value is, in words for a message."""
    if isinstance(value, bool):
        return "on/off"
    names = {int: "a number", float: "a number", str: "text", type(None): "nothing"}
    if isinstance(value, Mapping):
        return "a mapping"
    return names.get(type(value), "a list" if isinstance(value, Iterable) else type(value).__name__)
