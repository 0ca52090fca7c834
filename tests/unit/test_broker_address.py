"""The address of a broker: as people write it, and as it is shown."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.adapters.broker import Broker
from bridge.core.settings.address import split_address
from bridge.core.settings.configuration import BadConfiguration, MqttConfig, parse
from tests.unit.test_configuration import MINIMAL


@pytest.mark.parametrize(
    ("words", "host", "port"),
    [
        ("venus.local", "venus.local", None),
        ("venus.local:1884", "venus.local", 1884),
        ("192.0.2.7", "192.0.2.7", None),
        ("192.0.2.7:65535", "192.0.2.7", 65535),
        ("::1", "::1", None),
        ("[::1]", "::1", None),
        ("[::1]:1883", "::1", 1883),
        ("2001:db8::192.0.2.7", "2001:db8::192.0.2.7", None),
        ("fe80::1%eth0", "fe80::1%eth0", None),
        ("[fe80::1%eth0]:8883", "fe80::1%eth0", 8883),
        ("größe.example", "größe.example", None),
    ],
)
def test_an_address_is_split(words: str, host: str, port: int | None) -> None:
    assert split_address(words) == (host, port)


@pytest.mark.parametrize(
    "words",
    [
        "", " ", "a b", "a..b", "x" * 64, "a:", ":1883", "a:0", "a:65536", "a:-1", "a:1.0", "a:x",
        "a:\N{SUPERSCRIPT TWO}", "a:" + "9" * 9999, "[]", "[::1", "::1]", "[a]:1", "[::1]1883",
        "[::1]:", "[::1]:0", "1:2:x", "mqtt://venus.local", "user@host", "a/b", "\x00", "\ud800",
        "a\n:1",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(words: str) -> None:
    with pytest.raises(ValueError):
        split_address(words)


@settings(max_examples=60)
@given(st.text(alphabet="[]:.%/@ ab1é\n\x00", max_size=12))
def test_whatever_is_written_it_is_an_address_or_refused(words: str) -> None:
    try:
        host, port = split_address(words)
    except ValueError:
        return
    assert host and (port is None or 0 < port < 65536)


@pytest.mark.parametrize(
    ("mqtt", "host", "port"),
    [
        ({}, "127.0.0.1", 1883),
        ({"host": "::1"}, "::1", 1883),
        ({"host": "[::1]", "port": 8883}, "::1", 8883),
        ({"host": "[::1]:8883"}, "::1", 8883),
        ({"host": "venus.local:8883"}, "venus.local", 8883),
    ],
)
def test_the_configuration_takes_each_form(
    mqtt: dict[str, object], host: str, port: int
) -> None:
    config = parse({**MINIMAL, "mqtt": mqtt}).mqtt
    assert (config.host, config.port) == (host, port)


def test_a_port_that_is_there_twice_is_a_mistake() -> None:
    with pytest.raises(BadConfiguration, match=r"mqtt\.port: is there twice: host has 1 already"):
        parse({**MINIMAL, "mqtt": {"host": "[::1]:1", "port": 1883}})


@pytest.mark.parametrize("host", ["venus.local", "::1"])
def test_it_is_shown_in_a_form_that_can_be_given_again(host: str) -> None:
    assert split_address(str(Broker(host=host, port=8883))) == (host, 8883)
    shown = MqttConfig(host=host, port=8883).address
    assert split_address(shown) == (host, 8883)


def test_it_is_shown_without_its_password() -> None:
    broker = Broker(host="venus.local", port=8883, username="me", password="secret")
    assert str(broker) == "venus.local:8883"
    assert "secret" not in f"{broker} {broker!r}"
