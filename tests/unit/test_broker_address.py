"""Which broker, and how to get in."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from bridge.adapters.broker import Broker, check, read_password, tls_context


def test_it_is_shown_without_its_password() -> None:
    broker = Broker(host="venus.local", port=8883, username="me", password="secret")
    assert str(broker) == "venus.local:8883"
    assert "secret" not in f"{broker} {broker!r}"


def test_a_certificate_is_asked_for_unless_told_otherwise() -> None:
    careful = tls_context(Broker("127.0.0.1", 8883, tls=True))
    assert (careful.verify_mode, careful.check_hostname) == (ssl.CERT_REQUIRED, True)
    careless = tls_context(Broker("127.0.0.1", 8883, tls=True, tls_insecure=True))
    assert (careless.verify_mode, careless.check_hostname) == (ssl.CERT_NONE, False)


def test_a_file_that_is_no_certificate_is_named(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")
    with pytest.raises(OSError) as problem:
        check(Broker("127.0.0.1", 8883, tls=True, tls_ca=str(file)))
    assert problem.value.filename == str(file) and problem.value.strerror


def test_without_tls_no_certificate_is_read() -> None:
    check(Broker("127.0.0.1", 8883, tls_ca="/nowhere"))


@pytest.mark.parametrize(
    ("content", "password"), [("a\n", "a"), ("a\nb\n", "a"), ("", ""), ("\n", ""), ("ä b", "ä b")]
)
def test_the_password_is_the_first_line(tmp_path: Path, content: str, password: str) -> None:
    file = tmp_path / "password"
    file.write_text(content, encoding="utf-8")
    assert read_password(str(file)) == password


def test_a_password_file_that_is_not_there() -> None:
    with pytest.raises(OSError):
        read_password("/nowhere")
