"""The words of a GX's MQTT, byte for byte."""

from __future__ import annotations

import json

import pytest

from bridge.gateways.victron_mqtt.messages import (
    Keepalive,
    below,
    completed,
    is_our_serial,
    notification,
    our_serial,
    parse_keepalive,
)

TOO_LONG_AN_ECHO = b'{"keepalive-options":[{"full-publish-completed-echo":"%s"}]}' % (b"x" * 999)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"", Keepalive(True, None)),
        (b'{"keepalive-options":["suppress-republish"]}', Keepalive(False, None)),
        (b'{"keepalive-options":[{"full-publish-completed-echo":"x"}]}', Keepalive(True, "x")),
        (
            b'{"keepalive-options":["suppress-republish",{"full-publish-completed-echo":"x"}]}',
            Keepalive(False, "x"),
        ),
        (b'{"keepalive-options":[{"full-publish-completed-echo":7}]}', Keepalive()),
        (b'{"keepalive-options":"suppress"}', Keepalive()),
        (b'["battery/1/Soc"]', Keepalive()),  # the oldest form, a list of topics
        (b"{", Keepalive()),
        (b"\xff\xfe", Keepalive()),
        (b"[" * 100_000, Keepalive()),
        (TOO_LONG_AN_ECHO, Keepalive()),
    ],
)
def test_a_keepalive_and_its_options(payload: bytes, expected: Keepalive) -> None:
    assert parse_keepalive(payload) == expected


def test_payloads_are_compact_json() -> None:
    assert notification(53.1) == '{"value":53.1}'
    assert notification(1) == '{"value":1}'
    assert notification("Keller-Süd") == '{"value":"Keller-Süd"}'
    assert notification(None) == '{"value":null}'
    assert completed(7, None) == '{"value":7}'
    assert json.loads(completed(7, "x")) == {"value": 7, "full-publish-completed-echo": "x"}


def test_our_serial_tells_the_portal_like_a_gxs_and_is_known_by_its_mark() -> None:
    ours = our_serial("c0ffee")
    assert json.loads(ours)["value"] == "c0ffee"
    assert is_our_serial(ours.encode())
    for foreign in (b'{"value":"c0ffee"}', b"", b"null", b"7", b"\xff"):
        assert not is_our_serial(foreign)


def test_a_read_of_a_path_of_a_subtree_and_of_everything() -> None:
    paths = ["/Soc", "/Soh", "/Dc/0/Voltage", "/Dc/0/Current", "/Dc/1/Voltage"]
    assert below("/Soc", paths) == ["/Soc"]
    assert below("/Dc/0", paths) == ["/Dc/0/Voltage", "/Dc/0/Current"]
    assert below("/Dc/", paths) == paths[2:]
    assert below("", paths) == below("/", paths) == paths
    assert below("/So", paths) == below("/Nothing", paths) == []
