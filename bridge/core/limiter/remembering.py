"""From one memory to the next, by what is measured now."""

from __future__ import annotations

from bridge.core.limiter import seasons
from bridge.core.limiter.latches import LatchState, remember_block
from bridge.core.limiter.phases import next_phase
from bridge.core.limiter.recovery import LONGEST_STEP
from bridge.core.limiter.stop import is_discharge_stopped
from bridge.core.model import Date, Measurements, Stage
from bridge.core.settings.declarations import LimiterSettings


def remember(
    before: LatchState,
    measurements: Measurements,
    settings: LimiterSettings,
    cells: int,
    stage: Stage,
    now: float,
    date: Date | None,
) -> LatchState:
    """The memory after these measurements. now must not be before the memory's own time."""
    certain = stage is Stage.FRESH and not measurements.doubt
    hold = settings.block_release
    return LatchState(
        discharge_stopped=is_discharge_stopped(
            measurements, settings, cells, before.discharge_stopped, certain
        ),
        maintaining=seasons.is_maintaining(
            measurements.soc, settings, date, before.maintaining, certain
        ),
        charge_block=remember_block(
            before.charge_block, measurements.charge_blocked_by, hold, now
        ),
        discharge_block=remember_block(
            before.discharge_block, measurements.discharge_blocked_by, hold, now
        ),
        phase=next_phase(before.phase, measurements.soc, settings, now, certain),
        slide=before.slide,
        at=now,
    )


def slide_down(
    before: LatchState,
    measurements: Measurements,
    settings: LimiterSettings,
    ccl: float,
    cvl: float,
    floor: float,
    now: float,
) -> float | None:
    """Where CVL slides to, in V, while CCL is near 0 A; None while it does not.

    ccl, cvl: the limits as they are without it. Down to the battery's own voltage at the rate at
    which CVL otherwise rises, and only while the battery is still being charged: a CVL that ran
    after the voltage of a battery under discharge would pull it down to the floor.
    """
    near_zero = ccl <= settings.current_release * settings.max_charge_current
    if settings.slide == "off" or not near_zero:
        return None
    start = cvl if before.slide is None else before.slide
    voltage, current = measurements.voltage, measurements.current
    if voltage is None or (current is not None and current <= 0):
        return start
    elapsed = min(max(0.0, now - before.at), LONGEST_STEP)
    return max(floor, min(start, max(voltage, start - settings.voltage_rise * elapsed)))
