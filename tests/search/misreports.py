"""Ways in which a publisher misreports: what it writes instead of the true values.

The oracle judges what was written, and needs no truth. So each way must be one that a second
witness or the charge that flows can show, or one that only tightens.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any

from tests.search.written import CURRENT, HIGHEST, LOWEST, SOC, TEMPERATURES, VOLTAGE

Values = dict[str, Any]
Misreport = Callable[[Values], Values]
"""What is written instead of these true values, by path. It may remember earlier ones."""

SHARES = (-0.1, -0.03, -0.01, 0.01, 0.03, 0.1)
LATE = (1, 2, 5)  # publications
REFUSED = {"": (5.2, "x", 4.99), VOLTAGE: (999.0, "x"), SOC: (101, "x")}
SINGLE = "/Voltages/"


def _changed(is_one: Callable[[str], bool], change: Callable[[Any], Any]) -> Misreport:
    return lambda true: {path: change(v) if is_one(path) else v for path, v in true.items()}


def _is_cell(path: str) -> bool:
    return path.startswith(SINGLE) or path in (LOWEST, HIGHEST)


def _is_voltage(path: str) -> bool:
    return _is_cell(path) or path == VOLTAGE


def _offset(random: Random) -> Misreport:
    share, witness = 1 + random.choice(SHARES), random.choice((_is_cell, VOLTAGE.__eq__))
    return _changed(witness, lambda value: round(value * share, 3))


def _late(random: Random) -> Misreport:
    witness = random.choice((_is_cell, VOLTAGE.__eq__, _is_voltage))
    past: deque[Values] = deque(maxlen=random.choice(LATE) + 1)

    def misreport(true: Values) -> Values:
        past.append(true)
        return {path: past[0].get(path, v) if witness(path) else v for path, v in true.items()}

    return misreport


def _frozen(random: Random) -> Misreport:
    """The same values again and again, while a current flows."""
    is_frozen = random.choice((_is_voltage, _is_cell, CURRENT.__ne__))
    amps, first = random.choice((-100.0, 100.0)), Values()

    def misreport(true: Values) -> Values:
        for path, value in true.items():
            if is_frozen(path):
                first.setdefault(path, value)
        return {path: amps if path == CURRENT else first.get(path, v) for path, v in true.items()}

    return misreport


def _swapped(random: Random) -> Misreport:
    """The cells change their places, and the extremes too."""

    def misreport(true: Values) -> Values:
        cells = [path for path in true if _is_cell(path)]
        values = [true[path] for path in cells]
        random.shuffle(values)
        return {**true, **dict(zip(cells, values, strict=True))}

    return misreport


def _two_writers(random: Random) -> Misreport:
    """In turns with a second writer, whose cells rest where these were at first."""
    turns, resting, number = random.choice((2, 3)), Values(), 0

    def misreport(true: Values) -> Values:
        nonlocal number
        number += 1
        if not resting:
            resting.update({path: v for path, v in true.items() if _is_voltage(path)})
        return {**true, **resting} if number % turns == 0 else true

    return misreport


def _wrong_unit(random: Random) -> Misreport:
    """mV, V/1000, °F, K or tenths."""
    factor = random.choice((1000, 0.001))
    degrees = random.choice((lambda c: c * 1.8 + 32, lambda c: c + 273.15, lambda c: c * 10))
    ways: tuple[tuple[Callable[[str], bool], Callable[[float], float]], ...] = (
        (_is_cell, lambda v: v * factor),
        (VOLTAGE.__eq__, lambda v: v * factor),
        (CURRENT.__eq__, lambda v: v * factor),
        (TEMPERATURES.__contains__, degrees),
    )
    return _changed(*random.choice(ways))


def _refused_by_turns(random: Random) -> Misreport:
    """Every other reading of one path is one that the gate refuses."""
    number, chosen = 0, ""

    def misreport(true: Values) -> Values:
        nonlocal number, chosen
        number += 1
        chosen = chosen or random.choice(sorted(true))
        if number % 2 or chosen not in true:
            return true
        return {**true, chosen: random.choice(REFUSED.get(chosen, REFUSED[""]))}

    return misreport


def _mean_for_every_cell(_random: Random) -> Misreport:
    def misreport(true: Values) -> Values:
        singles = [value for path, value in true.items() if path.startswith(SINGLE)]
        mean = round(sum(singles) / max(1, len(singles)), 3)
        return {path: mean if path.startswith(SINGLE) else v for path, v in true.items()}

    return misreport


def _always_one_soc(random: Random) -> Misreport:
    soc = random.choice((0, 50, 100))
    return _changed(SOC.__eq__, lambda _: soc)


def _wrong_sign(_random: Random) -> Misreport:
    return _changed(CURRENT.__eq__, lambda amps: -amps)


def _another_battery(random: Random) -> Misreport:
    """The pack voltage is that of a neighbour, with one cell more or less, or half."""
    share = random.choice((0.5, 0.94, 1.06, 1.5))
    return _changed(VOLTAGE.__eq__, lambda volts: round(volts * share, 2))


def _as_text(_random: Random) -> Misreport:
    return _changed(lambda _: True, str)


MISREPORTS: dict[str, Callable[[Random], Misreport]] = {
    "an offset": _offset,
    "late": _late,
    "frozen": _frozen,
    "swapped": _swapped,
    "two writers": _two_writers,
    "a wrong unit": _wrong_unit,
    "refused by turns": _refused_by_turns,
    "the mean for every cell": _mean_for_every_cell,
    "always one SoC": _always_one_soc,
    "the wrong sign": _wrong_sign,
    "another battery's voltage": _another_battery,
    "text": _as_text,
}
"""Each makes one publisher's way, by random."""
