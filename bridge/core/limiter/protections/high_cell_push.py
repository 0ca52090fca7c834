"""CVL goes on falling while a charger still pushes a cell above max_cell_voltage.

The clamp of `high_cell_clamp` names the voltage that the pack should have. A charger that holds a
higher voltage than it is told, or a pack voltage that is read too low or too high, would leave the
cell where it is. So CVL is also lowered step by step, from the CVL that was given last.
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.core.limiter.protection import Latch, Protection
from bridge.core.limiter.situation import Situation, is_blind, name_of, reached
from bridge.core.measurements.inputs import CELLS, PACK_CURRENT, PACK_VOLTAGE
from bridge.core.model import CVL, Cap

RATE = 0.2
"""Share of the excess per second.

serialbattery: its CVCM mode 2 lowers CVL by 0.2 times the excess of one cell in each cycle of about
1 s. Here it is also times the number of cells, because CVL moves all of them, and each one follows
by its share only. So a cell of LFP stays within 30 mV also with a charger that holds 1 % too much
and acts after 3 s, and with cells that are read 5 s late.
"""

END = 0.02
"""V below max_cell_voltage at which CVL may rise again.

Ours: without it CVL would rise and fall for as long as the sun shines. With feed-in, an inverter
would follow it.
"""


@dataclass(frozen=True)
class Push:
    """How far CVL has been lowered (V), and the highest cell (V) at that moment."""

    level: float
    highest: float


def _is_high(situation: Situation) -> bool:
    highest = situation.volts.highest
    return highest is not None and reached(highest, situation.settings.max_cell_voltage)


def _update(before: Push | None, situation: Situation) -> Push | None:
    """Lower the level while the highest cell is too high and is still pushed up, and then keep it.

    It is not pushed while the battery is discharged and the cell does not rise. The state ends when
    every cell is END below max_cell_voltage beyond doubt.
    """
    highest = situation.volts.highest
    given = situation.cvl if situation.given is None else situation.given
    if is_blind(situation) or highest is None:
        return before
    limit = situation.settings.max_cell_voltage
    if not reached(highest, limit):
        is_over = situation.is_certain and not reached(highest, limit - END)
        return None if is_over else before
    level = given if before is None else min(before.level, given)
    current = situation.of(PACK_CURRENT)
    is_charged = current is None or current > 0.0
    if is_charged or before is None or highest > before.highest:
        level -= RATE * situation.cells * max(0.0, highest - limit) * situation.elapsed
    return Push(max(situation.config.floor, level), highest)


LATCH = Latch("high cell push", None, _update)


def _cap(situation: Situation) -> Cap | None:
    push = LATCH.of(situation.latches)
    if push is None:
        return None
    name = name_of(situation.of(CELLS), push.highest)
    limit = situation.settings.max_cell_voltage
    return Cap(push.level, f"{name} stays above {limit:g} V, CVL goes on falling")


CHARGE_VOLTAGE = Protection(
    "high cell stays",
    CVL,
    "falls on from the last CVL while a cell is above max_cell_voltage and is still charged, by"
    " 0.2 times the excess and the number of cells per second",
    frozenset({CELLS, PACK_VOLTAGE, PACK_CURRENT}),
    _cap,
    latch=LATCH,
    changes_with_time=True,
    after_ccl=True,
    is_on=_is_high,
)
