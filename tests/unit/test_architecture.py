"""Which part of the house may lean on which, read from the syntax trees."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

BRIDGE = Path(__file__).parents[2] / "bridge"
FILES = sorted(BRIDGE.rglob("*.py"))

# One outside library, one file; dbus serves both sides of the bus.
LIBRARIES = {
    "paho": {"adapters/mqtt_link.py"},
    "gi": {"adapters/loop.py"},
    "yaml": {"adapters/config.py"},
    "vedbus": {"adapters/dbus_service.py"},
    "ve_utils": {"adapters/dbus_service.py"},
    "dbus": {"adapters/dbus_service.py", "adapters/settings.py"},
    "matplotlib": {"adapters/plot.py"},
}

# One battery, which knows ports and no library.
BATTERY = {"battery.py", "ports.py", "teller.py"}

# What the core may not even take from the standard library: clocks, threads, the outside, logs.
IMPURE = {"time", "threading", "logging", "os", "sys", "socket", "subprocess", "asyncio", "random"}

# Missing on a normal Venus OS image from v3.60 on.
NOT_ON_A_GX = {"difflib", "statistics", "unittest", "multiprocessing", "mmap", "sqlite3", "tomllib"}


def imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def where(file: Path) -> str:
    return file.relative_to(BRIDGE).as_posix()


@pytest.mark.parametrize("file", FILES, ids=where)
def test_imports_go_one_way(file: Path) -> None:
    for name in imports(file):
        if not name.startswith("bridge."):
            continue
        part = name.split(".")[1]
        if where(file).startswith("core/"):
            assert part == "core", f"the core imports {name}"
        elif where(file).startswith("adapters/"):
            assert part == "core", f"an adapter imports {name}"
        elif where(file) in BATTERY:
            assert part in ("core", "ports", "teller"), f"the battery imports {name}"


@pytest.mark.parametrize("file", FILES, ids=where)
def test_each_outside_library_has_its_file(file: Path) -> None:
    for name in imports(file):
        top = name.split(".")[0]
        if top in sys.stdlib_module_names or top == "bridge" or top == "__future__":
            continue
        assert where(file) in LIBRARIES[top], f"{top} in {where(file)}"


@pytest.mark.parametrize("file", FILES, ids=where)
def test_nothing_needs_what_a_gx_lacks(file: Path) -> None:
    assert not {name.split(".")[0] for name in imports(file)} & NOT_ON_A_GX


def test_the_wall_clock_is_read_at_the_edge_only() -> None:
    """It may jump by years. Only what is told to people, or hangs on the calendar, asks it;
    and a recording, which is not the service."""
    wall = re.compile(r"\btime\.time\b|\bdatetime\.now\b|\bdate\.today\b|\butcnow\b|\blocaltime\b")
    readers = {where(file) for file in FILES if wall.search(file.read_text(encoding="utf-8"))}
    assert readers <= {"app.py", "adapters/loop.py", "record.py", "replay.py"}


@pytest.mark.parametrize(
    "file", [file for file in FILES if where(file).startswith("core/")], ids=where
)
def test_the_core_is_pure(file: Path) -> None:
    assert not {name.split(".")[0] for name in imports(file)} & IMPURE
