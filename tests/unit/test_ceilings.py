"""No write, setting or request lifts a limit past the ceilings of the configuration."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from doubles import Bench, battery_config
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.core.paths.table import CCL_PATH, CVL_PATH, DCL_PATH, path_table
from bridge.core.settings.bounds import beyond_ceiling
from bridge.core.settings.live import LiveSettings, RefusedSettings
from bridge.core.settings.relations import SECTIONS
from bridge.core.settings.setting_paths import RESTORE, SETTINGS

CELLS = 2  # more of them are more of the same
CEILING = {"charge_current": 120, "discharge_current": 160, "cell_voltage": 3.6}
HIGHEST = {CCL_PATH: 120.0, DCL_PATH: 160.0, CVL_PATH: 3.6 * CELLS}

WRITABLE = [spec for spec in path_table(CELLS).values() if spec.writable]
ODD = [None, "", "off", "unknown", True, False, math.nan, math.inf, -math.inf, -1, 0, 1e308,
       10**400, [], [[0, 1], [1, 1]], [[0, 9]], {}, {"value": 1}, "all", "Limiter", "NaN", "9" * 50,
       '[[0,1],[50,1]]', "linear", "steps", "withdraw", "dc"]  # fmt: skip

paths = st.sampled_from([spec.path for spec in WRITABLE])
limiting = st.sampled_from([*HIGHEST, *SETTINGS, RESTORE])


@st.composite
def writes(draw: st.DrawFn) -> tuple[str, Any]:
    """A path, often one that matters to the limits, and a value that may well fit it."""
    path = draw(paths | limiting)
    spec = next(spec for spec in WRITABLE if spec.path == path)
    low, high = (spec.low, spec.high) if spec.quantity.kind is not str else (0, 5000)
    values = st.floats(low, high) | st.sampled_from([low, high]) | st.sampled_from(ODD)
    return path, draw(values)


@pytest.mark.promise("ceilings")
@given(st.lists(st.tuples(writes(), st.sampled_from(["mqtt", "dbus", "batch", "tick"]))))
@settings(max_examples=60, deadline=None)
def test_no_sequence_of_writes_passes_a_ceiling(steps: list[tuple[tuple[str, Any], str]]) -> None:
    bench = Bench(cells=CELLS, ceiling=CEILING)
    bench.feed()
    for (path, value), way in steps:
        if way == "dbus":
            bench.dbus(path, value)
        elif way == "tick":
            bench.pass_time(15, bench.feed)
        elif way == "batch":
            bench.battery.on_batch(_json({path: value}), "batch", bench.clock.now)
        else:
            bench.mqtt(path, _json({"value": value}))
        bench.battery.settle(bench.clock.now)
        for limit, highest in HIGHEST.items():
            shown = bench[limit]
            assert shown is None or 0 <= shown <= highest, (path, value, limit)  # type: ignore[operator]
    bench.pass_time(5, bench.feed)
    for limit, highest in HIGHEST.items():
        shown = bench[limit]
        assert shown is None or 0 <= shown <= highest  # type: ignore[operator]


def _json(content: object) -> bytes:
    return json.dumps(content).encode()


def test_every_writable_path_takes_its_extremes_without_passing_a_ceiling() -> None:
    """The battery loosens at once and is asked for nothing less, so that each has its effect."""
    quick = {"current_hold": 0, "current_rise": 1, "voltage_hold": 0, "voltage_rise": 1}
    for spec in WRITABLE:
        bench = Bench(cells=CELLS, ceiling=CEILING, limiter=quick)
        bench.feed()
        ends = [] if spec.quantity.kind is str else [spec.low, spec.high]
        for value in [*ends, *ODD]:
            bench.dbus(spec.path, value)
            bench.pass_time(3, bench.feed)
            for limit, highest in HIGHEST.items():
                shown = bench[limit]
                assert shown is None or 0 <= shown <= highest, spec.path  # type: ignore[operator]


changes = st.dictionaries(
    limiting.filter(lambda path: path.startswith("/Settings")),
    st.floats(0, 4) | st.floats(0, 300) | st.sampled_from(ODD),
    max_size=4,
)


@given(st.lists(changes, max_size=15))
@settings(deadline=None)
def test_what_is_in_force_is_always_sound_and_what_is_kept_brings_it_back(
    batches: list[dict[str, Any]],
) -> None:
    config = battery_config(cells=CELLS, ceiling=CEILING)
    live = LiveSettings(config)
    for batch in batches:
        before = live.in_force
        try:
            live.change(batch)
        except RefusedSettings:
            assert live.in_force == before
    for name, declared in SECTIONS.items():
        settings = getattr(live.in_force, name)
        assert declared.problems(settings) == []
        assert not list(beyond_ceiling(name, settings, config.ceiling))
    assert live.in_force.ceiling == config.ceiling
    again = LiveSettings(config)
    assert again.load(live.record()) == []
    assert again.in_force == live.in_force


@pytest.mark.promise("bounds")
@given(st.text() | st.dictionaries(st.sampled_from([s.key for s in SETTINGS.values()]),
       st.sampled_from(ODD) | st.floats(0, 300)).map(json.dumps))  # fmt: skip
@settings(deadline=None)
def test_whatever_is_in_the_store_what_is_in_force_is_sound(text: str) -> None:
    config = battery_config(cells=CELLS, ceiling=CEILING)
    live = LiveSettings(config)
    live.load(text)
    for name, declared in SECTIONS.items():
        settings = getattr(live.in_force, name)
        assert declared.problems(settings) == []
        assert not list(beyond_ceiling(name, settings, config.ceiling))


# --- the last word, where neither a setting nor a protection says anything ------------------------


def careless(**changes: Any) -> Bench:
    """A file without protection of temperatures, whose limits rise at once."""
    quick = {"current_hold": 0, "current_rise": 1, "voltage_hold": 0, "voltage_rise": 1}
    off = {"charge_temperature": [], "discharge_temperature": [], "low_cell_charge": []}
    return Bench(**{"limiter": {**quick, **off}, "ceiling": {}, **changes})


@pytest.mark.parametrize(
    ("chemistry", "degrees", "may_charge", "may_discharge"),
    [
        ("lfp", -15, False, True),
        ("lfp", 0, True, True),
        ("lfp", 56, False, True),
        ("lfp", -21, False, False),
        ("nmc", 46, False, True),
        ("lto", -15, True, True),
        ("lto", 61, False, False),
    ],
)
def test_no_current_where_it_is_too_cold_or_too_hot(
    chemistry: str, degrees: float, may_charge: bool, may_discharge: bool
) -> None:
    bench = careless(chemistry=chemistry)
    volts = bench.battery._control.config.limiter.min_charge_voltage
    bench.feed(volts, Dc_0_Temperature=degrees)
    assert (bench.ccl != 0, bench.dcl != 0) == (may_charge, may_discharge)
    if not may_charge:
        assert bench.state["rules"]["CCL"] == "ceiling"
        assert "ceiling.charge_temperature" in bench.state["reasons"]["CCL"]


def test_a_dead_cell_is_not_charged_although_the_file_has_no_curve_for_it() -> None:
    bench = careless(plausibility={"cell_voltage_step": 0})
    bench.feed(3.3)
    assert bench.ccl == 84
    bench.feed(3.3, Voltages_Cell5=1.9)
    assert bench.ccl == 0
    bench.pass_time(2)
    assert "must not be charged" in bench.state["reasons"]["CCL"]


@pytest.mark.promise("unknown")
def test_no_charge_without_any_voltage_whatever_is_required() -> None:
    bench = careless(freshness={"required": ["soc"]})
    bench.dbus("/Soc", 50)
    bench.settle()
    assert bench.state["stage"] == "fresh"
    assert bench.ccl == 0
    assert bench.state["reasons"]["CCL"] == "no voltage within ceiling.silence"
    assert bench.dcl == 140


def test_the_failsafe_of_the_file_is_allowed_without_a_voltage() -> None:
    """Whoever writes it there accepts a charge without data."""
    bench = careless(failsafe={"charge_current": 7})
    bench.feed()
    bench.pass_time(3000)
    assert bench.ccl == 7
    bench = careless(failsafe={"charge_current": 7}, ceiling={"failsafe": {"charge_current": 9}})
    bench.feed()
    bench.pass_time(3000)
    assert bench.ccl == 7


def test_a_limit_that_a_ceiling_lowered_rises_slowly() -> None:
    off = {"charge_temperature": [], "discharge_temperature": []}
    bench = Bench(limiter=off, ceiling={})
    bench.feed(Dc_0_Temperature=10)
    assert bench.ccl == 84
    bench.pass_time(120, lambda: bench.feed(Dc_0_Temperature=-5))
    assert bench.ccl == 0
    bench.feed(Dc_0_Temperature=5)
    assert bench.ccl == 0
    bench.pass_time(29, lambda: bench.feed(Dc_0_Temperature=5))
    assert bench.ccl == 0
    bench.pass_time(30, lambda: bench.feed(Dc_0_Temperature=5))
    assert bench.ccl == 84


@pytest.mark.promise("doubt")
def test_a_suspected_reading_counts() -> None:
    bench = careless(plausibility={"temperature_step": 5, "doubt": 3})
    bench.feed(Dc_0_Temperature=20)
    assert bench.ccl == 84
    bench.dbus("/Dc/0/Temperature", -15)  # far from the last one, so it is in doubt
    bench.pass_time(2)
    assert bench.ccl == 84
    bench.pass_time(3)
    assert bench.ccl == 0


# --- the default ceilings -------------------------------------------------------------------------


def test_what_the_file_sets_raises_a_default_ceiling() -> None:
    limiter = {
        "charge_temperature": [[-10, 0], [-5, 0.2], [20, 1], [40, 0]],
        "low_cell_charge": [[1.5, 0], [2.5, 1]],
    }
    config = battery_config(
        ceiling={}, limiter=limiter, freshness={"stale": 400}, failsafe={"discharge_current": 9}
    )
    ceiling = config.ceiling
    assert ceiling.charge_temperature == (-10, 55)
    assert ceiling.discharge_temperature == (-20, 60)
    assert ceiling.dead_cell == 1.5
    assert ceiling.silence == 400
    assert ceiling.failsafe == config.failsafe


def test_a_curve_that_is_off_or_open_at_its_end_raises_no_ceiling() -> None:
    open_ended = [[5, 0.5], [20, 1], [40, 0.5]]
    off = battery_config(ceiling={}, limiter={"charge_temperature": [], "low_cell_charge": []})
    wide = battery_config(ceiling={}, limiter={"charge_temperature": open_ended})
    assert off.ceiling.charge_temperature == wide.ceiling.charge_temperature == (0, 55)
    assert off.ceiling.dead_cell == 2.0


def test_a_ceiling_that_the_file_names_holds() -> None:
    named = {"charge_temperature": [5, 40], "dead_cell": 2.2, "silence": 100}
    ceiling = battery_config(ceiling=named).ceiling
    assert (ceiling.charge_temperature, ceiling.dead_cell) == ((5, 40), 2.2)
    assert ceiling.silence == 100


def test_every_ceiling_is_shown_on_the_bus() -> None:
    bench = Bench(ceiling={}, failsafe={"charge_current": 3})
    assert bench["/Settings/Ceiling/ChargeTemperature"] == "[0,55]"
    assert bench["/Settings/Ceiling/Silence"] == 300
    assert bench["/Settings/Ceiling/FailsafeChargeCurrent"] == 3
