"""The defaults by chemistry, for settings that the configuration does not give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.core.settings.declarations import Table

_LITHIUM_CHARGE: Table = (
    (0, 0), (2, 0.25), (5, 0.5), (10, 1), (40, 1), (45, 0.5), (50, 0.25), (55, 0),
)  # fmt: skip
_LITHIUM_DISCHARGE: Table = (
    (-10, 0), (0, 0.25), (5, 0.5), (10, 1), (40, 1), (45, 0.5), (50, 0.25), (55, 0),
)  # fmt: skip

PRESETS: Mapping[str, Mapping[str, Any]] = {
    # LFP: 3.45 V charges a cell full and stays below the knee's steep end (3.5 V).
    "lfp": {
        "charge_voltage": 3.45,
        "min_charge_voltage": 3.30,
        "cv1": 3.40,
        "cv2": 3.45,
        "max_cell_voltage": 3.50,
        "cell_overvoltage": 3.55,
        "min_cell_voltage": 2.80,
        "discharge_voltage": 2.90,
        "charge_temperature": _LITHIUM_CHARGE,
        "discharge_temperature": _LITHIUM_DISCHARGE,
    },
    # LTO: full at 2.5 V, not harmed by cold; the values that owners of LTO banks use.
    "lto": {
        "charge_voltage": 2.50,
        "min_charge_voltage": 2.20,
        "cv1": 2.45,
        "cv2": 2.50,
        "max_cell_voltage": 2.53,
        "cell_overvoltage": 2.60,
        "min_cell_voltage": 1.90,
        "discharge_voltage": 2.00,
        "charge_temperature": ((-20, 0), (-10, 0.25), (0, 1), (45, 1), (50, 0.5), (55, 0)),
        "discharge_temperature": ((-30, 0), (-20, 0.25), (-10, 1), (45, 1), (50, 0.5), (55, 0)),
    },
    # NMC: 4.1 V instead of 4.2 V doubles the life for a tenth of the capacity.
    "nmc": {
        "charge_voltage": 4.10,
        "min_charge_voltage": 3.50,
        "cv1": 4.05,
        "cv2": 4.10,
        "max_cell_voltage": 4.13,
        "cell_overvoltage": 4.18,
        "min_cell_voltage": 3.00,
        "discharge_voltage": 3.20,
        "charge_temperature": _LITHIUM_CHARGE,
        "discharge_temperature": _LITHIUM_DISCHARGE,
    },
}
"""The defaults of the limiter by chemistry. Volts per cell."""

ALARM_PRESETS: Mapping[str, Mapping[str, Any]] = {
    "lfp": {
        "high_cell_voltage": (3.60, 3.65),
        "low_cell_voltage": (2.80, 2.60),
        "high_voltage": (3.55, 3.60),
        "low_voltage": (2.90, 2.80),
        "low_charge_temperature": (2.0, 0.0),
        "low_temperature": (-10.0, -20.0),
    },
    "lto": {
        "high_cell_voltage": (2.65, 2.70),
        "low_cell_voltage": (1.90, 1.80),
        "high_voltage": (2.60, 2.65),
        "low_voltage": (2.00, 1.90),
        "low_charge_temperature": (-10.0, -20.0),
        "low_temperature": (-20.0, -30.0),
    },
    "nmc": {
        "high_cell_voltage": (4.18, 4.22),
        "low_cell_voltage": (3.00, 2.80),
        "high_voltage": (4.16, 4.20),
        "low_voltage": (3.20, 3.00),
        "low_charge_temperature": (2.0, 0.0),
        "low_temperature": (-10.0, -20.0),
    },
}
"""Warning and alarm levels by chemistry, outside the range to which the limiter limits."""

CURRENT_ALARM = (1.1, 1.25)
"""Warning and alarm of the currents, as shares of their ceilings."""

CEILING_CELL_VOLTAGE: Mapping[str, float] = {"lfp": 3.65, "lto": 2.70, "nmc": 4.20}
"""The manufacturers' usual absolute maximum, V per cell."""

CEILING_MIN_CELL_VOLTAGE: Mapping[str, float] = {"lfp": 2.50, "lto": 1.50, "nmc": 2.70}
"""The manufacturers' usual end of discharge, V per cell."""

CURRENT_SHARES: Mapping[str, float] = {
    "max_charge_current_above_cv1": 0.5,
    "max_charge_current_above_cv2": 0.1,
}
"""The defaults of these settings, as shares of max_charge_current."""

C_RATES: Mapping[str, tuple[float, float]] = {
    "lfp": (0.3, 0.5),
    "lto": (1.0, 1.0),
    "nmc": (0.3, 0.5),
}
"""The default maximum charge and discharge current, per Ah of capacity (1/h)."""
