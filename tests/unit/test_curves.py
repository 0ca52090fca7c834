"""A curve is straight lines, and the sum of what cells are above a limit."""

from __future__ import annotations

import pytest
from doubles import battery_config
from measured import measured

from bridge.core.limiter.curves import line
from bridge.core.limiter.protections.high_cell_clamp import excess
from bridge.core.limiter.situation import LimiterConfig, build_situation
from bridge.core.measurements.inputs import Cells
from bridge.core.model import Stage

STEP_UP = ((0.0, 0.2), (0.0, 1.0), (10.0, 1.0), (10.0, 0.5), (20.0, 0.0))


@pytest.mark.parametrize(
    ("x", "y"),
    [(-5, 0.2), (0, 0.2), (0.001, 1), (10, 0.5), (12, 0.4), (20, 0), (25, 0)],
)
def test_of_two_points_at_one_place_the_lower_one_holds(x: float, y: float) -> None:
    assert line(STEP_UP, x) == pytest.approx(y)


@pytest.mark.parametrize(
    ("cells", "voltage", "above"),
    [
        (Cells((3.5, *[3.3] * 15)), 53.0, 0.1),
        (Cells((None,) * 16, lowest=3.3, highest=3.5), 53.2, 0.2),  # two cells at most
        (Cells((None,) * 16, lowest=3.41, highest=3.45), 54.72, 4 * 0.05 + 12 * 0.01),
        (Cells((None,) * 16, lowest=3.3, highest=3.5), None, 0.1),
        (Cells((3.5, *[None] * 15), highest=3.45), None, 16 * 0.1),
        (Cells((None,) * 16, highest=3.39), None, 0.0),
    ],
)
def test_how_far_all_cells_are_above_a_limit(
    cells: Cells, voltage: float | None, above: float
) -> None:
    config = LimiterConfig.of(battery_config())
    seen = build_situation(measured(cells=cells, voltage=voltage), config, Stage.FRESH, 0, None, {})
    assert excess(seen, 3.4) == pytest.approx(above)
