"""What the battery is charged to, as its owner wishes: which voltage, which SoC, how often."""

from __future__ import annotations

import pytest
from doubles import Bench
from measured import changed
from test_limiter_rules import Limiter, measured

from bridge.core.measurements.inputs import Cells


class TestVoltageOffset:
    """The cable between charger and battery needs a little more voltage at the charger."""

    def test_it_is_added_to_the_charge_voltage(self) -> None:
        assert Limiter().cvl(measured()) == 55.2
        assert Limiter(voltage_offset=0.3).cvl(measured()) == pytest.approx(55.5)
        assert Limiter(voltage_offset=-0.3).cvl(measured()) == pytest.approx(54.9)

    def test_it_is_added_in_every_phase(self) -> None:
        plan = {"absorption_voltage": 3.45, "charge_voltage": 3.4, "voltage_hold": 0}
        limiter = Limiter(**plan, voltage_offset=0.2, float_voltage=3.375, absorption_time=600)
        assert limiter.cvl(measured(soc=50.0)) == pytest.approx(54.6)
        assert limiter.cvl(measured(soc=96.0), 300) == pytest.approx(55.4)
        assert limiter.cvl(measured(soc=96.0), 600) == pytest.approx(54.2)

    def test_the_ceiling_is_not_passed(self) -> None:
        bench = Bench(
            ceiling={"cell_voltage": 3.55, "charge_current": 200, "discharge_current": 250},
            limiter={"charge_voltage": 3.5, "voltage_offset": 1},
        )
        bench.feed()
        assert bench.cvl == pytest.approx(3.55 * 16)
        assert bench.state["rules"]["CVL"] == "ceiling"

    def test_a_cell_that_is_too_high_gets_no_part_of_it(self) -> None:
        high = changed(measured(), cells=Cells((3.52, *[3.42] * 15)), voltage=54.82)
        without, offset = Limiter(), Limiter(voltage_offset=0.5)
        assert offset.cvl(high) == without.cvl(high)

    def test_a_request_of_a_client_gets_no_part_of_it(self) -> None:
        bench = Bench(limiter={"voltage_offset": 0.5})
        bench.feed()
        bench.mqtt("/Info/MaxChargeVoltage", '{"value": 54}')
        assert bench.cvl == 54.0

    def test_a_client_who_raises_it_waits_as_for_every_rise(self) -> None:
        bench = Bench()
        bench.feed()
        assert bench.dbus("/Settings/Limiter/VoltageOffset", 0.5) == 0
        bench.pass_time(59, bench.feed)
        assert bench.cvl == 55.2
        bench.pass_time(31, bench.feed)
        assert 55.3 < bench.cvl < 55.7
        bench.pass_time(40, bench.feed)
        assert bench.cvl == 55.7

    def test_millivolts_are_refused(self) -> None:
        bench = Bench()
        assert bench.dbus("/Settings/Limiter/VoltageOffset", 300) == 2
