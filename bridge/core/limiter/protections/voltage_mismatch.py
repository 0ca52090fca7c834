"""Little charge current while the pack voltage and the cells contradict each other.

One of them is wrong, and it is unknown which. So the current is that of the last stage of charging,
with which no cell can be overcharged before its voltage has been looked at.
"""

from __future__ import annotations

from bridge.core.limiter.protection import Protection
from bridge.core.limiter.situation import Situation
from bridge.core.limiter.sweeps import PACK_MISMATCH
from bridge.core.measurements.inputs import CELLS, PACK_VOLTAGE
from bridge.core.measurements.voltages import TINY
from bridge.core.model import CCL, Cap


def _cap(situation: Situation) -> Cap | None:
    """From the warning level of alarms.voltage_mismatch on."""
    percent = (situation.before_frame or situation).volts.mismatch
    if percent is None or percent < situation.config.voltage_mismatch - TINY:
        return None
    current = situation.settings.max_charge_current_above_cv2
    return Cap(current, f"pack voltage is {percent:.1f} % from the sum of the cells")


CHARGE = Protection(
    "voltage mismatch",
    CCL,
    "max_charge_current_above_cv2 while the pack voltage is further from the sum of the cells than"
    " the warning level of alarms.voltage_mismatch",
    frozenset({CELLS, PACK_VOLTAGE}),
    _cap,
    sweeps=(PACK_MISMATCH,),
    compares=True,
)
