"""The live view as lines of text: a pure function of what is known and the size of the screen.

In all files of the live view a width is in columns, a height and rows are in lines, `now` is
monotonic seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from bridge.tools.watch.cells import cells, rows_for_cells
from bridge.tools.watch.head import head, nothing_yet
from bridge.tools.watch.limits import limits
from bridge.tools.watch.state import State
from bridge.tools.watch.text import Line, Look, painted
from bridge.tools.watch.traffic import arriving, refused, rows_for_sources
from bridge.tools.watch.view import View

Block = Callable[[int], list[Line]]


def render(view: View, width: int, height: int, now: float, look: Look | None = None) -> list[str]:
    """At most `height` lines of at most `width` columns. now: monotonic seconds.

    First every part gets its fewest rows, in order of importance, then more rows if there are any.
    Rows that are left over become blank lines between the parts.
    """
    look = look or Look()
    state = view.state
    if state is None:
        blocks = [head(view, width, now), nothing_yet(view)]
        return [painted(line, width, look) for block in blocks for line in block][:height]

    draw: dict[str, Block] = {
        "head": lambda rows: head(view, width, now)[:rows],
        "limits": lambda rows: limits(state, rows, width, now - view.state_at, look),
        "cells": lambda rows: cells(state, rows, width, look),
        "arriving": lambda rows: arriving(view, rows, width, now, look),
        "refused": lambda rows: refused(view, rows, width, now, look),
    }
    rows, gaps = _share_out(view, state, width, height)
    lines: list[Line] = []
    for name, block in draw.items():
        if not rows[name]:
            continue
        if lines and gaps:
            lines.append([])
            gaps -= 1
        lines += block(rows[name])
    return [painted(line, width, look) for line in lines][:height]


def _share_out(view: View, state: State, width: int, height: int) -> tuple[Counter[str], int]:
    """Rows for each block, and how many blank lines go between them."""
    has_cells = state.cells or state.number("System/MaxCellVoltage")
    sources = rows_for_sources(len(view.sources), width)
    rows: Counter[str] = Counter()

    def grant(name: str, wanted: int, least: int = 1) -> None:
        granted = min(wanted, height - rows.total())
        if granted >= least:
            rows[name] += granted

    grant("head", 3 + bool(state.doubt) + bool(state.alarms) + (not view.connected))
    grant("limits", 3)
    grant("cells", 1 if has_cells else 0)
    grant("refused", 2 if view.refusals else 1)
    grant("arriving", 2, least=2)
    grant("limits", 3, least=3)
    grant("cells", rows_for_cells(len(state.cells), width, height - rows.total()))
    grant("refused", min(len(view.refusals) - 1, 1))
    grant("arriving", min(sources - 1, 2))
    grant("gaps", 4)
    grant("arriving", sources - 3)
    grant("refused", len(view.refusals) - 2)
    return rows, rows["gaps"]
