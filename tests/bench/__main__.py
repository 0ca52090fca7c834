"""./run bench: measure, and print one table.

--quick takes a few seconds and is less exact; --strict ends with status 1 when a budget is missed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.bench import alone, flood, frames, lone_write, resting
from tests.bench.stage import stage
from tests.bench.table import Row, table

NOTES = """\
The echo is the least that a bridge costs: the same libraries, no checks, no limiter.
Both take turns on one pocket GX, so trust the ratios. MB are 10^6 bytes, us millionths of a second.
p99: 99 of 100 are not slower."""


class Lengths(NamedTuple):
    """How long it takes, and so how exact it is."""

    writes: int
    frames: int
    idle: float  # s
    flood: float  # s
    calls: int


FULL = Lengths(writes=300, frames=30, idle=20.0, flood=10.0, calls=300)
QUICK = Lengths(writes=20, frames=4, idle=2.0, flood=1.0, calls=30)


def main(arguments: list[str]) -> int:
    """Answers the exit status."""
    options = _parser().parse_args(arguments)
    rows = list(_measured(QUICK if options.quick else FULL))
    print(table(rows), NOTES, sep="\n\n")
    return int(options.strict and any(row.is_over for row in rows))


def _measured(lengths: Lengths) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as directory, stage(Path(directory)) as set_up:
        yield from lone_write.measure(set_up, lengths.writes)
        yield from frames.measure(set_up, lengths.frames)
        yield from resting.memory(set_up)
        yield from resting.idle(set_up, lengths.idle)
        yield from flood.measure(set_up, lengths.flood)
    yield from alone.calls()
    yield from alone.limiter(lengths.calls)
    yield from alone.refresh(lengths.calls)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./run bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short and less exact")
    parser.add_argument("--strict", action="store_true", help="status 1 for a missed budget")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
