"""Real processes under random faults and load: `./run soak 30m`, with `--seed` to repeat one.

The faults of each lane and their order follow from the seed; the machine's load does not.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "docker" / "gx"), str(ROOT / "docker" / "gx" / "velib")]

from tests.harness.duration import duration  # noqa: E402  it needs the folders above
from tests.soak.soak import Broken, Soak  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(prog="./run soak", description=__doc__)
    parser.add_argument("duration", type=duration, nargs="?", default=600.0)
    parser.add_argument("--seed", type=int, default=random.randrange(10**9))
    options = parser.parse_args()
    again = f"./run soak {options.duration:.0f}s --seed {options.seed}"
    print(again, flush=True)
    with (
        tempfile.TemporaryDirectory() as directory,
        Soak(options.seed, options.duration, Path(directory)) as soak,
    ):
        try:
            soak.run()
        except Broken as broken:
            print(f"{soak.before()}\n{soak.summary()}\nbroken: {broken}\nagain: {again}")
            return 1
        print(f"all held:\n{soak.summary()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
