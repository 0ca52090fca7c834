"""While nothing is known of the battery, CVL falls to the failsafe's voltage."""

from __future__ import annotations

import pytest
from doubles import Bench, battery_config

from bridge.core.limiter.protections.failsafe_voltage import BELOW
from bridge.core.settings.configuration import BadConfiguration

SAFE = 52.0  # 3.25 V in each of 16 cells
STALE = 61  # s


def _cvl(bench: Bench) -> float:
    assert isinstance(bench.cvl, float)
    return bench.cvl


def _fed(cell: float) -> Bench:
    bench = Bench()
    bench.pass_time(2, lambda: bench.feed(cell=cell))
    assert _cvl(bench) == 55.2
    return bench


def test_a_battery_that_was_never_heard_is_at_it_from_the_start() -> None:
    bench = Bench()
    assert _cvl(bench) == SAFE
    bench.pass_time(30)
    assert _cvl(bench) == SAFE
    bench.pass_time(900)
    assert _cvl(bench) == SAFE


def test_the_first_data_lift_it_at_once() -> None:
    bench = Bench()
    bench.pass_time(30)
    bench.feed()
    assert _cvl(bench) == 55.2


def test_stale_brings_cvl_below_the_last_pack_voltage_at_once_and_then_slowly_down() -> None:
    bench = _fed(3.40)
    bench.pass_time(STALE + 1)
    assert SAFE < _cvl(bench) <= BELOW * 3.40 * 16
    before = _cvl(bench)
    bench.pass_time(10)
    assert _cvl(bench) == pytest.approx(before - 0.1, abs=0.02)
    bench.pass_time(200)
    assert _cvl(bench) == SAFE
    assert "stale" in bench.state["reasons"]["CVL"]


def test_it_follows_a_pack_voltage_that_comes_while_the_cells_are_silent() -> None:
    bench = _fed(3.40)
    bench.pass_time(STALE + 1, lambda: bench.batch({"Dc/0/Voltage": 54.4}))
    assert _cvl(bench) == pytest.approx(BELOW * 54.4, abs=0.1)
    bench.pass_time(2, lambda: bench.batch({"Dc/0/Voltage": 53.7}))
    assert SAFE < _cvl(bench) <= BELOW * 53.7 + 0.01


def test_it_falls_no_further_than_to_the_failsafe() -> None:
    bench = _fed(3.20)
    bench.pass_time(STALE + 1)
    assert _cvl(bench) == SAFE


def test_it_never_raises_a_cvl_that_was_lower() -> None:
    bench = _fed(3.40)
    bench.mqtt("/Info/MaxChargeVoltage", "53")
    low = _cvl(bench)
    bench.pass_time(900)
    assert _cvl(bench) <= low


def test_afterwards_it_rises_as_slowly_as_ever() -> None:
    bench = _fed(3.40)
    bench.pass_time(400)
    assert _cvl(bench) == SAFE
    bench.pass_time(50, lambda: bench.feed(cell=3.3))
    assert _cvl(bench) == SAFE
    bench.pass_time(60, lambda: bench.feed(cell=3.3))
    assert SAFE < _cvl(bench) <= SAFE + 0.6


def test_a_client_cannot_raise_it_above_the_file() -> None:
    bench = Bench()
    bench.batch({"Settings/Failsafe/ChargeVoltage": 3.45})
    assert "ceiling.failsafe.charge_voltage" in str(bench.rejected[-1])
    assert _cvl(bench) == SAFE


def test_it_is_not_below_min_charge_voltage() -> None:
    bench = Bench(failsafe={"charge_voltage": 3.0})
    assert _cvl(bench) == 52.0


def test_it_is_not_above_charge_voltage() -> None:
    bench = Bench(failsafe={"charge_voltage": 3.6})
    assert _cvl(bench) == 55.2


@pytest.mark.parametrize(("chemistry", "volts"), [("lfp", 3.25), ("lto", 2.35), ("nmc", 3.85)])
def test_each_chemistry_has_its_own(chemistry: str, volts: float) -> None:
    config = battery_config(chemistry=chemistry, ceiling={})
    assert config.failsafe.charge_voltage == volts
    limiter = config.limiter
    assert limiter.min_charge_voltage <= volts <= limiter.charge_voltage


def test_it_is_a_cell_voltage() -> None:
    with pytest.raises(BadConfiguration):
        battery_config(failsafe={"charge_voltage": 53.6})
