"""./run compare: this bridge and the laws of other projects at the same simulated pack.

Writes the table of results into docs/comparison.md, and pictures beside it. With names of
scenarios, only prints their rows.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Iterable
from multiprocessing import Pool

from tests.comparison.contestants import CONTESTANTS
from tests.comparison.day import Outcome, live
from tests.comparison.picture import svg
from tests.comparison.scenarios import SCENARIOS
from tests.comparison.table import HEAD, row
from tests.docs import ROOT, markdown, with_table

PAGE = ROOT / "docs" / "comparison.md"
PICTURED = ("normal", "feed-in")
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}


def main(arguments: list[str]) -> int:
    """Answers the exit status."""
    chosen = _parser().parse_args(arguments).scenarios
    outcomes = _outcomes(chosen or BY_NAME)
    table = markdown(HEAD, (row(*who, outcome) for who, outcome in outcomes.items()))
    print(table)
    if not chosen:
        text = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(with_table(text, "results", table), encoding="utf-8")
        for scenario in PICTURED:
            lines = {name: outcomes[scenario, name].trace for name in CONTESTANTS}
            file = PAGE.parent / f"comparison-{scenario}.svg"
            file.write_text(svg(scenario, lines), encoding="utf-8")
    return 0


def _outcomes(scenarios: Iterable[str]) -> dict[tuple[str, str], Outcome]:
    tasks = [(scenario, contestant) for scenario in scenarios for contestant in CONTESTANTS]
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
