"""Searches for so many steps: `./run search 1000000`, with `--seed` to repeat one."""

from __future__ import annotations

import argparse
import logging
import random
import sys
import time
from collections import Counter

from tests.search.search import LENGTH, report, search, shortened


def main() -> int:
    parser = argparse.ArgumentParser(prog="./run search", description=__doc__)
    parser.add_argument("steps", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--seed", type=int, default=random.randrange(10**9))
    options = parser.parse_args()
    scripts = max(1, options.steps // LENGTH)
    print(f"{scripts} scripts of {LENGTH} steps from seed {options.seed}")
    logging.disable()  # thousands of refusals are meant
    began, laws = time.monotonic(), Counter[str]()
    for found in search(range(options.seed, options.seed + scripts)):
        key = f"{found.broken.limit}: {found.broken.law}"
        laws[key] += 1
        if laws[key] == 1:
            print(report(shortened(found)), flush=True)
    took = time.monotonic() - began
    for law, count in laws.most_common():
        print(f"{count:6} scripts break {law}")
    print(f"{scripts * LENGTH / took:.0f} steps/s, {sum(laws.values())} scripts failed")
    return 1 if laws else 0


if __name__ == "__main__":
    sys.exit(main())
