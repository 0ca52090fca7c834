"""./run compare: this bridge and the laws of other projects at the same simulated pack.

Writes the table of results into docs/comparison.md. With names of scenarios, only prints their
rows.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Iterable
from multiprocessing import Pool

from tests.comparison.contestants import CONTESTANTS
from tests.comparison.day import live
from tests.comparison.scenarios import SCENARIOS
from tests.comparison.table import HEAD, row
from tests.docs import ROOT, markdown, with_table

PAGE = ROOT / "docs" / "comparison.md"
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}


def main(arguments: list[str]) -> int:
    """Answers the exit status."""
    chosen = _parser().parse_args(arguments).scenarios
    table = markdown(HEAD, _rows(chosen or BY_NAME))
    print(table)
    if not chosen:
        text = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(with_table(text, "results", table), encoding="utf-8")
    return 0


def _rows(scenarios: Iterable[str]) -> list[tuple[str, ...]]:
    tasks = [(scenario, contestant) for scenario in scenarios for contestant in CONTESTANTS]
    with Pool(os.cpu_count(), initializer=_be_quiet) as pool:
        return pool.starmap(_row, tasks, chunksize=1)


def _row(scenario: str, contestant: str) -> tuple[str, ...]:
    return row(scenario, contestant, live(BY_NAME[scenario], CONTESTANTS[contestant].make()))


def _be_quiet() -> None:
    logging.disable()  # the bridge reports each reading that it refuses


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./run compare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("scenarios", nargs="*", choices=[*BY_NAME, []], metavar="SCENARIO")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
