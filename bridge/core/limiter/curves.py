"""The rules that are curves over one measurement, for both directions.

Each answers maximum times share. A rule whose input was seen once and went silent answers the
smallest share of its curve; one whose input was never configured stays out.
"""

from __future__ import annotations

from bridge.core.limiter.situation import Situation
from bridge.core.limiter.taper import most_careful, share
from bridge.core.model import Cap, Input
from bridge.core.settings.declarations import Table


def silence(source: Input) -> Cap:
    """0 A for want of an input that was there once."""
    return Cap(0.0, f"{source.value} went silent")


def over_temperature(situation: Situation, table: Table, maximum: float) -> Cap | None:
    """The curve at the coldest and at the hottest sensor, whichever allows less."""
    coldest, hottest = situation.measurements.coldest, situation.measurements.hottest
    if not table:
        return None
    if coldest is None or hottest is None or situation.silent(Input.TEMPERATURE):
        return _of_unknown(situation, table, maximum, Input.TEMPERATURE)
    cold, hot = _share(situation, table, coldest), _share(situation, table, hottest)
    if cold == 1 and hot == 1:
        return None
    degrees = coldest if cold < hot else hottest
    return Cap(maximum * min(cold, hot), f"battery at {degrees:.1f} °C")


def over_soc(situation: Situation, table: Table, maximum: float) -> Cap | None:
    """The curve at the SoC."""
    soc = situation.measurements.soc
    if not table:
        return None
    if soc is None:
        return _of_unknown(situation, table, maximum, Input.SOC)
    fraction = _share(situation, table, soc)
    return None if fraction == 1 else Cap(maximum * fraction, f"SoC at {soc:.1f} %")


def over_mosfet(situation: Situation, maximum: float) -> Cap | None:
    """The curve at the MOSFETs' temperature."""
    table, mosfet = situation.settings.mosfet_temperature, situation.measurements.mosfet
    if not table:
        return None
    if mosfet is None:
        return _of_unknown(situation, table, maximum, Input.MOSFET)
    fraction = _share(situation, table, mosfet)
    return None if fraction == 1 else Cap(maximum * fraction, f"MOSFETs at {mosfet:.1f} °C")


def over_spread(situation: Situation, table: Table, maximum: float) -> Cap | None:
    """The curve at highest less lowest cell."""
    highest, lowest = situation.highest, situation.lowest
    if not table:
        return None
    if situation.measurements.cells is None or highest is None or lowest is None:
        return _of_unknown(situation, table, maximum, Input.CELLS)
    spread = highest - lowest
    fraction = _share(situation, table, spread)
    return None if fraction == 1 else Cap(maximum * fraction, f"cells {spread:.3f} V apart")


def _share(situation: Situation, table: Table, x: float) -> float:
    return share(table, x, steps=situation.settings.taper == "steps")


def _of_unknown(situation: Situation, table: Table, maximum: float, source: Input) -> Cap | None:
    if not situation.silent(source):
        return None
    return Cap(maximum * most_careful(table), f"{source.value} went silent")
