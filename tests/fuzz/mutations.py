"""Random inputs: something valid with a few changes, as a value, as text and as bytes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import Any

NUMBERS: tuple[Any, ...] = (
    0, 1, -1, 0.5, 3.3, 53.6, 100, 1e15, -1e15, 1e308, 2**31, 2**53, 2**63, -(2**63), 10**30,
    float("nan"), float("inf"), float("-inf"), 10**400, 5e-324,
)  # fmt: skip
TEXTS = (
    "", " ", "off", "on", "true", "null", "NaN", "nan", "[]", "[[", "{}", '{"value": 1}', "all",
    "cells", "linear", "16:00", "2026-01-01", "\ud800", "\x00", "\x1b[31m", "٣", "é" * 300,
    "1" * 5000, "[" * 3000, '{"a":' * 500, "-", "1e5", "0x10", "1_000", "/", "../..", "\n",
)  # fmt: skip
BYTES = (b"", b"\xff\xfe", b"\x00", b"\xed\xa0\x80", b"\xef\xbb\xbf1", b"\xf0\x9f\x94\x8b")

_BIT_FLIPS = 8


def some_value(random: Random, depth: int = 0) -> Any:
    """Any JSON value, and what Python takes for one."""
    kind = random.random()
    if kind < 0.4:
        return random.choice(NUMBERS) if kind < 0.25 else round(random.uniform(-5, 105), 3)
    if kind < 0.7:
        return random.choice(TEXTS)
    if kind < 0.8 or depth > 3:
        return random.choice((None, True, False))
    count = random.choice((0, 1, 2, 3, 20))
    if kind < 0.92:
        return [some_value(random, depth + 1) for _ in range(count)]
    return {random.choice(TEXTS): some_value(random, depth + 1) for _ in range(count)}


def changed(value: Any, random: Random) -> Any:
    """The value with one of its parts replaced, removed, doubled or renamed."""
    if isinstance(value, dict) and value and random.random() < 0.9:
        result = dict(value)
        key = random.choice(list(result))
        action = random.random()
        if action < 0.6:
            result[key] = changed(result[key], random)
        elif action < 0.75:
            del result[key]
        else:
            result[random.choice(TEXTS)] = result[key]
        return result
    if isinstance(value, list) and value and random.random() < 0.9:
        items = list(value)
        at = random.randrange(len(items))
        action = random.random()
        if action < 0.6:
            items[at] = changed(items[at], random)
        elif action < 0.75:
            del items[at]
        else:
            items[at:at] = items[at : at + 1] * random.choice((1, 2, 50))
        return items
    return some_value(random)


def as_text(value: Any) -> str:
    """As JSON, or as Python writes it where it is no JSON."""
    try:
        return json.dumps(value)
    except (TypeError, ValueError):
        return str(value)


def spoiled(data: bytes, random: Random) -> bytes:
    """The bytes with a piece cut out, doubled, replaced or with bits flipped."""
    if not data or random.random() < 0.1:
        return random.choice(BYTES)
    begin = random.randrange(len(data))
    end = min(len(data), begin + random.choice((1, 2, 10, 100)))
    action = random.random()
    if action < 0.3:
        return data[:begin] + data[end:]
    if action < 0.5:
        return data[:end] + data[begin:end] * random.choice((1, 3, 100)) + data[end:]
    if action < 0.8:
        return data[:begin] + random.choice((*BYTES, b'"', b"{", b"}", b"9", b",")) + data[end:]
    flipped = bytearray(data)
    for _ in range(random.randrange(1, _BIT_FLIPS)):
        flipped[random.randrange(len(flipped))] ^= 1 << random.randrange(8)
    return bytes(flipped)


def some_bytes(valid: Sequence[Any], random: Random) -> bytes:
    """The JSON of a valid value, of a changed one, or spoiled bytes of it."""
    value = random.choice(valid)
    for _ in range(random.choice((0, 1, 1, 3))):
        value = changed(value, random)
    data = as_text(value).encode("utf-8", "surrogatepass")
    return spoiled(data, random) if random.random() < 0.3 else data
