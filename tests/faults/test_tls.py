"""TLS: what is wrong between the bridge and a broker is said in words, with what to do."""

from __future__ import annotations

import dataclasses
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bridge.adapters import mqtt_link
from bridge.adapters.broker import Broker, tls_context
from bridge.adapters.mqtt_link import MqttLink
from tests.harness.certificates import FUTURE, PAST, Authority, Certificate, self_signed
from tests.harness.false_broker import FalseBroker
from tests.harness.tls_broker import TlsBroker
from tests.harness.waiting import wait_for


class House(NamedTuple):
    """A broker with one listener for each thing that can be wrong, and certificates for clients."""

    folder: Path
    ports: dict[str, int]
    valid: Certificate
    ca: Path
    other_ca: Path
    ours: Certificate
    expired: Certificate
    foreign: Certificate


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("tls")
    ca, other = Authority(folder / "ca"), Authority(folder / "other")
    valid = ca.issue("valid")
    listeners = {
        "plain": None,
        "valid": valid,
        "expired": ca.issue("expired", valid=PAST),
        "future": ca.issue("future", valid=FUTURE),
        "elsewhere": ca.issue("elsewhere", names="DNS:elsewhere.example"),
        "self-signed": self_signed(folder),
        "asks": ca.issue("asks"),
    }
    with TlsBroker(folder, listeners, clients={"asks": ca.cert}) as broker:
        yield House(
            folder=folder,
            ports=broker.ports,
            valid=valid,
            ca=ca.cert,
            other_ca=other.cert,
            ours=ca.issue("client"),
            expired=ca.issue("expired-client", valid=PAST),
            foreign=other.issue("foreign-client"),
        )


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two attempts, because a link that is stopped waits until the pause is over."""
    monkeypatch.setattr(mqtt_link, "BACKOFF", (0.05, 60))


def said_of(broker: Broker) -> tuple[bool, str]:
    """Whether a link connects to the broker, and the first words that it says about it."""
    said: list[tuple[bool, str]] = []
    link = MqttLink(
        broker, wake=lambda: None, on_state=lambda connected, words: said.append((connected, words))
    )
    link.start()
    try:
        wait_for(lambda: said, f"a word about {broker}")
    finally:
        link.stop()
    return said[0]


def broker_of(house: House, listener: str, **more: Any) -> Broker:
    usual = Broker("127.0.0.1", house.ports[listener], tls=True, tls_ca=str(house.ca))
    return dataclasses.replace(usual, **more)


def with_certificate(certificate: Certificate) -> dict[str, str]:
    return {"tls_cert": str(certificate.cert), "tls_key": str(certificate.key)}


@pytest.mark.promise("tls")
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_valid_certificate_connects(house: House, host: str) -> None:
    assert said_of(broker_of(house, "valid", host=host))[0]


@pytest.mark.parametrize("listener", ["expired", "elsewhere", "self-signed"])
def test_insecure_accepts_any_certificate(house: House, listener: str) -> None:
    assert said_of(broker_of(house, listener, tls_insecure=True))[0]


def test_a_client_certificate_that_is_asked_for_is_sent(house: House) -> None:
    assert said_of(broker_of(house, "asks", **with_certificate(house.ours)))[0]


UNTRUSTED = {
    "expired": "it has expired; renew it, or set the clock",
    "future": "it is not valid yet; wait, or set the clock",
    "elsewhere": "it is not for 127.0.0.1; use a name of the certificate as mqtt.host",
    "self-signed": "it is self-signed; if it is the right one, name it as mqtt.tls.ca",
}


@pytest.mark.promise("tls")
@pytest.mark.parametrize("listener", UNTRUSTED)
def test_what_is_wrong_with_the_certificate_of_the_broker_is_said(
    house: House, listener: str
) -> None:
    connected, words = said_of(broker_of(house, listener))
    assert not connected and "is not trusted because of its certificate" in words
    assert UNTRUSTED[listener] in words


@pytest.mark.promise("tls")
def test_a_ca_that_is_not_known_is_said(house: House) -> None:
    _, words = said_of(broker_of(house, "valid", tls_ca=str(house.other_ca)))
    assert "is not trusted" in words and "name the file of its CA as mqtt.tls.ca" in words


@pytest.mark.parametrize(
    ("certificate", "advice"),
    [
        ("none", "set mqtt.tls.cert and mqtt.tls.key"),
        ("foreign", "does not accept our certificate (mqtt.tls.cert): it does not know its CA"),
        ("expired", "does not accept our certificate (mqtt.tls.cert), which has expired"),
    ],
)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_broker_that_refuses_our_certificate_is_understood(
    house: House,
    monkeypatch: pytest.MonkeyPatch,
    version: ssl.TLSVersion,
    certificate: str,
    advice: str,
) -> None:
    """With TLS 1.3 the refusal comes after the handshake, as a first answer."""

    def of_version(broker: Broker) -> ssl.SSLContext:
        context = tls_context(broker)
        context.maximum_version = version
        return context

    monkeypatch.setattr(mqtt_link, "tls_context", of_version)
    ours = {} if certificate == "none" else with_certificate(getattr(house, certificate))
    _, words = said_of(broker_of(house, "asks", **ours))
    assert "refuses us, will keep trying" in words and advice in words


def test_tls_to_a_port_without_it(house: House) -> None:
    _, words = said_of(broker_of(house, "plain"))
    assert "does not speak TLS on this port" in words and "8883" in words


def test_tls_to_a_server_that_answers_otherwise(house: House) -> None:
    with FalseBroker(b"HTTP/1.1 400 Bad Request\r\n\r\n") as server:
        _, words = said_of(broker_of(house, "plain", port=server.port))
    assert "does not speak TLS on this port" in words


def test_no_tls_to_a_port_with_it(house: House) -> None:
    _, words = said_of(broker_of(house, "valid", tls=False))
    assert ("TLS" in words and "set mqtt.tls" in words) or "TLS (mqtt.tls)" in words


@pytest.mark.parametrize("tls", [False, True])
def test_a_server_that_says_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch, tls: bool
) -> None:
    """The second that it takes is the shortest time that paho can wait."""
    monkeypatch.setattr(mqtt_link, "KEEPALIVE", 1)
    with FalseBroker(None) as server:
        _, words = said_of(broker_of(house, "plain", port=server.port, tls=tls))
    assert "accepts the connection, but does not answer" in words


def test_a_port_on_which_nobody_listens(house: House) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    _, words = said_of(broker_of(house, "plain", port=port))
    assert "cannot be reached" in words and "no program listens on this port" in words


def test_the_same_words_are_said_once(house: House) -> None:
    said: list[str] = []
    link = MqttLink(
        broker_of(house, "expired"),
        wake=lambda: None,
        on_state=lambda _connected, words: said.append(words),
    )
    link.start()
    log = house.folder / "mosquitto.log"
    refused = log.read_text().count("expired")
    wait_for(lambda: log.read_text().count("expired") >= refused + 2, "a second attempt")
    link.stop()
    assert len(said) == 1


# --- IPv6 -------------------------------------------------------------------------------------


def test_a_broker_with_an_address_of_ipv6(house: House, tmp_path: Path) -> None:
    if not socket.has_ipv6:
        pytest.skip("this system has no IPv6")
    with TlsBroker(tmp_path, {"valid": house.valid, "plain": None}, {}, address="::1") as broker:
        for name, tls in (("valid", True), ("plain", False)):
            port = broker.ports[name]
            there = broker_of(house, "valid", host="::1", port=port, tls=tls)
            assert said_of(there) == (True, f"connected to broker [::1]:{port}")
