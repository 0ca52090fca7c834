"""The golden sweeps: what each preset decides over its whole range, kept as text.

python3 -m tests.golden renews them; a test compares. Read the difference before you commit it.
"""

from __future__ import annotations

from pathlib import Path

from bridge.core.settings.configuration import parse
from bridge.core.settings.presets import PRESETS
from bridge.tools.explain import explanation

FOLDER = Path(__file__).parent / "unit" / "golden"

TAPERS = {
    "lfp": {"dv1": 3.1, "dv2": 3.0},
    "lto": {"dv1": 2.1, "dv2": 2.05},
    "nmc": {"dv1": 3.4, "dv2": 3.3},
}
SEASONS = {
    "charge_voltage_by_month": [[3, 3.4], [11, 3.48]],
    "maintain_soc_by_month": [[3, 0], [11, 40]],
    "absorption_voltage": 3.5,
    "float_voltage": 3.37,
    "absorption_time": 1200,
}
WINDOW = {
    "charge_to_soc": 80,
    "full_charge_at": "16:00",
    "balancing_voltage": 3.5,
    "balancing_time": 3600,
    "voltage_offset": 0.2,
}
EVERYTHING = {
    "max_discharge_current_below_dv1": 70,
    "max_discharge_current_below_dv2": 20,
    "charge_soc": [[80, 1], [90, 0.5], [98, 0.1]],
    "discharge_soc": [[5, 0.1], [10, 0.2], [20, 1]],
    "mosfet_temperature": [[70, 1], [80, 0.25], [90, 0]],
    "imbalance": [[0.05, 1], [0.1, 0.3], [0.2, 0.02]],
}


def sweeps() -> dict[str, str]:
    """The text of each golden file, by its name."""
    texts = {}
    for chemistry in PRESETS:
        texts[f"{chemistry}.txt"] = _text(chemistry, {})
        for taper in ("steps", "linear"):
            limiter = {**TAPERS[chemistry], **EVERYTHING, "taper": taper}
            texts[f"{chemistry}-everything-{taper}.txt"] = _text(chemistry, limiter)
    texts["lfp-seasons.txt"] = _text("lfp", SEASONS)
    texts["lfp-window.txt"] = _text("lfp", WINDOW)
    return texts


def _text(chemistry: str, limiter: dict[str, object]) -> str:
    battery = {
        "ident": "golden",
        "cells": 16,
        "chemistry": chemistry,
        "capacity": 280,
        "limiter": limiter,
    }
    return explanation(parse({"batteries": [battery]}).batteries[0]) + "\n"


if __name__ == "__main__":
    for name, text in sweeps().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
