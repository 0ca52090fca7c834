"""The ceilings as caps, for what is measured and for what is suspected, the lower ones."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

from bridge.core.limiter.caps import PackCaps
from bridge.core.limiter.ceiling import (
    Seen,
    highest_charge_current,
    highest_discharge_current,
)
from bridge.core.limiter.situation import LimiterConfig
from bridge.core.measurements.inputs import (
    CELLS,
    PACK_VOLTAGE,
    TEMPERATURE,
    Cells,
    Measurements,
    Temperatures,
)
from bridge.core.model import Cap, Limits


def ceiling_caps(allowed: PackCaps, config: LimiterConfig, voltage_age: float) -> Limits[Cap]:
    """The ceilings of CVL (V), CCL and DCL (A). voltage_age: s since the newest voltage."""
    ceiling, cells = config.ceiling, config.cells
    seen = _seen(allowed.situation.measurements, voltage_age)
    charge = highest_charge_current(seen, ceiling, cells)
    discharge = highest_discharge_current(seen, ceiling, cells)
    if allowed.suspected is not None:
        seen = _seen(allowed.suspected, voltage_age)
        charge = min(charge, highest_charge_current(seen, ceiling, cells))
        discharge = min(discharge, highest_discharge_current(seen, ceiling, cells))
    return Limits(config.ceiling_of_cvl, _cap(*charge), _cap(*discharge))


def newest_voltage_age(measurements: Measurements) -> float:
    """0 s if a voltage is among the measurements, else infinite."""
    seen = _seen(measurements, 0.0)
    return math.inf if seen.highest is None and seen.voltage is None else 0.0


def _seen(measurements: Measurements, voltage_age: float) -> Seen:
    readings: Any = measurements.readings
    cells: Cells = readings[CELLS]
    degrees: Temperatures | None = readings[TEMPERATURE]
    known: set[float] = {*cells.voltages, cells.lowest, cells.highest} - {None}  # type: ignore[assignment]
    coldest, hottest = (None, None) if degrees is None else degrees
    return Seen(
        max(known, default=None),
        min(known, default=None),
        readings[PACK_VOLTAGE],
        coldest,
        hottest,
        voltage_age,
    )


@lru_cache(maxsize=64)
def _cap(value: float, words: str) -> Cap:
    """The same cap for the same ceiling: most decisions have the same three."""
    return Cap(value, words)
