"""The cells: the lowest, the highest, and each cell between the two."""

from __future__ import annotations

import math

from bridge.tools.watch.state import State
from bridge.tools.watch.text import Line, Look, Span, left, per_row, printable

LEAST_SPREAD = 0.010  # V; the bars cover at least this, or they would only show noise
CELL_WIDTH = 20  # columns that a cell with a bar needs


def rows_for_cells(count: int, width: int, room: int) -> int:
    """Rows for a bar per cell if there is room for them, else for a column per cell."""
    bars = math.ceil(count / per_row(width, CELL_WIDTH))
    return bars if bars <= room else math.ceil(count / _strip_width(width))


def _strip_width(width: int) -> int:
    """Cells in a row of columns, a round number if it can be."""
    return max((width - 5) // 10 * 10, 1)


def cells(state: State, rows: int, width: int, look: Look) -> list[Line]:
    """The extremes, and below them the cells, as far as the rows allow."""
    volts = [v for _, v in state.cells]
    low = min(volts, default=state.number("System/MinCellVoltage"))
    high = max(volts, default=state.number("System/MaxCellVoltage"))
    if low is None or high is None:
        return []
    lines = [_extremes(state, low, high)]
    if rows < 2:
        return lines
    abreast = per_row(width, CELL_WIDTH)
    if len(state.cells) <= abreast * (rows - 1):
        return lines + _cell_bars(state, low, high, abreast, width // abreast, look)
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
    state: State, low: float, high: float, abreast: int, width: int, look: Look
) -> list[Line]:
    """A bar for each cell, numbered downwards, so that neighbours stand together."""
    rows = math.ceil(len(state.cells) / abreast)
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
    """A bar of up to `width` columns in the finest steps that the glyphs allow, never empty."""
    steps = max(round(share * width * len(fills)), 1)
    whole, part = divmod(steps, len(fills))
    return fills[-1] * whole + (fills[part - 1] if part else "")


def _cell_strip(
    state: State, low: float, high: float, rows: int, width: int, look: Look
) -> list[Line]:
    """One column per cell, for packs that leave no room for more."""
    length = _strip_width(width)
    fills = look.glyphs.upward
    lines: list[Line] = []
    for start in range(0, len(state.cells), length):
        line = [Span(f"{state.cells[start][0]:>4} ", "dim")]
        for _, volts in state.cells[start : start + length]:
            level = round(_share(volts, low, high) * (len(fills) - 1))
            line.append(Span(fills[level], _cell_style(volts, low, high) or "good"))
        lines.append(line)
    if len(lines) > rows:
        shown = (rows - 1) * length
        lines[rows - 1 :] = [[Span(f"     and {len(state.cells) - shown} more", "dim")]]
    return lines
