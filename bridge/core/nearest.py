"""The known word nearest to a mistyped one.

(The standard library's difflib is not on every GX.)
"""

from __future__ import annotations

from collections.abc import Iterable


def distance(a: str, b: str) -> int:
    """How many letters must be inserted, deleted or replaced to make b from a (Levenshtein)."""
    row = list(range(len(b) + 1))
    for i, letter in enumerate(a, start=1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(b, start=1):
            replaced = diagonal + (letter != other)
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, replaced)
    return row[-1]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """'; did you mean "…"?' when a known word is near, else ''. Case does not count."""
    word = word[:64]  # the work grows with the square of the length, and words come from anywhere
    candidates = [(distance(word.lower(), other.lower()), other) for other in known]
    if not candidates:
        return ""
    steps, best = min(candidates)
    return f'; did you mean "{best}"?' if steps <= max(1, len(best) // 3) else ""
