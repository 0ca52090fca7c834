"""What a BMS makes of a pack: errors of its meters, each a small part. They can be combined.

A part takes the readings of one moment, by D-Bus path without the first slash, and t in seconds.
It returns what the BMS says instead, or nothing at all: silence. `measured` applies several of
them, in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from random import Random

from tests.pack.client import readings
from tests.pack.delay import Delay
from tests.pack.model import SECONDS_PER_HOUR, Pack

Readings = dict[str, float]
Part = Callable[[Readings, float], Readings]

CELL, PACK_VOLTAGE, CURRENT = "Voltages/Cell", "Dc/0/Voltage", "Dc/0/Current"


def measured(pack: Pack, t: float, parts: Iterable[Part] = ()) -> Readings:
    """What the BMS of this pack says at t (s), with the errors of these parts."""
    said = readings(pack)
    for part in parts:
        said = part(said, t)
    return said


def offset(path: str, share: float = 0.0, by: float = 0.0) -> Part:
    """One value is wrong by a share of itself, and by a constant in its unit."""

    def part(said: Readings, _t: float) -> Readings:
        return {**said, path: round(said[path] * (1 + share) + by, 3)}

    return part


def lag(seconds: float, path: str = CELL) -> Part:
    """The values whose paths begin so are as old as that. Usual: the BMS sends its cells slowly."""
    delay: Delay[Readings] = Delay(seconds)

    def part(said: Readings, t: float) -> Readings:
        mine = {key: value for key, value in said.items() if key.startswith(path)}
        return {**said, **delay.at(t, mine)}

    return part


def noise(volts: float, seed: int = 1) -> Part:
    """Each cell is wrong by a random amount (V, standard deviation), in whole mV."""
    random = Random(seed)

    def part(said: Readings, _t: float) -> Readings:
        return {
            key: round(value + random.gauss(0, volts), 3) if key.startswith(CELL) else value
            for key, value in said.items()
        }

    return part


def resolution(volts: float) -> Part:
    """The cells come in steps of so many V."""

    def part(said: Readings, _t: float) -> Readings:
        return {
            key: round(round(value / volts) * volts, 3) if key.startswith(CELL) else value
            for key, value in said.items()
        }

    return part


def dies(at: float) -> Part:
    """The BMS says nothing from this moment on (t in s)."""
    return lambda said, t: {} if t >= at else said


FAR_OFF = (0.0, 0.7, 12.0, 100.0, -20.0, 655.35)


def glitches(
    share: float, seed: int = 1, path: str = "", values: Sequence[float] = FAR_OFF
) -> Part:
    """In this share of the publications, one value is one of these instead. path: of those that
    begin so."""
    random = Random(seed)

    def part(said: Readings, _t: float) -> Readings:
        if said and random.random() < share:
            wrong = random.choice(sorted(key for key in said if key.startswith(path)))
            return {**said, wrong: random.choice(values)}
        return said

    return part


def repeats_itself(since: float) -> Part:
    """From this moment on (t in s) the BMS says again and again what it said last."""
    last: Readings = {}

    def part(said: Readings, t: float) -> Readings:
        if t < since or not last:
            last.update(said)
        return dict(last)

    return part


class Dropouts:
    """Silences of 30 s to 15 min that begin now and then. A part; `count`: how many there were.

    per_hour: how many begin in an hour, on average.
    """

    def __init__(self, per_hour: float, seed: int = 1) -> None:
        self.count = 0
        self._per_hour = per_hour
        self._random = Random(seed)
        self._silent_until = 0.0
        self._last: float | None = None

    def __call__(self, said: Readings, t: float) -> Readings:
        since = 0.0 if self._last is None else t - self._last
        self._last = t
        if self._random.random() < self._per_hour * since / SECONDS_PER_HOUR:
            self._silent_until = t + self._random.uniform(30, 900)
            self.count += 1
        return {} if t < self._silent_until else said
