"""Our own alarms: they rise after a delay, end after a longer one, and do not flap."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from doubles import Bench, battery_config
from measured import changed
from measured import measured as of

from bridge.core.measurements.inputs import TEMPERATURE, Cells, Measurements
from bridge.core.outputs.alarms import WATCHED, Alarms


def measured(cell: float = 3.3, **others: object) -> Measurements:
    return changed(of(cells=Cells((cell,) * 16), voltage=16 * cell), **others)


class Watch:
    def __init__(self, **alarms: object) -> None:
        self.settings = battery_config(alarms=alarms).alarms
        self.alarms, self.now = Alarms(), 0.0

    def __call__(self, measurements: Measurements, seconds: int = 1) -> dict[str, int]:
        for _ in range(seconds):
            self.now += 1.0
            self.alarms.update(measurements, self.settings, 16, self.now)
        return {path.split("/")[-1]: level for path, level in self.alarms.levels.items()}


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("HighCellVoltage", measured(3.61)),
        ("LowCellVoltage", measured(2.79)),
        ("HighVoltage", measured(voltage=16 * 3.56)),
        ("LowVoltage", measured(voltage=16 * 2.89)),
        ("LowSoc", measured(soc=9.0)),
        ("HighChargeCurrent", measured(current=221.0)),
        ("HighDischargeCurrent", measured(current=-276.0)),
        ("LowChargeTemperature", measured(coldest=1.0, hottest=20.0)),
        ("HighChargeTemperature", measured(coldest=20.0, hottest=46.0)),
        ("LowTemperature", measured(coldest=-11.0, hottest=20.0)),
        ("HighTemperature", measured(coldest=20.0, hottest=51.0)),
        ("HighInternalTemperature", measured(mosfet=81.0)),
        ("InternalFailure", measured(voltage=16 * 3.3 * 1.06)),
        ("BatteryTemperatureSensor", measured(silent=frozenset({TEMPERATURE}))),
    ],
)
def test_each_alarm_has_its_cause(name: str, bad: Measurements) -> None:
    watch = Watch()
    assert watch(bad, 5)[name] == 0
    assert watch(bad, 1)[name] == 1


def test_every_alarm_is_in_that_list() -> None:
    assert len(WATCHED) == 15  # the fourteen above and the next one


def test_imbalance_needs_a_whole_pack() -> None:
    apart = Cells((3.0, *[3.35] * 15))
    assert Watch()(measured(cells=apart), 6)["CellImbalance"] == 1
    in_part = apart._replace(voltages=(*apart.voltages[:15], None))
    assert "CellImbalance" not in Watch()(measured(cells=in_part), 6)


def test_a_warning_becomes_an_alarm_and_ends_step_by_step() -> None:
    watch = Watch()
    watch(measured(3.61), 10)
    assert watch(measured(3.66), 6)["HighCellVoltage"] == 2
    assert watch(measured(3.64), 100)["HighCellVoltage"] == 2  # within the hysteresis
    assert watch(measured(3.62), 60)["HighCellVoltage"] == 2
    assert watch(measured(3.62), 1)["HighCellVoltage"] == 1
    assert watch(measured(3.3), 61)["HighCellVoltage"] == 0


def test_a_short_peak_is_no_alarm_and_a_short_dip_ends_none() -> None:
    watch = Watch()
    for _ in range(20):
        watch(measured(3.7), 4)
        assert watch(measured(3.3))["HighCellVoltage"] == 0
    watch(measured(3.7), 10)
    for _ in range(20):
        watch(measured(3.3), 30)
        assert watch(measured(3.7))["HighCellVoltage"] == 2


@pytest.mark.parametrize("seed", range(5))
def test_noise_around_a_level_makes_at_most_one_change(seed: int) -> None:
    watch, noise = Watch(), random.Random(seed)
    levels = [watch(measured(3.60 + noise.gauss(0, 0.01)))["HighCellVoltage"] for _ in range(3600)]
    assert sum(a != b for a, b in zip(levels[1:], levels, strict=False)) <= 1


def test_the_unknown_changes_nothing_and_the_never_known_is_no_alarm() -> None:
    watch = Watch()
    assert "LowSoc" not in watch(measured(), 10)
    watch(measured(soc=3.0), 10)
    assert watch(measured(), 600)["LowSoc"] == 2


def test_a_clock_that_stands_or_jumps_back_raises_nothing() -> None:
    watch = Watch()
    for now in (100.0, 100.0, 50.0, -1000.0, -1000.0):
        watch.now = now
        assert watch(measured(3.7))["HighCellVoltage"] == 0
    assert watch(measured(3.7), 6)["HighCellVoltage"] == 2


@pytest.mark.parametrize(
    ("name", "levels", "at"),
    [
        ("HighCellVoltage", {"high_cell_voltage": [3.6, 3.65]}, lambda v: measured(v)),
        ("LowCellVoltage", {"low_cell_voltage": [2.8, 2.7]}, lambda v: measured(v)),
        ("LowSoc", {"low_soc": [10, 5]}, lambda v: measured(soc=v)),
        ("HighChargeCurrent", {"high_charge_current": [100, 120]}, lambda v: measured(current=v)),
    ],
)
def test_a_value_at_its_level_counts(name: str, levels: Any, at: Any) -> None:
    (warning, alarm), *_ = levels.values()
    assert Watch(**levels)(at(warning), 6)[name] == 1
    assert Watch(**levels)(at(alarm), 6)[name] == 2


def test_a_value_that_turns_round_waits_anew() -> None:
    """Almost up to the alarm, then almost down to nothing: the warning stands."""
    watch = Watch()
    watch(measured(3.61), 10)
    watch(measured(3.7), 4)
    assert watch(measured(3.3), 60)["HighCellVoltage"] == 1
    assert watch(measured(3.7), 5)["HighCellVoltage"] == 1
    assert watch(measured(3.7), 1)["HighCellVoltage"] == 2


def test_the_unknown_ends_the_waiting_for_an_alarm() -> None:
    watch = Watch()
    watch(measured(soc=3.0), 4)
    watch(measured(), 1)
    assert watch(measured(soc=3.0), 5)["LowSoc"] == 0
    assert watch(measured(soc=3.0), 1)["LowSoc"] == 2


def test_an_alarm_follows_its_levels_while_the_value_stands() -> None:
    watch = Watch()
    assert watch(measured(soc=30.0), 10)["LowSoc"] == 0
    watch.settings = replace(watch.settings, low_soc=(40.0, 35.0))
    assert watch(measured(soc=30.0), 6)["LowSoc"] == 2
    watch.settings = replace(watch.settings, low_soc=())
    assert "LowSoc" not in watch(measured(soc=30.0))
    watch.settings = replace(watch.settings, low_soc=(40.0, 35.0))
    assert watch(measured(soc=30.0))["LowSoc"] == 0, "what was switched off begins anew"


def test_the_written_extremes_count_besides_the_cells() -> None:
    known = Cells((3.3,) * 16, lowest=2.9, highest=3.62)
    levels = Watch(low_cell_voltage=[2.9, 2.8])(measured(cells=known), 6)
    assert (levels["HighCellVoltage"], levels["LowCellVoltage"]) == (1, 1)
    assert levels["CellImbalance"] == 2


def test_an_alarm_can_be_switched_off() -> None:
    assert "LowSoc" not in Watch(low_soc=[])(measured(soc=1.0), 10)


def test_on_the_bus_the_worst_of_ours_and_the_clients_counts() -> None:
    bench = Bench()
    bench.pass_time(1, lambda: bench.feed(Soc=30))
    assert bench["/Alarms/LowSoc"] == 0
    assert bench["/Alarms/CellImbalance"] == 0
    bench.mqtt("/Alarms/LowSoc", "2")
    bench.settle()
    assert bench["/Alarms/LowSoc"] == 2
    bench.mqtt("/Alarms/LowSoc", "0")
    bench.settle()
    assert bench["/Alarms/LowSoc"] == 0
    bench.pass_time(8, lambda: bench.feed(Soc=8))
    assert bench["/Alarms/LowSoc"] == 1
    assert bench["/Alarms/FuseBlown"] is None
