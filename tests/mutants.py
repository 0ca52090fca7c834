"""Which mistakes would the quick tests miss? Makes one small change at a time, and runs them.

    python -m tests.mutants [HOW_MANY] [SEED] [WHERE]

mutmut makes the changes ("mutants") and runs those tests of `./run check` that run through the
changed function; pyproject.toml says in which files, and leaves out the tests that read the code
itself. A sample of HOW_MANY mutants (0: all) is chosen by SEED among those whose name contains
WHERE. A mutant that was noticed is not tried again until its function has changed, so a run that
was interrupted goes on. mutants/ holds the results; delete it to begin anew.

The command fails if fewer than 90 % of the sample are noticed. A mutant that was not noticed is
listed, unless `tests/survivors.py` argues why it does not matter.
"""

from __future__ import annotations

import random
import re
import subprocess
import sys
from pathlib import Path

from tests.survivors import ARGUED, only_words

ENOUGH = 90.0  # %
SAMPLE, SEED = 300, 1
FIRST = "bridge.core.limiter.recovery.x_recover__mutmut_1"
"""Running any one mutant makes all of them."""

NOTICED = {"killed", "timeout", "segfault", "caught by type check"}
RESULT = re.compile(r"\s+(?P<name>bridge\.\S+): (?P<status>.+)")


def main(words: list[str]) -> int:
    """Try a sample, print what was not noticed. Returns the exit status."""
    count = int(words[0]) if words else SAMPLE
    seed = int(words[1]) if len(words) > 1 else SEED
    where = words[2] if len(words) > 2 else ""
    if not Path("mutants").is_dir():
        mutmut("run", FIRST)
    names = sorted(name for name in results() if where in name)
    if 0 < count < len(names):
        names = sorted(random.Random(seed).sample(names, count))
    before = results()
    left = [name for name in names if before[name] not in NOTICED]
    if left:
        mutmut("run", *left)
    return report(names, results())


def report(names: list[str], status: dict[str, str]) -> int:
    """Print the score of these mutants and those that were not noticed."""
    survivors = [(name, changed_lines(name)) for name in names if status[name] not in NOTICED]
    words = [one for one in survivors if only_words(one[1])]
    argued = [one for one in survivors if one not in words and one[1] in ARGUED]
    rest = [one for one in survivors if one not in words and one not in argued]
    for name, change in rest:
        print(f"\n{name}: {status[name]}\n{change}")
    tried = len(names) - len(words)
    score = 100.0 * (tried - len(argued) - len(rest)) / max(1, tried)
    print(
        f"\n{len(names)} mutants, {len(words)} of them change only words of a message."
        f" Of the other {tried}, {tried - len(argued) - len(rest)} were noticed ({score:.1f} %),"
        f" {len(argued)} are argued in tests/survivors.py, {len(rest)} are listed above."
    )
    return 0 if score >= ENOUGH else 1


def results() -> dict[str, str]:
    """The status of every mutant, by its name."""
    lines = output("results", "--all", "true").splitlines()
    return {m["name"]: m["status"] for line in lines if (m := RESULT.match(line))}


def changed_lines(name: str) -> str:
    """The lines that a mutant changes, as in a diff, without their indentation."""
    lines = output("show", name).splitlines()
    changed = [line for line in lines if re.match(r"[-+](?![-+]{2} )", line)]
    return "\n".join(f"{line[0]} {line[1:].strip()}" for line in changed)


def mutmut(*words: str) -> None:
    """Run mutmut with its own progress on the terminal."""
    subprocess.run([sys.executable, "-m", "mutmut", *words], check=True)


def output(*words: str) -> str:
    """What a command of mutmut prints."""
    command = [sys.executable, "-m", "mutmut", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
