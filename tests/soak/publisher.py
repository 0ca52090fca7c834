"""The client that feeds the battery: truly, not at all, the same again, or wrongly."""

from __future__ import annotations

import json
from random import Random
from typing import Any

PACE = 0.25  # s between two frames
COUNTER = "Freshness/Counter"

MODES = ("usual", "silent", "frozen", "misreporting", "partial", "malformed")
"""What a publisher may do. Misreported and partial frames have no counter."""

LEVELS = (3.30, 3.30, 3.41, 3.46, 3.56, 3.62, 3.62, 2.95, 2.78, 2.60)
"""V of a cell, around the thresholds of LFP."""

MALFORMED = ("", "{", "[1,2", '{"Voltages/Cell1": }', "\x00", '{"Voltages/Cell1": "x"}', "null")


class Publisher:
    """Makes the frames of a battery of so many cells."""

    def __init__(self, random: Random, cells: int) -> None:
        self.mode = "usual"
        self.counter = 0
        self._random = random
        self._levels = [3.30] * cells
        self._charge, self._discharge = 1, 1
        self._frame = self._whole()

    def calm_down(self) -> None:
        """A healthy battery, truly reported."""
        self.mode = "usual"
        self._levels = [3.30] * len(self._levels)
        self._charge, self._discharge = 1, 1

    def change(self, r: Random) -> str:
        """Something changes in the battery. Answers what, in words."""
        level = r.choice(LEVELS)
        if r.random() < 0.5:
            self._levels = [level] * len(self._levels)
            return f"all cells are at {level} V"
        if r.random() < 0.5:
            cell = r.randrange(len(self._levels))
            self._levels[cell] = level
            return f"cell {cell + 1} is at {level} V"
        self._charge, self._discharge = r.choice(((0, 1), (1, 0), (1, 1), (1, 1)))
        return f"charge {self._charge}, discharge {self._discharge} are allowed"

    def next(self) -> tuple[str, dict[str, Any]] | None:
        """The next payload and what is in it; None for silence."""
        r = self._random
        if self.mode == "silent":
            return None
        if self.mode == "malformed" and r.random() < 0.7:
            return r.choice(MALFORMED), {}
        if self.mode != "frozen":
            self._frame = self._whole()
        frame = dict(self._frame)
        if self.mode in ("misreporting", "partial"):
            del frame[COUNTER]
        if self.mode == "misreporting":
            frame["Voltages/Cell9"] = r.choice((4.9, 0.0, 3.3, None))
        if self.mode == "partial":
            for cell in (3, 4, 5):
                del frame[f"Voltages/Cell{cell}"]
        return json.dumps(frame), frame

    def _whole(self) -> dict[str, Any]:
        self.counter += 1
        noise = self._random.choice((0.0, 0.001))
        levels = [round(level + noise, 3) for level in self._levels]
        return {
            **{f"Voltages/Cell{n}": level for n, level in enumerate(levels, start=1)},
            "Dc/0/Voltage": round(sum(levels), 2),
            "Dc/0/Current": self._random.choice((-10.0, 5.0, 20.0)),
            "Soc": 50,
            "Dc/0/Temperature": 20,
            "Io/AllowToCharge": self._charge,
            "Io/AllowToDischarge": self._discharge,
            COUNTER: self.counter,
        }
