"""The cells and the pack voltage are two witnesses of the same thing; the more careful counts."""

from __future__ import annotations

import pytest
from doubles import Bench
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.measurements.inputs import Cells
from bridge.core.measurements.voltages import TINY, volts_of

VOLTS = st.floats(2.0, 4.2)


def _feed(bench: Bench, cells: list[float], voltage: float) -> None:
    named = {f"Voltages/Cell{n}": cell for n, cell in enumerate(cells, start=1)}
    bench.batch({**named, "Dc/0/Voltage": voltage, "Dc/0/Current": 5.0, "Soc": 50})
    bench.settle()


@pytest.mark.promise("witnesses")
@given(st.lists(VOLTS, min_size=4, max_size=4), st.floats(8.0, 17.0))
def test_the_mean_of_the_pack_voltage_bounds_the_extreme_cells(
    cells: list[float], voltage: float
) -> None:
    volts = volts_of(Cells(tuple(cells)), voltage, 4)
    assert volts.highest is not None and volts.lowest is not None
    assert volts.highest >= max(*cells, voltage / 4 - TINY)
    assert volts.lowest <= min(*cells, voltage / 4 + TINY)


def test_a_pack_voltage_far_above_the_cells_ends_charging() -> None:
    bench = Bench()
    _feed(bench, [3.33] * 16, 58.4)
    assert bench.ccl == 0.0, "3.65 V in each cell, says the pack"


def test_a_pack_voltage_far_below_the_cells_ends_discharging() -> None:
    bench = Bench()
    _feed(bench, [3.33] * 16, 44.8)
    assert bench.dcl == 0.0, "2.80 V in each cell, says the pack"


@pytest.mark.promise("witnesses")
def test_the_lower_of_pack_voltage_and_sum_counts() -> None:
    """The clamp of CVL and the discharge stop both begin at a low voltage."""
    cells = Cells((3.0, 3.1, 3.2, 3.3))
    assert volts_of(cells, 13.9, 4).pack == pytest.approx(12.6)
    assert volts_of(cells, 12.1, 4).pack == pytest.approx(12.1)


def test_with_only_the_extremes_the_pack_is_at_most_all_cells_but_one_at_the_highest() -> None:
    cells = Cells((None,) * 4, lowest=3.0, highest=3.3)
    assert volts_of(cells, 12.7, 4).pack == pytest.approx(12.7)
    assert volts_of(cells, 13.4, 4).pack == pytest.approx(3 * 3.3 + 3.0)


@pytest.mark.parametrize(
    ("cells", "voltage", "percent"),
    [
        (Cells((3.0, 3.0, 3.0, 3.0)), 12.6, 5.0),
        (Cells((3.0, 3.0, 3.0, 3.0)), 11.4, 5.0),
        (Cells((3.0, 3.0, 3.0, None)), 20.0, None),
        (Cells((None,) * 4, lowest=3.0, highest=3.2), 12.5, 0.0),  # two cells at each would do
        (Cells((None,) * 4, lowest=3.0, highest=3.2), 13.86, 10.0),  # 12.6 V at most
        (Cells((None,) * 4, lowest=3.0, highest=3.2), 10.98, 10.0),  # 12.2 V at least
        (Cells((None,) * 4), 12.6, None),
        (Cells((0.0,) * 4), 12.6, None),
        (Cells((3.0, 3.0, 3.0, 3.0)), None, None),
    ],
)
def test_how_far_the_pack_voltage_is_from_the_cells(
    cells: Cells, voltage: float | None, percent: float | None
) -> None:
    found = volts_of(cells, voltage, 4).mismatch
    assert found == (None if percent is None else pytest.approx(percent))


@pytest.mark.parametrize("error", [0.06, -0.06])
def test_a_mismatch_beyond_the_warning_lets_in_only_what_cv2_does(error: float) -> None:
    bench = Bench()
    _feed(bench, [3.2] * 16, 16 * 3.2 * (1 + error))
    assert bench.ccl == 10.0
    assert "6.0 %" in bench.state["reasons"]["CCL"]
    assert "the sum of the cells" in bench.state["reasons"]["CCL"]


def test_a_mismatch_below_the_warning_changes_no_current() -> None:
    bench = Bench()
    _feed(bench, [3.3] * 16, 16 * 3.3)
    limits = (bench.ccl, bench.dcl)
    for error in (0.01, -0.01, 0.02, -0.02):
        bench.clock.now += 1.0
        _feed(bench, [3.3] * 16, 16 * 3.3 * (1 + error))
        assert (bench.ccl, bench.dcl) == limits


def test_no_setting_at_run_time_makes_the_mismatch_harmless() -> None:
    bench = Bench()
    bench.batch({"Settings/Alarms/VoltageMismatch": "[100, 200]"})
    _feed(bench, [3.2] * 16, 16 * 3.2 * 1.06)
    assert bench.ccl == 10.0


def test_a_client_may_make_the_mismatch_count_earlier() -> None:
    bench = Bench()
    bench.batch({"Settings/Alarms/VoltageMismatch": "[2, 20]"})
    _feed(bench, [3.2] * 16, 16 * 3.2 * 1.03)
    assert bench.ccl == 10.0
