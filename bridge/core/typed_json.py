"""Values of declared types as JSON and back. What is read is checked like any foreign input.

The types are bool, int, float, str, None, unions of them, tuples, and dataclasses of such fields.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

LONGEST_TEXT = 500  # characters; ours: the longest words of a protection have about 150

_LARGEST = 1e15  # ours: beyond any s, V or A; an int of more digits may be larger than any float

_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a short text"}

_IN_THE_PAST = "in the past"
Past = Annotated[float, _IN_THE_PAST]
"""A moment (s) that is over: it is never later than the time at which it is read."""


class Unreadable(ValueError):
    """A text or a value that is not what it should be. The message says why."""


def returned_by(function: Callable[..., Any]) -> Any:
    """The type that a function declares to return."""
    return get_type_hints(function, include_extras=True)["return"]


def to_json(value: Any) -> Any:
    """The value as JSON can hold it. Raises TypeError for a type that is not supported."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, tuple):
        return [to_json(part) for part in value]
    if is_dataclass(value):
        return {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
    raise TypeError(f"{type(value).__name__} cannot be kept as JSON")


def check_kind(kind: Any) -> None:
    """Raise TypeError for a type that is not supported."""
    origin = get_origin(kind)
    if origin is Annotated:
        check_kind(get_args(kind)[0])
    elif origin in (Union, types.UnionType, tuple):
        for part in get_args(kind):
            if part is not Ellipsis:
                check_kind(part)
    elif is_dataclass(kind):
        for field in get_type_hints(kind, include_extras=True).values():
            check_kind(field)
    elif kind not in (bool, int, float, str, types.NoneType):
        raise TypeError(f"{kind} cannot be kept as JSON")


def from_json(kind: Any, raw: object, now: float) -> Any:
    """The value of this type. now: s, on the clock of its moments. Raises Unreadable."""
    origin = get_origin(kind)
    if origin is Annotated:
        moment = from_json(get_args(kind)[0], raw, now)
        if moment > now:
            raise Unreadable(f"{moment} is in the future")
        return moment
    if origin in (Union, types.UnionType):
        return _one_of(get_args(kind), raw, now)
    if origin is tuple:
        return _tuple(get_args(kind), raw, now)
    if is_dataclass(origin or kind):
        return _dataclass(kind, raw, now)
    return _plain(kind, raw)


def _plain(kind: Any, raw: object) -> object:
    if kind in (None, types.NoneType) and raw is None:
        return None
    if kind is bool and isinstance(raw, bool):
        return raw
    if kind is int and isinstance(raw, int) and not isinstance(raw, bool):
        return raw
    if kind is float and isinstance(raw, (int, float)) and not isinstance(raw, bool):
        return _finite(raw)
    if kind is str and isinstance(raw, str) and len(raw) <= LONGEST_TEXT and raw.isprintable():
        return raw
    raise Unreadable(f"{str(raw)[:40]!r} is not {_WORDS.get(kind, 'empty')}")


def _finite(number: float) -> float:
    if not abs(number) < _LARGEST:
        raise Unreadable("a number is too large")
    return float(number)


def _one_of(kinds: tuple[Any, ...], raw: object, now: float) -> Any:
    problems = []
    for kind in kinds:
        try:
            return from_json(kind, raw, now)
        except Unreadable as problem:
            problems.append(str(problem))
    raise Unreadable(problems[0])


def _tuple(kinds: tuple[Any, ...], raw: object, now: float) -> tuple[Any, ...]:
    if not isinstance(raw, list):
        raise Unreadable(f"{str(raw)[:40]!r} is no list")
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        kinds = (kinds[0],) * len(raw)
    if len(kinds) != len(raw):
        raise Unreadable(f"a list of {len(raw)} instead of {len(kinds)}")
    return tuple(from_json(kind, part, now) for kind, part in zip(kinds, raw, strict=True))


def _dataclass(kind: Any, raw: object, now: float) -> Any:
    made = get_origin(kind) or kind
    hints = get_type_hints(made, include_extras=True)
    known = dict(zip(getattr(made, "__parameters__", ()), get_args(kind), strict=True))
    names = {field.name for field in fields(made)}
    if not isinstance(raw, dict):
        raise Unreadable(f"{str(raw)[:40]!r} is not an object")
    if set(raw) != names:
        missing, unknown = sorted(names - set(raw)), str(sorted(set(raw) - names))[:60]
        raise Unreadable(f"{', '.join(missing) or 'nothing'} is missing, {unknown!r} is unknown")
    return made(
        **{name: from_json(known.get(hints[name], hints[name]), raw[name], now) for name in names}
    )
