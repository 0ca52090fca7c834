"""The traffic: what arrives for the battery, and what of it is refused."""

from __future__ import annotations

import math

from bridge.tools.watch.text import (
    Line,
    Look,
    Span,
    age,
    clipped,
    clipped_left,
    columns,
    left,
    per_row,
)
from bridge.tools.watch.view import Refusal, Source, View

SOURCE_WIDTH = 38  # columns that an arriving path needs, with the two that follow
AGE_WIDTH = 7
VALUE_WIDTH = 8


def rows_for_sources(count: int, width: int) -> int:
    """Rows that all arriving paths need."""
    return math.ceil(count / per_row(width, SOURCE_WIDTH))


def arriving(view: View, rows: int, width: int, now: float, look: Look) -> list[Line]:
    """Each path that was written to, the newest first; a row keeps its place when it repeats."""
    rate = f"   {view.rate.per_second(now):.1f} writes/s"
    head = [Span(" Arriving", "title"), Span(rate)]
    if view.write_root:
        head.append(Span(f"   {view.write_root}/", "dim"))
    if not view.sources:
        return [head, [Span("     nothing yet", "dim")]][:rows]
    abreast = per_row(width, SOURCE_WIDTH)
    newest_first = list(reversed(view.sources.values()))
    used = min(rows - 1, rows_for_sources(len(newest_first), width))
    lines: list[Line] = [[] for _ in range(used)]
    for index, source in enumerate(newest_first[: used * abreast]):
        lines[index % used] += _source(source, width // abreast, now, look)
    return [head, *lines]


def _source(source: Source, width: int, now: float, look: Look) -> Line:
    """Age, path and what was written, in columns that do not move."""
    text, style = ("retained", "warn") if source.retained else (source.text, "strong")
    path_width = width - AGE_WIDTH - VALUE_WIDTH - 4
    return [
        Span(f"{age(now - source.at):>{AGE_WIDTH}}  ", "dim"),
        Span(left(clipped_left(source.label, path_width, look.glyphs), path_width + 1)),
        Span(left(clipped(text, VALUE_WIDTH, look.glyphs), VALUE_WIDTH + 1), style),
    ]


def refused(view: View, rows: int, width: int, now: float, look: Look) -> list[Line]:
    """The latest refusals, and how many there were."""
    head = [Span(" Refused", "title"), Span(f"   {view.refused or 'nothing'}")]
    lines = [_refusal(refusal, width, now, look) for refusal in view.refusals]
    return [head, *lines][:rows]


def _refusal(refusal: Refusal, width: int, now: float, look: Look) -> Line:
    """One refusal. If there is too little room, the value is cut, and not the reason."""
    where = f"{refusal.where} = "
    room = width - AGE_WIDTH - 4 - columns(where) - columns(refusal.reason)
    value = clipped(refusal.value, max(room, 8), look.glyphs)
    return [
        Span(f"{age(now - refusal.at):>{AGE_WIDTH}}  ", "dim"),
        Span(where + value),
        Span(f"  {refusal.reason}", "warn"),
    ]
