"""The log: plain lines on standard error, without a time, which multilog or journald add."""

from __future__ import annotations

import logging


def start(level: str) -> None:
    """Log everything of this level and above: debug, info, warning or error.

    May be called again to change the level.
    """
    logging.basicConfig(format="%(levelname)s %(message)s", level=level.upper(), force=True)
    # Libraries log details (velib each path); at info level that is too much.
    if level != "debug":
        for name in ("root", "paho"):
            logging.getLogger(name).setLevel(max(logging.INFO, logging.getLogger().level))
