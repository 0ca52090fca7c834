"""The address of a broker as people write it: a host, perhaps with a port."""

from __future__ import annotations

import re

from bridge.core.text import quoted

EXPECTED = "a host name or an address is needed, such as venus.local, 192.0.2.7 or ::1"

_IN_BRACKETS = re.compile(r"\[([^][]*)\](?::(.*))?", re.DOTALL)
_IPV6 = re.compile(r"[0-9A-Fa-f:.]+(%[^\s/%]+)?")
_NAME = re.compile(r"[^\s/\[\]:@]+")


def split_address(text: str) -> tuple[str, int | None]:
    """Host and port of HOST, HOST:PORT, [IPv6] or [IPv6]:PORT; the port is None if there is none.

    An IPv6 address without brackets has no port. Raises ValueError.
    """
    if "://" in text:
        raise ValueError(f"{quoted(text)} is not allowed: {EXPECTED}, without ://")
    in_brackets = _IN_BRACKETS.fullmatch(text)
    if in_brackets:
        host, port = in_brackets[1], in_brackets[2]
        is_host = _is_ipv6(host)
    elif text.count(":") > 1:
        host, port = text, None
        is_host = _is_ipv6(host)
    else:
        host, colon, after = text.partition(":")
        port = after if colon else None
        is_host = _is_name(host)
    if not is_host:
        raise ValueError(f"{quoted(text)} is not allowed: {EXPECTED}")
    return host, None if port is None else _port(port)


def joined_address(host: str, port: int) -> str:
    """The opposite of `split_address`."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _is_ipv6(host: str) -> bool:
    return ":" in host and _IPV6.fullmatch(host) is not None


def _is_name(host: str) -> bool:
    """Whether it has the form of a host name or of an IPv4 address."""
    try:
        host.encode("idna")  # as the name server is asked; fails for an empty or too long part
    except UnicodeError:
        return False
    return _NAME.fullmatch(host) is not None and host.isprintable()


def _port(text: str) -> int:
    if not (re.fullmatch("[0-9]{1,5}", text) and 0 < int(text) < 65536):
        raise ValueError(f"{quoted(text)} is no port")
    return int(text)
