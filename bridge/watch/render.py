"""The live view as lines of text: a pure function of what is known and the size of the screen."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

from bridge.watch.state import Limit, State
from bridge.watch.text import (
    Line,
    Look,
    Span,
    age,
    both_ends,
    clipped,
    clipped_left,
    columns,
    left,
    painted,
    printable,
)
from bridge.watch.view import Refusal, Source, View

STAGE_STYLES = {
    "fresh": "good",
    "aging": "warn",
    "waiting": "warn",
    "stale": "bad",
    "lost": "bad",
}
DECIMALS = {"V": 2, "A": 1}
CVL_FROM = 0.8  # the bar of a voltage starts at this share of its ceiling, or it is always full
SOON_S = 10.0  # a next stage that is further away is not worth a moving number
LEAST_SPREAD = 0.010  # V; a level pack shows level bars, not its noise
CELL_WIDTH = 20  # columns that a cell with a bar needs
SOURCE_WIDTH = 38  # columns that an arriving path needs, with the two that follow
AGE_WIDTH = 7
VALUE_WIDTH = 8

Block = Callable[[int], list[Line]]


def render(view: View, width: int, height: int, now: float, look: Look | None = None) -> list[str]:
    """At most `height` lines of at most `width` columns.

    Every part gets its least first, in order of importance, then what it would like; what is
    then left over separates the parts.
    """
    look = look or Look()
    state = view.state
    if state is None:
        blocks = [_head(view, None, width, now), _nothing_yet(view)]
        return [painted(line, width, look) for block in blocks for line in block][:height]

    draw: dict[str, Block] = {
        "head": lambda rows: _head(view, state, width, now)[:rows],
        "limits": lambda rows: _limits(state, rows, width, now - view.state_at, look),
        "cells": lambda rows: _cells(state, rows, width, look),
        "arriving": lambda rows: _arriving(view, rows, width, now, look),
        "refused": lambda rows: _refused(view, rows, width, now, look),
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
    cells = "cells" if state.cells or state.number("System/MaxCellVoltage") else ""
    sources = math.ceil(len(view.sources) / _per_row(width, SOURCE_WIDTH))
    rows: Counter[str] = Counter()

    def grant(name: str, wish: int, least: int = 1) -> None:
        granted = min(wish, height - rows.total())
        if name and granted >= least:
            rows[name] += granted

    grant("head", 3 + bool(state.alarms) + (not view.connected))
    grant("limits", 3)
    grant(cells, 1)
    grant("refused", 2 if view.refusals else 1)
    grant("arriving", 2, least=2)
    grant("limits", 3, least=3)
    grant(cells, _cell_rows(len(state.cells), width, height - rows.total()))
    grant("refused", min(len(view.refusals) - 1, 1))
    grant("arriving", min(sources - 1, 2))
    grant("gaps", 4)
    grant("arriving", sources - 3)
    grant("refused", len(view.refusals) - 2)
    return rows, rows["gaps"]


def _cell_rows(count: int, width: int, room: int) -> int:
    """Rows for a bar per cell if there is room for them, else for a column per cell."""
    bars = math.ceil(count / _per_row(width, CELL_WIDTH))
    return bars if bars <= room else math.ceil(count / _strip_width(width))


def _per_row(width: int, needed: int) -> int:
    return max(width // needed, 1)


def _strip_width(width: int) -> int:
    """Cells in a row of columns, a round number if it can be."""
    return max((width - 5) // 10 * 10, 1)


# --- head: who, how much, how trusted ----------------------------------------------------------


def _head(view: View, state: State | None, width: int, now: float) -> list[Line]:
    name = state.name if state and state.name else "Virtual battery"
    where = [view.ident]
    if state is not None and state.instance is not None:
        where.append(f"instance {state.instance}")
    title = [Span(" "), Span(name, "title"), Span("  " + ", ".join(where), "dim")]
    lines = [both_ends(title, _link(view), width)]
    if not view.connected:
        lines.append([Span(f" {view.connection}", "bad")])
    if state is not None:
        lines += [_readings(state, width), _trust(state, view.since_heard(now))]
    if state is not None and state.alarms:
        lines.append(_alarms(state))
    return lines


def _link(view: View) -> Line:
    if not view.connected:
        return []
    if view.service == "offline":
        return [Span("the bridge is offline, this was its last word ", "bad")]
    return [Span(view.connection + " ", "dim")]


def _readings(state: State, width: int) -> Line:
    readings = (
        ("Dc/0/Voltage", "{:.2f} V"),
        ("Dc/0/Current", "{:+.1f} A"),
        ("Dc/0/Power", "{:+.0f} W"),
        ("Soc", "{:.1f} %"),
        ("Dc/0/Temperature", "{:.1f} °C"),
    )
    line: Line = []
    for path, form in readings:
        value = state.number(path)
        text = "--" + form[form.index("}") + 1 :] if value is None else form.format(value)
        line.append(Span(f" {text:<11}", "dim" if value is None else "strong"))
    mode = state.values.get("Info/ChargeMode")
    return both_ends(line, [Span(f"{printable(mode)} ")] if isinstance(mode, str) else [], width)


def _trust(state: State, since: float) -> Line:
    """The stage, the next one when it is near, and how long each group has been silent."""
    line = [Span(f" {state.stage}", STAGE_STYLES.get(state.stage, "bad"))]
    if state.next_stage and state.next_in is not None:
        left_s = state.next_in - since
        if state.stage != "fresh" or left_s < SOON_S:
            line.append(Span(f", {state.next_stage} in {age(left_s)}", "warn"))
    line.append(Span(" "))
    for group, seconds in state.ages:
        silent = "--" if seconds is None else age(seconds + since)
        line.append(Span(f"  {group} {silent}", "dim" if seconds is None else ""))
    return line


def _alarms(state: State) -> Line:
    words = {1: ("warning", "warn"), 2: ("alarm", "bad")}
    return [Span(f" {name} {words[level][0]}  ", words[level][1]) for name, level in state.alarms]


# --- limits: what is allowed, and why -----------------------------------------------------------


def _limits(state: State, rows: int, width: int, since: float, look: Look) -> list[Line]:
    """Each limit with its reason: on a line of its own if there is room, for it can be long."""
    bar_width = max(min(width // 4, 40), 4)
    lines = []
    for limit in state.limits:
        amount = _limit(state, limit, bar_width, look)
        if rows >= 2 * len(state.limits):
            lines += [[*amount, *_caps(limit, look)], _reason(limit, since)]
        else:
            lines.append([*amount, Span(limit.reason)])
    return lines


def _limit(state: State, limit: Limit, bar_width: int, look: Look) -> Line:
    if limit.value is None:
        value, style = "withdrawn", "bad"
    else:
        value, style = _amount(limit.value, limit.unit), "bad" if limit.value == 0 else "strong"
    ceiling = "" if limit.ceiling is None else f"{limit.ceiling:g} {limit.unit}"
    return [
        Span(f" {limit.name} ", "title"),
        Span(f"{value:>9} ", style),
        *_limit_bar(state, limit, bar_width, look),
        Span(f" {ceiling:<9}", "dim"),
    ]


def _reason(limit: Limit, since: float) -> Line:
    line = [Span(f"     {limit.reason}")]
    if limit.asked is not None:
        asked = f"   asked for {_amount(limit.asked, limit.unit)}"
        when = "" if limit.asked_age is None else f" {age(limit.asked_age + since)} ago"
        line.append(Span(asked + when, "warn"))
    return line


def _caps(limit: Limit, look: Look) -> Line:
    """Each rule's cap, the tightest first; those that hold the limit stand out."""
    line: Line = []
    for rule, cap in sorted(limit.caps, key=lambda pair: pair[1]):
        if rule == "ceiling":  # it stands beside the bar already
            continue
        holds = limit.value is not None and cap <= limit.value + 0.005
        text = f"{rule.replace('_', ' ')} {cap:.{DECIMALS[limit.unit]}f}"
        separator = f" {look.glyphs.dot} " if line else ""
        line += [Span(separator, "dim"), Span(text, "" if holds else "dim")]
    return line


def _limit_bar(state: State, limit: Limit, width: int, look: Look) -> Line:
    """Three shades: what is used of the limit, what it allows, what is left to the ceiling."""
    high = limit.ceiling or 0.0
    if high <= 0:
        return [Span(" " * width)]
    low = CVL_FROM * high if limit.unit == "V" else 0.0

    def filled(value: float | None) -> int:
        share = 0.0 if value is None else (value - low) / (high - low)
        return round(min(max(share, 0.0), 1.0) * width)

    used, allowed = filled(_used(state, limit.name)), filled(limit.value)
    over = "bad" if used > allowed else "good"
    return [
        Span(look.glyphs.used * used, over),
        Span(look.glyphs.allowed * max(allowed - used, 0)),
        Span(look.glyphs.beyond * (width - max(allowed, used)), "dim"),
    ]


def _used(state: State, name: str) -> float | None:
    if name == "CVL":
        return state.number("Dc/0/Voltage")
    current = state.number("Dc/0/Current")
    if current is None:
        return None
    return max(current if name == "CCL" else -current, 0.0)


def _amount(value: float, unit: str) -> str:
    return f"{value:.{DECIMALS[unit]}f} {unit}"


# --- cells ----------------------------------------------------------------------------------------


def _cells(state: State, rows: int, width: int, look: Look) -> list[Line]:
    volts = [v for _, v in state.cells]
    low = min(volts, default=state.number("System/MinCellVoltage"))
    high = max(volts, default=state.number("System/MaxCellVoltage"))
    if low is None or high is None:
        return []
    lines = [_extremes(state, low, high)]
    if rows < 2:
        return lines
    per_row = _per_row(width, CELL_WIDTH)
    if len(state.cells) <= per_row * (rows - 1):
        return lines + _cell_bars(state, low, high, per_row, width // per_row, look)
    return lines + _cell_strip(state, low, high, rows - 1, width, look)


def _extremes(state: State, low: float, high: float) -> Line:
    def which(volts: float, path: str) -> str:
        named = next((str(n) for n, v in state.cells if v == volts), None)
        return named or printable(str(state.values.get(path) or ""))

    return [
        Span(" Cells", "title"),
        Span("   lowest "),
        Span(f"{which(low, 'System/MinVoltageCellId')} {low:.3f} V", "low"),
        Span("   highest "),
        Span(f"{which(high, 'System/MaxVoltageCellId')} {high:.3f} V", "high"),
        Span(f"   {(high - low) * 1000:.0f} mV apart", "dim"),
    ]


def _share(volts: float, low: float, high: float) -> float:
    """Where a cell stands between the lowest (0) and the highest (1)."""
    return (volts - low) / max(high - low, LEAST_SPREAD)


def _cell_style(volts: float, low: float, high: float) -> str:
    if high - low < LEAST_SPREAD:
        return ""
    return {low: "low", high: "high"}.get(volts, "")


def _cell_bars(
    state: State, low: float, high: float, per_row: int, width: int, look: Look
) -> list[Line]:
    """A bar for each cell, numbered downwards, so that neighbours stand together."""
    rows = math.ceil(len(state.cells) / per_row)
    lines: list[Line] = [[] for _ in range(rows)]
    for index, (number, volts) in enumerate(state.cells):
        bar = _fill(_share(volts, low, high), width - 12, look.glyphs.across)
        style = _cell_style(volts, low, high)
        lines[index % rows] += [
            Span(f"{number:>4} ", "dim"),
            Span(f"{volts:.3f} ", style),
            Span(left(bar, width - 11), style or "good"),
        ]
    return lines


def _fill(share: float, width: int, fills: str) -> str:
    """A bar of up to `width` columns in the finest steps there are, never quite empty."""
    steps = max(round(share * width * len(fills)), 1)
    whole, part = divmod(steps, len(fills))
    return fills[-1] * whole + (fills[part - 1] if part else "")


def _cell_strip(
    state: State, low: float, high: float, rows: int, width: int, look: Look
) -> list[Line]:
    """One column per cell, for packs that leave no room for more."""
    per_row = _strip_width(width)
    fills = look.glyphs.upward
    lines: list[Line] = []
    for start in range(0, len(state.cells), per_row):
        line = [Span(f"{state.cells[start][0]:>4} ", "dim")]
        for _, volts in state.cells[start : start + per_row]:
            level = round(_share(volts, low, high) * (len(fills) - 1))
            line.append(Span(fills[level], _cell_style(volts, low, high) or "good"))
        lines.append(line)
    if len(lines) > rows:
        shown = (rows - 1) * per_row
        lines[rows - 1 :] = [[Span(f"     and {len(state.cells) - shown} more", "dim")]]
    return lines


# --- arriving and refused -------------------------------------------------------------------------


def _nothing_yet(view: View) -> list[Line]:
    if not view.connected:
        return [[], [Span(" Waiting for the broker.")]]
    state_topic = f"{view.base}/{view.ident}/state"
    return [
        [],
        [Span(" Waiting for the bridge.")],
        [Span(f" Nothing has come on {state_topic} yet. Is it running, with this name?", "dim")],
    ]


def _arriving(view: View, rows: int, width: int, now: float, look: Look) -> list[Line]:
    rate = f"   {view.rate.per_second(now):.1f} writes/s"
    head = [Span(" Arriving", "title"), Span(rate)]
    if view.write_root:
        head.append(Span(f"   {view.write_root}/", "dim"))
    if not view.sources:
        return [head, [Span("     nothing yet", "dim")]][:rows]
    per_row = _per_row(width, SOURCE_WIDTH)
    newest_first = list(reversed(view.sources.values()))
    lines: list[Line] = [[] for _ in range(min(rows - 1, math.ceil(len(newest_first) / per_row)))]
    for index, source in enumerate(newest_first[: len(lines) * per_row]):
        lines[index % len(lines)] += _source(source, width // per_row, now, look)
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


def _refused(view: View, rows: int, width: int, now: float, look: Look) -> list[Line]:
    head = [Span(" Refused", "title"), Span(f"   {view.refused or 'nothing'}")]
    lines = [_refusal(refusal, width, now, look) for refusal in view.refusals]
    return [head, *lines][:rows]


def _refusal(refusal: Refusal, width: int, now: float, look: Look) -> Line:
    """The reason is what helps, so the value gives way to it."""
    where = f"{refusal.where} = "
    room = width - AGE_WIDTH - 4 - columns(where) - columns(refusal.reason)
    value = clipped(refusal.value, max(room, 8), look.glyphs)
    return [
        Span(f"{age(now - refusal.at):>{AGE_WIDTH}}  ", "dim"),
        Span(where + value),
        Span(f"  {refusal.reason}", "warn"),
    ]
