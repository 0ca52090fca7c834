"""Every D-Bus path of the battery, declared once.

The D-Bus service, the gate in front of it, the freshness groups, the tests and the tables of the
documentation are all made from this table. Paths and their meaning follow Victron's consumers
(systemcalc, the GUI, Modbus TCP, VRM) and, for single cells, dbus-serialbattery's convention.
"""

from __future__ import annotations

from dataclasses import replace

from bridge.core.model import Group
from bridge.core.paths.gate import (
    AMP,
    AMP_HOUR,
    BLOCKERS,
    CELL_VOLT,
    CELSIUS,
    CODE,
    COUNT,
    DEVIATION,
    FLAG,
    KILOWATT_HOUR,
    LEVEL,
    LIMIT_AMP,
    LONGEST_NAME,
    PERCENT,
    SECONDS,
    TEXT,
    VOLT,
    WATT,
    PathSpec,
    Quantity,
    Role,
)
from bridge.core.paths.gate import (
    WRITABLE as WRITABLE,
)
from bridge.core.settings.setting_paths import SETTING_ROWS


def _path(
    path: str,
    quantity: Quantity,
    role: Role,
    consumers: str,
    doc: str,
    group: Group | None = None,
    low: float | None = None,
    high: float | None = None,
) -> PathSpec:
    return PathSpec(
        path=path,
        quantity=quantity,
        role=role,
        group=group,
        low=quantity.low if low is None else low,
        high=quantity.high if high is None else high,
        consumers=consumers,
        doc=doc,
    )


def _identity(path: str, quantity: Quantity, consumers: str, doc: str) -> PathSpec:
    return _path(path, quantity, Role.IDENTITY, consumers, doc)


def _decision(path: str, quantity: Quantity, consumers: str, doc: str) -> PathSpec:
    return _path(path, quantity, Role.DECISION, consumers, doc)


def _request(path: str, quantity: Quantity, doc: str) -> PathSpec:
    return _path(path, quantity, Role.REQUEST, "SGM", doc)


def _measured(
    group: Group | None,
    path: str,
    quantity: Quantity,
    consumers: str,
    doc: str,
    low: float | None = None,
    high: float | None = None,
) -> PathSpec:
    return _path(path, quantity, Role.MEASUREMENT, consumers, doc, group, low, high)


def _alarm(name: str, doc: str, consumers: str = "GPM") -> PathSpec:
    return _path(f"/Alarms/{name}", LEVEL, Role.ALARM, consumers, doc)


def _history(name: str, quantity: Quantity, doc: str, low: float | None = None) -> PathSpec:
    """A counter that a client keeps. It never goes stale: silence does not make the past wrong."""
    return _measured(None, f"/History/{name}", quantity, "GM", doc, low=low)


CELLS, DC, SOC, TEMPERATURE, FLAGS = Group

CVL_PATH = "/Info/MaxChargeVoltage"
CCL_PATH = "/Info/MaxChargeCurrent"
DCL_PATH = "/Info/MaxDischargeCurrent"
VOLTAGE_PATH = "/Dc/0/Voltage"
CURRENT_PATH = "/Dc/0/Current"
MIN_CELL_PATH = "/System/MinCellVoltage"
MAX_CELL_PATH = "/System/MaxCellVoltage"

_IDENTITY = (
    _identity("/Mgmt/ProcessName", TEXT, "SG", "name of the program"),
    _identity("/Mgmt/ProcessVersion", TEXT, "SG", "its version"),
    _identity("/Mgmt/Connection", TEXT, "SG", "where the values come from"),
    _identity("/Mgmt/InsecureConnection", FLAG, "S", "1: too slow to share its voltage sense"),
    _identity("/DeviceInstance", COUNT, "SGMC", "the instance in the topics"),
    _identity("/ProductId", CODE, "SG", "0xC065, virtual battery"),
    _identity("/ProductName", TEXT, "SG", "name of the product"),
    _path("/CustomName", TEXT, Role.NAME, "SGM", "the user's name for it", high=LONGEST_NAME),
    _identity("/FirmwareVersion", TEXT, "G", "version of this program"),
    _identity("/HardwareVersion", TEXT, "G", "always invalid: there is no hardware"),
    _identity("/Serial", TEXT, "G", "the ident"),
    _identity("/Connected", FLAG, "SG", "always 1 while the service runs"),
)

_DC = (
    _measured(DC, VOLTAGE_PATH, VOLT, "SGM", "pack voltage, at most 5 V per cell"),
    _measured(DC, CURRENT_PATH, AMP, "SGM", "pack current, positive charges"),
    _measured(DC, "/Dc/0/Power", WATT, "SGM", "derived: voltage times current"),
    _measured(TEMPERATURE, "/Dc/0/Temperature", CELSIUS, "SGMP", "battery temperature"),
    _measured(DC, "/Dc/0/MidVoltage", VOLT, "GM", "voltage at the middle of the pack"),
    _measured(DC, "/Dc/0/MidVoltageDeviation", DEVIATION, "GM", "its deviation"),
    _measured(DC, "/Dc/1/Voltage", VOLT, "SGM", "starter or auxiliary battery"),
    _measured(SOC, "/Soc", PERCENT, "SGM", "state of charge"),
    _measured(SOC, "/Soh", PERCENT, "GM", "state of health"),
    _measured(SOC, "/Capacity", AMP_HOUR, "SGM", "derived: Ah left, from SoC", low=0),
    _measured(None, "/InstalledCapacity", AMP_HOUR, "SG", "Ah when full, from the file", low=0),
    _measured(SOC, "/ConsumedAmphours", AMP_HOUR, "SGM", "derived, never positive", high=0),
    _measured(SOC, "/TimeToGo", SECONDS, "SGM", "derived while discharging, at most 10 days"),
)

_INFO = (
    _request(CVL_PATH, VOLT, "CVL; written: a request"),
    _request(CCL_PATH, LIMIT_AMP, "CCL; written: a request"),
    _request(DCL_PATH, LIMIT_AMP, "DCL; written: a request"),
    _decision("/Info/BatteryLowVoltage", VOLT, "SGM", "discharge_voltage times cells"),
    _decision("/Info/ChargeLimitation", TEXT, "C", "the rule that holds CCL"),
    _decision("/Info/DischargeLimitation", TEXT, "C", "the rule that holds DCL"),
    _decision("/Info/ChargeVoltageLimitation", TEXT, "C", "the rule that holds CVL"),
    _decision("/Info/ChargeMode", TEXT, "C", "the phase of charging"),
    _measured(FLAGS, "/Info/ChargeRequest", FLAG, "SG", "1: the battery asks to be charged"),
)

_IO = (
    _measured(FLAGS, "/Io/AllowToCharge", FLAG, "GM", "0 blocks; else derived from CCL"),
    _measured(FLAGS, "/Io/AllowToDischarge", FLAG, "GM", "0 blocks; else derived from DCL"),
    _measured(FLAGS, "/Io/AllowToBalance", FLAG, "C", "the BMS may balance"),
    _measured(FLAGS, "/Io/AllowToHeat", FLAG, "C", "the BMS may heat"),
    _measured(FLAGS, "/Io/ExternalRelay", FLAG, "GM", "state of an external relay"),
    _measured(FLAGS, "/SystemSwitch", FLAG, "GM", "the battery's own switch"),
    _measured(FLAGS, "/Balancing", FLAG, "GM", "derived: 1 while any cell is balanced"),
    _measured(FLAGS, "/State", COUNT, "SGM", "derived: 0 starting, 9 running, 10 error", high=18),
    _measured(FLAGS, "/ErrorCode", CODE, "GPM", "not 0 raises an alarm on the GX"),
)

_SYSTEM = (
    _measured(CELLS, MIN_CELL_PATH, CELL_VOLT, "SGMP", "derived: lowest cell"),
    _measured(CELLS, MAX_CELL_PATH, CELL_VOLT, "SGM", "derived: highest cell"),
    _measured(CELLS, "/System/MinVoltageCellId", TEXT, "GM", "derived: its name", high=8),
    _measured(CELLS, "/System/MaxVoltageCellId", TEXT, "GM", "derived: its name", high=8),
    _measured(TEMPERATURE, "/System/MinCellTemperature", CELSIUS, "GM", "coldest cell"),
    _measured(TEMPERATURE, "/System/MaxCellTemperature", CELSIUS, "GM", "hottest cell"),
    _measured(TEMPERATURE, "/System/MinTemperatureCellId", TEXT, "GM", "its name", high=8),
    _measured(TEMPERATURE, "/System/MaxTemperatureCellId", TEXT, "GM", "its name", high=8),
    _measured(TEMPERATURE, "/System/MOSTemperature", CELSIUS, "C", "the BMS's transistors"),
    _measured(FLAGS, "/System/NrOfModulesOnline", COUNT, "G", "modules that report"),
    _measured(FLAGS, "/System/NrOfModulesOffline", COUNT, "G", "modules that do not"),
    _measured(FLAGS, "/System/NrOfModulesBlockingCharge", BLOCKERS, "GM", "above 0 blocks"),
    _measured(FLAGS, "/System/NrOfModulesBlockingDischarge", BLOCKERS, "GM", "above 0 blocks"),
    _measured(None, "/System/NrOfBatteries", COUNT, "GM", "batteries in this one"),
    _measured(None, "/System/BatteriesParallel", COUNT, "GM", "of them in parallel"),
    _measured(None, "/System/BatteriesSeries", COUNT, "GM", "of them in series"),
    _measured(None, "/System/NrOfCellsPerBattery", COUNT, "GM", "cells, from the file"),
    _path("/Battery/Request/Id", COUNT, Role.PAGE, "G", "the GUI's cell page", low=1, high=1),
)

_ALARMS = (
    _alarm("Alarm", "summary of a battery monitor", "GM"),
    _alarm("LowVoltage", "pack voltage low"),
    _alarm("HighVoltage", "pack voltage high"),
    _alarm("LowCellVoltage", "a cell is low"),
    _alarm("HighCellVoltage", "a cell is high"),
    _alarm("LowSoc", "SoC low"),
    _alarm("StateOfHealth", "SoH low"),
    _alarm("HighCurrent", "current high"),
    _alarm("HighChargeCurrent", "charge current high"),
    _alarm("HighDischargeCurrent", "discharge current high"),
    _alarm("LowTemperature", "too cold to discharge"),
    _alarm("HighTemperature", "too hot to discharge"),
    _alarm("LowChargeTemperature", "too cold to charge"),
    _alarm("HighChargeTemperature", "too hot to charge"),
    _alarm("HighInternalTemperature", "the BMS is hot"),
    _alarm("BatteryTemperatureSensor", "a sensor is broken"),
    _alarm("CellImbalance", "the cells differ"),
    _alarm("InternalFailure", "the battery is broken"),
    _alarm("FuseBlown", "the fuse is blown"),
    _alarm("BmsCable", "nothing is heard; ours rises by itself when data is stale"),
    _alarm("Contactor", "the contactor is broken"),
    _alarm("MidVoltage", "the halves differ"),
    _alarm("LowStarterVoltage", "auxiliary battery low"),
    _alarm("HighStarterVoltage", "auxiliary battery high"),
    _alarm("LowFusedVoltage", "voltage behind the fuse low", "PM"),
    _alarm("HighFusedVoltage", "voltage behind the fuse high", "PM"),
)

_HISTORY = (
    _history("DeepestDischarge", AMP_HOUR, "Ah, negative"),
    _history("LastDischarge", AMP_HOUR, "Ah, negative"),
    _history("AverageDischarge", AMP_HOUR, "Ah, negative"),
    _history("TotalAhDrawn", AMP_HOUR, "Ah, negative"),
    _history("ChargeCycles", COUNT, "number of charge cycles"),
    _history("FullDischarges", COUNT, "number of full discharges"),
    _history("MinimumVoltage", VOLT, "lowest pack voltage"),
    _history("MaximumVoltage", VOLT, "highest pack voltage"),
    _history("MinimumCellVoltage", CELL_VOLT, "lowest cell"),
    _history("MaximumCellVoltage", CELL_VOLT, "highest cell"),
    _history("MinimumTemperature", CELSIUS, "coldest"),
    _history("MaximumTemperature", CELSIUS, "hottest"),
    _history("TimeSinceLastFullCharge", SECONDS, "since the battery was full"),
    _history("AutomaticSyncs", COUNT, "times the SoC was set to 100 %"),
    _history("LowVoltageAlarms", COUNT, "number of alarms"),
    _history("HighVoltageAlarms", COUNT, "number of alarms"),
    _history("LowStarterVoltageAlarms", COUNT, "number of alarms"),
    _history("HighStarterVoltageAlarms", COUNT, "number of alarms"),
    _history("MinimumStarterVoltage", VOLT, "lowest auxiliary voltage"),
    _history("MaximumStarterVoltage", VOLT, "highest auxiliary voltage"),
    _history("DischargedEnergy", KILOWATT_HOUR, "energy taken out"),
    _history("ChargedEnergy", KILOWATT_HOUR, "energy put in"),
)

_VOLTAGES = (
    _measured(CELLS, "/Voltages/Sum", VOLT, "C", "derived: sum of the cells"),
    _measured(CELLS, "/Voltages/Diff", CELL_VOLT, "C", "derived: highest less lowest cell"),
)

_FRESHNESS = (
    _decision("/Freshness/Stage", TEXT, "C", "fresh, aging, waiting, stale or lost"),
    _path(
        "/Freshness/Forget",
        TEXT,
        Role.COMMAND,
        "C",
        "written: a path or a group that counts as never written from then on",
    ),
    _measured(None, "/Freshness/Counter", COUNT, "C", "any counter, for freshness.moves", high=2e9),
    _path(
        "/Freshness/Frozen", TEXT, Role.DECISION, "C",
        "which values do not change although charge flows", high=300,
    ),
    _decision("/Freshness/NextStage", TEXT, "C", "what silence leads to; invalid while fresh"),
    _decision("/Freshness/NextStageIn", SECONDS, "C", "and when, in steps of 5 s"),
    *(
        _decision(f"/Freshness/{group.value.capitalize()}", SECONDS, "C", "age, 0 while fresh")
        for group in Group
    ),
)

CELL = "{cell}"  # stands for the number of a cell in the rows that exist once per cell

_PER_CELL = (
    _measured(CELLS, f"/Voltages/Cell{CELL}", CELL_VOLT, "C", "voltage of a cell"),
    _measured(CELLS, f"/Balances/Cell{CELL}", FLAG, "C", "1 while the cell is balanced"),
    _decision(f"/Battery/1/Cell/{CELL}/Voltage", CELL_VOLT, "G", "the same, for the GUI's page"),
)

ROWS = (
    *_IDENTITY, *_DC, *_INFO, *_IO, *_SYSTEM, *_VOLTAGES, *_PER_CELL, *_ALARMS, *_HISTORY,
    *_FRESHNESS, *SETTING_ROWS,
)  # fmt: skip
"""The whole table, with one row for all cells where a path exists once per cell."""

Paths = dict[str, PathSpec]


def path_table(cells: int) -> Paths:
    """The paths of a battery of so many cells (1 to 256), by name."""
    table = {}
    for row in (_of_pack(row, cells) for row in ROWS):
        if CELL in row.path:
            for cell in range(1, cells + 1):
                path = row.path.replace(CELL, str(cell))
                table[path] = replace(row, path=path)
        else:
            table[row.path] = row
    return table


def _of_pack(row: PathSpec, cells: int) -> PathSpec:
    """Limit a pack voltage to the highest cell voltage times the number of cells."""
    of_pack = row.path in (VOLTAGE_PATH, CVL_PATH, "/Voltages/Sum")
    return replace(row, high=CELL_VOLT.high * cells) if of_pack else row


def cell_path(cell: int) -> str:
    """The path of a cell's voltage; cells count from 1."""
    return f"/Voltages/Cell{cell}"
