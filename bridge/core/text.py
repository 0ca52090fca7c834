"""Foreign text: shown so that it cannot harm, and compared with the words that are known.

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
    """'; did you mean "…"?' when a known word is near, else ''. Case does not count.

    Words come from anywhere and at any rate, so the full comparison, of which the work grows with
    the square of the length, is left to those few that can still win.
    """
    word = word[:64].lower()
    best, steps = "", len(word) + 64
    for least, other in sorted((_least_distance(word, other.lower()), other) for other in known):
        if least > steps:
            break  # from here on nothing can be nearer
        if least <= _near(other):
            taken = distance(word, other.lower())
            if taken <= _near(other):
                steps, best = min((steps, best), (taken, other))
    return f'; did you mean "{best}"?' if best else ""


def _near(word: str) -> int:
    """How many letters of a word may be wrong. Ours: one, or each third of a long word."""
    return max(1, len(word) // 3)


def _least_distance(a: str, b: str) -> int:
    """What the distance is at least: each letter that only one of them has must be edited."""
    in_a, in_b = set(a), set(b)
    return max(abs(len(a) - len(b)), len(in_a - in_b), len(in_b - in_a))


def sanitize_for_log(text: str, most: int = 120) -> str:
    """A foreign word for a log or a message: not at length, and on one line."""
    shown = text if len(text) <= most else text[: most - 1] + "…"
    return shown if shown.isprintable() else ascii(shown)
