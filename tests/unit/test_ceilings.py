"""No write, setting or request lifts a limit past the ceilings of the configuration."""

from __future__ import annotations

import json
import math
from typing import Any

from doubles import Bench, battery_config
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.core.paths.table import CCL_PATH, CVL_PATH, DCL_PATH, path_table
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
        assert declared.problems(getattr(live.in_force, name), config.ceiling) == []
    assert live.in_force.ceiling == config.ceiling
    again = LiveSettings(config)
    assert again.load(live.record()) == []
    assert again.in_force == live.in_force


@given(st.text() | st.dictionaries(st.sampled_from([s.key for s in SETTINGS.values()]),
       st.sampled_from(ODD) | st.floats(0, 300)).map(json.dumps))  # fmt: skip
@settings(deadline=None)
def test_whatever_is_in_the_store_what_is_in_force_is_sound(text: str) -> None:
    config = battery_config(cells=CELLS, ceiling=CEILING)
    live = LiveSettings(config)
    live.load(text)
    for name, declared in SECTIONS.items():
        assert declared.problems(getattr(live.in_force, name), config.ceiling) == []
