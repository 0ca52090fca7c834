"""From payload bytes to values: what clients really send, and a clear refusal of the rest.

The path's type is not checked here, but in the gate (`PathSpec.coerce`). Clients send unusual
payloads: Home Assistant renders templates to `True`, `unknown` and `{'value': 53.2}`, Node-RED
sends `NaN` and empty payloads, mosquitto_pub -s leaves a newline.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bridge.core.model import Refused
from bridge.core.strict_json import NotJson, first_repeated, parse
from bridge.core.text import sanitize_for_log

EXPIRES = "expires"
"""The key beside "value" that gives a request's expiry in s."""

MAX_WRITE = 4096  # bytes of a payload for one path; ours: twice the longest text, a table
MAX_BATCH = 64 * 1024  # bytes of a batch; ours: each cell of 256 fits in several times


_PYTHON_WORDS = {"True": True, "False": False}


class Nothing:
    """The type of NOTHING, the value of an empty payload."""


NOTHING = Nothing()


def decode_write(payload: bytes) -> object:
    """The value of one write: `{"value": X}`, a bare JSON value, or plain words.

    An object with EXPIRES is returned as it is: `{"value": X, "expires": S}`.
    Returns NOTHING for an empty payload and None for an explicit null.
    Raises Refused for what cannot be understood.
    """
    text = _text(payload, MAX_WRITE)
    if not text:
        return NOTHING
    if "'" in text:
        python = _in_python_dict(text)
        if python is not None:
            return _loads(python.replace("'", '"'))
        text = _as_json_object(text)
    value = _loads(text)
    if not isinstance(value, dict):
        return value
    if "value" not in value:
        raise Refused('an object needs a "value"')
    return value if EXPIRES in value else value["value"]


def decode_batch(payload: bytes) -> object:
    """All writes of a batch as [(path, value)], or NOTHING for an empty payload.

    The object may be flat (`{"Dc/0/Voltage": 53.1}`), nested (`{"Dc": {"0": {"Voltage": 53.1}}}`)
    or wrapped (`{"value": {…}}`, also with the object as text); `{"value": X}` stands for X at
    every place. The NaN and Infinity of other languages' JSON are kept here and refused by the
    gate, so that one broken sensor does not make the whole batch invalid. Raises Refused when the
    payload is no JSON object.
    """
    text = _text(payload, MAX_BATCH)
    if not text:
        return NOTHING
    content = _unwrapped(_json(text, keep_nan=True))
    if not isinstance(content, Mapping):
        raise Refused("a batch must be a JSON object of paths and values")
    writes = list(_leaves(content, ""))
    twice = first_repeated([path for path, _ in writes])
    if twice:
        raise Refused(f"a batch must name each path once: {sanitize_for_log(twice, 60)} is twice")
    return writes


def _unwrapped(content: Any) -> Any:
    if isinstance(content, Mapping) and set(content) == {"value"}:
        content = content["value"]
        if isinstance(content, str):
            content = _json(content, keep_nan=True)
    return content


def _leaves(content: Mapping[str, Any], prefix: str, depth: int = 0) -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        path = f"{prefix}/{key.strip('/')}"
        if not isinstance(value, Mapping):
            yield path, value
        elif (
            "value" in value
            and set(value) <= {"value", EXPIRES}
            and (not isinstance(value["value"], Mapping))
        ):
            yield path, value if EXPIRES in value else value["value"]
        elif depth < 8:  # the deepest path has five parts
            yield from _leaves(value, path, depth + 1)
        else:
            yield path, value  # too deep for any path, so it will be refused


def _as_json_object(text: str) -> str:
    """A Python dict of numbers and words, such as `{'value': 40, 'expires': 300}`, as JSON."""
    is_dict = text.startswith("{'value'") and text.endswith("}")
    return text.replace("'", '"') if is_dict else text


def _in_python_dict(text: str) -> str | None:
    """What stands for X in `{'value': X}`; None where the text is no such thing.

    Nor where more stands beside it.

    Not by a regular expression: one that tries every way to split a row of blanks takes hours for
    4 kB of them, and blocks the whole process.
    """
    if not (text.startswith("{") and text.endswith("}")):
        return None
    inner = text[1:-1].strip()
    if not inner.startswith("'value'"):
        return None
    inner = inner.removeprefix("'value'").lstrip()
    if not inner.startswith(":") or f"'{EXPIRES}'" in inner:
        return None
    return inner[1:].strip().removesuffix(",").rstrip()


def _text(payload: bytes, most: int) -> str:
    if len(payload) > most:
        raise Refused(f"{len(payload)} bytes are too much, at most {most} are read")
    try:
        return payload.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise Refused("the payload is not UTF-8 text") from None


def _loads(text: str) -> Any:
    """JSON, else the words for true and false, else the text itself where it was meant as text."""
    try:
        return _json(text)
    except Refused:
        if text in _PYTHON_WORDS:
            return _PYTHON_WORDS[text]
        if text[:1] in ("", "{", "[", '"'):
            raise
        return text


def _json(text: str, *, keep_nan: bool = False) -> Any:
    try:
        return parse(text, keep_nan=keep_nan)
    except NotJson as problem:
        raise Refused(f"the payload is {problem}") from None
