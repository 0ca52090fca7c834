"""No discharge from an empty battery.

A latch, because the voltage of a battery rises again as soon as it rests.
"""

from __future__ import annotations

from bridge.core.limiter.curves import nothing_for_silence
from bridge.core.limiter.protection import Latch, Protection
from bridge.core.limiter.situation import Situation, name_of, reached
from bridge.core.limiter.sweeps import EVERY_CELL, ONE_CELL
from bridge.core.measurements.inputs import CELLS, PACK_VOLTAGE
from bridge.core.measurements.voltages import TINY
from bridge.core.model import DCL, Cap


def _update(was: bool, situation: Situation) -> bool:
    """Set when V or the lowest cell is at or below its threshold.

    Ended only when both are above it by the hysteresis, beyond doubt and with all cells known: an
    unknown cell may be the one that set the latch.
    """
    if is_empty(situation):
        return True
    if not was:
        return False
    settings, cells = situation.settings, situation.cells
    lowest, voltage = situation.volts.lowest, situation.volts.pack
    unknown = lowest is None and voltage is None
    if not situation.is_certain or _is_known_in_part(situation) or unknown:
        return True
    margin = settings.discharge_hysteresis
    cell_end, pack_end = settings.min_cell_voltage + margin, settings.discharge_voltage + margin
    return (lowest is not None and not reached(lowest, cell_end)) or (
        voltage is not None and not reached(voltage, pack_end * cells)
    )


def is_empty(situation: Situation) -> bool:
    """Whether V or the lowest cell is at or below its threshold."""
    settings, lowest, voltage = situation.settings, situation.volts.lowest, situation.volts.pack
    end_of_pack = settings.discharge_voltage * situation.cells
    return (lowest is not None and lowest <= settings.min_cell_voltage + TINY) or (
        voltage is not None and voltage <= end_of_pack + TINY
    )


def _is_known_in_part(situation: Situation) -> bool:
    cells = situation.of(CELLS)
    if situation.is_silent(CELLS) or situation.is_silent(PACK_VOLTAGE):
        return True
    return bool(cells.known) and not cells.is_whole


LATCH = Latch("discharge stop", False, _update)


def _cap(situation: Situation) -> Cap | None:
    if LATCH.of(situation.latches):
        return Cap(0.0, _why(situation))
    for input_ in (CELLS, PACK_VOLTAGE):
        if situation.is_silent(input_):
            return nothing_for_silence(situation, input_)
    return None


def _why(situation: Situation) -> str:
    """Why the latch is set, and at which voltage it ends."""
    settings, lowest, voltage = situation.settings, situation.volts.lowest, situation.volts.pack
    margin = settings.discharge_hysteresis
    cell_end = settings.min_cell_voltage + margin
    if lowest is not None and not reached(lowest, cell_end):
        return (
            f"{name_of(situation.of(CELLS), lowest)} at {lowest:.3f} V,"
            f" stop at {settings.min_cell_voltage:g} V, ends at {cell_end:g} V"
        )
    end_of_pack = (settings.discharge_voltage + margin) * situation.cells
    if voltage is not None and reached(voltage, end_of_pack):
        return "stopped before, until every cell and the pack voltage are known beyond doubt"
    stop = settings.discharge_voltage * situation.cells
    shown = "unknown" if voltage is None else f"at {voltage:.2f} V"
    return f"pack {shown}, stop at {stop:.2f} V, ends at {end_of_pack:.2f} V"


DISCHARGE = Protection(
    "discharge stop",
    DCL,
    "0 A from discharge_voltage of the pack or min_cell_voltage of a cell on downwards, until both"
    " are discharge_hysteresis above",
    frozenset({CELLS, PACK_VOLTAGE}),
    _cap,
    latch=LATCH,
    sweeps=(EVERY_CELL, ONE_CELL),
)
