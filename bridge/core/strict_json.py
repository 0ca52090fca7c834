"""JSON from outside. A key that stands twice in an object is an error: nobody knows which counts.

(The standard library takes the last one without a word.)
"""

from __future__ import annotations

import json
from typing import Any

from bridge.core.text import sanitize_for_log

_LONGEST_KEY = 60  # characters of a key in a message


class NotJson(ValueError):
    """A text that cannot be used. The message says why."""


def parse(text: str, *, keep_nan: bool = False) -> Any:
    """The value of a JSON text.

    keep_nan: NaN and Infinity, which other languages write into their JSON, become floats; without
    it they are an error, as JSON demands. Raises NotJson, and nothing else.
    """
    text = text.strip()
    try:
        value, end = (_LENIENT if keep_nan else _STRICT).raw_decode(text)
    except NotJson:
        raise
    except (ValueError, RecursionError):
        raise NotJson("not JSON that can be read") from None
    if end < len(text):
        raise NotJson("not JSON that can be read")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        twice = first_repeated([key for key, _ in pairs])
        raise NotJson(f"ambiguous: it has {sanitize_for_log(twice, _LONGEST_KEY)!r} twice")
    return content


def first_repeated(words: list[str]) -> str:
    """The first word that has stood in the list before; empty where there is none."""
    seen = set[str]()
    for word in words:
        if word in seen:
            return word
        seen.add(word)
    return ""


def _refuse(word: str) -> Any:
    raise NotJson(f"not JSON: {word} is no JSON number")


_STRICT = json.JSONDecoder(parse_constant=_refuse, object_pairs_hook=_object)
_LENIENT = json.JSONDecoder(parse_constant=float, object_pairs_hook=_object)
"""Made once: making a decoder takes longer than decoding a message."""
