"""Days with a SoC window: charged to 80 %, and to full from time to time.

CLOSED_LOOP_DAYS in the environment asks for two weeks.
"""

from __future__ import annotations

import datetime
import os
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from bridge.core.model import Date
from tests.closed_loop.loop import (
    DAY,
    EACH_SECOND,
    FRESHNESS,
    HOUR,
    Life,
    Pace,
    as_needed,
    live,
)
from tests.pack.charger import Day, System
from tests.pack.model import Balancing, Pack, Weakness, build
from tests.pack.simulation import Simulation
from tests.unit.doubles import Bench

EVERY = 14 if "CLOSED_LOOP_DAYS" in os.environ else 4  # days
MOST, HYSTERESIS = 80.0, 5.0
OVERVOLTAGE = 3.55  # of the LFP preset
AT_ONCE = 0.03  # V that a cell may move in one interval before anybody can know of it
PLATEAU = 3.42  # V; no LFP cell is fuller than that while it is charged
FIRST = datetime.datetime(2026, 5, 1)


@dataclass
class Diary:
    """The highest SoC (%) of each day, and the hour at which the battery was first full on it."""

    highest: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    full_at: dict[int, float] = field(default_factory=dict)

    def note(self, simulation: Simulation, bench: Bench) -> None:
        moment = FIRST + datetime.timedelta(seconds=simulation.t)
        bench.today = Date(moment.year, moment.month, moment.day, moment.hour * 60 + moment.minute)
        day, soc = int(simulation.t // DAY), simulation.pack.soc * 100
        self.highest[day] = max(self.highest[day], soc)
        if soc > 97:
            self.full_at.setdefault(day, simulation.t % DAY / HOUR)

    @property
    def full_days(self) -> list[int]:
        return sorted(self.full_at)

    def stays_in_window(self) -> bool:
        others = [soc for day, soc in self.highest.items() if day not in self.full_at]
        return max(others) <= MOST + HYSTERESIS


def closely_above_the_window(pack: Pack) -> Pace:
    """Each second while CVL falls, because in each tick it falls for two seconds at most."""
    falls = pack.soc * 100 >= MOST and pack.current > 0.5 and max(pack.voltages) < PLATEAU
    return EACH_SECOND if falls else as_needed(pack)


def lived(
    days: float, sky: Day | None = None, feed_in: bool = False, **limiter: Any
) -> tuple[Diary, Life]:
    pack = build(weak=Weakness(7), balancing=Balancing(1.0), soc=0.5)
    diary = Diary()
    life = live(
        Bench(freshness=FRESHNESS, limiter=limiter, today=Date(2026, 5, 1, 540)),
        pack,
        system=System(feed_in=feed_in),
        day=sky,
        until=days * DAY,
        pace=closely_above_the_window,
        watch=diary.note,
    )
    return diary, life


@dataclass(frozen=True)
class Overcast(Day):
    """With one day of thick clouds."""

    dark_day: int = EVERY

    def solar(self, t: float) -> float:
        return super().solar(t) * (0.3 if int(t // DAY) == self.dark_day else 1.0)


def test_it_is_full_as_often_as_wanted_and_in_the_window_between() -> None:
    """Clouds on the day of the full charge continue it on the next day."""
    diary, life = lived(EVERY + 2.8, Overcast(), charge_to_soc=MOST, full_charge_every=EVERY)
    assert diary.full_days == [EVERY + 1]
    assert diary.stays_in_window()
    assert life.highest <= OVERVOLTAGE


def test_a_solar_charger_that_ignores_ccl_keeps_the_window_too() -> None:
    """With feed-in it obeys CVL only."""
    diary, life = lived(2.8, feed_in=True, charge_to_soc=MOST, full_charge_every=2)
    assert diary.full_days == [2]
    assert diary.stays_in_window()
    assert life.highest <= OVERVOLTAGE + AT_ONCE


def test_it_is_full_at_a_time_of_day_and_balanced() -> None:
    daily = {"full_charge_every": 1, "full_charge_at": "16:00", "full_charge_hours": 4}
    diary, life = lived(2.8, charge_to_soc=60, balancing_voltage=3.5, balancing_time=1800, **daily)
    assert diary.full_days == [1, 2]
    assert all(12 < hour <= 16 for hour in diary.full_at.values())
    assert life.highest <= OVERVOLTAGE
