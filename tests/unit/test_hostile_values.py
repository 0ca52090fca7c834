"""Whatever a client sends, by whatever way: it is taken or refused, and raises nothing.

An exception here would end the process, as our own errors do.
"""

from __future__ import annotations

import json
from functools import reduce

import pytest
from doubles import Bench

from bridge.core.paths.table import path_table
from tests.harness.calls import count_calls

DEEP = 2000  # levels; more than Python's recursion limit

HOSTILE: dict[str, object] = {
    "half a character": "\ud800",
    "half a character in an object": "{\ud800",
    "half a character in a list": "[\ud800",
    "half a character in a Python dict": "{'value': \ud800}",
    "an object as text": '{"value": "\ud800"}',
    "no number in a list": "[NaN]",
    "no number in a table": "[[NaN, 1]]",
    "infinity in a list": "[Infinity]",
    "brackets": "[" * 3000,
    "braces": '{"a":' * 600,
    "digits": "9" * 3990,
    "digits in a list": "[" + "9" * 3990 + "]",
    "no number": float("nan"),
    "infinity": float("inf"),
    "an int beyond all floats": 10**400,
    "an int that cannot be printed": 10**5000,
    "such an int in a table": [[10**400, 1]],
    "such an int as an expiry": {"value": 1, "expires": 10**400},
    "no number as an expiry": {"value": 1, "expires": float("nan")},
    "half a character beside an expiry": {"value": "\ud800", "expires": 1},
    "a deep list": reduce(lambda inner, _: [inner], range(DEEP), 0),
    "a deep object": reduce(lambda inner, _: {"a": inner}, range(DEEP), 0),
    "an empty list": [],
    "lists of nothing": [[], [None], {}],
    "an empty object": {},
    "control characters": "\x00\x1b[31m\n",
    "bytes": b"\xff\x00",
    "a tuple": (1, 2),
    "digits of another script": "٣",
}

PATHS = {(spec.role, spec.quantity.kind): path for path, spec in path_table(4).items()}
"""A path of each role and type."""

SETTINGS = (
    "/Settings/Limiter/Taper",
    "/Settings/Limiter/ChargeTemperature",
    "/Settings/Freshness/Required",
    "/Settings/Restore",
)


@pytest.mark.promise("garbage")
@pytest.mark.parametrize("what", HOSTILE)
def test_it_is_taken_or_refused(what: str) -> None:
    bench = Bench(cells=4)
    for path in (*PATHS.values(), *SETTINGS):
        for payload in (HOSTILE[what], {"value": HOSTILE[what]}):
            bench.dbus(path, payload)
            if text := _as_json(payload):
                bench.mqtt(path, text)
                bench.mqtt(path, json.dumps({"value": text}))
                bench.batch_text(f'{{"{path}": {text}}}')
        if isinstance(HOSTILE[what], str):
            bench.mqtt(path, HOSTILE[what].encode(errors="surrogatepass"))
    assert bench.ccl == 0, "and none of it is a healthy battery"


def _as_json(value: object) -> str:
    try:
        return json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return ""


def test_the_last_value_of_a_key_that_stands_twice_does_not_count() -> None:
    bench = Bench()
    bench.feed()
    bench.mqtt("/Info/MaxChargeCurrent", '{"value": 0}')
    bench.mqtt("/Info/MaxChargeCurrent", '{"value": 5, "value": 60}')
    assert bench.ccl == 0
    assert "'value' twice" in bench.rejected[-1]["reason"]


@pytest.mark.parametrize("path", ["/Dc/0/Voltagr", "/Settings/Restore"])
def test_a_refusal_costs_little_however_often_it_comes(path: str) -> None:
    """The search for what was meant is slow, so it is for the first ones."""
    bench = Bench(cells=256)

    def refuse(times: int) -> int:
        return count_calls(lambda: [bench.mqtt(path, "Limiter/Cv9") for _ in range(times)])

    refuse(1)
    assert "did you mean" in bench.rejected[0]["reason"]
    refuse(50)
    bench.clock.now += 60
    assert refuse(200) < 200 * 150
