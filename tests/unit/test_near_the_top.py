"""CCL near the top: after each fall it comes back by a part of it only, until the cells are low."""

from __future__ import annotations

import pytest
from doubles import Bench

from bridge.core.limiter.falls import Falls
from bridge.core.limiter.kept import KeptState, decoded, encoded
from bridge.core.limiter.protections.high_cell import LATCH

CURRENTS = {
    "max_charge_current": 100,
    "max_charge_current_above_cv1": 50,
    "max_charge_current_above_cv2": 10,
}
CV1, CV2, LOW, NEAR = 3.40, 3.45, 3.36, 3.38  # V, of the LFP preset
LONG = 60  # s, for the hold of 30 s and the rise
FORGET = 900  # s


def _fed(**limiter: object) -> Bench:
    bench = Bench(limiter={**CURRENTS, **limiter})
    _for(bench, 3, LOW)
    return bench


def _for(bench: Bench, seconds: float, cell: float) -> None:
    """The highest cell has this voltage for so long. What is measured moves a little."""

    def feed() -> None:
        odd = int(bench.clock.now) % 2
        bench.feed(cell=3.35 - 0.001 * odd, current=30.0 + 0.1 * odd, Voltages_Cell7=cell)

    bench.pass_time(seconds, feed)


def test_after_a_fall_ccl_comes_back_by_a_quarter_of_it() -> None:
    bench = _fed()
    assert bench.ccl == 100.0
    _for(bench, 2, CV1)
    assert bench.ccl == 50.0
    _for(bench, LONG, NEAR)
    assert bench.ccl == 62.5
    _for(bench, 2, CV1)
    assert bench.ccl == 50.0
    _for(bench, LONG, NEAR)
    assert bench.ccl == pytest.approx(53.1)
    assert "a cell was at cv1" in bench.state["reasons"]["CCL"]


def test_a_fall_to_cv2_counts_from_what_was_left() -> None:
    bench = _fed()
    _for(bench, 2, CV1)
    _for(bench, 2, CV2)
    assert bench.ccl == 10.0
    _for(bench, LONG, NEAR)
    assert bench.ccl == pytest.approx(10 + (62.5 - 10) / 4, abs=0.1)


def test_how_often_a_cell_is_written_at_the_threshold_changes_nothing() -> None:
    bench = _fed()
    _for(bench, LONG, CV1)
    for _ in range(20):
        bench.mqtt("Voltages/Cell7", "3.401")
        bench.mqtt("Voltages/Cell7", "3.402")
    _for(bench, LONG, NEAR)
    assert bench.ccl == 62.5


def test_it_is_forgotten_when_every_cell_was_low_for_long_enough() -> None:
    bench = _fed()
    _for(bench, 2, CV1)
    _for(bench, FORGET - 5, LOW)
    _for(bench, 2, NEAR)
    _for(bench, FORGET - 5, LOW)
    assert bench.ccl == 62.5, "a cell that is near again starts the time anew"
    _for(bench, LONG, LOW)
    assert bench.ccl == 100.0


def test_silence_is_not_low() -> None:
    bench = _fed()
    _for(bench, 2, CV1)
    _for(bench, FORGET - 60, LOW)
    bench.pass_time(300)
    _for(bench, 120, LOW)
    assert bench.ccl == 62.5


def test_one_reading_that_is_hard_to_believe_costs_no_current_for_long() -> None:
    bench = _fed()
    bench.mqtt("Voltages/Cell7", "5.0")
    _for(bench, 2 * LONG, LOW)
    assert bench.ccl == 100.0


def test_along_a_line_ccl_follows_the_falls_but_not_the_noise() -> None:
    bench = _fed(taper="linear")
    for _ in range(10):
        _for(bench, 1, CV1 + 0.02)  # 34 A
        _for(bench, LONG, CV1 + 0.015)  # 38 A
    assert bench.ccl == pytest.approx(34.0, abs=0.5)


def test_it_survives_a_restart() -> None:
    state = {LATCH.name: Falls(62.5, 100.0, 5.0)}
    kept = decoded(encoded(KeptState(9.0, 16, latches=state), now=10.0), 16, now=11.0)
    assert LATCH.of(kept.latches) == Falls(62.5, 100.0, 5.0)
