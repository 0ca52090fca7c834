"""./run compare: this bridge and the laws of other projects at the same simulated pack.

Writes the results into docs/comparison.md, and pictures beside it. With names of scenarios, only
these are run, and their rows renewed.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import os
import sys
from collections.abc import Iterable, Mapping
from multiprocessing import Pool
from pathlib import Path

from tests.comparison.contestants import CONTESTANTS
from tests.comparison.day import Outcome, live
from tests.comparison.picture import svg
from tests.comparison.scenarios import SCENARIOS
from tests.comparison.table import HEAD, row
from tests.docs import ROOT, markdown, table_in, with_table

Who = tuple[str, ...]  # a scenario and a contestant
Row = tuple[str, ...]

PAGE = ROOT / "docs" / "comparison.md"
PICTURED = ("normal", "feed-in")
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}


def main(arguments: list[str]) -> int:
    """Answers the exit status."""
    outcomes = _outcomes(_parser().parse_args(arguments).scenarios or BY_NAME)
    rows = {who: row(*who, outcome) for who, outcome in outcomes.items()}
    print(markdown(HEAD, rows.values()))
    _write(rows)
    for scenario in PICTURED:
        if lines := {name: o.trace for (what, name), o in outcomes.items() if what == scenario}:
            picture_of(scenario).write_text(svg(scenario, lines), encoding="utf-8")
    return 0


def picture_of(scenario: str) -> Path:
    """The file of its picture."""
    return PAGE.parent / f"comparison-{scenario}.svg"


def _write(rows: Mapping[Who, Row]) -> None:
    """Into the page, beside the rows of other scenarios that stand there."""
    text = PAGE.read_text(encoding="utf-8")
    known = {line[:2]: line for line in table_in(text, "results")} | rows
    wanted = itertools.product(BY_NAME, CONTESTANTS)
    table = markdown(HEAD, (known[who] for who in wanted if who in known))
    PAGE.write_text(with_table(text, "results", table), encoding="utf-8")


def _outcomes(scenarios: Iterable[str]) -> dict[Who, Outcome]:
    tasks = list(itertools.product(scenarios, CONTESTANTS))
    with Pool(os.cpu_count(), initializer=_be_quiet) as pool:
        return dict(zip(tasks, pool.starmap(_live, tasks, chunksize=1), strict=True))


def _live(scenario: str, contestant: str) -> Outcome:
    return live(BY_NAME[scenario], CONTESTANTS[contestant].make())


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
