"""A recording of MQTT messages: one JSON object per line, {"time", "topic", "payload"}.

time: Unix time in s. A payload that is no UTF-8 text stands in "hex" instead of "payload".
"""

from __future__ import annotations

import json
import math
from typing import NamedTuple


class Entry(NamedTuple):
    """One recorded message. time: Unix time in s."""

    time: float
    topic: str
    payload: bytes


class BadRecording(Exception):
    """A line that is not a recorded message."""


def written(entry: Entry) -> str:
    """The line of an entry, without a line feed."""
    content: dict[str, object] = {"time": round(entry.time, 3), "topic": entry.topic}
    try:
        content["payload"] = entry.payload.decode("utf-8")
    except UnicodeDecodeError:
        content["hex"] = entry.payload.hex()
    return json.dumps(content, ensure_ascii=False)


def read(line: str) -> Entry:
    """The entry of a line. Raises BadRecording."""
    try:
        content = json.loads(line)
        time, topic = content["time"], content["topic"]
        payload = content["payload"].encode() if "payload" in content else content["hex"]
        payload = bytes.fromhex(payload) if isinstance(payload, str) else payload
        is_entry = isinstance(topic, str) and not isinstance(time, bool) and math.isfinite(time)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        is_entry = False
    if not is_entry:
        raise BadRecording('is no {"time": …, "topic": "…", "payload": "…"}')
    return Entry(float(time), topic, payload)
