"""Between which bounds the SoC must be: from what was last known, and the charge since."""

from __future__ import annotations

from typing import NamedTuple

from bridge.core.measurements.open_circuit import soc_between

METER_ERROR = 0.02
"""Share of the counted charge by which a current may be wrong.

Ours: more than a calibrated shunt is off, about what the shunt of a BMS is off."""


class SocBounds(NamedTuple):
    """The lowest and the highest SoC in %, 0 to 100 while nothing is known."""

    lowest: float = 0.0
    highest: float = 100.0

    def after(self, change: float, at_rest: bool = False) -> SocBounds:
        """After so many % of the capacity went in (positive) or out.

        at_rest: the current is so small that it may be the zero error of a meter. It empties
        nothing, or a battery that rests for weeks would be counted as empty.
        """
        if not change:
            return self
        error = METER_ERROR * abs(change)
        lowest = self.lowest if at_rest else _percent(self.lowest + change - error)
        return SocBounds(lowest, max(lowest, _percent(self.highest + change + error)))

    def by_voltage(self, chemistry: str, lowest: float, highest: float, rate: float) -> SocBounds:
        """Corrected by the extreme cells in V; rate: current per capacity in 1/h."""
        low, high = soc_between(chemistry, lowest, highest, rate)
        return SocBounds(_within(self.lowest, low, high), _within(self.highest, low, high))

    def including(self, soc: float) -> SocBounds:
        """Widened, so that this SoC in % lies within."""
        return SocBounds(min(self.lowest, soc), max(self.highest, soc))


def _percent(value: float) -> float:
    return _within(value, 0.0, 100.0)


def _within(value: float, low: float, high: float) -> float:
    return max(low, min(value, high))
