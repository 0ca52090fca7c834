"""One high cell near full, with wrong meters and imperfect chargers: CVL brings the cell down.

The solar charger feeds in: it ignores CCL, so CVL alone must protect the cell. Judged by the true
voltages of the pack, not by what its BMS says.
"""

from __future__ import annotations

from itertools import product

import pytest

from tests.closed_loop.loop import FRESHNESS, HOUR, Life, each_second, live
from tests.pack.charger import Day, System
from tests.pack.meters import PACK_VOLTAGE, Part, lag, noise, offset
from tests.pack.model import Pack, Weakness, build
from tests.unit.doubles import Bench

OFFSETS, LAGS = (-0.01, 0.0, 0.01), (0.0, 5.0)
EXACT, POOR = System(feed_in=True), System(feed_in=True, overshoot=0.01, late=3.0)
ABOVE, OVERSHOOT = 0.005, 0.030  # V above max_cell_voltage: for a minute, and never
MINUTE = 60.0


def _charge(
    parts: tuple[Part, ...],
    system: System,
    *,
    chemistry: str = "lfp",
    soc: float = 0.92,
    minutes: float = 35.0,
    pack: Pack | None = None,
) -> tuple[Life, float]:
    """A pack with a high cell on a sunny noon; returns its life and its max_cell_voltage."""
    limiter = {"max_charge_current": 100, "max_discharge_current": 150}
    bench = Bench(chemistry=chemistry, freshness=FRESHNESS, limiter=limiter, ceiling={})
    most = bench.config.limiter.max_cell_voltage
    start = 11.5 * HOUR
    life = live(
        bench,
        pack or build(chemistry, soc=soc, weak=Weakness(7)),
        system=system,
        day=Day(clouds=0.0),
        start=start,
        until=start + minutes * MINUTE,
        parts=parts,
        pace=each_second,
        limit=most + ABOVE,
    )
    return life, most


def _comes_down(life: Life, most: float) -> None:
    assert life.highest > most - 0.03, "the cell never came near its limit"
    assert life.highest <= most + OVERSHOOT
    assert life.longest_above <= MINUTE


@pytest.mark.parametrize("system", [EXACT, POOR], ids=["exact", "poor"])
@pytest.mark.parametrize(("error", "seconds"), list(product(OFFSETS, LAGS)))
def test_a_high_cell_comes_down(error: float, seconds: float, system: System) -> None:
    life, most = _charge((lag(seconds), offset(PACK_VOLTAGE, share=error)), system)
    _comes_down(life, most)


@pytest.mark.parametrize(("chemistry", "soc"), [("lto", 0.90), ("nmc", 0.84)])
@pytest.mark.parametrize("error", [-0.01, 0.01])
def test_so_it_does_in_other_chemistries(chemistry: str, soc: float, error: float) -> None:
    parts = (lag(5.0), offset(PACK_VOLTAGE, share=error))
    _comes_down(*_charge(parts, POOR, chemistry=chemistry, soc=soc))


@pytest.mark.parametrize("soc", [0.60, 0.80])
def test_a_cell_that_is_far_ahead_comes_down_with_2_percent_too_much(soc: float) -> None:
    """The others are in the flat middle, so CVL must go far down."""
    system = System(feed_in=True, overshoot=0.02, late=3.0)
    pack = build(soc=soc, weak=Weakness(7, capacity=1.0, ahead=0.98 - soc))
    _comes_down(*_charge((), system, pack=pack, minutes=25.0))


@pytest.mark.parametrize("volts", [0.1, 0.3, 0.5])
def test_a_constant_error_of_the_pack_voltage_parks_no_cell_above_its_limit(volts: float) -> None:
    _comes_down(*_charge((offset(PACK_VOLTAGE, by=volts), noise(0.002)), EXACT))
