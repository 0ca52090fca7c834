"""A battery for a configuration file, and the values of a healthy one."""

from __future__ import annotations

from typing import Any

FAILSAFE_CVL = 52.0
"""V. The default failsafe.charge_voltage of 3.25 V in each of 16 cells of LFP."""


def battery(**changes: Any) -> dict[str, Any]:
    """One battery for a configuration file; keywords replace its keys."""
    return {
        "ident": "virtual",
        "cells": 16,
        "chemistry": "lfp",
        "capacity": 280,
        "ceiling": {"charge_current": 200, "discharge_current": 250},
        "limiter": {
            "max_charge_current": 100,
            "max_charge_current_above_cv1": 50,
            "max_charge_current_above_cv2": 10,
            "max_discharge_current": 150,
        },
        **changes,
    }


def healthy(cells: int = 16, cell: float = 3.3) -> dict[str, Any]:
    """A batch that makes the battery fresh: all that is required, and SoC and current."""
    voltages = {f"Voltages/Cell{n}": cell for n in range(1, cells + 1)}
    return {**voltages, "Dc/0/Voltage": cell * cells, "Dc/0/Current": -10, "Soc": 50}
