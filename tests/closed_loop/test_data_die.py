"""The data die while the sun shines and the battery feeds in: CVL alone must end the charging."""

from __future__ import annotations

import pytest

from tests.closed_loop.loop import HOUR, each_second_at_the_top, live
from tests.pack.charger import Day, System
from tests.pack.meters import dies
from tests.pack.model import Weakness, build
from tests.unit.doubles import Bench

FRESHNESS = {"aging": 61, "stale": 65, "lost": 600}  # for a client that sometimes waits for 60 s
DIED = 10.5 * HOUR
AT_ONCE = 0.03  # V that a cell may still rise


@pytest.mark.parametrize("current", [0.0, 100.0])
@pytest.mark.parametrize(("chemistry", "soc"), [("lfp", 0.6), ("lfp", 0.9), ("nmc", 0.75),
                                                ("lto", 0.8)])  # fmt: skip
def test_no_cell_passes_its_limit(chemistry: str, soc: float, current: float) -> None:
    limiter = {"max_charge_current": 100, "max_discharge_current": 150}
    failsafe = {"charge_current": current, "discharge_current": current}
    bench = Bench(
        chemistry=chemistry, freshness=FRESHNESS, limiter=limiter, failsafe=failsafe, ceiling={}
    )
    life = live(
        bench,
        build(chemistry, soc=soc, weak=Weakness(7)),
        system=System(feed_in=True),
        day=Day(clouds=0.0),
        start=DIED - 0.2 * HOUR,
        until=13 * HOUR,
        parts=(dies(DIED),),
        pace=each_second_at_the_top,
    )
    assert life.highest <= bench.config.limiter.max_cell_voltage + AT_ONCE
    per_cell = bench.config.failsafe.charge_voltage
    assert bench.cvl == pytest.approx(per_cell * 16, abs=0.01)
