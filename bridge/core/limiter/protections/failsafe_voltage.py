"""CVL falls to the failsafe's voltage while the battery or its voltages are not known.

A solar charger that feeds in to the grid obeys only CVL, so CCL alone does not stop it.
"""

from __future__ import annotations

from bridge.core.limiter.protection import Latch, Protection
from bridge.core.limiter.situation import Situation, is_blind
from bridge.core.measurements.inputs import CELLS, PACK_VOLTAGE
from bridge.core.model import CVL, Cap, Stage

BELOW = 0.97
"""Share of the last pack voltage to which CVL falls at once.

Ours: a charger that holds 2 % more than it is told should stop too. The other 1 % is what the
voltage falls by without its current.
"""


def target_of(situation: Situation) -> float:
    """failsafe.charge_voltage of the whole pack, in V."""
    return situation.config.failsafe.charge_voltage * situation.cells


def _is_unknown(situation: Situation) -> bool:
    """Whether nothing is known, or a voltage that was written once is silent now."""
    is_silent = situation.is_silent
    return is_blind(situation) or is_silent(CELLS) or is_silent(PACK_VOLTAGE)


def _update(before: float | None, situation: Situation) -> float | None:
    """How far CVL has fallen, in V; None while the battery is known.

    It falls at once below the last known pack voltage, so that no charger raises the battery
    further, and then as slowly as it may rise: an inverter that feeds in follows it. Before the
    first data it is at the failsafe's voltage at once.
    """
    if not _is_unknown(situation):
        return None
    target, last = target_of(situation), situation.last_voltage
    if before is None:
        level = target if situation.given is None else situation.given
    else:
        level = before - situation.settings.voltage_rise * situation.elapsed
    # The pack voltage may also come, or fall, while the cells are still silent.
    return max(target, level if last is None else min(level, BELOW * last))


LATCH = Latch("failsafe voltage", None, _update)


def _cap(situation: Situation) -> Cap | None:
    level = LATCH.of(situation.latches)
    if level is None:
        return None
    if situation.stage is Stage.WAITING:
        return Cap(level, "waiting for the first measurements")
    if is_blind(situation):
        return Cap(level, f"the measurements are {situation.stage.word}")
    silent = [v for v in (CELLS, PACK_VOLTAGE) if situation.is_silent(v)]
    return Cap(level, " and ".join(map(situation.why_silent, silent)))


CHARGE_VOLTAGE = Protection(
    "failsafe",
    CVL,
    "while waiting or stale, or while the cells or the pack voltage are silent: at once to 3 %"
    " below the last pack voltage, then slowly to failsafe.charge_voltage",
    frozenset({CELLS, PACK_VOLTAGE}),
    _cap,
    latch=LATCH,
    changes_with_time=True,
    after_ccl=True,
    is_on=_is_unknown,
)
