"""The protections: one file for each, and the table of all.

If an input was written once and is silent now, a protection gives its smallest cap. It gives no cap
for an input that was never written, nor while the failsafe limits hold instead.
"""

from __future__ import annotations

from bridge.core.limiter.protection import Protection
from bridge.core.limiter.protections import (
    blocked,
    cell_overvoltage,
    charge_to_soc,
    charge_voltage,
    counted_charge,
    discharge_stop,
    failsafe,
    failsafe_voltage,
    high_cell,
    high_cell_clamp,
    high_cell_push,
    imbalance,
    low_cell,
    low_cell_charge,
    maintained_soc,
    maximum,
    mosfet_temperature,
    slide,
    soc,
    temperature,
    voltage_mismatch,
)

PROTECTIONS: tuple[Protection, ...] = (
    charge_voltage.CHARGE_VOLTAGE,
    charge_to_soc.CHARGE_VOLTAGE,
    high_cell_clamp.CHARGE_VOLTAGE,
    high_cell_push.CHARGE_VOLTAGE,
    counted_charge.CHARGE_VOLTAGE,
    failsafe_voltage.CHARGE_VOLTAGE,
    slide.CHARGE_VOLTAGE,
    maximum.CHARGE,
    high_cell.CHARGE,
    cell_overvoltage.CHARGE,
    blocked.CHARGE,
    temperature.CHARGE,
    mosfet_temperature.CHARGE,
    soc.CHARGE,
    charge_to_soc.CHARGE,
    imbalance.CHARGE,
    voltage_mismatch.CHARGE,
    low_cell_charge.CHARGE,
    counted_charge.CHARGE,
    failsafe.WAITING,
    failsafe.CHARGE,
    maximum.DISCHARGE,
    low_cell.DISCHARGE,
    discharge_stop.DISCHARGE,
    maintained_soc.DISCHARGE,
    blocked.DISCHARGE,
    temperature.DISCHARGE,
    mosfet_temperature.DISCHARGE,
    soc.DISCHARGE,
    counted_charge.DISCHARGE,
    failsafe.DISCHARGE,
)
"""In the order in which their caps are listed; of equal caps the first holds the limit."""
