"""No write at run time disarms a protection: what only the file may loosen, and the ceilings."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from doubles import Bench, battery_config
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.core.model import Refused
from bridge.core.settings.bounds import BOUND_OF, FREE, THE_FILES, in_words
from bridge.core.settings.declarations import CHOICE, GROUPS, LEVELS, TABLE, Ceiling, fields_of
from bridge.core.settings.live import LiveSettings, RefusedSettings
from bridge.core.settings.setting_paths import SETTINGS, Setting

NAMES = {f"{s.section}.{s.spec.name}": s for s in SETTINGS.values()}


def test_every_setting_says_what_clients_may_do_with_it() -> None:
    missing = sorted(set(NAMES) - set(BOUND_OF))
    assert not missing, f"write a line for {missing} in bridge/core/settings/bounds.py"
    assert set(BOUND_OF) == set(NAMES)
    ceilings = {spec.name for spec in fields_of(Ceiling)} | {"failsafe"}
    assert set(BOUND_OF.values()) - {FREE, THE_FILES} <= ceilings
    assert in_words("freshness.stale") == "within ceiling.silence"
    assert in_words("plausibility.soc_step") == "only the file can loosen it"


FILE = {
    "limiter": {
        "mosfet_temperature": [[70, 1], [90, 0]],
        "imbalance": [[0.1, 1], [0.2, 0.1]],
        "charge_soc": [[90, 1], [100, 0.4]],
        "discharge_soc": [[5, 0.1], [20, 1]],
        "slide": "on",
        "block_release": 60,
    },
    "failsafe": {"charge_voltage": 3.30},
}


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("Freshness/Stale", 86400, "86400 s is above ceiling.silence 300 s, which only the"),
        ("Freshness/Aging", 86400, "above ceiling.silence 300 s"),
        ("Freshness/Grace", 121, "121 s is above ceiling.grace 120 s"),
        ("Freshness/Required", "soc", "names none of ceiling.required (cells, dc)"),
        ("Freshness/Required", "soc,flags", "names none of ceiling.required (cells, dc)"),
        ("Freshness/OnLost", "withdraw", "only the file can loosen this"),
        ("Plausibility/Doubt", 11, "11 s is above ceiling.doubt 10 s"),
        ("Plausibility/CellVoltageStep", 0, "only the file can loosen this"),
        ("Plausibility/CellVoltageStep", 4, "only the file can loosen this"),
        ("Failsafe/ChargeCurrent", 1, "1 A is above ceiling.failsafe.charge_current 0 A"),
        ("Failsafe/DischargeCurrent", 200, "above ceiling.failsafe.discharge_current 0 A"),
        ("Limiter/MinChargeVoltage", 2.9, "2.9 V is below ceiling.min_charge_voltage 3.25 V"),
        ("Limiter/MinChargeVoltage", 3.44, "protections could not lower CVL"),
        ("Limiter/ChargeSoc", "off", "only the file can loosen this"),
        ("Limiter/DischargeSoc", [[5, 0.5], [20, 1]], "only the file can loosen this"),
        ("Limiter/ChargeTemperature", "off", "can switch this off"),
        ("Limiter/ChargeTemperature", [[-15, 1], [40, 1]], "ceiling.charge_temperature 0 to 55"),
        ("Limiter/ChargeTemperature", [[-15, 0], [0, 0.1]], "a current from -15 to 0 °C"),
        ("Limiter/DischargeTemperature", [[-40, 0.1], [0, 1]], "ceiling.discharge_temperature"),
        ("Limiter/LowCellCharge", "off", "only the file can loosen this"),
        ("Limiter/LowCellCharge", [[2.0, 0], [2.4, 1]], "only the file can loosen this"),
        ("Limiter/MosfetTemperature", "off", "only the file can loosen this"),
        ("Limiter/MosfetTemperature", [[75, 1], [95, 0]], "only the file can loosen this"),
        ("Limiter/Imbalance", [[0.1, 1], [0.2, 0.2]], "only the file can loosen this"),
        ("Limiter/Slide", "off", "only the file can loosen this"),
        ("Limiter/BlockRelease", 59, "only the file can loosen this"),
        ("Limiter/ChargeVoltageByMonth", [[1, 3.4], [6, 3.7]], "ceiling.cell_voltage 3.65"),
        ("Alarms/VoltageMismatch", "off", "only the file can loosen this"),
        ("Alarms/VoltageMismatch", [5.1, 60], "only the file can loosen this"),
        ("Alarms/VoltageMismatch", [50, 60], "only the file can loosen this"),
    ],
)
def test_a_write_that_would_disarm_is_refused_and_names_what_forbids_it(
    key: str, value: object, words: str
) -> None:
    live, path = LiveSettings(battery_config(**FILE, ceiling={})), f"/Settings/{key}"
    before = live.in_force
    changes = {path: value, "/Settings/Freshness/Lost": 86400} if "Stale" in key else {path: value}
    with pytest.raises(RefusedSettings) as refused:
        live.change(changes)
    assert words in dict(refused.value.refusals)[path]
    assert live.in_force == before
    # Nor does it come from the store: at the start, and while the bridge runs.
    kept = json.dumps({key: value})
    (warning,) = live.load(kept)
    assert warning.startswith(f"{key}: ")
    with pytest.raises(Refused, match=key):
        live.replace(kept)
    assert live.in_force == before


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Freshness/Stale", 300),
        ("Freshness/Required", "dc"),
        ("Freshness/Required", "soc,cells"),
        ("Plausibility/CellVoltageStep", 0.2),
        ("Limiter/MinChargeVoltage", 3.28),
        ("Limiter/ChargeTemperature", [[5, 0.5], [20, 1]]),
        ("Limiter/ChargeTemperature", [[0, 0], [10, 1], [55, 0]]),
        ("Limiter/MosfetTemperature", [[60, 0.9], [80, 0]]),
        ("Limiter/LowCellCharge", [[2.2, 0], [2.5, 0.05], [2.9, 1]]),
        ("Alarms/VoltageMismatch", [4, 60]),
        ("Alarms/VoltageMismatch", [5, 60]),
        ("Limiter/BlockRelease", 61),
    ],
)
def test_what_is_more_careful_or_within_the_ceilings_is_taken(key: str, value: object) -> None:
    live = LiveSettings(battery_config(**FILE, ceiling={}))
    path = f"/Settings/{key}"
    changes = {path: value, "/Settings/Freshness/Lost": 86400} if "Stale" in key else {path: value}
    assert live.change(changes)
    again = LiveSettings(battery_config(**FILE, ceiling={}))
    assert again.load(live.record()) == []
    assert again.in_force == live.in_force


def test_the_file_may_be_as_wide_as_it_says() -> None:
    """Its settings raise the default ceilings, and clients may then go as far."""
    wide = battery_config(
        ceiling={},
        limiter={"charge_temperature": [], "min_charge_voltage": 3.0},
        freshness={"required": ["soc"], "grace": 600, "stale": 500},
        plausibility={"doubt": 20, "soc_step": 0},
        failsafe={"charge_current": 5},
    )
    ceiling = wide.ceiling
    assert (ceiling.grace, ceiling.silence, ceiling.doubt) == (600, 500, 20)
    assert ceiling.required == ("soc",)
    assert ceiling.min_charge_voltage == 3.0
    live = LiveSettings(wide)
    assert live.change({"/Settings/Failsafe/ChargeCurrent": 4})
    assert live.change({"/Settings/Limiter/ChargeTemperature": [[0, 0], [9, 1]]})
    assert live.change({"/Settings/Restore": "all"})


# --- the worst that settings can do ---------------------------------------------------------------


def extremes(setting: Setting) -> list[object]:
    """Values of a setting at the ends of what it may be."""
    spec = setting.spec
    if spec.kind == CHOICE:
        return list(spec.choices)
    if spec.kind == GROUPS:
        return ["soc", "flags", "dc", "cells", "temperature", "off", "soc,dc"]
    if spec.kind == LEVELS:
        return ["off", [spec.low, spec.low], [spec.high, spec.high]]
    if spec.kind == TABLE:
        most = spec.y_high
        return ["off", [[spec.low, most], [spec.high, most]],
                [[(spec.low + spec.high) / 2, most], [spec.high, most]]]  # fmt: skip
    return [spec.low, spec.high, "off", 0, 60, 120, 300, 3.25, 3.5, 3.64, 3.65, 200, 250]


WORST = [(path, value) for path, setting in SETTINGS.items() for value in extremes(setting)]
CEILING = {"charge_current": 200, "discharge_current": 250}
CELLS = 4


def kept_after(writes: list[tuple[str, object]]) -> str:
    """What is kept after a client has written all this, twice: some values need others first."""
    live = LiveSettings(battery_config(cells=CELLS, ceiling=CEILING))
    for path, value in writes * 2:
        with contextlib.suppress(RefusedSettings):
            live.change({path: value})
    return live.record()


def cells_at(bench: Bench, volts: float) -> None:
    bench.feed(3.3, Voltages_Cell2=volts, Dc_0_Voltage=3.3 * (CELLS - 1) + volts)


def too_cold(bench: Bench) -> None:
    bench.feed(Dc_0_Temperature=-15)


def only_a_soc(bench: Bench) -> None:
    bench.dbus("/Soc", 50)


def silence_but_for_the_rest(bench: Bench) -> None:
    """Voltages for a while, then only what is not one."""
    if bench.clock.now < START + 60:
        bench.feed()
    bench.dbus("/Soc", 50)
    bench.dbus("/Dc/0/Temperature", 20)
    bench.dbus("/Io/AllowToCharge", 1)


START = Bench(cells=CELLS).clock.now
DANGERS: dict[str, tuple[Callable[[Bench], None], tuple[bool, bool]]] = {
    "a cell at its ceiling": (lambda bench: cells_at(bench, 3.65), (False, True)),
    "a dead cell": (lambda bench: cells_at(bench, 2.0), (False, False)),
    "an empty cell": (lambda bench: cells_at(bench, 2.5), (True, False)),
    "V / N at its ceiling": (lambda bench: bench.feed(Dc_0_Voltage=3.65 * CELLS), (False, True)),
    "-15 degrees": (too_cold, (False, True)),
    "only a SoC": (only_a_soc, (False, False)),
    "silence": (silence_but_for_the_rest, (False, False)),
}
"""What is measured, and whether charging and discharging may go on after some minutes."""


def check(writes: list[tuple[str, object]]) -> None:
    kept = kept_after(writes)
    for danger, (feeding, (may_charge, may_discharge)) in DANGERS.items():
        bench = Bench(cells=CELLS, ceiling=CEILING)
        bench.battery.load_settings(kept)
        for _ in range(42):  # 420 s: longer than ceiling.silence after the last voltage
            feeding(bench)
            bench.settle()
            bench.pass_time(10)
        ccl, dcl, cvl = _number(bench.ccl), _number(bench.dcl), _number(bench.cvl)
        assert ccl <= (200 if may_charge else 0), danger
        assert dcl <= (250 if may_discharge else 0), danger
        assert cvl <= 3.65 * CELLS + 1e-6, danger
        bench.mqtt("/Info/MaxChargeVoltage", "0")
        bench.pass_time(1)
        assert bench.cvl is None or _number(bench.cvl) >= 3.25 * CELLS - 1e-6, danger


def _number(value: Any) -> float:
    assert value is not None, "withdrawn limits stay in force in an inverter"
    return float(value)


@pytest.mark.promise("bounds")
@pytest.mark.parametrize("writes", [WORST, WORST[::-1]], ids=["in order", "backwards"])
def test_the_worst_settings_allow_nothing_beyond_the_ceilings(
    writes: list[tuple[str, object]],
) -> None:
    check(writes)


@pytest.mark.promise("bounds")
@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(st.permutations(WORST))
def test_nor_do_they_in_any_other_order(writes: list[tuple[str, object]]) -> None:
    check(writes)
