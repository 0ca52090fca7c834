"""What no limit may exceed at any moment, each law from its own words and from what was written.

A law answers a bound in V or A, or None where it says nothing. Where a reading is doubtful or a
choice is free, it takes what allows more: so each limit above a bound is a defect.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from bridge.core.settings.declarations import Table
from tests.search.settings import InForce
from tests.search.written import (
    CCL,
    CHARGE_FLAGS,
    CVL,
    DCL,
    DISCHARGE_FLAGS,
    HIGHEST,
    LIMITS,
    LOWEST,
    MOSFET,
    SOC,
    TEMPERATURES,
    VOLTAGE,
    Written,
    says_no,
)

TINY = 1e-6
ROUNDED = 1e-4  # V, by which a mean of rounded numbers may be wrong
FRAME = 1.1  # s; voltages that are compared wait for the rest of their frame
MORE_THAN_ALL = 1.05  # of the capacity: no battery takes or gives so much


@dataclass
class Moment:
    """Everything that a law may look at. Times are monotonic s.

    requests: what was asked for, by limit. heard: the required groups that were ever complete
    since the start. fresh_at: when all required groups were last fresh, or the boot. stopped: the
    discharge was stopped by an empty cell or pack. blocked_at: when a permission last
    said no, and until when that was to hold.
    settled: the publish interval after the last write is over. counted: the charge that flowed
    while all voltages and the SoC stood still, as a share of the capacity. falling: what CVL
    must have fallen to since the battery is unknown, in V.
    """

    now: float
    settings: InForce
    written: Written
    requests: dict[str, float]
    fresh_at: float
    stopped: bool
    blocked_at: dict[str, tuple[float, float]]
    settled: bool
    counted: float = 0.0
    falling: float = math.inf

    @property
    def missing(self) -> list[str]:
        """The required groups that are not complete and younger than stale."""
        required, least = self.settings.freshness.required, self.settings.ceiling.required
        missing = [group for group in required if not self.written.have(group.value)]
        if not missing and not any(self.written.have(group.value) for group in least):
            return list(least)
        return missing

    @property
    def is_overdue(self) -> bool:
        """Whether the failsafe must hold: a required group went silent, or grace is over."""
        missing = self.missing
        if not missing:
            return False
        if any(self.written.was_heard(group.value) for group in missing):
            return True
        return self.now - self.fresh_at > self.settings.freshness.grace + 0.1

    def failsafe(self, name: str) -> float:
        """What silence may leave: the failsafe, unless everything required is surely fresh."""
        value: float = getattr(self.settings.failsafe, name)
        freshness = self.settings.freshness
        is_fresh = value > 0 and all(
            self.written.is_surely_fresh(group.value, freshness.aging, self.now)
            for group in freshness.required
        )
        return 0.0 if is_fresh else value


Law = Callable[[Moment], "float | None"]


class Named(NamedTuple):
    """A law with the limit that it bounds, and its words."""

    limit: str
    words: str
    law: Law


def _ceilings(limit: str) -> Law:
    def law(m: Moment) -> float:
        ceiling = m.settings.ceiling
        if limit == CVL:
            return float(ceiling.cell_voltage * m.settings.cells)
        return float(ceiling.charge_current if limit == CCL else ceiling.discharge_current)

    return law


def _maximum(limit: str) -> Law:
    def law(m: Moment) -> float:
        s, most = m.settings.limiter, 0.0
        if limit == CVL:
            months = [volts for _, volts in s.charge_voltage_by_month]
            per_cell = max(s.charge_voltage, *months, s.absorption_voltage or 0.0)
            most = per_cell * m.settings.cells + max(0.0, s.voltage_offset)
        else:
            most = s.max_charge_current if limit == CCL else s.max_discharge_current
        return max(most, m.failsafe("charge_current" if limit == CCL else "discharge_current"))

    return law


def _requested(limit: str) -> Law:
    def law(m: Moment) -> float | None:
        asked = m.requests.get(limit)
        if asked is None or limit != CVL:
            return asked
        return max(asked, m.settings.limiter.min_charge_voltage * m.settings.cells)

    return law


def _blocked(flags: tuple[str, ...], failsafe: str) -> Law:
    """0 A while a permission says no, and block_release after it; 0 A while it is silent."""

    def law(m: Moment) -> float | None:
        if any(seen.is_silent for path in flags if (seen := m.written.paths.get(path))):
            return m.failsafe(failsafe)
        if blocking(m.written, flags):
            return 0.0
        at, until = m.blocked_at.get(flags[0], (-math.inf, -math.inf))
        until = min(until, at + m.settings.limiter.block_release)
        return 0.0 if m.now < until - TINY else None

    return law


def blocking(written: Written, flags: tuple[str, ...]) -> bool:
    """Whether a permission says no now."""
    return any(
        seen.is_known and says_no(path, seen.values[-1])
        for path in flags
        if (seen := written.paths.get(path))
    )


def _missing_charge(m: Moment) -> float | None:
    """No charge, but the failsafe's, while a required group is not there, for whatever reason."""
    return m.settings.failsafe.charge_current if m.missing else None


def _missing_discharge(m: Moment) -> float | None:
    """No discharge, but the failsafe's, after a required group went silent or never came."""
    return m.settings.failsafe.discharge_current if m.is_overdue else None


def _silent(paths: Callable[[Written], Iterable[str]], failsafe: str) -> Law:
    """0 A while one of several vital paths was written and is silent."""

    def law(m: Moment) -> float | None:
        silent = any(seen.is_silent for seen in m.written.ever(paths(m.written)))
        return m.failsafe(failsafe) if silent else None

    return law


def _silent_cells(failsafe: str) -> Law:
    """0 A while the cells were known and are silent."""

    def law(m: Moment) -> float | None:
        if not m.written.was_heard("cells") or m.written.have_cells():
            return None
        return m.failsafe(failsafe)

    return law


def _high_cell(m: Moment) -> float | None:
    """CCL over the highest cell: steps or lines at cv1 and cv2, 0 A at cell_overvoltage.

    The mean cell counts too: the highest one is no lower.
    """
    s, mean = m.settings.limiter, m.written.mean_cell()
    known = [m.written.highest_cell(m.now), None if mean is None else mean[0] - ROUNDED]
    high = max((volts for volts in known if volts is not None), default=None)
    if high is None:
        return None
    if high >= min(s.cell_overvoltage, m.settings.ceiling.cell_voltage) - TINY:
        return 0.0
    if high < s.cv1 - TINY:
        return None
    if s.taper == "steps":
        above_cv2 = high >= s.cv2 - TINY
        return float(
            s.max_charge_current_above_cv2 if above_cv2 else s.max_charge_current_above_cv1
        )
    points = (
        (s.cv1, s.max_charge_current_above_cv1),
        (s.cv2, s.max_charge_current_above_cv2),
        (s.cell_overvoltage, 0.0),
    )
    return _on_lines(points, high)


def _high_pack(m: Moment) -> float | None:
    """0 A when the mean cell is at the overvoltage: the highest one is no lower."""
    mean = m.written.mean_cell()
    if mean is None:
        return None
    most = min(m.settings.limiter.cell_overvoltage, m.settings.ceiling.cell_voltage)
    return 0.0 if mean[0] >= most + 1e-3 else None


def _low_charge(m: Moment) -> float | None:
    """CCL over the lowest cell or the mean one, for curves that rise; 0 A at dead_cell."""
    low, mean = m.written.lowest_cell(m.now), m.written.mean_cell()
    known = [volts for volts in (low, None if mean is None else mean[1]) if volts is not None]
    if not known:
        return None
    if min(known) <= m.settings.ceiling.dead_cell:
        return 0.0
    points: Table = m.settings.limiter.low_cell_charge
    shares = [share for _, share in points]
    if not points or shares != sorted(shares):
        return None
    most: float = m.settings.limiter.max_charge_current
    return most * _on_lines(points, min(known))


def _low_cell(m: Moment) -> float | None:
    """DCL over the lowest cell: at dv1 and dv2, 0 A at min_cell_voltage."""
    s, mean = m.settings.limiter, m.written.mean_cell()
    known = [m.written.lowest_cell(m.now), None if mean is None else mean[1] + ROUNDED]
    low = min((volts for volts in known if volts is not None), default=None)
    if low is None:
        return None
    if low <= max(s.min_cell_voltage, m.settings.ceiling.min_cell_voltage) + TINY:
        return 0.0
    if s.dv1 is None or low > s.dv1 + TINY:
        return None
    if s.taper == "steps":
        if s.dv2 is not None and low <= s.dv2 + TINY:
            return float(s.max_discharge_current_below_dv2)
        return float(s.max_discharge_current_below_dv1)
    middle = () if s.dv2 is None else ((s.dv2, s.max_discharge_current_below_dv2),)
    return _on_lines(
        ((s.min_cell_voltage, 0.0), *middle, (s.dv1, s.max_discharge_current_below_dv1)), low
    )


def _low_pack(m: Moment) -> float | None:
    """0 A when the pack is at discharge_voltage, or its mean cell at min_cell_voltage."""
    mean, s = m.written.mean_cell(), m.settings.limiter
    if mean is None:
        return None
    least = max(s.discharge_voltage, s.min_cell_voltage, m.settings.ceiling.min_cell_voltage)
    return 0.0 if mean[1] <= least - 1e-3 else None


def _stopped(m: Moment) -> float | None:
    """0 A after an empty cell or pack, until all are higher again by the hysteresis."""
    return 0.0 if m.stopped else None


def _over(maximum: str, table: str, paths: tuple[str, ...], failsafe: str) -> Law:
    """A curve over readings: the worst of all places; its smallest share while one is silent."""

    def law(m: Moment) -> float | None:
        points: Table = getattr(m.settings.limiter, table)
        if not points:
            return None
        most: float = getattr(m.settings.limiter, maximum)
        shares = [1.0]
        for seen in m.written.ever(paths):
            if seen.is_silent:
                silent = most * min(share for _, share in points)
                return max(silent, m.failsafe(failsafe))
            shares.append(max(_on_lines(points, value) for value in seen.values))
        return most * min(shares)

    return law


def _outside(window: str) -> Law:
    """0 A while a temperature is outside the ceiling's window."""

    def law(m: Moment) -> float | None:
        coldest, hottest = getattr(m.settings.ceiling, window)
        for seen in m.written.known(TEMPERATURES):
            if max(seen.values) < coldest or min(seen.values) > hottest:
                return 0.0
        return None

    return law


def _imbalance(m: Moment) -> float | None:
    """CCL over the spread of the cells, for curves that fall."""
    points: Table = m.settings.limiter.imbalance
    shares = [share for _, share in points]
    if not points or shares != sorted(shares, reverse=True) or not m.written.have_cells():
        return None
    high, low = m.written.highest_cell(m.now), m.written.lowest_cell(m.now)
    if high is None or low is None or high < low:
        return None
    most: float = m.settings.limiter.max_charge_current
    return most * _on_lines(points, high - low)


def _no_voltage(m: Moment) -> float | None:
    """No charge without a voltage younger than the ceiling's silence, but the file's failsafe."""
    age = m.now - m.written.newest_voltage()
    ceiling = m.settings.ceiling
    return float(ceiling.failsafe.charge_current) if age > ceiling.silence + 0.01 else None


def _clamped(m: Moment) -> float | None:
    """CVL: the battery's own voltage less what the highest cell is above max_cell_voltage."""
    s, high, count = m.settings.limiter, m.written.highest_cell(m.now), m.settings.cells
    if high is None or high < s.max_cell_voltage + 1e-3 or not m.settled:
        return None
    singles = m.written.known(m.written.singles)
    sums = [(*seen.values, *seen.rivals(m.now)) for seen in singles]
    mean = m.written.mean_cell()
    own = [mean[1] * count] if mean is not None else []
    if len(sums) == count:
        own.append(sum(max(values) for values in sums))
    extremes = sorted(max(seen.values) for seen in m.written.known((LOWEST, HIGHEST)))
    if len(extremes) == 2:
        own.append(extremes[0] + (count - 1) * max(high, extremes[1]))
    if not own:
        return None
    floor = s.min_charge_voltage * count
    return max(floor, max(own) - (high - s.max_cell_voltage))


def _contradicted(m: Moment) -> float | None:
    """CCL of the last stage while the pack voltage and the sum of the cells contradict each other.

    With extremes as well it is not known here which cells are counted.
    """
    singles, mean = m.written.known(m.written.singles), m.written.mean_cell()
    if len(singles) < m.settings.cells or mean is None or m.written.ever((LOWEST, HIGHEST)):
        return None
    if m.now - m.written.newest_voltage() < FRAME:
        return None
    levels = [alarms.voltage_mismatch for alarms in (m.settings.alarms, m.settings.file.alarms)]
    level = min((both[0] for both in levels if both), default=math.inf)
    least, most = (sum(which(seen.values) for seen in singles) for which in (min, max))
    low, high = (volts * m.settings.cells for volts in mean)
    if least <= 0 or 100 * max(low / most - 1, 1 - high / least) < level + 0.01:
        return None
    return max(m.settings.limiter.max_charge_current_above_cv2, m.failsafe(_CHARGE))


def _counted(sign: int, failsafe: str) -> Law:
    """No more in or out by the charge counted, while all voltages and the SoC stand still."""

    def law(m: Moment) -> float | None:
        voltages = m.written.known((*m.written.cell_paths, VOLTAGE))
        if not voltages or m.counted * sign < MORE_THAN_ALL:
            return None
        return float(getattr(m.settings.failsafe, failsafe))

    return law


def _unknown(m: Moment) -> float | None:
    """CVL while a required group is not there: the last pack voltage, then the failsafe's."""
    if not m.missing:
        return None
    least = max(m.settings.failsafe.charge_voltage, m.settings.limiter.min_charge_voltage)
    return max(least * m.settings.cells, m.falling)


def _on_lines(points: Iterable[tuple[float, float]], x: float) -> float:
    """y at x on straight lines through points, x rising; of several y at one x the smallest."""
    table = list(points)
    if x <= table[0][0] - TINY:
        return table[0][1]
    exact = [y for at, y in table if abs(at - x) <= TINY]
    if exact:
        return min(exact)
    for (x0, y0), (x1, y1) in pairwise(table):
        if x0 <= x <= x1:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return table[-1][1]


_CHARGE, _DISCHARGE = "charge_current", "discharge_current"
_MAX_CHARGE, _MAX_DISCHARGE = "max_charge_current", "max_discharge_current"

LAWS: tuple[Named, ...] = (
    *(Named(limit, "no limit above the file's ceiling", _ceilings(limit)) for limit in LIMITS),
    *(Named(limit, "no limit above its maximum", _maximum(limit)) for limit in LIMITS),
    *(Named(limit, "no limit above a request", _requested(limit)) for limit in LIMITS),
    Named(CCL, "no charge without each required group", _missing_charge),
    Named(CCL, "no charge without a voltage younger than silence", _no_voltage),
    Named(CCL, "no charge while a BMS blocks or is silent", _blocked(CHARGE_FLAGS, _CHARGE)),
    Named(CCL, "no charge while the cells are silent", _silent_cells(_CHARGE)),
    Named(CCL, "the highest cell bounds the charge", _high_cell),
    Named(CCL, "the mean cell bounds the charge", _high_pack),
    Named(CCL, "the lowest cell bounds the charge", _low_charge),
    Named(CCL, "the spread bounds the charge", _imbalance),
    Named(CCL, "the temperature bounds the charge",
          _over(_MAX_CHARGE, "charge_temperature", TEMPERATURES, _CHARGE)),
    Named(CCL, "the SoC bounds the charge", _over(_MAX_CHARGE, "charge_soc", (SOC,), _CHARGE)),
    Named(CCL, "the MOSFETs bound the charge",
          _over(_MAX_CHARGE, "mosfet_temperature", (MOSFET,), _CHARGE)),
    Named(CCL, "no charge outside the ceiling's temperatures", _outside("charge_temperature")),
    Named(DCL, "no discharge outside the ceiling's temperatures",
          _outside("discharge_temperature")),
    Named(DCL, "no discharge after a required group is gone", _missing_discharge),
    Named(DCL, "no discharge while a BMS blocks or is silent",
          _blocked(DISCHARGE_FLAGS, _DISCHARGE)),
    Named(DCL, "no discharge while the cells are silent", _silent_cells(_DISCHARGE)),
    Named(DCL, "no discharge while the pack voltage is silent",
          _silent(lambda _written: (VOLTAGE,), _DISCHARGE)),
    Named(DCL, "the lowest cell bounds the discharge", _low_cell),
    Named(DCL, "the mean cell bounds the discharge", _low_pack),
    Named(DCL, "no discharge until an empty battery has recovered", _stopped),
    Named(DCL, "the temperature bounds the discharge",
          _over(_MAX_DISCHARGE, "discharge_temperature", TEMPERATURES, _DISCHARGE)),
    Named(DCL, "the SoC bounds the discharge",
          _over(_MAX_DISCHARGE, "discharge_soc", (SOC,), _DISCHARGE)),
    Named(DCL, "the MOSFETs bound the discharge",
          _over(_MAX_DISCHARGE, "mosfet_temperature", (MOSFET,), _DISCHARGE)),
    Named(CVL, "a high cell clamps the voltage", _clamped),
    Named(CVL, "an unknown battery is charged to the failsafe's voltage", _unknown),
    Named(CCL, "little charge while pack voltage and cells contradict each other", _contradicted),
    Named(CCL, "no charge into what is full by the charge counted", _counted(1, _CHARGE)),
    Named(DCL, "no discharge of what is empty by the charge counted", _counted(-1, _DISCHARGE)),
)  # fmt: skip
