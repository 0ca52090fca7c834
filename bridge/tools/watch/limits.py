"""The limits: how much is allowed, how much of it is used, and why it is not more."""

from __future__ import annotations

from bridge.tools.watch.state import Limit, State
from bridge.tools.watch.text import Line, Look, Span, age

DECIMALS = {"V": 2, "A": 1}
CVL_FROM = 0.8  # the bar of CVL starts at this share of its ceiling, or it would always be full


def limits(state: State, rows: int, width: int, since: float, look: Look) -> list[Line]:
    """Each limit with its reason, on a separate line if there is room, because it can be long."""
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
    """Each protection's cap, the smallest first; those that hold the limit are highlighted."""
    line: Line = []
    for rule, cap in sorted(limit.caps, key=lambda pair: pair[1]):
        if rule == "ceiling":  # shown beside the bar already
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
