"""CVL goes on falling while a charger still pushes a cell above max_cell_voltage."""

from __future__ import annotations

import pytest
from doubles import Bench

LIMIT = 3.50  # max_cell_voltage of the LFP preset
HOLD = 60  # s that CVL waits before it rises


def _high(bench: Bench, volts: float, *, current: float = 20.0, pack: float = 55.0) -> None:
    """Cell 7 is high, the pack voltage does not obey: it stays where it is, but for its noise."""
    pack += 0.01 * (int(bench.clock.now) % 2)
    rest = (pack - volts) / 15
    cells = {f"Voltages/Cell{n}": volts if n == 7 else rest for n in range(1, 17)}
    bench.batch({**cells, "Dc/0/Voltage": pack, "Dc/0/Current": current + pack % 1, "Soc": 95})


def _fed() -> Bench:
    bench = Bench()
    bench.feed(cell=3.40, current=20.0, Soc=95)
    bench.pass_time(2)
    return bench


def _cvl(bench: Bench) -> float:
    assert isinstance(bench.cvl, float)
    return bench.cvl


def test_it_falls_for_as_long_as_the_cell_is_pushed() -> None:
    bench = _fed()
    bench.pass_time(1, lambda: _high(bench, LIMIT + 0.01))
    clamped = _cvl(bench)
    bench.pass_time(10, lambda: _high(bench, LIMIT + 0.01))
    assert _cvl(bench) == pytest.approx(clamped - 10 * 0.2 * 16 * 0.01, abs=0.05)
    bench.pass_time(300, lambda: _high(bench, LIMIT + 0.01))
    assert _cvl(bench) == 52.0, "min_charge_voltage is the floor"
    assert "stays above" in bench.state["reasons"]["CVL"]


def test_it_does_not_fall_further_while_the_battery_is_discharged() -> None:
    bench = _fed()
    bench.pass_time(5, lambda: _high(bench, LIMIT + 0.01))
    fallen = _cvl(bench)
    bench.pass_time(20, lambda: _high(bench, LIMIT + 0.01, current=-20.0))
    assert _cvl(bench) == fallen


def test_a_current_with_the_wrong_sign_does_not_stop_it() -> None:
    bench = _fed()
    bench.pass_time(5, lambda: _high(bench, LIMIT + 0.01))
    fallen, volts = _cvl(bench), [LIMIT + 0.01]

    def rising() -> None:
        volts[0] += 0.001
        _high(bench, volts[0], current=-20.0)

    bench.pass_time(10, rising)
    assert _cvl(bench) < fallen - 0.3


def test_the_fall_does_not_depend_on_how_often_cells_are_written() -> None:
    slow, fast = _fed(), _fed()
    for bench in (slow, fast):
        bench.pass_time(1, lambda bench=bench: _high(bench, LIMIT + 0.01))
    for _ in range(10):
        slow.pass_time(1, lambda: _high(slow, LIMIT + 0.01))
        for _ in range(9):
            fast.timer.run(0.1)
            _high(fast, LIMIT + 0.01)
        fast.timer.run(0.1)
        _high(fast, LIMIT + 0.01)
        fast.battery.on_tick(fast.clock.now)
    assert _cvl(fast) == pytest.approx(_cvl(slow), abs=0.02)


def test_it_rises_only_when_the_cell_is_well_below_and_after_the_hold() -> None:
    bench = _fed()
    bench.pass_time(20, lambda: _high(bench, LIMIT + 0.01))
    fallen = _cvl(bench)
    bench.pass_time(300, lambda: _high(bench, LIMIT - 0.01))
    assert _cvl(bench) == fallen
    bench.pass_time(HOLD - 2, lambda: _high(bench, LIMIT - 0.05))
    assert _cvl(bench) == fallen
    bench.pass_time(20, lambda: _high(bench, LIMIT - 0.05))
    assert fallen < _cvl(bench) <= fallen + 0.25, bench.state["reasons"]["CVL"]


def test_a_high_cell_that_went_silent_keeps_cvl_down() -> None:
    bench = _fed()
    bench.pass_time(20, lambda: _high(bench, LIMIT + 0.01))
    fallen = _cvl(bench)
    bench.pass_time(900)
    assert _cvl(bench) <= fallen
