"""DCL near empty: after each fall it comes back by a part only, until the cells are higher."""

from __future__ import annotations

import pytest
from doubles import Bench

from bridge.core.limiter.falls import Falls
from bridge.core.limiter.kept import KeptState, decoded, encoded
from bridge.core.limiter.protections.low_cell import LATCH

CURRENTS = {
    "max_discharge_current": 150,
    "dv1": 3.05,
    "max_discharge_current_below_dv1": 75,
    "dv2": 2.95,
    "max_discharge_current_below_dv2": 15,
}
DV1, DV2, EMPTY, HIGH, NEAR = 3.05, 2.95, 2.80, 3.10, 3.07  # V
LONG = 60  # s, for the hold of 30 s and the rise
FORGET = 900  # s


def _fed(**limiter: object) -> Bench:
    bench = Bench(limiter={**CURRENTS, **limiter})
    _for(bench, 3, HIGH)
    return bench


def _for(bench: Bench, seconds: float, cell: float) -> None:
    """The lowest cell has this voltage for so long. What is measured moves a little."""

    def feed() -> None:
        odd = int(bench.clock.now) % 2
        bench.feed(cell=3.2 - 0.001 * odd, current=-30.0 - 0.1 * odd, Voltages_Cell7=cell)

    bench.pass_time(seconds, feed)


def test_after_a_fall_dcl_comes_back_by_a_quarter_of_it() -> None:
    bench = _fed()
    assert bench.dcl == 150.0
    _for(bench, 2, DV1)
    assert bench.dcl == 75.0
    _for(bench, LONG, NEAR)
    assert bench.dcl == pytest.approx(93.75, abs=0.1)
    _for(bench, 2, DV1)
    assert bench.dcl == 75.0
    _for(bench, LONG, NEAR)
    assert bench.dcl == pytest.approx(75 + 18.75 / 4, abs=0.1)
    assert "a cell was at dv1" in bench.state["reasons"]["DCL"]


def test_a_fall_to_dv2_counts_from_what_was_left() -> None:
    bench = _fed()
    _for(bench, 2, DV1)
    _for(bench, 2, DV2)
    assert bench.dcl == 15.0
    _for(bench, LONG, NEAR)
    assert bench.dcl == pytest.approx(15 + (93.75 - 15) / 4, abs=0.1)


def test_the_stop_of_an_empty_battery_is_a_fall_too() -> None:
    bench = _fed()
    _for(bench, 2, DV1)
    _for(bench, 2, EMPTY)
    assert bench.dcl == 0.0
    _for(bench, LONG, DV2 + 0.01)
    assert bench.dcl == pytest.approx(93.75 / 4, abs=0.1)


def test_it_is_forgotten_when_every_cell_was_higher_for_long_enough() -> None:
    bench = _fed()
    _for(bench, 2, DV1)
    _for(bench, LONG, HIGH)
    _for(bench, 2, NEAR)
    _for(bench, FORGET - 5, HIGH)
    assert bench.dcl == pytest.approx(93.75, abs=0.1), "a cell that is near starts the time anew"
    _for(bench, LONG, HIGH)
    assert bench.dcl == 150.0


def test_one_reading_that_is_hard_to_believe_costs_no_current_for_long() -> None:
    bench = _fed()
    bench.mqtt("Voltages/Cell7", "2.0")
    _for(bench, 2 * LONG, HIGH)
    assert bench.dcl == 150.0


def test_without_dv1_nothing_is_remembered() -> None:
    bench = _fed()
    _for(bench, 2, DV1)
    names = ("Dv1", "MaxDischargeCurrentBelowDv1", "Dv2", "MaxDischargeCurrentBelowDv2")
    bench.batch({"Settings": {"Limiter": dict.fromkeys(names, "off")}})
    _for(bench, LONG, NEAR)
    assert bench.dcl == 150.0


def test_it_survives_a_restart() -> None:
    state = {LATCH.name: Falls(93.75, 150.0, 5.0)}
    kept = decoded(encoded(KeptState(9.0, 16, latches=state), now=10.0), 16, now=11.0)
    assert LATCH.of(kept.latches) == Falls(93.75, 150.0, 5.0)
