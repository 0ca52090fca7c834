"""Settings that depend on the month."""

from __future__ import annotations

from bridge.core.model import Date
from bridge.core.settings.declarations import Table

EARLIEST = 2024
"""A clock that shows an earlier year was never set. Our choice: this program began in 2026."""


def of_month(table: Table, date: Date | None) -> float | None:
    """The value of this month, in the table's unit.

    That is the value of the latest entry (month, value) up to this month; the last entry of a year
    holds until the first one of the next. None without entries, or without a plausible date.
    """
    if not table or date is None or date.year < EARLIEST:
        return None
    begun = [value for month, value in table if month <= date.month]
    return begun[-1] if begun else table[-1][1]
