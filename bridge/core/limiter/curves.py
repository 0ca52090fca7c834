"""The caps of curves, and of inputs that went silent."""

from __future__ import annotations

from bridge.core.limiter.situation import Situation
from bridge.core.measurements.inputs import Input
from bridge.core.model import Cap
from bridge.core.settings.declarations import Table
from bridge.core.settings.tables import most_careful, value_at


def cap_over(
    situation: Situation, input_: Input[float | None], table: Table, maximum: float, words: str
) -> Cap | None:
    """The cap: maximum (A) times the share of the curve at the input's reading.

    words: the reason, with {} for the reading. None without a curve, and where the share is 1.
    """
    if not table:
        return None
    x = situation.of(input_)
    if x is None:
        return cap_of_silence(situation, table, maximum, input_)
    share_of_x = value_at(table, x)
    return None if share_of_x == 1 else Cap(maximum * share_of_x, words.format(x))


def cap_of_silence(
    situation: Situation, table: Table, maximum: float, input_: Input[object]
) -> Cap | None:
    """The cap (A) for an input that was written once and is silent: the curve's smallest share.

    None if the input was never written: then the battery has no such sensor.
    """
    if not situation.is_silent(input_):
        return None
    return Cap(maximum * most_careful(table), situation.why_silent(input_), of_silence=True)


def nothing_for_silence(situation: Situation, input_: Input[object]) -> Cap:
    """A cap of 0 A, for an input that was written once and is silent."""
    return Cap(0.0, situation.why_silent(input_), of_silence=True)


def line(points: tuple[tuple[float, float], ...], x: float) -> float:
    """Straight lines through points of rising x; beyond the ends, the end's y.

    Of several points at one x the smallest y holds, which is the safest one.
    """
    below = [point for point in points if point[0] <= x]
    above = [point for point in points if point[0] >= x]
    if not below or not above:
        return points[-1][1] if below else points[0][1]
    (x0, y0), (x1, y1) = below[-1], above[0]
    if x0 >= x1:
        return min(y for at, y in points if at == x)
    return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
