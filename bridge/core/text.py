"""Text from outside: made safe for the log, and compared with known words.

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

    Any client can send such words at any rate, and the work of `distance` grows with the square of
    the length. So it is used only for the few known words that can still be the nearest.
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
    """How many letters of a known word may be wrong."""
    return max(1, len(word) // 3)


def _least_distance(a: str, b: str) -> int:
    """A lower bound of the distance: each letter that only one word has must be edited."""
    in_a, in_b = set(a), set(b)
    return max(abs(len(a) - len(b)), len(in_a - in_b), len(in_b - in_a))


def sanitize_for_log(text: str, most: int = 120) -> str:
    """Text from outside for a log or a message: on one line, `most` characters at most."""
    shown = text if len(text) <= most else text[: most - 1] + "…"
    return shown if shown.isprintable() else ascii(shown)


def quoted(value: object) -> str:
    """A value from outside within a message, cut so that the words behind it stay readable."""
    return sanitize_for_log(repr(value), 60)
