"""Meters that lie about one thing drive no true cell past a ceiling.

The pack is simulated, so its true cells are known. Each lie is told while chargers push the pack to
its top, and while loads empty it.
"""

from __future__ import annotations

import pytest

from tests.search.lies import LIES, STANDING, Lie, play

HIGHEST, LOWEST = 3.65, 2.50  # V, the ceilings of LFP
CLAMPED = 3.57  # V; cell_overvoltage, and 20 mV for chargers that act 3 s late at 1 C
KNOWN_BY_CELLS = [lie for name, lie in LIES.items() if name != "all cells are wrong"]
TO_SPARE = 0.02  # of the capacity, by which a pack may be more than full or less than empty


@pytest.mark.promise("witnesses")
@pytest.mark.slow
@pytest.mark.parametrize("is_charging", [True, False], ids=["charging", "discharging"])
@pytest.mark.parametrize(("seed", "lie"), list(enumerate(LIES.values())), ids=LIES)
def test_a_lie_about_one_thing_drives_no_cell_past_a_ceiling(
    seed: int, lie: Lie, is_charging: bool
) -> None:
    truth = play(lie, seed, is_charging)
    assert truth.lowest >= LOWEST
    assert truth.highest <= (CLAMPED if lie in KNOWN_BY_CELLS else HIGHEST)


@pytest.mark.promise("frozen")
@pytest.mark.slow
@pytest.mark.parametrize("is_charging", [True, False], ids=["charging", "discharging"])
@pytest.mark.parametrize(("seed", "lie"), list(enumerate(STANDING.values())), ids=STANDING)
def test_meters_that_stand_still_neither_overcharge_nor_overdischarge(
    seed: int, lie: Lie, is_charging: bool
) -> None:
    truth = play(lie, seed, is_charging)
    assert truth.emptiest >= -TO_SPARE
    assert truth.fullest <= 1 + TO_SPARE
