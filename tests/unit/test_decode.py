"""From bytes to values: everything that clients were seen to send."""

from __future__ import annotations

import contextlib
import json
import signal
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bridge.core.model import Refused
from bridge.core.paths.payloads import NOTHING, decode_batch, decode_write
from bridge.core.paths.table import path_table


@pytest.mark.parametrize(
    ("payload", "value"),
    [
        (b"53.2", 53.2),
        (b"53.2\n", 53.2),
        (b" 53 ", 53),
        (b'{"value": 53.2}', 53.2),
        (b'{"value":"53.2"}', "53.2"),
        (b"{'value': 53.2}", 53.2),
        (b"{'value': True}", True),
        (b"{'value': 'C3'}", "C3"),
        (b"true", True),
        (b"True", True),
        (b"False", False),
        (b"ON", "ON"),
        (b"C3", "C3"),
        (b'"C3"', "C3"),
        (b"1e-7", 1e-7),
        (b"unknown", "unknown"),
        (b"null", None),
        (b'{"value": null}', None),
        (b'{"value": {"a": 1}}', {"a": 1}),
        (b"{'value': {'value': 3}}", {"value": 3}),
        (b"[1, 2]", [1, 2]),
    ],
)
def test_a_write_is_understood(payload: bytes, value: object) -> None:
    assert decode_write(payload) == value


@pytest.mark.parametrize("payload", [b"", b"\n", b"   "])
def test_an_empty_payload_is_nothing(payload: bytes) -> None:
    assert decode_write(payload) is NOTHING
    assert decode_batch(payload) is NOTHING


@pytest.mark.parametrize("payload", [b"NaN", b"None", b"Infinity", b"-Infinity"])
def test_words_for_no_number_stay_words_which_the_gate_refuses(payload: bytes) -> None:
    assert decode_write(payload) == payload.decode()


@pytest.mark.parametrize(
    "payload",
    [
        b"{}",
        b'{"Value": 3}',
        b'{"value": unknown }',
        b'{"value": NaN}',
        b'{"value": 53.2',
        b"{'value': ",
        b"{'value': }",
        b"[" * 4000,
        b'{"a":' * 600,
        b"\xff\xfe",
        b"1" * 4097,
        b"x" * 1_000_000,
    ],
)
def test_what_cannot_be_understood_is_refused(payload: bytes) -> None:
    with pytest.raises(Refused):
        decode_write(payload)


words = ["value", "'value'", '"value"', "True", "NaN", "null", "None", "Infinity", "\\u0000", "ä"]
tokens = st.sampled_from([*"{}[]'\":,. \n-+0123456789eExX", *words])
nearly_json = st.lists(tokens, max_size=20).map(lambda words: "".join(words).encode())


@pytest.mark.promise("garbage")
@given(st.binary(max_size=200) | nearly_json)
@pytest.mark.slow
@settings(max_examples=2000)
def test_no_bytes_raise_anything_else(payload: bytes) -> None:
    for decode in (decode_write, decode_batch):
        try:
            decode(payload)
        except Refused as refusal:
            assert str(refusal)


SOC = path_table(1)["/Soc"]


@contextlib.contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """Fails what takes longer, where without it the test would take hours."""

    def too_long(*_: object) -> None:
        raise AssertionError(f"more than {seconds} s")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


HARD = st.sampled_from(["{'value':", "'value'", "{", "}", " ", "1", ",", ".", "e", "'", ":", "x"])


@pytest.mark.promise("sizes")
@given(st.lists(st.tuples(HARD, st.sampled_from([1, 2, 1000, 3000])), max_size=5))
@example([("{'value':", 1), (" ", 3000), ("x", 1)])
@example([("{'value':", 1), (" ", 1000), (",", 1000), (" ", 1000), ("x", 1)])
@settings(max_examples=500, deadline=None)
def test_the_work_on_a_write_does_not_explode_with_its_length(
    parts: list[tuple[str, int]],
) -> None:
    payload = "".join(part * times for part, times in parts)[:4096].encode()
    with at_most(15), contextlib.suppress(Refused):
        SOC.coerce(decode_write(payload))


@pytest.mark.parametrize("text", ["1" * 60_000 + "x", "1." + "1" * 60_000 + "x", " " * 60_000])
def test_the_work_of_the_gate_does_not_explode_either(text: str) -> None:
    with at_most(15), pytest.raises(Refused):
        SOC.coerce(text)


@pytest.mark.parametrize(
    "content",
    [
        {"Dc/0/Voltage": 53.1, "Soc": 55},
        {"/Dc/0/Voltage": 53.1, "/Soc": 55},
        {"Dc": {"0": {"Voltage": 53.1}}, "Soc": 55},
        {"Dc/0": {"Voltage": {"value": 53.1}}, "Soc": {"value": 55}},
        {"value": {"Dc/0/Voltage": 53.1, "Soc": 55}},
        {"value": '{"Dc/0/Voltage": 53.1, "Soc": 55}'},
    ],
)
def test_the_shapes_of_a_batch_say_the_same(content: object) -> None:
    assert decode_batch(json.dumps(content).encode()) == [("/Dc/0/Voltage", 53.1), ("/Soc", 55)]


def test_a_batch_may_be_long_but_not_endless() -> None:
    cells = {f"Voltages/Cell{cell}": 3.3 for cell in range(1, 257)}
    writes = decode_batch(json.dumps(cells).encode())
    assert isinstance(writes, list) and len(writes) == 256
    with pytest.raises(Refused, match="too much"):
        decode_batch(b'{"a": "' + b"x" * 70_000 + b'"}')


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ('{"Soc": 55, "Dc/0/Current": 30, "Dc/0/Current": 0}', "Dc/0/Current"),
        ('{"Dc": {"0": {"Current": 30, "Current": 0}}}', "Current"),
        ('{"Dc/0/Current": 30, "/Dc/0/Current": 0}', "/Dc/0/Current"),
        ('{"Dc/0/Current": 30, "Dc": {"0": {"Current": {"value": 0}}}}', "/Dc/0/Current"),
        ('{"value": "{\\"Soc\\": 1, \\"Soc\\": 2}"}', "Soc"),
        ('{"Soc": {"value": 1, "value": 2}}', "value"),
        ('{"a\\nb": 1, "a\\nb": 1}', r"a\\nb"),
    ],
)
def test_a_batch_that_names_something_twice_is_refused_and_says_what(
    content: str, name: str
) -> None:
    with pytest.raises(Refused, match="twice") as refused:
        decode_batch(content.encode())
    assert name in str(refused.value) and str(refused.value).isprintable()


@pytest.mark.parametrize(
    "payload",
    [
        '{"value": 30, "value": 0}',
        '{"value": 30, "expires": 9, "expires": 99}',
        '{"value": {"a": 1, "a": 1}}',
        '[{"a": 1, "a": 1}]',
    ],
)
def test_so_is_a_write(payload: str) -> None:
    with pytest.raises(Refused, match="twice"):
        decode_write(payload.encode())


@pytest.mark.parametrize("payload", [b"53.2", b"[1]", b'"a"', b"ON", b'{"value": 3}', b"{'a': 1}"])
def test_a_batch_must_be_an_object(payload: bytes) -> None:
    with pytest.raises(Refused):
        decode_batch(payload)
