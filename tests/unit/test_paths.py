"""The path table, and the gate that is made from it."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.model import Refused
from bridge.core.paths.table import (
    CELL,
    FLAG,
    LEVEL,
    ROWS,
    WRITABLE,
    PathSpec,
    Role,
    path_table,
)

TABLE = path_table(16)
ROWS_BY_PATH = [pytest.param(row, id=row.path) for row in ROWS]

WORDS = ["unknown", "unavailable", "", "NaN", "1_0", "0x1", "1e999", "٣", "None", 10**5000]

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@pytest.mark.parametrize("row", ROWS_BY_PATH)
def test_a_row_is_well_formed(row: PathSpec) -> None:
    assert re.fullmatch(r"(/[A-Za-z0-9]+)+", row.path.replace(CELL, "1"))
    assert row.quantity.kind in (int, float, str)
    assert row.low <= row.high
    assert math.isfinite(row.low) and math.isfinite(row.high)
    assert row.doc
    assert set(row.consumers) <= set("SGMPC") and row.consumers
    assert row.group is None or row.role in (Role.MEASUREMENT, Role.DECISION)


@pytest.mark.parametrize("row", ROWS_BY_PATH)
def test_both_ends_of_the_range_pass_the_gate_and_have_a_text(row: PathSpec) -> None:
    if row.quantity.kind is str:
        assert row.coerce("x" * int(row.high)) == "x" * int(row.high)
        return
    for end in (row.low, row.high):
        value = row.coerce(end)
        assert type(value) is row.quantity.kind
        assert row.text(row.show(value))


@pytest.mark.parametrize("row", ROWS_BY_PATH)
def test_nothing_outside_passes_the_gate(row: PathSpec) -> None:
    if row.quantity.kind is str:
        outside: list[object] = ["x" * (int(row.high) + 1), [1], {"a": 1}, True, math.nan]
    else:
        outside = [row.low - 1, row.high + 1, math.nan, math.inf, -math.inf, [1], {"a": 1}, *WORDS]
    for value in outside:
        with pytest.raises(Refused):
            row.coerce(value)


@given(st.sampled_from(ROWS), anything)
def test_the_gate_answers_the_right_type_or_refuses(row: PathSpec, value: object) -> None:
    try:
        taken = row.coerce(value)
    except Refused as refusal:
        assert 0 < len(str(refusal)) < 250
        return
    assert taken is None or type(taken) is row.quantity.kind
    if isinstance(taken, (int, float)):
        assert row.low <= taken <= row.high
    if taken is not None:
        assert isinstance(row.text(row.show(taken)), str)


@given(st.floats(0, 5000))
def test_a_limit_is_never_shown_higher_than_it_is(value: float) -> None:
    for path in ("/Info/MaxChargeVoltage", "/Info/MaxChargeCurrent"):
        spec = TABLE[path]
        shown = spec.show_limit(value)
        assert value - 10**-spec.quantity.decimals <= shown <= value + 1e-6


def test_a_whole_limit_is_shown_as_it_is() -> None:
    spec = TABLE["/Info/MaxChargeCurrent"]
    for tenth in range(50000):
        assert spec.show_limit(tenth / 10) == tenth / 10


@pytest.mark.parametrize(
    ("path", "written", "taken"),
    [
        ("/Dc/0/Voltage", 53, 53.0),
        ("/Dc/0/Voltage", "53.2", 53.2),
        ("/Dc/0/Voltage", " 53.2\n", 53.2),
        ("/Dc/0/Current", "-1e-7", -1e-7),
        ("/Io/AllowToCharge", True, 1),
        ("/Io/AllowToCharge", "OFF", 0),
        ("/Io/AllowToCharge", "True", 1),
        ("/Alarms/LowCellVoltage", True, 2),
        ("/Alarms/LowCellVoltage", 1.0, 1),
        ("/System/MaxVoltageCellId", 7, "7"),
        ("/CustomName", "", ""),
        ("/Soc", None, None),
    ],
)
def test_what_clients_send_is_taken(path: str, written: object, taken: object) -> None:
    value = TABLE[path].coerce(written)
    assert value == taken and type(value) is type(taken)


@pytest.mark.parametrize(
    ("path", "written", "words"),
    [
        ("/Dc/0/Voltage", True, "true is not a number"),
        ("/Voltages/Cell3", 3312, "is it in mV? Send 3.312"),
        ("/Io/AllowToCharge", "of", 'did you mean "off"?'),
        ("/Io/AllowToCharge", "maybe", "is not a number; use 0 or 1, true or false, ON or OFF"),
        ("/System/NrOfModulesBlockingCharge", "maybe", "use a number, true or false, ON or OFF"),
        ("/Alarms/LowCellVoltage", "maybe", "use 0, 1 or 2, true or false, ON or OFF"),
        ("/Soc", {"value": 40, "expires": 60}, "expires belongs to requests"),
        ("/CustomName", {"value": "a", "expires": 60}, "expires belongs to requests"),
        ("/State", 1.5, "not a whole number"),
        ("/Soc", "unavailable", "the last one stays"),
        ("/Soc", 101, "outside 0 to 100 %"),
        ("/CustomName", "x" * 33, "33 characters are more than 32"),
        ("/CustomName", "a\x00b", "cannot be shown"),
    ],
)
def test_a_refusal_says_what_is_wrong(path: str, written: object, words: str) -> None:
    with pytest.raises(Refused, match=re.escape(words)):
        TABLE[path].coerce(written)


@pytest.mark.parametrize(
    ("path", "written"), [("/Voltages/Cell3", 12), ("/Voltages/Cell3", 55), ("/Dc/0/Voltage", 90)]
)
def test_no_number_is_taken_for_millivolts_that_would_be_no_voltage(
    path: str, written: float
) -> None:
    with pytest.raises(Refused) as refusal:
        TABLE[path].coerce(written)
    assert "mV" not in str(refusal.value)


@pytest.mark.parametrize("cells", [1, 4, 16, 24, 256])
def test_there_is_a_path_for_every_cell(cells: int) -> None:
    table = path_table(cells)
    for stem in ("/Voltages/Cell{}", "/Balances/Cell{}", "/Battery/1/Cell/{}/Voltage"):
        assert stem.format(cells) in table
        assert stem.format(cells + 1) not in table


def test_what_consumers_ask_of_a_managed_battery_is_there() -> None:
    """By Victron's own dummy of a managed battery, by victron-mqtt, by Node-RED's nodes."""
    wanted = _WANTED.split()
    assert not [path for path in wanted if path not in TABLE]
    assert sum(path.startswith("/Alarms/") for path in TABLE) >= 24
    assert sum(path.startswith("/History/") for path in TABLE) >= 22


_WANTED = """
        /Mgmt/ProcessName /Mgmt/ProcessVersion /Mgmt/Connection /DeviceInstance /ProductId
        /ProductName /CustomName /FirmwareVersion /HardwareVersion /Connected /Serial
        /Dc/0/Voltage /Dc/0/Current /Dc/0/Power /Dc/0/Temperature /Dc/0/MidVoltage
        /Dc/0/MidVoltageDeviation /Dc/1/Voltage /Soc /Soh /Capacity /InstalledCapacity
        /ConsumedAmphours /TimeToGo /Info/MaxChargeVoltage /Info/MaxChargeCurrent
        /Info/MaxDischargeCurrent /Info/BatteryLowVoltage /Info/ChargeRequest /Info/ChargeMode
        /Info/ChargeLimitation /Info/DischargeLimitation /Io/AllowToCharge /Io/AllowToDischarge
        /SystemSwitch /State /ErrorCode /Balancing /System/MinCellVoltage /System/MaxCellVoltage
        /System/MinVoltageCellId /System/MaxVoltageCellId /System/MinCellTemperature
        /System/MaxCellTemperature /System/MinTemperatureCellId /System/MaxTemperatureCellId
        /System/NrOfModulesOnline /System/NrOfModulesOffline /System/NrOfModulesBlockingCharge
        /System/NrOfModulesBlockingDischarge /System/NrOfBatteries /System/BatteriesParallel
        /System/BatteriesSeries /System/NrOfCellsPerBattery /Voltages/Sum /Voltages/Diff
        /Battery/Request/Id /History/DeepestDischarge /History/DischargedEnergy
"""


def test_what_is_not_ours_to_have_is_absent() -> None:
    """Each of these makes a consumer take the battery for other hardware."""
    for path in ("/NumberOfBmses", "/NrOfDistributors", "/N2kUniqueNumber", "/DeviceState",
                 "/Settings/HasSettings", "/Errors/SmartLithium/Communication"):  # fmt: skip
        assert path not in TABLE


def test_flags_and_levels_are_integers_from_zero() -> None:
    for row in ROWS:
        if row.quantity in (FLAG, LEVEL):
            assert (row.low, row.quantity.kind) == (0, int)


def test_roles_that_are_written_are_named_once() -> None:
    for row in ROWS:
        assert row.writable == (row.role in WRITABLE)
