"""Settings that depend on the month."""

from __future__ import annotations

from bridge.core.model import Date
from bridge.core.settings.declarations import Table


def of_month(table: Table, date: Date | None) -> float | None:
    """The value of this month, in the table's unit.

    That is the value of the latest entry (month, value) up to this month; the last entry of a year
    holds until the first one of the next. None without entries, or without a plausible date.
    """
    if not table or date is None or not date.is_set:
        return None
    begun = [value for month, value in table if month <= date.month]
    return begun[-1] if begun else table[-1][1]
