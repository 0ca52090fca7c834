"""What follows from the cells and the pack voltage, before any protection looks at it."""

from __future__ import annotations

import pytest

from bridge.core.limiter.situation import name_of, reached
from bridge.core.measurements.inputs import Cells
from bridge.core.measurements.voltages import TINY, volts_of

UNKNOWN = (None,) * 4


@pytest.mark.parametrize(
    ("cells", "voltage", "highest", "lowest"),
    [
        (Cells(UNKNOWN), None, None, None),
        (Cells(UNKNOWN), 13.2, 3.3, 3.3),  # the mean
        (Cells((3.2, 3.4, 3.3, 3.3)), 14.0, 3.5, 3.2),  # all cells known, and still the mean counts
        (Cells((3.2, 3.3, None, None)), 14.0, 3.5, 3.2),  # some cell must be at the mean or above
        (Cells((3.2, 3.3, None, None)), 12.4, 3.3, 3.1),
        (Cells(UNKNOWN, lowest=3.2, highest=3.4), 16.0, 4.0, 3.2),
        (Cells(UNKNOWN, lowest=3.4, highest=3.2), None, 3.4, 3.2),  # confused by the client
        (Cells(UNKNOWN, lowest=3.2), 14.0, 3.5, 3.2),
        (Cells((3.3, 3.3, 3.3, 3.3), lowest=2.9, highest=3.6), 13.2, 3.6, 2.9),
    ],
)
def test_the_extreme_cells(
    cells: Cells, voltage: float | None, highest: float | None, lowest: float | None
) -> None:
    volts = volts_of(cells, voltage, 4)
    assert (volts.highest, volts.lowest) == (highest, lowest)


@pytest.mark.parametrize(
    ("cells", "written", "voltage"),
    [
        (Cells((3.0, 3.1, 3.2, 3.3)), 12.2, 12.2),  # what is written
        (Cells((3.0, 3.1, 3.2, 3.3)), 13.9, 12.6),  # or the sum, if that is lower
        (Cells((3.0, 3.1, 3.2, 3.3)), None, 12.6),
        (Cells(UNKNOWN, lowest=3.0, highest=3.4), None, 3.4 + 3 * 3.0),  # else the least possible
        (Cells((3.0, 3.1, 3.2, None)), None, None),
        (Cells(UNKNOWN, lowest=3.0), None, None),
        (Cells(UNKNOWN), None, None),
    ],
)
def test_the_pack_voltage(cells: Cells, written: float | None, voltage: float | None) -> None:
    assert volts_of(cells, written, 4).pack == pytest.approx(voltage)


def test_a_cell_is_named_as_well_as_it_is_known() -> None:
    cells = Cells((3.2, 3.4, 3.4, None), lowest=3.1, highest=3.5)
    assert name_of(cells, 3.4) == "cell 2"
    assert name_of(cells, 3.1) == name_of(cells, 3.5) == "a cell"
    assert name_of(cells, 3.3) == "the mean cell"


def test_a_threshold_that_is_missed_by_less_than_arithmetic_is_reached() -> None:
    assert reached(3.4, 3.4)
    assert reached(3.4 - TINY / 2, 3.4)
    assert not reached(3.4 - TINY * 2, 3.4)
