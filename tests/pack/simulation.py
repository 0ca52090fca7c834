"""The pack in its system through the days, in simulated time."""

from __future__ import annotations

from collections.abc import Iterator

from tests.pack.charger import Day, Limits, System
from tests.pack.delay import Delay
from tests.pack.model import Pack


class Simulation:
    """Moves a pack under sun, loads and limits. `t` is in seconds after the first midnight."""

    def __init__(self, pack: Pack, system: System, day: Day, t: float = 0.0) -> None:
        self.pack = pack
        self.system = system
        self.day = day
        self.t = t
        self._late: Delay[Limits] = Delay(system.late)

    def advance(self, seconds: float, limits: Limits, step: float = 1.0) -> None:
        """Live `seconds` under `limits`, in pieces of at most `step` seconds.

        At the knee a cell gains millivolts each second, so the current is found anew in each
        piece, as the regulation of a charger does.
        """
        for dt in _pieces(seconds, step):
            obeyed = self._late.at(self.t, limits)
            current = self.system.current(
                self.pack, obeyed, self.day.solar(self.t), self.day.load(self.t)
            )
            self.pack.step(dt, current, self.day.ambient(self.t))
            self.t += dt


def _pieces(seconds: float, step: float) -> Iterator[float]:
    whole = int(seconds // step)
    yield from (step for _ in range(whole))
    if (rest := seconds - whole * step) > 0:
        yield rest
