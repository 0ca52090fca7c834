"""No discharge below the SoC that is maintained in this season."""

from __future__ import annotations

from bridge.core.limiter import seasons
from bridge.core.limiter.curves import nothing_for_silence
from bridge.core.limiter.protection import Latch, Protection
from bridge.core.limiter.situation import Situation
from bridge.core.limiter.sweeps import MONTH, STATE_OF_CHARGE
from bridge.core.measurements.inputs import SOC
from bridge.core.model import DCL, Cap


def least_soc(situation: Situation) -> float | None:
    """The SoC to maintain in this season, in %; None or 0 where there is none."""
    return seasons.of_month(situation.settings.maintain_soc_by_month, situation.date)


def _update(was: bool, situation: Situation) -> bool:
    """Set below that SoC, ended maintain_soc_hysteresis above it.

    While the SoC is unknown or uncertain, a set latch stays set.
    """
    least, soc = least_soc(situation), situation.of(SOC)
    if not least:  # 0 % is nothing to maintain
        return False
    if soc is None:
        return was
    if soc < least:
        return True
    end = min(100.0, least + situation.settings.maintain_soc_hysteresis)
    return was and (not situation.is_certain or soc < end)


LATCH = Latch("maintained SoC", False, _update)


def _cap(situation: Situation) -> Cap | None:
    least = least_soc(situation)
    if not least:
        return None
    if LATCH.of(situation.latches):
        soc = situation.of(SOC)
        end = min(100.0, least + situation.settings.maintain_soc_hysteresis)
        shown = "unknown" if soc is None else f"at {soc:.1f} %"
        return Cap(0.0, f"SoC {shown}, {least:g} % are maintained, ends at {end:g} %")
    return nothing_for_silence(situation, SOC) if situation.is_silent(SOC) else None


DISCHARGE = Protection(
    "maintained SoC",
    DCL,
    "0 A below the SoC of maintain_soc_by_month, until maintain_soc_hysteresis above it",
    frozenset({SOC}),
    _cap,
    latch=LATCH,
    sweeps=(STATE_OF_CHARGE, MONTH),
)
