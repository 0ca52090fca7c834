"""Where the live view is shown: a terminal, drawn again and again, or a growing list of lines."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import TextIO

from bridge.tools.watch.journal import Journal
from bridge.tools.watch.render import render
from bridge.tools.watch.text import ASCII, UNICODE, Look
from bridge.tools.watch.view import View

ENTER = "\x1b[?1049h\x1b[?25l"  # the alternate screen, without a cursor
LEAVE = "\x1b[?25h\x1b[?1049l"
HOME, CLEAR, CLEAR_LINE, CLEAR_BELOW = "\x1b[H", "\x1b[2J", "\x1b[K", "\x1b[J"
USUAL_SIZE = os.terminal_size((80, 24))


class Terminal:
    """The whole terminal. At the end it shows again what it showed before, with its cursor."""

    def __init__(self, out: TextIO, look: Look) -> None:
        self._out = out
        self.look = look
        self._size = os.terminal_size((0, 0))
        self._lines: list[str] = []

    def __enter__(self) -> Terminal:
        self._write(ENTER)
        return self

    def __exit__(self, *problem: object) -> None:
        with contextlib.suppress(OSError):  # the terminal itself may have been closed
            self._write(LEAVE)

    def show(self, view: View, now: float) -> None:
        """Draw, if anything is new, in the present size of the terminal. now: monotonic seconds."""
        size = _size_of(self._out)
        lines = render(view, size.columns, size.lines, now, self.look)
        if size == self._size and lines == self._lines:
            return
        start = HOME if size == self._size else CLEAR + HOME
        # No line feed after the last line: it would scroll the first one away.
        self._write(start + "\r\n".join(line + CLEAR_LINE for line in lines) + CLEAR_BELOW)
        self._size, self._lines = size, lines

    def _write(self, text: str) -> None:
        encoding = self._out.encoding or "ascii"
        self._out.write(text.encode(encoding, "replace").decode(encoding))
        self._out.flush()


class Appended:
    """A pipe or a file: lines are added and stay."""

    def __init__(self, out: TextIO, started: float) -> None:
        self._out = out
        self._journal = Journal(started)

    def __enter__(self) -> Appended:
        return self

    def __exit__(self, *problem: object) -> None:
        return None

    def show(self, view: View, now: float) -> None:
        """Add what is new. now: monotonic seconds."""
        for line in self._journal.lines(view, now):
            self._out.write(line + "\n")
        self._out.flush()


def screen_for(out: TextIO, environment: Mapping[str, str], now: float) -> Terminal | Appended:
    """The right screen for this output: a terminal that can place its cursor, or appended lines."""
    if not out.isatty() or environment.get("TERM", "dumb") == "dumb":
        return Appended(out, now)
    encoding = (out.encoding or "").lower().replace("-", "")
    glyphs = UNICODE if encoding == "utf8" else ASCII
    return Terminal(out, Look(colours=not environment.get("NO_COLOR"), glyphs=glyphs))


def _size_of(out: TextIO) -> os.terminal_size:
    try:
        size = os.get_terminal_size(out.fileno())
    except (OSError, ValueError):
        return USUAL_SIZE
    return size if size.columns and size.lines else USUAL_SIZE
