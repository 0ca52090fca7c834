"""When the battery was last full, and when it has to be charged to full again.

The days are counted on the calendar. While the clock is not set, they are counted in seconds, and
full_charge_at has no effect: a full charge at another hour is harmless, but a battery that is never
full has cells that drift apart, and its SoC becomes wrong.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, replace

from bridge.core.limiter.charging import balancing
from bridge.core.limiter.charging.phase import Phase, is_complete
from bridge.core.limiter.charging.target import ABSORPTION, BALANCING, BULK, is_pack_at_top
from bridge.core.limiter.situation import Situation, reached
from bridge.core.measurements.inputs import PACK_CURRENT, SOC
from bridge.core.settings.declarations import LimiterSettings, minutes_of
from bridge.core.typed_json import Past

FULL_SOC = 100.0
MINUTES = 1440  # of a day
SECONDS = 86400.0
AGAIN = 3600.0
"""s. A battery that stays full is noted once in this time, because what is noted is also kept."""


@dataclass(frozen=True)
class FullCharge:
    """The last time the battery was full, or the first start; and whether a full charge is due.

    at: monotonic s. day: its number on the calendar, None while the clock was never set.
    """

    at: Past | None = None
    day: int | None = None
    is_due: bool = False


def next_full_charge(before: FullCharge, situation: Situation, is_full: bool) -> FullCharge:
    """The full charge now. It becomes due only with certain measurements, and stays due."""
    settings, now, date = situation.settings, situation.now, situation.date
    if not _is_in_use(settings):
        return FullCharge()
    today = date.day_number if date is not None and date.is_set else None
    if before.at is None or (is_full and (before.is_due or now - before.at >= AGAIN)):
        return FullCharge(now, today)
    counted = _counted_from(before, before.at, now, today)
    if before.is_due or not situation.is_certain:
        return counted
    return replace(counted, is_due=_is_due(counted, before.at, situation, today))


def as_text(full: FullCharge) -> str:
    """The day of the last full charge as 2026-05-04, to be kept; empty while it is unknown."""
    if full.day is None or not 1 <= full.day <= datetime.date.max.toordinal():
        return ""
    return datetime.date.fromordinal(full.day).isoformat()


def from_text(text: str, now: float) -> FullCharge | None:
    """What `as_text` gave, perhaps before a boot: the seconds count anew from now (monotonic s).

    None for any other text.
    """
    try:
        day = datetime.date.fromisoformat(text).toordinal()
    except ValueError:
        return None
    return FullCharge(now, day)


def is_full(before: Phase, after: Phase, situation: Situation) -> bool:
    """Whether the battery is found to be full.

    It is full when absorption or balancing is complete. Where none of them is running or wanted, it
    is full with a SoC of 100 %, or with the pack at the top or a cell at max_cell_voltage, and no
    more current than max_charge_current_above_cv2. (By default 0.03 C. Samsung 50E ends a charge at
    0.05 C.)
    """
    if is_complete(before, situation):
        return after.name not in (before.name, BALANCING)
    if not situation.is_certain or after.name in (ABSORPTION, BALANCING):
        return False
    has_balancing = situation.settings.balancing_voltage is not None
    if has_balancing and balancing.spread_of(situation) is not None:
        return False  # balancing comes first
    soc, current = situation.of(SOC), situation.of(PACK_CURRENT)
    if soc is not None and soc >= FULL_SOC:
        return True
    tail = situation.settings.max_charge_current_above_cv2
    return current is not None and current <= tail and _is_at_top(situation)


def _is_at_top(situation: Situation) -> bool:
    """Whether the pack has reached its charge voltage, or a cell the most that it may have."""
    highest = situation.volts.highest
    has_cell = highest is not None and reached(highest, situation.settings.max_cell_voltage)
    return has_cell or is_pack_at_top(BULK, situation)


def _is_in_use(settings: LimiterSettings) -> bool:
    has_purpose = settings.charge_to_soc is not None or settings.balancing_voltage is not None
    return has_purpose and settings.full_charge_every > 0


def _counted_from(before: FullCharge, at: float, now: float, today: int | None) -> FullCharge:
    """With the day of the last full charge, as soon as the clock is set.

    A clock that was set back counts anew from today.
    """
    if today is None:
        return before
    if before.day is None:
        return replace(before, day=today - int((now - at) / SECONDS))
    return replace(before, day=today) if before.day > today else before


def _is_due(last: FullCharge, at: float, situation: Situation, today: int | None) -> bool:
    settings, date = situation.settings, situation.date
    every = settings.full_charge_every
    if today is None or last.day is None or date is None:
        return situation.now - at >= every * SECONDS
    begins = every * MINUTES
    if settings.full_charge_at is not None:
        begins += minutes_of(settings.full_charge_at) - settings.full_charge_hours * 60
    return (today - last.day) * MINUTES + date.minute >= begins
