"""The data die while the sun shines and the battery feeds in: CVL alone must end the charging."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.closed_loop.loop import HOUR, Life, Pace, as_needed, each_second_at_the_top, live
from tests.pack.charger import Day, System
from tests.pack.meters import dies
from tests.pack.model import Pack, Weakness, build
from tests.unit.doubles import Bench

WEAK = Weakness(7, capacity=0.85)
AHEAD = Weakness(7, capacity=1.0, ahead=0.15)
FRESHNESS = {"aging": 61, "stale": 65, "lost": 600}  # for a client that sometimes waits for 60 s
DIED = 10.5 * HOUR
AT_ONCE = 0.03  # V that a cell may still rise


def _dies(
    chemistry: str,
    soc: float,
    weak: Weakness,
    system: System,
    *,
    current: float = 0.0,
    until: float = 13 * HOUR,
    pace: Callable[[Pack], Pace] = each_second_at_the_top,
) -> tuple[Life, Bench]:
    """A pack that has this SoC (0 to 1) 12 min before. current: of the failsafe, in A."""
    limiter = {"max_charge_current": 100, "max_discharge_current": 150}
    failsafe = {"charge_current": current, "discharge_current": current}
    bench = Bench(
        chemistry=chemistry, freshness=FRESHNESS, limiter=limiter, failsafe=failsafe, ceiling={}
    )
    life = live(
        bench,
        build(chemistry, soc=soc, weak=weak),
        system=system,
        day=Day(clouds=0.0),
        start=DIED - 0.2 * HOUR,
        until=until,
        parts=(dies(DIED),),
        pace=pace,
    )
    return life, bench


def _stays_within_its_limit(life: Life, bench: Bench) -> None:
    assert life.highest <= bench.config.limiter.max_cell_voltage + AT_ONCE


@pytest.mark.promise("silence")
@pytest.mark.parametrize("current", [0.0, 100.0])
@pytest.mark.parametrize(("chemistry", "soc"), [("lfp", 0.6), ("lfp", 0.9), ("nmc", 0.75),
                                                ("lto", 0.8)])  # fmt: skip
def test_no_cell_passes_its_limit(chemistry: str, soc: float, current: float) -> None:
    life, bench = _dies(chemistry, soc, Weakness(7), System(feed_in=True), current=current)
    _stays_within_its_limit(life, bench)
    per_cell = bench.config.failsafe.charge_voltage
    assert bench.cvl == pytest.approx(per_cell * 16, abs=0.01)


@pytest.mark.parametrize("overshoot", [0.0, 0.01, 0.02])
@pytest.mark.parametrize("weak", [WEAK, AHEAD], ids=["weak", "ahead"])
@pytest.mark.parametrize(("chemistry", "soc"), [("lfp", 0.5), ("nmc", 0.7), ("lto", 0.6)])
def test_not_even_one_that_is_far_ahead_with_chargers_that_hold_too_much(
    chemistry: str, soc: float, weak: Weakness, overshoot: float
) -> None:
    """Nothing discharges the battery: what the chargers have done stays."""
    system = System(feed_in=True, inverter=0.0, overshoot=overshoot)
    _stays_within_its_limit(*_dies(chemistry, soc, weak, system, until=16 * HOUR, pace=as_needed))


@pytest.mark.parametrize("overshoot", [0.01, 0.02])
def test_nor_one_that_was_about_to_get_full(overshoot: float) -> None:
    system = System(feed_in=True, inverter=0.0, overshoot=overshoot)
    _stays_within_its_limit(*_dies("lfp", 0.8, AHEAD, system, until=DIED + 0.2 * HOUR))
