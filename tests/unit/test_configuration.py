"""The configuration file: all mistakes at once, each with its place, and presets that fit."""

from __future__ import annotations

import copy
import dataclasses
import io
import json
import re
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.__main__ import LONGEST_PROBLEM, main
from bridge.adapters.config import MAX_SIZE, load
from bridge.core.settings.configuration import BadConfiguration, Config, parse
from bridge.core.settings.declarations import (
    Ceiling,
    FailsafeSettings,
    FreshnessSettings,
    LimiterSettings,
    fields_of,
)
from bridge.core.settings.presets import PRESETS
from bridge.core.settings.relations import SECTIONS
from bridge.tools.overview import overview

EXAMPLE = Path(__file__).parents[2] / "config.yaml"

MINIMAL: dict[str, Any] = {
    "batteries": [{"ident": "virtual", "cells": 16, "chemistry": "lfp", "capacity": 280}]
}


def with_battery(**changes: Any) -> dict[str, Any]:
    raw = copy.deepcopy(MINIMAL)
    raw["batteries"][0].update(changes)
    return raw


def problems_of(raw: object) -> list[str]:
    with pytest.raises(BadConfiguration) as bad:
        parse(raw)
    return bad.value.problems


def test_the_example_is_sound_and_says_what_its_comments_say() -> None:
    config = load(str(EXAMPLE))
    assert config.batteries[0].ident == "virtual"
    assert config.batteries[0].limiter.max_charge_current == 100
    assert parse(uncommented()) is not None


def uncommented() -> object:
    """The example with every commented setting switched on: its comments must be true YAML."""
    import yaml

    lines = []
    for line in EXAMPLE.read_text(encoding="utf-8").splitlines():
        body = line.lstrip()
        setting = body[2:].lstrip() if body.startswith("# ") else ""
        is_setting = line[:1] == " " and re.match(r"[a-z_0-9]+:", setting) is not None
        lines.append(line.replace("# ", "", 1) if is_setting else line)
    return yaml.safe_load("\n".join(lines))


def test_the_commented_numbers_are_the_defaults() -> None:
    raw = uncommented()
    assert isinstance(raw, dict)
    sections = {name: raw["batteries"][0][name] for name in ("ceiling", *SECTIONS)}
    plain = load(str(EXAMPLE)).batteries[0]
    for section, commented in sections.items():
        in_force = getattr(plain, section)
        optional = {spec.name for spec in fields_of(type(in_force)) if spec.default in (None, ())}
        for name, value in commented.items():
            if name not in optional:
                assert value == _as_yaml(getattr(in_force, name)), f"{section}.{name}"


def _as_yaml(value: Any) -> Any:
    """A setting in the form of the configuration file."""
    if isinstance(value, tuple):
        return [_as_yaml(part) for part in value]
    return dataclasses.asdict(value) if dataclasses.is_dataclass(value) else value


@pytest.mark.parametrize("chemistry", PRESETS)
@pytest.mark.parametrize("cells", [1, 4, 16, 256])
def test_each_chemistry_supplies_every_number(chemistry: str, cells: int) -> None:
    config = parse(with_battery(chemistry=chemistry, cells=cells))
    limiter = config.batteries[0].limiter
    for field in dataclasses.fields(limiter):
        value = getattr(limiter, field.name)
        assert value is None or isinstance(value, (float, str, tuple)), field.name
    assert "battery virtual" in overview(config)


@pytest.mark.parametrize(
    ("alarm", "ceiling_of"),
    [
        ("high_cell_voltage", lambda c: c.cell_voltage),
        ("low_cell_voltage", lambda c: c.min_cell_voltage),
        ("high_voltage", lambda c: c.cell_voltage),
        ("low_voltage", lambda c: c.min_cell_voltage),
        ("low_charge_temperature", lambda c: c.charge_temperature[0]),
        ("high_charge_temperature", lambda c: c.charge_temperature[1]),
        ("low_temperature", lambda c: c.discharge_temperature[0]),
        ("high_temperature", lambda c: c.discharge_temperature[1]),
    ],
)
@pytest.mark.parametrize("chemistry", PRESETS)
def test_a_default_alarm_comes_no_later_than_its_ceiling(
    chemistry: str, alarm: str, ceiling_of: Callable[[Ceiling], float]
) -> None:
    battery = parse(with_battery(chemistry=chemistry)).batteries[0]
    warning, level = getattr(battery.alarms, alarm)
    ceiling = ceiling_of(battery.ceiling)
    if alarm.startswith("low"):
        warning, level, ceiling = -warning, -level, -ceiling
    assert warning <= level <= ceiling


def test_without_a_ceiling_the_file_itself_is_the_ceiling() -> None:
    battery = parse(with_battery(limiter={"max_charge_current": 70})).batteries[0]
    assert battery.ceiling.charge_current == 70
    assert battery.ceiling.discharge_current == battery.limiter.max_discharge_current


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"cells": 0}, "batteries[0].cells: 0 is outside 1 to 256"),
        ({"cells": "16"}, "batteries[0].cells: must be a whole number, not text"),
        ({"cells": True}, "batteries[0].cells: must be a whole number, not on/off"),
        ({"cells": None}, "batteries[0].cells: is missing"),
        ({"ident": "my battery"}, "batteries[0].ident: 'my battery' is not allowed"),
        ({"ident": "1st"}, "batteries[0].ident: '1st' is not allowed"),
        ({"chemistry": "lifepo4"}, "batteries[0].chemistry: 'lifepo4' is none of lfp, lto, nmc"),
        ({"capacity": float("nan")}, "batteries[0].capacity: nan is not a number to work with"),
        ({"capacity": float("inf")}, "batteries[0].capacity: inf is not a number to work with"),
        ({"limiter": {"cv1": 3.6}}, "batteries[0].limiter.cv1: 3.6 is above cv2 (3.45)"),
        ({"limiter": {"cv1": 3400}}, "batteries[0].limiter.cv1: 3400 is outside 1 to 4.5 V"),
        ({"limiter": {"cv1": "3.4"}}, "batteries[0].limiter.cv1: '3.4' is text, a number is"),
        ({"limiter": {"cV1": 3.4}}, 'limiter.cV1: is not a known key; did you mean "cv1"?'),
        ({"limiter": 5}, "batteries[0].limiter: must be a mapping of keys to values, not a num"),
        ({"limiter": {"dv1": 3.1}}, "limiter.max_discharge_current_below_dv1: is missing"),
        (
            {"limiter": {"charge_soc": [[90, 1], [80, 0]]}},
            "limiter.charge_soc: x must rise from point to point, but 80 follows 90",
        ),
        ({"limiter": {"charge_soc": [[90, 1.5], [95, 0]]}}, "charge_soc: point 1: 1.5 is outside"),
        ({"limiter": {"charge_soc": [[90, 1]]}}, "charge_soc: one point is no curve"),
        ({"limiter": {"taper": "smooth"}}, "limiter.taper: 'smooth' is none of steps, linear"),
        (
            {"ceiling": {"charge_current": 50}, "limiter": {"max_charge_current": 60}},
            "limiter.max_charge_current: 60 A is above ceiling.charge_current 50 A",
        ),
        (
            {"ceiling": {"discharge_current": 5000}, "failsafe": {"charge_current": 900}},
            "failsafe.charge_current: 900 A is above ceiling.charge_current 84 A",
        ),
        (
            {"limiter": {"min_cell_voltage": 2.0}},
            "limiter.min_cell_voltage: 2 V is below ceiling.min_cell_voltage 2.5 V",
        ),
        ({"freshness": {"required": []}}, "freshness.required: must name at least one group"),
        ({"freshness": {"required": ["cell"]}}, 'freshness.required: \'cell\' is none of cells'),
        ({"freshness": {"aging": 90}}, "freshness.aging: 90 is above stale (60)"),
        ({"freshness": {"on_lost": "panic"}}, "on_lost: 'panic' is none of hold, withdraw"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place(changes: dict[str, Any], problem: str) -> None:
    assert any(problem in words for words in problems_of(with_battery(**changes)))


def test_all_mistakes_are_reported_at_once() -> None:
    raw = with_battery(cells=0, chemistry="x", limiter={"cv1": 99, "nonsense": 1})
    raw["mqtt"] = {"port": 0, "tls": {"insecure": "maybe"}, "notifications": "loud"}
    raw["matt"] = 1
    assert len(problems_of(raw)) == 8


@pytest.mark.parametrize("raw", [None, [], "text", 3, {}, {"batteries": []}, {"batteries": {}}])
def test_a_file_without_batteries_is_refused(raw: object) -> None:
    assert problems_of(raw)


@pytest.mark.parametrize("name", ["ident", "instance"])
def test_two_batteries_do_not_share_an(name: str) -> None:
    one = {**MINIMAL["batteries"][0], "ident": "one", "instance": 1}
    two = {**one, "ident": "two", "instance": 2, name: one[name]}
    assert problems_of({"batteries": [one, two]}) == [
        f"batteries[1].{name}: {one[name]!r} is taken by batteries[0]"
    ]


@pytest.mark.parametrize("topic", ["N", "W/x", "a/#", "a//b", "/a", "homeassistant"])
def test_topics_of_others_are_refused(topic: str) -> None:
    assert problems_of({**MINIMAL, "mqtt": {"base_topic": topic}})


def test_a_bare_off_in_yaml_is_the_word_off() -> None:
    config = parse({**MINIMAL, "mqtt": {"notifications": False}})
    assert config.mqtt.notifications == "off"


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
known_keys = st.sampled_from(
    [spec.name for kind in (LimiterSettings, FreshnessSettings, FailsafeSettings)
     for spec in fields_of(kind)]
)  # fmt: skip


@given(st.dictionaries(known_keys, junk), junk)
def test_no_junk_raises_anything_but_bad_configuration(limiter: object, other: object) -> None:
    for raw in (with_battery(limiter=limiter, freshness=limiter, failsafe=other), other):
        try:
            assert isinstance(parse(raw), Config)
        except BadConfiguration as bad:
            assert bad.problems


# --- the file itself --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("batteries: [", "line 1, column 13"),
        ("mqtt: {port: 1, port: 2}", "'port' is there twice"),
        ("{[1]: 2}", "a key must be a word"),
        ("!!python/object:os.system {}", "only text, numbers, on/off, lists and mappings"),
        ("\t- x", "line 1"),
        ("a:\n\t- x", "line 2"),
        ("a: b: c", "line 1, column 5"),
        ("a: 0x_", "line 1, column 4: '0x_' cannot be read as int"),
        ("a: " + "9" * 5000, "line 1, column 4: .* cannot be read as int"),
        ("a: 0x" + "f" * 5000, "cannot be read as int"),
        ("a: !!int x", "cannot be read as int"),
        ("a: !!bool x", "cannot be read as bool"),
        ("a: !!float x", "cannot be read as float"),
        ("a: !!timestamp x", "'timestamp': only text"),
        ("a: !!binary x", "'binary': only text"),
        ("a: !!set {b}", "'set': only text"),
        ("? !!set {a}\n: 1", "'set': only text"),
        ("a: !!omap [b: 1]", "'omap': only text"),
        ("a: !!map x", "is no mapping"),
        ("a: !!seq x", "line 1"),
        ("a: &a {}\nb: {<<: *a}", "'merge': only text"),
        ("=: 1", "'value': only text"),
        ("a: *b", "line 1, column 4: found undefined alias"),
        ("a: &a [*a]", "values with its aliases"),
        ("a: &a {b: *a}", "values with its aliases"),
        ("[" * 900, "is nested too deeply"),
        ("a\0: 1", "line 1: the character U\\+0000 is not allowed"),
        ("a:\n  b\x07: 1", "line 2: the character U\\+0007 is not allowed"),
        ("- a", "must be a mapping"),
        ("text", "must be a mapping"),
        ("--- a\n--- b", "line 2"),
        ("%YAML 3.0\n---", "line 1"),
        ("", "batteries: must list"),
        ("x" * (MAX_SIZE + 1), "is longer than"),
    ],
)
def test_a_file_that_is_no_yaml_is_refused_with_its_line(
    tmp_path: Path, text: str, words: str
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(BadConfiguration, match=words):
        load(str(file))


def test_an_alias_that_stands_for_more_than_any_memory_holds_is_refused(tmp_path: Path) -> None:
    tens = [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    file = tmp_path / "config.yaml"
    file.write_text("\n".join(["a0: &a0 x", *tens, "batteries: *a11"]))
    with pytest.raises(BadConfiguration, match=r"has more than \d+ values with its aliases"):
        load(str(file))


def test_an_alias_in_its_usual_use(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    one = "{ident: a, instance: 1, cells: 4, chemistry: lfp, capacity: 9, limiter: &l {cv1: 3.4}}"
    two = "{ident: b, instance: 2, cells: 4, chemistry: lfp, capacity: 9, limiter: *l}"
    file.write_text(f"batteries:\n- {one}\n- {two}\n")
    assert [battery.limiter.cv1 for battery in load(str(file)).batteries] == [3.4, 3.4]


def test_what_looks_like_a_date_is_text(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    for name in ("2001-11-11", "2001-13-45"):
        file.write_text(json.dumps(MINIMAL).replace('"virtual"', f'"virtual", "name": {name}'))
        assert load(str(file)).batteries[0].name == name


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_byte_order_mark_and_lines_of_windows_are_taken(
    tmp_path: Path, start: bytes, end: bytes
) -> None:
    file = tmp_path / "config.yaml"
    file.write_bytes(start + EXAMPLE.read_bytes().replace(b"\n", end))
    assert load(str(file)) == load(str(EXAMPLE))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "latin-1"])
def test_another_encoding_is_refused(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_bytes(EXAMPLE.read_text(encoding="utf-8").encode(encoding, "replace"))
    with pytest.raises(BadConfiguration, match=r"is not UTF-8 text|is not allowed"):
        load(str(file))


# What people and editors make of a file: parts that are lost, doubled, moved or replaced by these.
ODD = (
    "\t", " ", "\n", ":", ": ", "- ", "[", "]", "{", "}", "#", "&a ", "*a", "!!int ", "!!set ", "'",
    '"', "|", ">", "<<: ", "? ", "---\n", "%", "@", "`", "\0", "\ufeff", "\u2028", "\\ud800", "é",
    "2001-13-45", "0x_", "0b", "0o9", "1_", ".", "-.inf", ".nan", "1e999", "9" * 400, "12:34:56",
    "~", "null", "on", "yes", "=", "!!timestamp x", "!!python/name:os.system ", '"\\0"',
    '"\\uD800"', '"\\e[2J"', "x" * 2000, "[[1, 2], [3, 4]]", "-1", "1e-400", "{a: 1, a: 2}",
)  # fmt: skip


@st.composite
def edited(draw: st.DrawFn) -> str:
    """The example without its comments, after some edits."""
    text = _WITHOUT_COMMENTS
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        after = at + draw(st.sampled_from((0, 0, 1, 5, 60)))
        if draw(st.booleans()):  # a whole value
            at = text.find(":", at) + 1
            after = max(at, text.find("\n", at))
        kept = text[at:after] if draw(st.booleans()) else ""
        text = text[:at] + kept + draw(st.sampled_from(ODD)) + text[after:]
    return text


_WITHOUT_COMMENTS = "".join(
    line.split("#")[0].rstrip() + "\n"
    for line in EXAMPLE.read_text(encoding="utf-8").splitlines()
    if line.split("#")[0].strip()
)


def _is_taken_or_refused(folder: Path, text: str) -> None:
    """The whole way of a file: the command line, with one line for each mistake."""
    file = folder / "config.yaml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = main(["check", str(file)])
    assert status in (0, 2)
    words = err.getvalue().splitlines()
    assert (status == 2) == bool(words) and len(words) != 1
    assert all(len(line) < LONGEST_PROBLEM + 100 for line in words)
    assert all(line.isprintable() for line in words)


_EDITS = settings(suppress_health_check=list(HealthCheck))


@settings(_EDITS, max_examples=60)
@given(text=edited())
def test_an_edited_file_is_taken_or_refused(tmp_path: Path, text: str) -> None:
    _is_taken_or_refused(tmp_path, text)


@pytest.mark.promise("configuration")
@pytest.mark.slow
@settings(_EDITS, max_examples=600)
@given(text=edited())
def test_however_a_file_is_edited_it_is_taken_or_refused(tmp_path: Path, text: str) -> None:
    _is_taken_or_refused(tmp_path, text)


@pytest.mark.parametrize("odd", ODD)
def test_whatever_stands_behind_a_key_it_is_taken_or_refused(tmp_path: Path, odd: str) -> None:
    for key in ("  host", "    name", "    cells", "    chemistry"):
        lines = _WITHOUT_COMMENTS.splitlines(keepends=True)
        edited = [f"{key}: {odd}\n" if line.startswith(f"{key}:") else line for line in lines]
        assert edited != lines
        _is_taken_or_refused(tmp_path, "".join(edited))


def test_files_that_are_named_and_missing_are_mistakes(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    files = {name: str(tmp_path / f"no-{name}") for name in ("ca", "cert", "key")}
    mqtt = {"username": "me", "password_file": str(tmp_path / "no-password"), "tls": files}
    file.write_text(json.dumps({**MINIMAL, "mqtt": mqtt}), encoding="utf-8")
    with pytest.raises(BadConfiguration) as bad:
        load(str(file))
    assert [words.split(":")[0] for words in bad.value.problems] == [
        "mqtt.password_file", "mqtt.tls.ca", "mqtt.tls.cert", "mqtt.tls.key",
    ]  # fmt: skip


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for file in (tmp_path / "absent", tmp_path, tmp_path / "binary"):
        with pytest.raises(BadConfiguration):
            load(str(file))
