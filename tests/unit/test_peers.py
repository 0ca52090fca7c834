"""The laws of the other projects: their published numbers, and what is peculiar to them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.pack.charger import Limits
from tests.peers.aggregate import Aggregate
from tests.peers.measured import Measured
from tests.peers.serialbattery import Clamp, Current, Serialbattery

CELLS = 16


def pack(highest: float = 3.30, others: float = 3.30, soc: float = 90.0) -> Measured:
    cells = (highest, *[others] * (CELLS - 1))
    return Measured(cells, voltage=sum(cells), soc=soc, coldest=20.0, hottest=20.0)


class Told:
    """A law that is told the same once a second."""

    def __init__(self, law: Serialbattery | Aggregate) -> None:
        self.law = law
        self.now = 1000.0

    def __call__(self, measured: Measured | None, seconds: int = 1) -> Limits:
        for _ in range(seconds):
            self.now += 1.0
            if measured is not None:
                self.law.hear(measured, self.now)
            self.law.tick(self.now)
        return self.law.limits()


def serialbattery(clamp: Clamp = Clamp.PENALTY) -> Told:
    return Told(Serialbattery(100.0, 150.0, clamp))


def aggregate(month: int = 4) -> Told:
    return Told(Aggregate(100.0, 150.0, month))


# dbus-serialbattery


@pytest.mark.parametrize(
    ("highest", "ccl"),
    [(3.30, 100), (3.375, 100), (3.40, 25), (3.4125, 15), (3.425, 5), (3.45, 0.5), (3.475, 0.25),
     (3.50, 0), (3.60, 0)],
)  # fmt: skip
def test_serialbattery_charges_less_at_a_high_cell(highest: float, ccl: float) -> None:
    assert serialbattery()(pack(highest)).ccl == pytest.approx(ccl)


@pytest.mark.parametrize(
    ("lowest", "dcl"), [(3.19, 150), (3.10, 37.5), (3.00, 7.5), (2.90, 0.75), (2.80, 0), (2.5, 0)]
)
def test_serialbattery_discharges_less_at_a_low_cell(lowest: float, dcl: float) -> None:
    assert serialbattery()(pack(lowest)).dcl == pytest.approx(dcl)


@pytest.mark.parametrize(
    ("coldest", "hottest", "ccl", "dcl"),
    [(0, 20, 0, 37.5), (-10, 20, 0, 0), (1, 20, 12.5, 45), (20, 45, 50, 75), (2, 50, 25, 37.5)],
)
def test_serialbattery_looks_at_the_coldest_and_the_hottest_sensor(
    coldest: float, hottest: float, ccl: float, dcl: float
) -> None:
    limits = serialbattery()(replace(pack(), coldest=coldest, hottest=hottest))
    assert (limits.ccl, limits.dcl) == (pytest.approx(ccl), pytest.approx(dcl))


def test_serialbattery_waits_with_a_fall_of_less_than_a_third() -> None:
    told = serialbattery()
    told(pack(3.375))
    assert told(pack(3.38), 59).ccl == 100
    assert told(pack(3.38)).ccl == pytest.approx(85)
    assert told(pack(3.39)).ccl == pytest.approx(55), "35 % less counts at once"
    assert told(pack(3.50)).ccl == 0


def test_serialbattery_rises_after_a_hold_and_then_slowly() -> None:
    told = serialbattery()
    told(pack(3.40))
    assert told(pack(3.30), 30).ccl == 25
    assert told(pack(3.30)).ccl == 25, "the rise begins"
    assert told(pack(3.30)).ccl == 30
    assert told(pack(3.30), 14).ccl == 100


def test_serialbattery_leaves_zero_only_for_enough() -> None:
    current = Current(100.0)
    for now in range(1000, 1200):
        current.update(0.0 if now == 1000 else 0.0149, now)
    assert current.value == 0
    for now in range(1200, 1232):
        current.update(0.015, now)
    assert current.value == 1.5


@pytest.mark.parametrize(
    ("clamp", "cvl"), [(Clamp.PENALTY, 53.05), (Clamp.CLIPPED_SUM, 53.06), (Clamp.INTEGRAL, 55.18)]
)
def test_serialbattery_lowers_cvl_for_a_high_cell(clamp: Clamp, cvl: float) -> None:
    told = serialbattery(clamp)
    assert told(pack(3.44)).cvl == 55.2
    measured = pack(3.55, others=3.3066667)
    assert measured.sum == pytest.approx(53.15)
    assert told(measured).cvl == pytest.approx(cvl, abs=0.005)


def test_serialbattery_integrates_in_mode_two_only() -> None:
    """0.2 of what is above 3.46 V, each second."""
    high = pack(3.56)
    assert serialbattery(Clamp.INTEGRAL)(high, 11).cvl == pytest.approx(55.2 - 10 * 0.02)
    told = serialbattery(Clamp.PENALTY)
    assert told(high, 10).cvl == told(high, 100).cvl


def test_serialbattery_raises_cvl_after_a_minute_by_a_millivolt_a_second() -> None:
    told = serialbattery()
    low = told(pack(3.55)).cvl
    assert low is not None
    assert told(pack(3.40), 60).cvl == low
    assert told(pack(3.40), 100).cvl == pytest.approx(low + 0.1, abs=0.006)


def test_serialbattery_goes_to_float_when_full_and_balanced() -> None:
    told = serialbattery()
    full = pack(3.45, others=3.45)
    assert told(full, 902).cvl == 55.2
    assert told(full, 601).cvl == pytest.approx(54.6, abs=0.01)
    assert told(full, 2000).cvl == 54.0
    assert told(pack(3.38, others=3.38, soc=79), 1).cvl == 55.2


def test_serialbattery_never_floats_with_a_weak_cell() -> None:
    """Its absorption needs all cells within 10 mV."""
    cvl = serialbattery()(pack(3.46, others=3.449), 3000).cvl
    assert cvl is not None and cvl > 55.1


def test_serialbattery_has_no_limit_for_one_cell_of_twelve_volts() -> None:
    assert serialbattery()(pack(12.0)) == serialbattery()(pack(3.30))


@pytest.mark.parametrize(("highest", "ends"), [(3.34, 1806), (3.40, 66)])
def test_serialbattery_keeps_its_limits_without_messages_and_then_leaves(
    highest: float, ends: int
) -> None:
    told = serialbattery()
    before = told(pack(highest, others=3.30))
    assert told(None, ends) == before
    assert told(None) == Limits()
    assert told(pack(3.30)).cvl == 55.2, "and starts again with the next message"


# dbus-aggregate-batteries


@pytest.mark.parametrize(
    ("highest", "ccl"),
    [(2.80, 20), (2.925, 60), (2.95, 100), (3.30, 100), (3.35, 55), (3.40, 10), (3.425, 5),
     (3.45, 0), (3.6, 0)],
)  # fmt: skip
def test_aggregate_charges_less_at_a_high_or_very_low_highest_cell(
    highest: float, ccl: float
) -> None:
    assert aggregate()(pack(highest, others=2.8)).ccl == pytest.approx(ccl)


@pytest.mark.parametrize(("lowest", "dcl"), [(3.10, 150), (3.05, 78.75), (3.00, 7.5), (2.95, 3.75)])
def test_aggregate_discharges_less_at_a_low_cell(lowest: float, dcl: float) -> None:
    assert aggregate()(pack(lowest)).dcl == pytest.approx(dcl)


def test_aggregate_discharges_again_only_a_tenth_of_a_volt_higher() -> None:
    told = aggregate()
    assert told(pack(2.90)).dcl == 0
    assert told(pack(3.00)).dcl == 0
    assert told(pack(3.01)).dcl == pytest.approx(150 * 0.145)


@pytest.mark.parametrize(("month", "cvl"), [(1, 56.8), (4, 55.2), (12, 56.8)])
def test_aggregate_has_a_charge_voltage_by_month(month: int, cvl: float) -> None:
    assert aggregate(month)(pack()).cvl == pytest.approx(cvl)


def test_aggregate_subtracts_the_excess_and_forgets_it_at_once() -> None:
    told = aggregate()
    assert told(pack(3.55)).cvl == pytest.approx(15 * 3.30 + 3.45)
    assert told(pack(3.44)).cvl == pytest.approx(55.2)


def test_aggregate_ends_feed_in_until_a_clamp_ends_with_balanced_cells() -> None:
    told = aggregate()
    told(pack(3.45))
    assert not told.law.feeds_in
    told(pack(3.44))
    told(pack(3.44, others=3.44))
    assert not told.law.feeds_in, "the cells became equal after the clamp had ended"
    told(pack(3.45, others=3.44))
    told(pack(3.44, others=3.44))
    assert told.law.feeds_in


def test_aggregate_forgets_feed_in_when_it_restarts() -> None:
    told = aggregate()
    told(pack(3.45))
    told(None, 60)
    told(pack(3.45, others=3.45))
    told(pack(3.44, others=3.44))
    assert not told.law.feeds_in


def test_aggregate_keeps_its_limits_without_values_and_then_leaves() -> None:
    told = aggregate()
    before = told(pack(3.34))
    assert told(None, 41) == before
    assert told(None) == Limits()
