"""The whole battery core at a simulated pack, through weeks of solar days.

The pack publishes as a BMS does, with glitches and dropouts. CLOSED_LOOP_DAYS in the environment
asks for more days.
"""

from __future__ import annotations

import os

import pytest

from tests.closed_loop.loop import DAY, FRESHNESS, Life, live
from tests.pack.charger import Day, System
from tests.pack.meters import Dropouts, glitches
from tests.pack.model import Balancing, Weakness, build
from tests.unit.doubles import Bench

DAYS = max(14, int(os.environ.get("CLOSED_LOOP_DAYS", "14")))
OVERVOLTAGE, MIN_CELL = 3.55, 2.80  # of the LFP preset
AT_ONCE = 0.03  # V that a cell may move in one interval before anybody can know of it


def _within_limits(life: Life) -> None:
    assert life.highest <= OVERVOLTAGE + AT_ONCE
    assert life.lowest >= MIN_CELL - AT_ONCE


def test_a_weak_cell_through_weeks_of_sun() -> None:
    pack = build(weak=Weakness(7), balancing=Balancing(1.0), soc=0.5)
    life = live(Bench(freshness=FRESHNESS), pack, until=DAYS * DAY)
    _within_limits(life)
    assert len(life.full_days) >= DAYS - 2, "and still it gets full"


def test_cold_mornings() -> None:
    pack = build(
        weak=Weakness(7), balancing=Balancing(1.0), soc=0.4, temperature=3.0, capacity=140.0
    )
    winter = Day(mean_ambient=2.5, load_peak=1200.0)
    life = live(Bench(freshness=FRESHNESS), pack, day=winter, until=DAYS / 4 * DAY)
    _within_limits(life)
    assert life.coldest < -0.5, "the mornings were not cold"
    assert life.charged_cold <= 0.5
    assert life.full_days


@pytest.mark.parametrize("seed", [1, 2])
def test_dropouts_and_glitches(seed: int) -> None:
    pack = build(weak=Weakness(7), balancing=Balancing(1.0), soc=0.5, seed=seed)
    silences = Dropouts(per_hour=0.12, seed=seed)
    life = live(
        Bench(freshness=FRESHNESS),
        pack,
        until=DAYS / 4 * DAY,
        parts=(glitches(0.02, seed), silences),
    )
    _within_limits(life)
    assert silences.count > 3
    assert life.full_days, "and still it gets full"


def test_loads_that_would_empty_it() -> None:
    pack = build(weak=Weakness(7, capacity=0.8), soc=0.4)
    dark = Day(solar_peak=300.0, load_peak=6000.0)
    life = live(Bench(freshness=FRESHNESS), pack, day=dark, until=DAYS / 6 * DAY)
    _within_limits(life)
    assert life.lowest < MIN_CELL + 0.2, "the loads never got that far"


def test_solar_chargers_that_feed_in_and_ignore_ccl() -> None:
    limiter = {"max_charge_current": 100, "max_discharge_current": 150, "slide": "on"}
    pack = build(weak=Weakness(7), balancing=Balancing(1.0), soc=0.7)
    bench = Bench(freshness=FRESHNESS, limiter=limiter)
    life = live(bench, pack, system=System(feed_in=True), until=DAYS / 6 * DAY)
    _within_limits(life)
