"""Mutants that the quick tests do not notice, and why they do not matter: see tests/mutants.py."""

from __future__ import annotations

import re

ARGUED: dict[str, str] = {}
"""The changed lines, as `./run mutants` prints them, and the argument."""

_TEXT = re.compile(r"""f?"[^"]*"|f?'[^']*'""")


def only_words(change: str) -> bool:
    """Whether a change touches only the words of a message: texts in quotes, or a refusal's."""
    before = [line[2:] for line in change.splitlines() if line.startswith("- ")]
    after = [line[2:] for line in change.splitlines() if line.startswith("+ ")]
    return len(before) == len(after) and all(map(_same_but_for_words, before, after))


def _same_but_for_words(before: str, after: str) -> bool:
    if before.startswith("raise Refused(") and after.startswith("raise Refused("):
        return True
    return _TEXT.sub('""', before) == _TEXT.sub('""', after)
