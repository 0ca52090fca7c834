"""The MQTT broker: its address and how to log in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from bridge.adapters import private_file, small_file
from bridge.adapters.small_file import Unreadable
from bridge.core.settings.address import joined_address
from bridge.core.settings.configuration import BadConfiguration, MqttConfig

if TYPE_CHECKING:
    import ssl

MAX_CERTIFICATES = 1024 * 1024
"""Bytes; ours: the CAs of a whole system are about 200 kB."""

_KEY = b"PRIVATE KEY-----"

INSECURE = (
    "mqtt.tls.insecure is on: the broker's certificate is not checked, so that another program can"
    " take the broker's place and write any value. Name the right CA as mqtt.tls.ca instead"
)


@dataclass(frozen=True)
class Broker:
    """Address and login of the broker. An empty text means: not used.

    port: 1 to 65535. tls_ca: a file of certificates. tls_cert, tls_key: our own certificate and
    its key; without tls_key the key is in tls_cert. tls_insecure: accept any certificate.
    """

    host: str
    port: int
    username: str = ""
    password: str = field(default="", repr=False)  # never in a log or a traceback
    tls: bool = False
    tls_ca: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    tls_insecure: bool = False

    def __str__(self) -> str:
        """Host and port, for people."""
        return joined_address(self.host, self.port)


def broker_of(mqtt: MqttConfig) -> Broker:
    """The broker of a configuration. Raises BadConfiguration for files that cannot be used."""
    problems = problems_with_files(mqtt)
    if problems:
        raise BadConfiguration(problems)
    password = private_file.read_password(mqtt.password_file) if mqtt.password_file else ""
    return replace(_without_password(mqtt), password=password)


def problems_with_files(mqtt: MqttConfig) -> list[str]:
    """What is wrong with the files that the configuration names, each with its place."""
    problems = []
    for name, path, check in _checks(_without_password(mqtt), mqtt.password_file):
        try:
            if path:
                check()
        except Unreadable as problem:
            problems.append(f"mqtt.{name}: {path}: {problem}")
    return list(dict.fromkeys(problems))  # the certificate's file may be that of the key too


def _without_password(mqtt: MqttConfig) -> Broker:
    return Broker(
        host=mqtt.host,
        port=mqtt.port,
        username=mqtt.username,
        tls=mqtt.tls,
        tls_ca=mqtt.tls_ca,
        tls_cert=mqtt.tls_cert,
        tls_key=mqtt.tls_key,
        tls_insecure=mqtt.tls_insecure,
    )


def tls_context(broker: Broker) -> ssl.SSLContext:
    """The TLS settings for this broker. Raises OSError where its files cannot be used."""
    import ssl  # here: only TLS needs it

    context = ssl.create_default_context(cafile=broker.tls_ca or None)
    if broker.tls_insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if broker.tls_cert:
        _load_own_certificate(context, broker)
    return context


def _load_own_certificate(context: ssl.SSLContext, broker: Broker) -> None:
    # The password: without one, OpenSSL would ask the terminal for that of an encrypted key.
    context.load_cert_chain(broker.tls_cert, broker.tls_key or None, password=lambda: "")


# --- what can be wrong with the files of TLS ----------------------------------------------------


def _checks(broker: Broker, password_file: str) -> Iterator[tuple[str, str, Callable[[], object]]]:
    """Each file: its place below mqtt, its path, and a call that raises Unreadable."""
    yield "password_file", password_file, lambda: private_file.read_password(password_file)
    yield "tls.ca", broker.tls_ca, lambda: _check_ca(broker.tls_ca)
    yield "tls.cert", broker.tls_cert, lambda: _check_certificate(_certificate(broker))
    if broker.tls_key:
        yield "tls.key", broker.tls_key, lambda: _check_key(broker)
    else:
        yield "tls.cert", broker.tls_cert, lambda: _check_key_with_certificate(broker)


def _check_ca(path: str) -> None:
    import ssl

    _check_certificate(private_file.read_trusted(path, MAX_CERTIFICATES))
    try:
        ssl.create_default_context(cafile=path)
    except OSError as problem:
        raise Unreadable(f"OpenSSL cannot use it ({problem})") from None


def _certificate(broker: Broker) -> bytes:
    return small_file.read(broker.tls_cert, MAX_CERTIFICATES)


def _check_certificate(content: bytes) -> None:
    if b"-----BEGIN CERTIFICATE" not in content and b"-----BEGIN TRUSTED" not in content:
        raise Unreadable("has no certificate in the form PEM (-----BEGIN CERTIFICATE)")


def _check_key_with_certificate(broker: Broker) -> None:
    """The key in the certificate's file. Only a file with a key must be private."""
    if _KEY not in small_file.read(broker.tls_cert, MAX_CERTIFICATES):
        raise Unreadable("has no private key, and mqtt.tls.key is missing")
    _check_key(broker)


def _check_key(broker: Broker) -> None:
    """The private key, and whether it belongs to the certificate."""
    import ssl

    content = private_file.read(broker.tls_key or broker.tls_cert, private_file.MAX_KEY)
    if _KEY not in content:
        raise Unreadable("has no private key in the form PEM (-----BEGIN PRIVATE KEY)")
    if b"ENCRYPTED" in content:
        raise Unreadable("is encrypted, and nobody is there to type its password; decrypt it:"
                         " openssl pkey -in OLD -out NEW")  # fmt: skip
    try:
        _load_own_certificate(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), broker)
    except ssl.SSLError as problem:
        if problem.reason == "KEY_VALUES_MISMATCH":
            raise Unreadable("is not the key of the certificate in mqtt.tls.cert") from None
        raise Unreadable(f"OpenSSL cannot use it with mqtt.tls.cert ({problem.reason})") from None
    except OSError as problem:
        raise Unreadable(problem.strerror or str(problem)) from None
