"""What is said of several paths, in few words."""

from __future__ import annotations

from collections.abc import Collection


def said_of(paths: Collection[str], words: str) -> str:
    """Words about the first path, and how many more there are; "" for no path.

    For example "Voltages/Cell1 (and 2 more) is in doubt".
    """
    if not paths:
        return ""
    first, others = next(iter(paths))[1:], len(paths) - 1
    more = f" (and {others} more)" if others else ""
    return f"{first}{more}{words}"
