"""Renews the generated tables of the documentation: `./run docs`. A test fails when they are old.

The results in docs/comparison.md take minutes: `./run compare` renews them.

Each table stands between `<!-- name -->` and `<!-- end name -->`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from bridge.battery.control import INPUTS
from bridge.core.limiter.protection import Protection
from bridge.core.limiter.protections import PROTECTIONS
from bridge.core.measurements.inputs import Input
from bridge.core.paths.gate import PathSpec, Role
from bridge.core.paths.table import ROWS
from bridge.core.settings.bounds import BOUND_OF, in_words
from bridge.core.settings.declarations import (
    FROM_PRESET,
    LEVELS,
    NUMBER,
    TIME,
    WINDOW,
    Ceiling,
    Spec,
    fields_of,
)
from bridge.core.settings.presets import CEILINGS, PRESETS
from bridge.core.settings.relations import SECTIONS
from bridge.core.settings.setting_paths import OFF, SETTINGS, Setting
from tests.comparison.contestants import CONTESTANTS
from tests.comparison.scenarios import SCENARIOS
from tests.promises import PROMISES, holders

ROOT = Path(__file__).resolve().parent.parent

_WHO = {
    Role.IDENTITY: "fixed",
    Role.NAME: "you",
    Role.MEASUREMENT: "you",
    Role.ALARM: "you and it",
    Role.REQUEST: "you: a request",
    Role.DECISION: "it",
    Role.PAGE: "the GUI",
    Role.COMMAND: "you: a command",
}


def paths_table() -> str:
    """Every path that holds no setting."""
    rows = (row for row in ROWS if row.role in _WHO)
    return markdown(("path", "type", "range", "group", "decided by", "what"), map(_path_row, rows))


def _path_row(row: PathSpec) -> tuple[str, ...]:
    path = row.path.replace("{cell}", "*n*")
    group = row.group.value if row.group else ""
    return (path, row.quantity.kind.__name__, _range(row), group, _WHO[row.role], row.doc)


def settings_table() -> str:
    """Every setting that clients may change."""
    head = ("path below /Settings/", "in the file", "range", "default", "clients", "what")
    return markdown(head, map(_setting_row, SETTINGS.values()))


def _setting_row(setting: Setting) -> tuple[str, ...]:
    spec = setting.spec
    name = f"{setting.section}.{spec.name}"
    return (setting.key, name, _setting_range(setting), _default(setting), in_words(name), spec.doc)


def ceilings_table() -> str:
    """Every ceiling, with its default for each chemistry."""
    head = ("below ceiling:", *(f"default for {name}" for name in CEILINGS), "what")
    return markdown(head, map(_ceiling_row, fields_of(Ceiling)))


def _ceiling_row(spec: Spec) -> tuple[str, ...]:
    usual = (_usual(spec, chemistry) for chemistry in CEILINGS)
    return (spec.name, *usual, spec.doc)


def _usual(spec: Spec, chemistry: str) -> str:
    value = CEILINGS[chemistry].get(spec.name, spec.default)
    if value is FROM_PRESET:
        value = PRESETS[chemistry].get(spec.name)
    if value is None:
        return f"limiter.max_{spec.name}"
    if spec.kind == WINDOW:
        return f"{value[0]:g} to {value[1]:g} {spec.unit}"
    return ", ".join(value) if isinstance(value, tuple) else f"{value:g} {spec.unit}"


def bounds_table() -> str:
    """What clients may change, with the settings of each kind."""
    settings: dict[str, list[str]] = {}
    for setting, bound in BOUND_OF.items():
        settings.setdefault(bound, []).append(setting)
    rows = [(_bound_in_words(names), _codes(names)) for names in settings.values()]
    file_only = [
        f"{section}.{spec.name}"
        for section, part in SECTIONS.items()
        for spec in fields_of(part.kind)
        if spec.file_only
    ]
    rows.append(("only the file sets it", _codes(["ceiling", *file_only])))
    return markdown(("how far clients may change it", "settings"), rows)


def _bound_in_words(settings: list[str]) -> str:
    """The same words as in the table of all settings."""
    words = {in_words(name) for name in settings}
    return words.pop() if len(words) == 1 else f"within ceiling.{BOUND_OF[settings[0]]}"


def _codes(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _setting_range(setting: Setting) -> str:
    spec = setting.spec
    if spec.choices:
        return ", ".join(spec.choices)
    if spec.kind == TIME:
        return "HH:MM"
    if spec.kind == NUMBER:
        return f"{spec.low:g} to {spec.high:g} {spec.unit}".rstrip()
    if spec.kind == LEVELS:
        return f"[warning, alarm] in {spec.unit}"
    return f"[[{spec.unit}, {spec.y_unit or 'share'}], …]" if spec.unit else "list"


def _default(setting: Setting) -> str:
    default = setting.spec.default
    if default is FROM_PRESET:
        return "by chemistry"
    return OFF if default is None or default == () else setting.words(default)


def _range(row: PathSpec) -> str:
    if row.quantity.kind is str:
        return f"{row.high:g} characters"
    return f"{row.low:g} to {row.high:g} {row.quantity.unit}".rstrip()


def markdown(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def protections_table() -> str:
    """Every protection, with the inputs that it rests on."""
    head = ("limit", "protection", "what it allows", "rests on", "remembers")
    return markdown(head, map(_protection_row, PROTECTIONS))


def _protection_row(protection: Protection) -> tuple[str, ...]:
    inputs = sorted(source.name for source in protection.inputs)
    latch = "yes" if protection.latch else ""
    return (protection.limit, protection.name, protection.what, ", ".join(inputs), latch)


def inputs_table() -> str:
    """Everything that is followed, by the paths that are written."""
    head = ("input", "group", "paths", "doubted beyond", "protections")
    return markdown(head, map(_input_row, INPUTS))


def _input_row(source: Input[Any]) -> tuple[str, ...]:
    paths = [path.replace("{cell}", "*n*") for path in (*source.paths, *source.stand_ins)]
    users = dict.fromkeys(p.name for p in PROTECTIONS if source in p.inputs)
    doubted = f"plausibility.{source.plausible.step}" if source.plausible else ""
    return (source.name, source.group.value, ", ".join(paths), doubted, ", ".join(users))


def scenarios_table() -> str:
    """What the comparison simulates. Its results take minutes: ./run compare."""
    return markdown(("scenario", "what"), ((each.name, each.what) for each in SCENARIOS))


def contestants_table() -> str:
    """Who steers the pack in the comparison."""
    rows = ((name, entry.what) for name, entry in CONTESTANTS.items())
    return markdown(("who steers", "what it is"), rows)


def promises_table() -> str:
    """What is promised, with the tests that hold it."""
    tests: dict[str | None, list[str]] = {}
    for holder in holders():
        file = holder.file.relative_to(ROOT).as_posix()
        name = holder.test.removeprefix("test_").replace("_", " ")
        tests.setdefault(holder.promise, []).append(f"[{name}](../{file})")
    rows = ((words, "; ".join(tests.get(key, []))) for key, words in PROMISES.items())
    return markdown(("promise", "held by"), rows)


TABLES: dict[Path, dict[str, Callable[[], str]]] = {
    ROOT / "README.md": {"paths": paths_table, "settings": settings_table},
    ROOT / "docs" / "protections.md": {"protections": protections_table, "inputs": inputs_table},
    ROOT / "docs" / "trust.md": {"ceilings": ceilings_table, "bounds": bounds_table},
    ROOT / "docs" / "promises.md": {"promises": promises_table},
    ROOT / "docs" / "comparison.md": {
        "scenarios": scenarios_table,
        "contestants": contestants_table,
    },
}


def renewed(file: Path) -> str:
    """A document with every table of it made afresh."""
    text = file.read_text(encoding="utf-8")
    for name, made in TABLES[file].items():
        text = with_table(text, name, made())
    return text


def with_table(text: str, name: str, table: str) -> str:
    """A document with another table in the place of this name."""
    begin, end = f"<!-- {name} -->", f"<!-- end {name} -->"
    before, rest = text.split(begin)
    after = rest.split(end)[1]
    return f"{before}{begin}\n\n{table}\n\n{end}{after}"


def table_in(text: str, name: str) -> list[tuple[str, ...]]:
    """The rows of the table in the place of this name, without its head."""
    place = text.split(f"<!-- {name} -->")[1].split(f"<!-- end {name} -->")[0]
    lines = [line for line in place.splitlines() if line.startswith("|")]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines[2:]]


def main() -> int:
    for file in TABLES:
        before, after = file.read_text(encoding="utf-8"), renewed(file)
        file.write_text(after, encoding="utf-8")
        print(f"{file.name}", "is as it was" if before == after else "has new tables")
    return 0


if __name__ == "__main__":
    sys.exit(main())
