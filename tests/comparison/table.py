"""The results as a table: one row for each scenario and contestant."""

from __future__ import annotations

from tests.comparison.day import TOO_HIGH, Outcome

HEAD = (
    "scenario",
    "who steers",
    "highest cell",
    f"above {TOO_HIGH:.3f} V",
    "lowest cell",
    "full after",
    "reversals of CCL",
    "limits gone after",
)

UNKNOWN_BELOW = 2.0  # V: there the model of a cell says nothing about a real one


def row(scenario: str, contestant: str, outcome: Outcome) -> tuple[str, ...]:
    """One row, in the order of HEAD."""
    return (
        scenario,
        contestant,
        f"{outcome.highest:.3f} V",
        _duration(outcome.too_high),
        "below 2 V" if outcome.lowest < UNKNOWN_BELOW else f"{outcome.lowest:.3f} V",
        "not full" if outcome.full_after is None else f"{outcome.full_after:.2f} h",
        str(outcome.reversals),
        "" if outcome.lost_after is None else f"{outcome.lost_after:.2f} h",
    )


def _duration(seconds: float) -> str:
    if seconds == 0:
        return ""
    return f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 3600:.1f} h"
