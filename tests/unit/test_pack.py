"""The simulated pack: its physics, the system around it, and what it says as a client."""

import json
import math
from itertools import pairwise

import pytest

from tests.pack.charger import Day, Limits, System
from tests.pack.client import (
    Address,
    Names,
    address_in,
    as_batch,
    as_topics,
    limits_in,
    readings,
)
from tests.pack.curve import Curve
from tests.pack.delay import Delay
from tests.pack.meters import PACK_VOLTAGE, lag, measured, noise, offset, resolution
from tests.pack.model import CHEMISTRIES, Balancing, Weakness, build
from tests.pack.simulation import Simulation

KINDS = sorted(CHEMISTRIES)
NOON = 12 * 3600.0
FULL_SUN = 12_000.0  # W, more than any limit here lets through


class TestCurve:
    def test_goes_through_its_points_and_straight_between(self):
        curve = Curve(((0, 0.0), (2, 4.0), (3, 4.0)))
        assert [curve.at(x) for x in (0, 1, 2, 2.5, 3)] == [0, 2, 4, 4, 4]

    def test_holds_its_ends_or_goes_on(self):
        points = ((0, 1.0), (1, 2.0))
        assert (Curve(points).at(-1), Curve(points).at(3)) == (1, 2)
        assert (Curve(points, extend=True).at(-1), Curve(points, extend=True).at(3)) == (0, 4)

    @pytest.mark.parametrize("points", [((0, 1.0),), ((0, 1.0), (0, 2.0)), ((1, 1.0), (0, 2.0))])
    def test_refuses_points_that_make_no_function(self, points):
        with pytest.raises(ValueError):
            Curve(points)


class TestCells:
    @pytest.mark.parametrize("kind", KINDS)
    def test_open_circuit_voltage_rises_with_charge(self, kind):
        ocv = CHEMISTRIES[kind].ocv
        voltages = [ocv.at(share / 1000) for share in range(-100, 1101)]
        assert all(low < high for low, high in pairwise(voltages))

    @pytest.mark.parametrize("kind", KINDS)
    def test_at_rest_a_cell_shows_its_open_circuit_voltage(self, kind):
        pack = build(kind, soc=0.6, spread=0)
        pack.step(60, 40.0, 20.0)
        pack.step(1, 0.0, 20.0)
        expected = CHEMISTRIES[kind].ocv.at(pack.cells[0].soc)
        assert pack.voltages == [expected] * 16
        assert pack.voltage == pytest.approx(16 * expected)

    def test_current_moves_the_voltage_by_the_resistance(self):
        pack = build(soc=0.6)
        pack.step(0, 100.0, 20.0)
        charging = pack.voltage
        pack.step(0, -100.0, 20.0)
        assert charging - pack.voltage == pytest.approx(200 * pack.resistance)
        assert pack.voltage == pytest.approx(sum(pack.voltages))

    def test_a_cold_cell_resists_more(self):
        warm, cold = build(temperature=25.0), build(temperature=0.0)
        assert cold.resistance == pytest.approx(2 * warm.resistance)

    def test_losses_warm_the_cells_and_the_surroundings_take_it_back(self):
        pack = build(soc=0.2, temperature=20.0)
        pack.step(3600, 150.0, 20.0)
        warm = pack.temperatures
        assert all(temperature > 21 for temperature in warm)
        pack.step(48 * 3600, 0.0, 20.0)
        assert pack.temperatures == pytest.approx([20.0] * 16, abs=0.01)

    def test_one_long_step_warms_as_far_as_many_short_ones(self):
        long, short = build(seed=3), build(seed=3)
        long.step(10 * 24 * 3600, 0.0, -5.0)
        for _ in range(240):
            short.step(3600, 0.0, -5.0)
        assert long.temperatures == pytest.approx(short.temperatures)


class TestPack:
    def test_charge_is_conserved(self):
        pack = build(soc=0.5, seed=4, weak=Weakness(3))
        before = [cell.charge for cell in pack.cells]
        for second in range(5000):
            pack.step(1.0, 120 * math.sin(second / 300), 20.0)
        moved = pack.charged_ah - pack.discharged_ah
        gained = [cell.charge - start for cell, start in zip(pack.cells, before, strict=True)]
        assert pack.charged_ah > 10
        assert gained == pytest.approx([moved] * 16)

    def test_balancing_takes_from_the_high_cells_what_it_counts(self):
        pack = build(soc=0.99, seed=4, balancing=Balancing(current=0.5))
        before = [cell.charge for cell in pack.cells]
        unbalanced = max(pack.voltages) - min(pack.voltages)
        for _ in range(600):
            pack.step(60.0, 0.0, 20.0)
        gained = [cell.charge - start for cell, start in zip(pack.cells, before, strict=True)]
        assert gained == pytest.approx([-bled for bled in pack.bled_ah])
        assert max(pack.bled_ah) > min(pack.bled_ah) == 0
        assert max(pack.voltages) - min(pack.voltages) < unbalanced / 2

    def test_a_seed_is_a_pack(self):
        assert build(seed=5).cells == build(seed=5).cells
        assert build(seed=5).cells != build(seed=6).cells

    def test_without_spread_all_cells_are_the_same(self):
        assert len({cell.charge for cell in build(spread=0).cells}) == 1

    def test_state_of_charge_stays_between_empty_and_full(self):
        assert build(soc=0.5, spread=0).soc == pytest.approx(0.5)
        assert build(soc=1.2, spread=0).soc == 1
        assert build(soc=-0.2, spread=0).soc == 0

    def test_time_does_not_run_backwards(self):
        with pytest.raises(ValueError):
            build().step(-1.0, 0.0, 20.0)

    def test_the_weak_cell_must_be_in_the_pack(self):
        with pytest.raises(ValueError, match="no cell 17"):
            build(weak=Weakness(17))

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("seed", range(5))
    def test_the_weak_cell_peaks_first_and_sinks_first(self, kind, seed):
        for current, extreme in ((100.0, max), (-100.0, min)):
            pack = build(kind, soc=0.5, seed=seed, weak=Weakness(7))
            while 0 < pack.cells[6].soc < 1:
                pack.step(10.0, current, 20.0)
            voltages = pack.voltages
            assert voltages.index(extreme(voltages)) == 6

    def test_a_constant_voltage_charge_has_a_knee_where_the_cells_part(self):
        """Flat and close together for hours, then the current falls and the weak cell runs off."""
        pack = build(soc=0.5, weak=Weakness(7))
        system = System()
        limits = Limits(cvl=16 * 3.45, ccl=100.0, dcl=0.0)
        spreads, currents = [], []
        for _ in range(3 * 3600):
            pack.step(1.0, system.current(pack, limits, FULL_SUN, 0.0), 20.0)
            spreads.append(max(pack.voltages) - min(pack.voltages))
            currents.append(pack.current)
        assert currents[0] == 100 and spreads[0] < 0.06
        assert currents[-1] < 5 and spreads[-1] > 0.15
        assert max(pack.voltages) > 3.6


class TestSystem:
    @pytest.mark.parametrize("seed", range(3))
    def test_charging_never_passes_ccl_or_cvl(self, seed):
        limits = Limits(cvl=16 * 3.45, ccl=80.0, dcl=150.0)
        simulation = Simulation(
            build(soc=0.85, seed=seed, weak=Weakness(7)), System(), Day(solar_peak=FULL_SUN), NOON
        )
        currents = []
        for _ in range(2 * 3600):
            simulation.advance(1.0, limits)
            currents.append(simulation.pack.current)
            # The second itself charges the pack a little further: that much is a millivolt a cell.
            assert simulation.pack.voltage <= limits.cvl + 0.016
        assert max(currents) == 80
        assert currents[-1] < 5

    def test_discharging_never_passes_dcl(self):
        simulation = Simulation(build(soc=0.9), System(), Day(load_peak=9000.0), t=18 * 3600.0)
        simulation.advance(3600.0, Limits(cvl=55.2, ccl=100.0, dcl=60.0))
        assert simulation.pack.current == -60
        simulation.advance(1.0, Limits(cvl=55.2, ccl=100.0, dcl=0.0))
        assert simulation.pack.current == 0

    def test_loads_take_from_the_sun_first(self):
        pack = build(soc=0.5)
        volts = pack.voltage
        limits = Limits(cvl=55.2, ccl=100.0, dcl=100.0)
        assert System().current(pack, limits, 50 * volts, 20 * volts) == pytest.approx(30)
        assert System().current(pack, limits, 20 * volts, 50 * volts) == pytest.approx(-30)

    def test_ccl_zero_leaves_the_loads_to_the_sun(self):
        limits = Limits(cvl=55.2, ccl=0.0, dcl=100.0)
        assert System().current(build(), limits, FULL_SUN, 2000.0) == 0

    def test_a_missing_ccl_is_no_limit_at_all(self):
        pack = build(soc=0.5)
        limits = Limits(cvl=16 * 3.45, ccl=None, dcl=100.0)
        assert System(charger=200.0).current(pack, limits, FULL_SUN * 2, 0.0) == 200

    def test_a_missing_dcl_is_no_limit_at_all(self):
        limits = Limits(cvl=55.2, ccl=0.0, dcl=None)
        assert System(inverter=250.0).current(build(), limits, 0.0, 99_000.0) == -250

    def test_without_cvl_the_chargers_stop_and_the_loads_go_on(self):
        pack = build(soc=0.5)
        current = System().current(pack, Limits(ccl=100.0, dcl=100.0), FULL_SUN, 1000.0)
        assert current == pytest.approx(-1000 / pack.voltage)

    def test_without_cvl_chargers_of_their_own_mind_follow_no_limit(self):
        pack = build(soc=0.5)
        system = System(own_voltage=56.8, charger=250.0)
        assert system.current(pack, Limits(ccl=0.0, dcl=0.0), FULL_SUN * 2, 0.0) > 100

    def test_a_cvl_below_the_battery_stops_the_chargers_but_drains_nothing(self):
        pack = build(soc=0.9)
        limits = Limits(cvl=40.0, ccl=100.0, dcl=100.0)
        assert System().current(pack, limits, FULL_SUN, 0.0) == 0
        assert System().current(pack, limits, FULL_SUN, 1000.0) < 0

    def test_a_cvl_below_the_battery_empties_it_when_feeding_in(self):
        limits = Limits(cvl=40.0, ccl=100.0, dcl=100.0)
        assert System(feed_in=True).current(build(soc=0.9), limits, 0.0, 0.0) == -100

    def test_feeding_in_ignores_ccl_but_not_cvl(self):
        pack = build(soc=0.5)
        limits = Limits(cvl=16 * 3.45, ccl=0.0, dcl=100.0)
        current = System(feed_in=True).current(pack, limits, FULL_SUN, 0.0)
        assert current > 0
        assert pack.ocv + current * pack.resistance <= limits.cvl + 1e-9


class TestDay:
    def test_the_sun_shines_by_day_and_the_clouds_only_take(self):
        day, clear = Day(clouds=0.5), Day(clouds=0.0)
        assert day.solar(0.0) == 0 == day.solar(23 * 3600.0)
        powers = [(day.solar(t), clear.solar(t)) for t in range(6 * 3600, 19 * 3600, 600)]
        assert all(0 < power <= unclouded for power, unclouded in powers)
        assert len({round(power / unclouded, 6) for power, unclouded in powers}) > 10

    def test_every_day_asks_for_the_same_loads(self):
        assert Day().load(NOON) == Day().load(NOON + 5 * 86400)

    def test_the_morning_is_colder_than_the_afternoon(self):
        assert Day().ambient(6 * 3600.0) < Day().ambient(15 * 3600.0) - 10

    def test_a_simulation_can_be_repeated_in_other_portions(self):
        limits = Limits(cvl=55.2, ccl=100.0, dcl=100.0)
        one, other = (Simulation(build(), System(), Day(), NOON) for _ in range(2))
        one.advance(900.0, limits)
        for _ in range(30):
            other.advance(30.0, limits)
        assert one.pack.cells == other.pack.cells


class TestClient:
    names = Names("virtual-battery", "virtual")

    def test_reads_what_a_bms_reads(self):
        pack = build(soc=0.5, cells=16)
        pack.step(1.0, 12.345, 20.0)
        measured = readings(pack)
        assert measured["Dc/0/Current"] == 12.3
        assert measured["Dc/0/Voltage"] == round(sum(pack.voltages), 2)
        assert measured["Soc"] == pytest.approx(50, abs=1)
        assert [measured[f"Voltages/Cell{n}"] for n in range(1, 17)] == [
            round(v, 3) for v in pack.voltages
        ]
        assert (measured["Io/AllowToCharge"], measured["Io/AllowToDischarge"]) == (1, 1)

    def test_a_current_near_zero_has_no_sign(self):
        pack = build()
        pack.step(1.0, -0.04, 20.0)
        assert json.dumps(readings(pack)["Dc/0/Current"]) == "0.0"

    def test_its_bms_blocks_at_the_ends(self):
        assert readings(build(soc=1.03))["Io/AllowToCharge"] == 0
        assert readings(build(soc=-0.02))["Io/AllowToDischarge"] == 0

    def test_one_write_per_path(self):
        messages = as_topics({"Soc": 50.0, "Io/AllowToCharge": 1}, Address("c0ffee", 3))
        assert [(topic, json.loads(payload)) for topic, payload in messages] == [
            ("W/c0ffee/battery/3/Soc", {"value": 50.0}),
            ("W/c0ffee/battery/3/Io/AllowToCharge", {"value": 1}),
        ]

    @pytest.mark.parametrize("address", [Address(None, 3), Address("c0ffee", None)])
    def test_no_write_to_an_unknown_address(self, address):
        assert as_topics({"Soc": 50.0}, address) == []

    def test_a_batch_carries_everything(self):
        ((topic, payload),) = as_batch({"Soc": 50.0, "Dc/0/Voltage": 53.1}, self.names)
        assert topic == "virtual-battery/virtual/set"
        assert json.loads(payload) == {"Soc": 50.0, "Dc/0/Voltage": 53.1}

    def test_reads_limits_back(self):
        state = {"limits": {"CVL": 55.2, "CCL": 0.0, "DCL": None}}
        assert limits_in(state) == Limits(cvl=55.2, ccl=0.0, dcl=None)
        assert limits_in({}) == Limits()

    def test_asks_the_bridge_for_the_address_that_nobody_gave(self):
        state = {"identity": {"portal": "c0ffee", "instance": 3}}
        assert address_in(state, Address(None, None)) == Address("c0ffee", 3)
        assert address_in(state, Address("other", None)) == Address("other", 3)
        assert address_in({}, Address(None, 0)) == Address(None, 0)


class TestMeters:
    def test_a_delay_gives_back_what_was_put_in_so_long_ago(self):
        delay: Delay[str] = Delay(2.0)
        assert [delay.at(t, f"at {t}") for t in range(5)] == ["at 0"] * 3 + ["at 1", "at 2"]

    def test_without_parts_the_bms_is_right(self):
        pack = build(soc=0.6)
        assert measured(pack, 0.0) == readings(pack)

    def test_parts_add_up(self):
        pack = build(soc=0.6)
        parts = (lag(5.0), resolution(0.01), offset(PACK_VOLTAGE, share=0.01))
        before = measured(pack, 0.0, parts)
        pack.step(1.0, 100.0, 20.0)
        after, right = measured(pack, 1.0, parts), readings(pack)
        assert after["Voltages/Cell1"] == before["Voltages/Cell1"] < right["Voltages/Cell1"]
        assert after["Voltages/Cell1"] == round(after["Voltages/Cell1"], 2)
        assert after[PACK_VOLTAGE] == pytest.approx(right[PACK_VOLTAGE] * 1.01, abs=0.001)

    def test_noise_moves_the_cells_and_nothing_else(self):
        pack, part = build(soc=0.6), noise(0.002)
        said, right = measured(pack, 0.0, (part,)), readings(pack)
        wrong = {path for path in right if said[path] != right[path]}
        assert wrong and all(path.startswith("Voltages/Cell") for path in wrong)


class TestImperfectChargers:
    def test_overshoot_is_a_voltage_above_cvl(self):
        pack = build(soc=0.9)
        system = System(overshoot=0.01)
        pack.step(0, system.current(pack, Limits(54.0, 500, 500), 60_000.0, 0.0), 20.0)
        assert pack.voltage == pytest.approx(54.0 * 1.01)

    def test_a_late_charger_obeys_the_limits_of_before(self):
        pack = build(soc=0.6)
        simulation = Simulation(pack, System(late=3.0), Day(solar_peak=FULL_SUN), t=NOON)
        simulation.advance(5, Limits(56.0, 50.0, 50.0))
        simulation.advance(3, Limits(56.0, 10.0, 50.0))
        assert pack.current == pytest.approx(50.0)
        simulation.advance(1, Limits(56.0, 10.0, 50.0))
        assert pack.current == pytest.approx(10.0)
