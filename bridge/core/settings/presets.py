"""The numbers that a chemistry supplies where the configuration is silent, and where they are from.

A line names its source by a word of this list. A line that begins with "ours" has no source: it is
our own choice, and says why.

    Lishen         LP54173207-202Ah, product specification, rev 0 (2020): an LFP cell
    Victron        Lithium Battery Smart, manual: LFP, four cells in 12.8 V
    Lynx           Lynx Smart BMS 500, manual
    systemcalc     dbus-systemcalc-py (0024c5e), delegates/dvcc.py: batteries of other makers
    Samsung 30Q    INR18650-30Q, specification, version 1.0: a cell of the 4.2 V kind
    Samsung 50E    INR21700-50E, specification, version 1.0: likewise
    Samsung 20     ICR18650-20, specification LR20010213-1, version 1.0: likewise
    BU-808         Battery University, BU-808, as quoted by Dolgin Engineering
    Toshiba        SCiB 3.0 Ah and 4.2 Ah, as told by Green Car Congress in May 2008: LTO cells
    Nichicon       SLB series, reference of Torex Semiconductor (2023): small LTO cells
    Libre Solar    bms-firmware, bms_common.c: limits and open-circuit voltages of each chemistry
    aggregate      dbus-aggregate-batteries 2.0 (fb705cf), settings.py: a bank of LTO cells
    aggregate LFP  dbus-aggregate-batteries (199ed75), config.default.ini
    serialbattery  dbus-serialbattery (358d3c7), config.default.ini: for LFP
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.core.settings.declarations import Table

# Both curves are serialbattery's TEMPERATURES_WHILE_CHARGING and _DISCHARGING, point by point.
# Charging: Lishen allows 0 to 60 °C, Victron 5 to 50 °C. Below Victron's 5 °C there is still some
# charge, because without it a battery in the cold stays empty: of the 0.3 C of C_RATES it is
# 0.15 C at 5 °C, 0.075 C at 2 °C, and nothing at 0 °C. Above Victron's 50 °C it is at most 0.075 C.
# Discharging: Lishen allows -35 to 60 °C, Victron -20 to 50 °C, Samsung 20 -20 to 60 °C.
_LITHIUM_CHARGE: Table = (
    (0, 0), (2, 0.25), (5, 0.5), (10, 1), (40, 1), (45, 0.5), (50, 0.25), (55, 0),
)  # fmt: skip
"""Share of max_charge_current (0 to 1) over °C."""
_NMC_CHARGE: Table = ((0, 0), (2, 0.25), (5, 0.5), (10, 1), (40, 1), (45, 0))
"""The same for cells of 4.2 V. Samsung 20 ends at 45 °C, where the curve above still gives half."""
_LITHIUM_DISCHARGE: Table = (
    (-10, 0), (0, 0.25), (5, 0.5), (10, 1), (40, 1), (45, 0.5), (50, 0.25), (55, 0),
)  # fmt: skip
"""Share of max_discharge_current (0 to 1) over °C."""

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "lfp": {
        # serialbattery: 3.45. systemcalc: a Pylontech is full just above 3.46. Victron: 3.5 to 3.6.
        "charge_voltage": 3.45,
        # ours: low enough that a charger that holds 2 % more does not fill a cell that is ahead.
        # By Libre Solar a cell that rests there has a third of its charge: not empty.
        "min_charge_voltage": 3.25,
        # serialbattery cuts CCL to a quarter there.
        "cv1": 3.40,
        # serialbattery leaves 0.5 % there, aggregate LFP 0 A.
        "cv2": 3.45,
        # serialbattery: CCL is 0 A there. systemcalc: a Pelio-L says 100 % there.
        "max_cell_voltage": 3.50,
        # systemcalc: a Pelio-L sends CCL 0 there.
        "cell_overvoltage": 3.55,
        # serialbattery: DCL is 0 A there. Victron: end of discharge, about 3 % are left.
        "min_cell_voltage": 2.80,
        # serialbattery, aggregate LFP: the MIN_CELL_VOLTAGE of both.
        "discharge_voltage": 2.90,
        # ours: 5 % from where Lishen ends a discharge, nothing where the cell may be damaged (the
        # dead_cell of the ceilings), and full current from min_cell_voltage on.
        "low_cell_charge": ((2.0, 0), (2.1, 0.05), (2.5, 0.05), (2.8, 1)),
        "charge_temperature": _LITHIUM_CHARGE,
        "discharge_temperature": _LITHIUM_DISCHARGE,
    },
    # LTO: full at 2.5 V, not harmed by cold; the values that owners of LTO banks use.
    "lto": {
        # aggregate: CHARGE_VOLTAGE.
        "charge_voltage": 2.50,
        # ours: 0.2 above discharge_voltage. Libre Solar: from 2.10 a cell is empty no more.
        "min_charge_voltage": 2.20,
        # aggregate: CV1.
        "cv1": 2.45,
        # aggregate: CV2.
        "cv2": 2.50,
        # aggregate: MAX_CELL_VOLTAGE.
        "max_cell_voltage": 2.53,
        # ours: 0.1 above charge_voltage, as for LFP, and 0.1 below the ceiling.
        "cell_overvoltage": 2.60,
        # aggregate: MIN_CELL_VOLTAGE. Libre Solar: lower limit.
        "min_cell_voltage": 1.90,
        # aggregate: DISCHARGE_VOLTAGE. Libre Solar: discharge ends there.
        "discharge_voltage": 2.00,
        # ours: likewise; Toshiba ends a discharge at 1.5.
        "low_cell_charge": ((1.0, 0), (1.1, 0.05), (1.5, 0.05), (1.9, 1)),
        # Nichicon: -30 to 60 °C. The limits inside of that and the steps are ours: no maker's
        # curve was found, and chargers need a way down that is not a jump.
        "charge_temperature": ((-20, 0), (-10, 0.25), (0, 1), (45, 1), (50, 0.5), (55, 0)),
        "discharge_temperature": ((-30, 0), (-20, 0.25), (-10, 1), (45, 1), (50, 0.5), (55, 0)),
    },
    "nmc": {
        # BU-808: 0.10 below 4.20 doubles the cycles; each 0.07 costs 10 % of the capacity.
        # systemcalc: LG's batteries ask for 57.7 V, 4.12 V in each of 14 cells.
        "charge_voltage": 4.10,
        # ours: 0.3 above discharge_voltage. Libre Solar's cell rests there below 5 %.
        "min_charge_voltage": 3.50,
        # ours: 0.05 below charge_voltage, as for LFP and LTO.
        "cv1": 4.05,
        # ours: charge_voltage itself, as for LFP and LTO.
        "cv2": 4.10,
        # ours: as far above charge_voltage as for LTO. systemcalc: LG's hard limit, 58 V, is 4.14.
        "max_cell_voltage": 4.13,
        # ours: 0.02 below the 4.20 of Samsung 30Q and 50E, so that a meter may be wrong by that.
        "cell_overvoltage": 4.18,
        # Libre Solar: lower limit. Samsung 50E ends at 2.5, Samsung 20 at 2.75.
        "min_cell_voltage": 3.00,
        # Libre Solar: discharge ends there.
        "discharge_voltage": 3.20,
        # ours: likewise; Samsung 30Q and 50E end a discharge at 2.5.
        "low_cell_charge": ((2.0, 0), (2.1, 0.05), (2.5, 0.05), (3.0, 1)),
        "charge_temperature": _NMC_CHARGE,
        "discharge_temperature": _LITHIUM_DISCHARGE,
    },
}
"""The defaults of the limiter by chemistry. Volts per cell."""

ALARM_PRESETS: Mapping[str, Mapping[str, Any]] = {
    "lfp": {
        # Lishen charges to 3.65; the warning is ours, 0.05 above cell_overvoltage.
        "high_cell_voltage": (3.60, 3.65),
        # Victron: 2.8 is the end of discharge. Lynx: its alarm can be set from 2.6 to 2.8.
        "low_cell_voltage": (2.80, 2.60),
        # Victron: a pack is charged to 3.55, at most to 3.6.
        "high_voltage": (3.55, 3.60),
        # discharge_voltage; and Victron's end of discharge, 11.2 V.
        "low_voltage": (2.90, 2.80),
        # Lishen: no charge below 0 °C; the warning is where serialbattery's curve begins.
        "low_charge_temperature": (2.0, 0.0),
        # Victron: no charge above 50 °C. ours: the warning is where the curve gives half.
        "high_charge_temperature": (45.0, 50.0),
        # the end of the curve; Victron: no discharge below -20 °C.
        "low_temperature": (-10.0, -20.0),
    },
    "lto": {
        # ours: 0.05 above cell_overvoltage, and the ceiling.
        "high_cell_voltage": (2.65, 2.70),
        # min_cell_voltage; the alarm is ours, 0.1 below. Nichicon: 1.8 is the lowest.
        "low_cell_voltage": (1.90, 1.80),
        # ours: 0.05 below those of a cell, as for LFP.
        "high_voltage": (2.60, 2.65),
        # discharge_voltage; and Libre Solar's lower limit of a cell.
        "low_voltage": (2.00, 1.90),
        # ours: where the curve reaches a quarter, and 0 A.
        "low_charge_temperature": (-10.0, -20.0),
        # ours: where the curve is last at its full, and at half.
        "high_charge_temperature": (45.0, 50.0),
        # ours: likewise. Nichicon: -30 °C is the lowest.
        "low_temperature": (-20.0, -30.0),
    },
    "nmc": {
        # cell_overvoltage; Samsung 30Q, 50E: 4.20, the ceiling.
        "high_cell_voltage": (4.18, 4.20),
        # min_cell_voltage; the alarm is ours, above the 2.75 of Samsung 20.
        "low_cell_voltage": (3.00, 2.80),
        # Samsung 30Q, 50E: 4.20 is the charge voltage; the warning is ours, 0.04 below.
        "high_voltage": (4.16, 4.20),
        # discharge_voltage; and Libre Solar's lower limit of a cell.
        "low_voltage": (3.20, 3.00),
        # Samsung 20: no charge below 0 °C; the warning is where serialbattery's curve begins.
        "low_charge_temperature": (2.0, 0.0),
        # Samsung 20: no charge above 45 °C. ours: the warning is 2 °C before, as in the cold.
        "high_charge_temperature": (43.0, 45.0),
        # the end of the curve; Samsung 20: no discharge below -20 °C.
        "low_temperature": (-10.0, -20.0),
    },
}
"""Warning and alarm levels by chemistry, outside the range to which the limiter limits."""

FAILSAFE_VOLTAGE: Mapping[str, float] = {
    # ours: with a charger that holds 2 % more, at 3.315 V, a cell of Libre Solar that is 25 % of
    # its charge ahead of the others is not full. At 3.35 V even 15 % and no error were too much.
    "lfp": 3.25,
    # ours: 0.15 below charge_voltage, so that a cell 0.15 V above the mean is not too high.
    "lto": 2.35,
    # ours: 0.25 below charge_voltage, so that a cell 0.25 V above the mean is not too high.
    "nmc": 3.85,
}
"""failsafe.charge_voltage, V per cell: what a battery may be held at for as long as it takes."""

CURRENT_ALARM = (1.1, 1.25)
"""Warning and alarm of the currents, as shares of their ceilings.

Ours: systemcalc corrects chargers only each 3 s, so a few percent too much are no fault; a quarter
too much for `alarms.delay` means that somebody does not obey.
"""

CEILINGS: Mapping[str, Mapping[str, Any]] = {
    "lfp": {
        "cell_voltage": 3.65,  # Lishen: charge voltage
        "min_cell_voltage": 2.50,  # Lishen: end of discharge above 0 °C. Libre Solar: lower limit
        "dead_cell": 2.00,  # ours: half a volt below the end of discharge
        "charge_temperature": (0, 55),  # Lishen: from 0 °C on; the upper end is our curve's
        "discharge_temperature": (-20, 60),  # Victron: from -20 °C on. Lishen: to 60 °C
    },
    "lto": {
        "cell_voltage": 2.70,  # ours: 0.1 below the 2.8 of Libre Solar, Toshiba and Nichicon
        "min_cell_voltage": 1.70,  # Toshiba: end of discharge above 0 °C. Nichicon: 1.8
        "dead_cell": 1.00,  # ours: half a volt below the 1.5 of Toshiba below 0 °C
        "charge_temperature": (-30, 60),  # Nichicon
        "discharge_temperature": (-30, 60),  # Nichicon
    },
    "nmc": {
        "cell_voltage": 4.20,  # Samsung 30Q, 50E, Libre Solar: charge voltage
        "min_cell_voltage": 2.70,  # ours: 2.5 is Samsung 30Q's and 50E's end, 2.75 Samsung 20's
        "dead_cell": 2.00,  # ours: half a volt below the 2.5 of Samsung 30Q and 50E
        "charge_temperature": (0, 45),  # Samsung 20
        "discharge_temperature": (-20, 60),  # Samsung 20
    },
}
"""The ceilings by chemistry: what the makers allow. Volts per cell, °C."""

CURRENT_SHARES: Mapping[str, float] = {
    "max_charge_current_above_cv1": 0.5,  # ours: twice the 50 of 200 A of aggregate
    "max_charge_current_above_cv2": 0.1,  # ours: twice its 10 of 200 A
}
"""Share of max_charge_current (0 to 1) where the configuration is silent.

Of 0.3 C the second is 0.03 C: less than the 0.05 C at which Samsung 50E ends a charge.
serialbattery leaves 0.5 % at cv2, and aggregate LFP nothing. Here CVL holds the pack at the same
voltage, and a balancer needs a small current to work with. In tests/closed_loop/test_quiet_top.py
no cell of LFP gets above 3.51 V with it, and CCL is 0 A at 3.55 V.
"""

C_RATES: Mapping[str, tuple[float, float]] = {
    "lfp": (0.3, 0.5),  # ours: below Victron's advice, mostly 0.5 and at most 1
    "lto": (1.0, 1.0),  # ours: far below Nichicon's 20, as cables and fuses are unknown
    "nmc": (0.3, 0.5),  # ours: below Samsung 50E's standard charge, 0.5, and its discharge, 1 to 2
}
"""The default maximum charge and discharge current, per Ah of capacity (1/h)."""
