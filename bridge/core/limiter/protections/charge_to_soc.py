"""No charge above charge_to_soc, until the next full charge is due."""

from __future__ import annotations

from bridge.core.limiter.charging import plan
from bridge.core.limiter.curves import nothing_for_silence
from bridge.core.limiter.protection import Protection
from bridge.core.limiter.situation import Situation
from bridge.core.limiter.sweeps import FULL_CHARGE, STATE_OF_CHARGE
from bridge.core.measurements.inputs import SOC
from bridge.core.model import CCL, CVL, Cap


def _charge(situation: Situation) -> Cap | None:
    settings = situation.settings
    most = settings.charge_to_soc
    if most is None:
        return None
    if situation.is_silent(SOC):
        return nothing_for_silence(situation, SOC)
    if not plan.LATCH.of(situation.latches).window.is_closed:
        return None
    soc = situation.of(SOC)
    shown = "unknown" if soc is None else f"at {soc:.1f} %"
    resumes = most - settings.charge_to_soc_hysteresis
    return Cap(0.0, f"SoC {shown}, charged to {most:g} %, goes on below {resumes:g} %")


def _charge_voltage(situation: Situation) -> Cap | None:
    window = plan.LATCH.of(situation.latches).window
    if not window.is_closed:
        return None
    most = situation.settings.charge_to_soc
    return Cap(window.cvl, f"charged to {most:g} %, CVL falls while the battery is still charged")


CHARGE = Protection(
    "charge to SoC",
    CCL,
    "0 A from charge_to_soc on, until the SoC is charge_to_soc_hysteresis lower or a full charge is"
    " due",
    plan.INPUTS,
    _charge,
    latch=plan.LATCH,
    cap_inputs=frozenset({SOC}),
    sweeps=(STATE_OF_CHARGE, FULL_CHARGE),
)
CHARGE_VOLTAGE = Protection(
    "charge to SoC",
    CVL,
    "while CCL is 0 A for this: slowly down until the battery is no longer charged",
    plan.INPUTS,
    _charge_voltage,
    latch=plan.LATCH,
    cap_inputs=frozenset(),
    sweeps=(STATE_OF_CHARGE, FULL_CHARGE),
)
