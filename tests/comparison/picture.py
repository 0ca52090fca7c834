"""The highest cell over the hours of one scenario, as SVG: one line for each contestant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from tests.comparison.day import TOO_HIGH

Line = Sequence[tuple[float, float]]  # (h, V)

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 860, 320, 50, 30, 190, 40
LOW, HIGH = 3.30, 3.65  # V; what is higher is drawn at the upper edge
COLOURS = ("#0072b2", "#56b4e9", "#d55e00", "#cc79a7", "#009e73", "#999999")  # of Okabe and Ito


def svg(title: str, lines: Mapping[str, Line]) -> str:
    """The picture, with a legend. At most as many lines as there are colours."""
    hours = max(hour for line in lines.values() for hour, _ in line)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
            ' font-family="sans-serif" font-size="12">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
            _text(LEFT, 18, title),
            *_frame(hours),
            *_curves(lines, hours),
            "</svg>\n",
        ]
    )


def _frame(hours: float) -> list[str]:
    """Lines at whole hours and each 50 mV, and one where a cell is too high."""
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    parts = []
    for hour in range(int(hours + 0.5) + 1):
        x = _x(hour, hours)
        parts += [_line(x, TOP, x, bottom, "#eee"), _text(x - 3, bottom + 15, str(hour))]
    for step in range(round((HIGH - LOW) / 0.05) + 1):
        y = _y(LOW + 0.05 * step)
        parts += [_line(LEFT, y, right, y, "#eee"), _text(18, y + 4, f"{LOW + 0.05 * step:.2f}")]
    parts.append(_line(LEFT, _y(TOO_HIGH), right, _y(TOO_HIGH), "#d00"))
    return [*parts, _text(LEFT + 5, HEIGHT - 8, "highest cell in V over hours; red: too high")]


def _curves(lines: Mapping[str, Line], hours: float) -> list[str]:
    parts = []
    for number, ((name, line), colour) in enumerate(zip(lines.items(), COLOURS, strict=False)):
        points = " ".join(f"{_x(hour, hours):.0f},{_y(volts):.1f}" for hour, volts in line)
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
        y = TOP + 15 + 20 * number
        x = WIDTH - RIGHT + 15
        parts += [_line(x, y - 4, x + 20, y - 4, colour, 3), _text(x + 28, y, name)]
    return parts


def _x(hour: float, hours: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * hour / hours


def _y(volts: float) -> float:
    share = (min(max(volts, LOW), HIGH) - LOW) / (HIGH - LOW)
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, width: int = 1) -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
        f' stroke="{colour}" stroke-width="{width}"/>'
    )


def _text(x: float, y: float, words: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="#333">{escape(words)}</text>'
