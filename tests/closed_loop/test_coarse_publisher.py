"""Honest publishers with coarse digits, at constant currents: never stale, and never dark.

What stands for long may be suspect. But charging or discharging is never ended by the charge
counted for longer than the hold after it, and a battery at rest is as good as any other.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.closed_loop.repeating import Digits, World

AMPS = 50.0
COARSE = [
    Digits(cell=0.001, soc=1.0),
    Digits(cell=0.01, soc=1.0),
    Digits(cell=0.01, soc=0.1),
    Digits(cell=0.01, soc=1.0, pack=0.1, current=1.0),
]
HOLD = 1  # steps of 30 s


class Notes:
    """What has happened: how many steps were stale, and the longest ends by the count, in steps."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.stale = self.suspect = 0
        self.longest: dict[str, int] = {"Charge": 0, "Discharge": 0}
        self._now = dict(self.longest)

    def note(self) -> None:
        bench: Any = self.world.bench
        self.stale += bench["/Freshness/Stage"] == "stale"
        self.suspect += bench["/Freshness/Frozen"] is not None
        for limit in self.longest:
            is_ended = bench[f"/Info/{limit}Limitation"] == "counted charge"
            self._now[limit] = self._now[limit] + 1 if is_ended else 0
            self.longest[limit] = max(self.longest[limit], self._now[limit])


@pytest.mark.parametrize("without", [(), ("soc",)], ids=["with SoC", "without SoC"])
@pytest.mark.parametrize("digits", COARSE, ids=str)
def test_a_constant_charge_is_never_stale_nor_ended_for_long(
    digits: Digits, without: tuple[str, ...]
) -> None:
    world = World(0.1, digits=digits, without=without, spread=0.0)
    notes = Notes(world)
    world.live(4.3, sun=AMPS, note=notes.note)
    assert notes.stale == 0
    assert notes.longest["Charge"] <= HOLD and notes.longest["Discharge"] == 0
    assert world.charge > (0.75 if without else 0.85), "without a SoC charging sometimes pauses"


@pytest.mark.parametrize("without", [(), ("soc",)], ids=["with SoC", "without SoC"])
@pytest.mark.parametrize("digits", COARSE, ids=str)
def test_a_constant_load_is_never_stale_nor_dark(
    digits: Digits, without: tuple[str, ...]
) -> None:
    world = World(0.95, digits=digits, without=without, spread=0.0)
    notes = Notes(world)
    world.live(4.4, load=AMPS, note=notes.note)
    assert notes.stale == 0
    assert notes.longest["Discharge"] <= HOLD
    assert world.charge < 0.2


@pytest.mark.parametrize("soc", [0.03, 0.5, 0.999])
def test_a_battery_that_rests_for_weeks_is_as_good_as_others(soc: float) -> None:
    world = World(soc, digits=COARSE[-1], step=3600.0)
    notes = Notes(world)
    world.live(21 * 24, note=notes.note)
    assert (notes.stale, notes.suspect) == (0, 0)
    assert world.bench["/Alarms/BmsCable"] == 0


def test_a_battery_in_float_for_days_is_never_stale_nor_dark() -> None:
    world = World(0.9, digits=COARSE[1], step=120.0)
    notes = Notes(world)
    world.live(3 * 24, sun=AMPS, note=notes.note)
    assert notes.stale == 0 and notes.longest["Discharge"] == 0
    assert world.charge > 0.95
