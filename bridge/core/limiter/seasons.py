"""What the month decides: a charge voltage, and a SoC to maintain."""

from __future__ import annotations

from bridge.core.model import Date
from bridge.core.settings.declarations import LimiterSettings, Table

EARLIEST = 2024
"""A clock that shows an earlier year was never set."""


def of_month(table: Table, date: Date | None) -> float | None:
    """The value of this month: that of the latest entry (month, value) up to it; the last entry
    of a year holds on into the next. None without entries, or without a believable date."""
    if not table or date is None or date.year < EARLIEST:
        return None
    begun = [value for month, value in table if month <= date.month]
    return begun[-1] if begun else table[-1][1]


def charge_voltage(settings: LimiterSettings, date: Date | None) -> float:
    """V per cell in this season."""
    seasonal = of_month(settings.charge_voltage_by_month, date)
    return settings.charge_voltage if seasonal is None else seasonal


def is_maintaining(
    soc: float | None, settings: LimiterSettings, date: Date | None, was: bool, certain: bool
) -> bool:
    """Whether the battery is below the SoC to maintain: from that SoC on downwards, until it is
    maintain_soc_hysteresis above. An unknown SoC, or an uncertain one, ends nothing."""
    least = of_month(settings.maintain_soc_by_month, date)
    if not least:  # 0 % is nothing to maintain
        return False
    if soc is None:
        return was
    if soc < least:
        return True
    return was and (not certain or soc < min(100.0, least + settings.maintain_soc_hysteresis))
