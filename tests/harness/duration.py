"""A duration as a person writes it on a command line."""

from __future__ import annotations

import argparse
import re

_SECONDS = {"s": 1, "m": 60, "h": 3600}


def duration(text: str) -> float:
    """90, 90s, 30m or 2h in s. Raises ArgumentTypeError."""
    match = re.fullmatch(r"(\d+)([smh]?)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text} is no duration: 90s, 30m, 2h")
    return float(match[1]) * _SECONDS[match[2] or "s"]
