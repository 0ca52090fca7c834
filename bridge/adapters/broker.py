"""The MQTT broker: its address and how to log in."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl


@dataclass(frozen=True)
class Broker:
    """Address and login of the broker. An empty text means: not used.

    port: 1 to 65535. tls_ca: a file of certificates. tls_insecure: accept any certificate.
    """

    host: str
    port: int
    username: str = ""
    password: str = field(default="", repr=False)  # never in a log or a traceback
    tls: bool = False
    tls_ca: str = ""
    tls_insecure: bool = False

    def __str__(self) -> str:
        """Host and port, for people."""
        return f"{self.host}:{self.port}"


def check(broker: Broker) -> None:
    """Check that the certificates can be used, before anything starts. Raises OSError."""
    if broker.tls:
        try:
            tls_context(broker)
        except OSError as problem:
            words = problem.strerror or str(problem)
            raise OSError(problem.errno or 0, words, broker.tls_ca or "TLS") from None


def tls_context(broker: Broker) -> ssl.SSLContext:
    """The TLS settings for this broker. Raises OSError."""
    import ssl  # here, because it takes a megabyte of memory that only TLS needs

    context = ssl.create_default_context(cafile=broker.tls_ca or None)
    if broker.tls_insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def read_password(file: str) -> str:
    """The first line of a password file. Raises OSError when it cannot be read."""
    lines = Path(file).read_text(encoding="utf-8").splitlines()
    return lines[0] if lines else ""
