"""Why there is no connection to the broker, in words for a person, and what to do about it.

The numbers and names are those of OpenSSL: the results of a verification in its x509_vfy.h, the
errors and alerts in its sslerr.h.
"""

from __future__ import annotations

import errno
import socket
from time import strftime
from typing import NamedTuple

from bridge.adapters.broker import Broker
from bridge.core.text import sanitize_for_log

_TLS_ALERT = b"\x15"  # RFC 8446, 5.1; the answer to CONNECT begins with 0x20


class Attempt(NamedTuple):
    """How an attempt to connect has ended.

    is_open: the connection was there, with TLS if it was asked for; the answer to CONNECT was not.
    problem: what was raised. heard: the first byte that came, if any. in_time: False if we have
    waited for the answer in vain.
    """

    is_open: bool
    problem: Exception | None = None
    heard: bytes = b""
    in_time: bool = True


class _Trouble(NamedTuple):
    """What is wrong, after the name of the broker; and what to do, or where to look."""

    what: str
    advice: str


_UNKNOWN_CA = "its CA is not known here; name the file of its CA as mqtt.tls.ca"
_OTHER_HOST = "it is not for {host}; use a name of the certificate as mqtt.host"

_UNTRUSTED = {
    9: "it is not valid yet; wait, or set the clock of this device, which says {today}",
    10: "it has expired; renew it, or set the clock of this device, which says {today}",
    18: "it is self-signed; if it is the right one, name it as mqtt.tls.ca",
    19: _UNKNOWN_CA,
    20: _UNKNOWN_CA,
    21: _UNKNOWN_CA,
    23: "it is revoked; give the broker another one",
    62: _OTHER_HOST,
    64: _OTHER_HOST,
}
"""What is wrong with the broker's certificate, by the result of the verification."""

_NO_TLS = _Trouble(
    "does not speak TLS on this port", "use its TLS port, usually 8883, or leave out mqtt.tls"
)
_OTHER_VERSION = _Trouble("speaks no version of TLS that we do", "TLS 1.2 or newer is needed")

_ASKS = "asks for a certificate of ours; set mqtt.tls.cert and mqtt.tls.key"
_NOT_OURS = "does not accept our certificate (mqtt.tls.cert)"

_REASONS = {
    "WRONG_VERSION_NUMBER": _NO_TLS,
    "HTTP_REQUEST": _NO_TLS,
    "RECORD_LAYER_FAILURE": _NO_TLS,
    "UNEXPECTED_EOF_WHILE_READING": _NO_TLS,
    "PROTOCOL_VERSION": _OTHER_VERSION,
    "UNSUPPORTED_PROTOCOL": _OTHER_VERSION,
    "CERTIFICATE_REQUIRED": _Trouble("refuses us", "it " + _ASKS),
    "HANDSHAKE_FAILURE": _Trouble("refuses us", "perhaps it " + _ASKS),
    "ALERT_UNKNOWN_CA": _Trouble("refuses us", f"it {_NOT_OURS}: it does not know its CA"),
    "ALERT_CERTIFICATE_EXPIRED": _Trouble("refuses us", f"it {_NOT_OURS}, which has expired"),
    "ALERT_CERTIFICATE_REVOKED": _Trouble("refuses us", f"it {_NOT_OURS}, which is revoked"),
    "ALERT_BAD_CERTIFICATE": _Trouble("refuses us", f"it {_NOT_OURS}"),
    "ALERT_CERTIFICATE_UNKNOWN": _Trouble("refuses us", f"it {_NOT_OURS}"),
    "ALERT_UNSUPPORTED_CERTIFICATE": _Trouble("refuses us", f"it {_NOT_OURS}: not for a client"),
    "ALERT_DECRYPT_ERROR": _Trouble("refuses us", f"it {_NOT_OURS}"),
}
"""By the end of the reason of an error of TLS."""

_UNREACHED = {
    errno.ECONNREFUSED: "no program listens on this port; is the broker running?",
    errno.ENETUNREACH: "there is no way to its network; look at the network of this device",
    errno.EHOSTUNREACH: "its address does not answer; is it right, and is the device on?",
    errno.EADDRNOTAVAIL: "this device has no address of that kind",
    errno.EAFNOSUPPORT: "this device has no address of that kind",
    errno.ETIMEDOUT: "its address does not answer; is it right, and is the device on?",
}
"""Why no connection could be made."""


_NO_LOGIN = "it wants a user and a password; set mqtt.username and mqtt.password_file"
_WRONG_LOGIN = (
    "the user or the password is wrong; see mqtt.username and mqtt.password_file, and whether the"
    " broker allows this user"
)
_OF_LOGIN = ("Bad user name or password", "Not authorized")
"""The reasons of MQTT for a login that is not accepted (3.2.2.2), in paho's words."""


def why_refused(reason: str, broker: Broker) -> str:
    """One sentence about an answer to CONNECT that refuses us. reason: of MQTT, in paho's words."""
    advice = f"it says {_quoted(reason)}"
    if reason in _OF_LOGIN:
        advice = f"{_WRONG_LOGIN if broker.username else _NO_LOGIN} ({reason})"
    return f"broker {broker} refuses us, will keep trying: {advice}"


def why(attempt: Attempt, broker: Broker) -> str:
    """One sentence about an attempt that has failed. It is the same while nothing changes."""
    trouble = _trouble(attempt, broker)
    advice = trouble.advice.format(host=broker.host, today=strftime("%Y-%m-%d"))
    return f"broker {broker} {trouble.what}, will keep trying: {advice}"


def _trouble(attempt: Attempt, broker: Broker) -> _Trouble:
    problem = attempt.problem
    verification = getattr(problem, "verify_code", None)
    if verification is not None:
        return _untrusted(verification, str(getattr(problem, "verify_message", "")))
    reason = getattr(problem, "reason", None)  # only errors of TLS have one
    if reason:
        return _of_tls(str(reason))
    if isinstance(problem, socket.gaierror):
        return _Trouble("cannot be reached", _unknown_name(problem))
    return _after_opening(attempt, broker) if attempt.is_open else _opening(problem, broker)


def _untrusted(verification: int, message: str) -> _Trouble:
    known = _UNTRUSTED.get(verification, f"{_quoted(message)} (OpenSSL)")
    return _Trouble("is not trusted because of its certificate", known)


def _of_tls(reason: str) -> _Trouble:
    for end, trouble in _REASONS.items():
        if reason.endswith(end):
            return trouble
    return _Trouble("and we do not agree on TLS", f"OpenSSL says {_quoted(reason)}")


def _unknown_name(problem: socket.gaierror) -> str:
    if problem.errno == socket.EAI_AGAIN:
        return "no name server answers; is the network up?"
    return "no name server knows the name {host}; is it right?"


def _opening(problem: Exception | None, broker: Broker) -> _Trouble:
    """While the connection was made, with TLS if it was asked for."""
    if isinstance(problem, TimeoutError) and "handshake" in str(problem):
        return _silent(broker)
    if isinstance(problem, (ConnectionResetError, BrokenPipeError)) and broker.tls:
        return _NO_TLS
    number = problem.errno if isinstance(problem, OSError) else None
    if number is None and isinstance(problem, TimeoutError):
        number = errno.ETIMEDOUT
    return _Trouble("cannot be reached", _UNREACHED.get(number or 0, _quoted(str(problem))))


def _after_opening(attempt: Attempt, broker: Broker) -> _Trouble:
    """While we waited for the answer to CONNECT."""
    if not attempt.in_time:
        return _silent(broker)
    if attempt.heard == _TLS_ALERT and not broker.tls:
        return _Trouble("expects TLS on this port", "set mqtt.tls, or use its port without TLS")
    if attempt.heard:
        return _Trouble("sends what cannot be read", "is it an MQTT broker?")
    other = "a certificate of ours" if broker.tls else "TLS (mqtt.tls)"
    return _Trouble("hangs up before it answers", f"perhaps this port expects {other}")


def _silent(broker: Broker) -> _Trouble:
    what = "MQTT with TLS" if broker.tls else "MQTT without TLS"
    return _Trouble("accepts the connection, but does not answer", f"is this port for {what}?")


def _quoted(words: str) -> str:
    """Words of others, safe for the log and for `format`."""
    return sanitize_for_log(words).replace("{", "(").replace("}", ")")
