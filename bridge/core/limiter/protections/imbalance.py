"""Less charge current while the cells are far apart."""

from __future__ import annotations

from bridge.core.limiter.curves import cap_of_silence
from bridge.core.limiter.protection import Protection
from bridge.core.limiter.situation import Situation
from bridge.core.limiter.sweeps import CELL_SPREAD
from bridge.core.measurements.inputs import CELLS
from bridge.core.measurements.voltages import spread
from bridge.core.model import CCL, Cap
from bridge.core.settings.tables import value_at


def _cap(situation: Situation) -> Cap | None:
    settings = situation.settings
    table, maximum = settings.imbalance, settings.max_charge_current
    if not table:
        return None
    apart = spread(situation.of(CELLS))
    if apart is None:
        return cap_of_silence(situation, table, maximum, CELLS)
    share_of_spread = value_at(table, apart)
    if share_of_spread == 1:
        return None
    return Cap(maximum * share_of_spread, f"cells {apart:.3f} V apart")


CHARGE = Protection(
    "imbalance",
    CCL,
    "max_charge_current times imbalance, over highest less lowest cell",
    frozenset({CELLS}),
    _cap,
    sweeps=(CELL_SPREAD,),
)
