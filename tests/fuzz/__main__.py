"""Random input for some time: `./run fuzz 10m`; `--target` and `--seed` repeat a finding."""

from __future__ import annotations

import argparse
import logging
import random
import sys
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "docker" / "gx"), str(ROOT / "docker" / "gx" / "velib")]

from tests.fuzz.fuzz import Tried, fuzz, live  # noqa: E402  it needs the folders above
from tests.fuzz.targets import TARGETS  # noqa: E402
from tests.harness.duration import duration  # noqa: E402

MOST_SHOWN = 3  # findings of a target


def main() -> int:
    parser = argparse.ArgumentParser(prog="./run fuzz", description=__doc__)
    parser.add_argument("duration", type=duration, nargs="?", default=60.0)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--target", choices=TARGETS)
    options = parser.parse_args()
    logging.disable()  # thousands of refusals are meant
    if options.target and options.seed is not None:
        found = live(options.target, options.seed, Tried())
        print(found or "nothing is found")
        return 1 if found else 0
    seed = random.randrange(10**9) if options.seed is None else options.seed
    targets = [options.target] if options.target else list(TARGETS)
    print(f"from seed {seed}", flush=True)
    began = time.monotonic()
    tried, found_of = dict[str, Tried](), Counter[str]()
    for found in fuzz(targets, seed, lambda: time.monotonic() > began + options.duration, tried):
        found_of[found.target] += 1
        if found_of[found.target] <= MOST_SHOWN:
            print(found, flush=True)
    spent = time.monotonic() - began
    for target, one in tried.items():
        print(
            f"{target}: {one.inputs} inputs, at most {one.calls} calls for one,"
            f" {one.growth} blocks of growth, {found_of[target]} findings"
        )
    inputs = sum(one.inputs for one in tried.values())
    print(f"{inputs} inputs, {inputs / spent:.0f} per s: {sum(found_of.values())} findings")
    return 1 if found_of else 0


if __name__ == "__main__":
    sys.exit(main())
