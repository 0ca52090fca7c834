"""Searches for so many steps: `./run search 1000000`, with `--seed` to repeat one."""

from __future__ import annotations

import argparse
import logging
import random
import sys
import time
from collections import Counter

from tests.search.script import Script
from tests.search.search import LENGTH, report, search, shortened

PROGRESS_EVERY = 60.0  # s


class _Tried:
    """What was tried, and how far the search is."""

    def __init__(self, scripts: int) -> None:
        self._scripts = scripts
        self._began = self._told_at = time.monotonic()
        self.played = 0
        self._chemistries, self._steps = Counter[str](), Counter[str]()
        self._misreports = Counter[str]()

    def watch(self, script: Script) -> None:
        """Count one script, and tell the progress once a minute."""
        self.played += 1
        self._chemistries[script.config["chemistry"]] += 1
        self._steps.update(type(step).__name__ for step in script.steps)
        self._misreports.update(script.misreports)
        now = time.monotonic()
        if now - self._told_at >= PROGRESS_EVERY:
            self._told_at = now
            print(f"{self.played} of {self._scripts} scripts, {self.speed:.0f} steps/s", flush=True)

    @property
    def speed(self) -> float:
        """Steps per s."""
        return self.played * LENGTH / max(1e-9, time.monotonic() - self._began)

    def __str__(self) -> str:
        counts = (self._chemistries, self._steps, self._misreports)
        return "; ".join(
            ", ".join(f"{count} {name}" for name, count in kind.most_common()) for kind in counts
        )


def main() -> int:
    parser = argparse.ArgumentParser(prog="./run search", description=__doc__)
    parser.add_argument("steps", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--seed", type=int, default=random.randrange(10**9))
    options = parser.parse_args()
    scripts = max(1, options.steps // LENGTH)
    print(f"{scripts} scripts of {LENGTH} steps from seed {options.seed}", flush=True)
    logging.disable()  # thousands of refusals are meant
    tried, laws = _Tried(scripts), Counter[str]()
    for found in search(range(options.seed, options.seed + scripts), watch=tried.watch):
        key = f"{found.broken.limit}: {found.broken.law}"
        laws[key] += 1
        if laws[key] == 1:
            print(report(shortened(found)), flush=True)
    for law, count in laws.most_common():
        print(f"{count:6} scripts break {law}")
    print(f"tried: {tried}")
    print(
        f"{tried.played} scripts of {LENGTH} steps, {tried.speed:.0f} steps/s:"
        f" {sum(laws.values())} scripts failed"
    )
    return 1 if laws else 0


if __name__ == "__main__":
    sys.exit(main())
