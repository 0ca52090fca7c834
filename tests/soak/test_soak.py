"""The soak holds for a minute, and finds a planted defect of each kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak.soak import Broken, Soak

SEED = 5
DEFECTS = {
    "a limit is shown too high": ("MaxChargeCurrent is 50", 40.0),
    "memory leaks": ("MB of memory grow", 10.0),
    "descriptors leak": ("descriptors grow", 10.0),
}
"""What the soak says, and the s that it takes at most."""


def test_all_holds_for_a_minute(tmp_path: Path) -> None:
    with Soak(SEED, 45.0, tmp_path) as soak:
        try:
            soak.run()
        except Broken as broken:
            pytest.fail(f"{soak.before()}\n{soak.summary()}\nbroken: {broken}")


@pytest.mark.parametrize("defect", DEFECTS)
def test_it_finds(defect: str, tmp_path: Path) -> None:
    words, seconds = DEFECTS[defect]
    soaked = Soak(SEED, seconds, tmp_path, defect, spares=True)
    with soaked as soak, pytest.raises(Broken, match=words):
        soak.run()
