"""Styled text of a fixed width, for terminals with or without colours and Unicode."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

RESET = "\x1b[0m"

# Only the sixteen classic colours: the user's theme decides what is readable.
STYLES = {
    "": "",
    "title": "1;36",
    "strong": "1",
    "dim": "2",
    "good": "32",
    "warn": "33",
    "bad": "1;31",
    "high": "33",
    "low": "36",
}


@dataclass(frozen=True)
class Glyphs:
    """The characters that drawings are made of, for one kind of terminal."""

    used: str
    allowed: str
    beyond: str
    across: str  # fills of one character from left to right, rising
    upward: str  # fills of one character from bottom to top, rising
    ellipsis: str
    dot: str


UNICODE = Glyphs("█", "▒", "░", "▏▎▍▌▋▊▉█", "▁▂▃▄▅▆▇█", "…", "·")
ASCII = Glyphs("#", "=", ".", "#", "0123456789", "~", "-")


@dataclass(frozen=True)
class Look:
    """What the terminal can show."""

    colours: bool = False
    glyphs: Glyphs = UNICODE


@dataclass(frozen=True)
class Span:
    """A piece of a line in one style, a key of STYLES."""

    text: str
    style: str = ""


Line = list[Span]


def printable(text: str) -> str:
    """The text with "?" for control characters, which could control the terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)


def columns(text: str) -> int:
    """How many columns a terminal needs for a text."""
    return sum(_columns_of(character) for character in text)


def clipped(text: str, width: int, glyphs: Glyphs) -> str:
    """The text, cut and marked with an ellipsis when it needs more than `width` columns."""
    if columns(text) <= width:
        return text
    kept = ""
    for character in text:
        if columns(kept + character) > width - 1:
            break
        kept += character
    return kept + glyphs.ellipsis if width > 0 else ""


def clipped_left(text: str, width: int, glyphs: Glyphs) -> str:
    """Like `clipped`, but cut at the beginning: the end of a path says more."""
    return clipped(text[::-1], width, glyphs)[::-1]


def left(text: str, width: int) -> str:
    """The text, padded on the right to `width` columns."""
    return text + " " * (width - columns(text))


def painted(line: Iterable[Span], width: int, look: Look) -> str:
    """One line of at most `width` columns, with its colours where the terminal has them."""
    pieces = []
    for span in line:
        text = clipped(span.text, width, look.glyphs)
        width -= columns(text)
        code = STYLES[span.style] if look.colours and text else ""
        pieces.append(f"\x1b[{code}m{text}{RESET}" if code else text)
    return "".join(pieces)


def both_ends(start: Line, end: Line, width: int) -> Line:
    """One line with `end` at the right margin, at least a blank after `start`."""
    used = sum(columns(span.text) for span in (*start, *end))
    return [*start, Span(" " * max(width - used, 1)), *end]


def per_row(width: int, needed: int) -> int:
    """How many items of `needed` columns fit side by side, at least one."""
    return max(width // needed, 1)


def age(seconds: float) -> str:
    """An age in whole seconds, minutes or hours, so that the text changes seldom."""
    seconds = max(seconds, 0.0)
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{int(seconds // length)} {unit}"
    return f"{int(seconds)} s"


def _columns_of(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
