"""Which part of the house may import which: read from the syntax trees, forbidden unless allowed.

Every Python file of `bridge/` and `docker/` must fall under a rule below; a new folder without one
fails here.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BRIDGE = ROOT / "bridge"
DOCKER = ROOT / "docker"
FILES = sorted(BRIDGE.rglob("*.py"))
DOCKER_FILES = sorted(DOCKER.rglob("*.py"))

# Place in bridge/ -> what it may import of bridge/. The longest matching place decides.
# A place is a file, or a folder with everything below it.
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "__init__.py": (),
    "__main__.py": ("",),
    "app.py": (
        "__init__.py",
        "adapters/",
        "core/",
        "gateways/",
        "host.py",
        "inbox.py",
        "portal.py",
        "standstill.py",
        "topics.py",
    ),
    "host.py": (
        "__init__.py",
        "adapters/",
        "battery/",
        "core/",
        "gateways/",
        "ports.py",
        "topics.py",
    ),
    "inbox.py": ("core/", "ports.py", "topics.py"),
    "portal.py": ("core/",),
    "standstill.py": (),
    "ports.py": ("core/model.py", "core/paths/"),
    "topics.py": (),
    "battery/": ("battery/", "core/", "ports.py", "topics.py"),
    "gateways/__init__.py": (),
    "gateways/victron_mqtt/": ("core/", "gateways/victron_mqtt/", "ports.py", "topics.py"),
    "gateways/home_assistant/": ("core/", "gateways/home_assistant/", "ports.py", "topics.py"),
    "adapters/": ("core/",),
    "adapters/broker.py": ("core/", "adapters/private_file.py", "adapters/small_file.py"),
    "adapters/broker_trouble.py": ("core/text.py", "adapters/broker.py"),
    "adapters/config.py": ("core/", "adapters/broker.py", "adapters/small_file.py"),
    "adapters/health.py": ("adapters/ending.py",),
    "adapters/loop.py": ("adapters/ending.py", "core/model.py"),
    "adapters/mqtt_link.py": (
        "adapters/broker.py",
        "adapters/broker_trouble.py",
        "adapters/mailbox.py",
    ),
    "adapters/private_file.py": ("adapters/small_file.py",),
    "tools/": ("adapters/", "battery/", "core/", "tools/", "topics.py"),
    "tools/watch/": ("adapters/", "core/", "tools/stop_request.py", "tools/watch/", "topics.py"),
    # The rooms of the core, each on those above it. Paths and settings are one storey: a setting
    # has a path, and the table of paths has the settings' rows.
    "core/": (),
    "core/panel.py": (),
    "core/typed_json.py": (),
    "core/text.py": (),
    "core/strict_json.py": ("core/text.py",),
    "core/throttle.py": (),
    "core/model.py": (),
    "core/paths/": (
        "core/model.py",
        "core/strict_json.py",
        "core/text.py",
        "core/paths/",
        "core/settings/",
    ),
    "core/settings/": (
        "core/model.py",
        "core/strict_json.py",
        "core/text.py",
        "core/throttle.py",
        "core/paths/",
        "core/settings/",
    ),
    "core/measurements/": (
        "core/model.py",
        "core/typed_json.py",
        "core/paths/gate.py",
        "core/paths/table.py",
        "core/settings/declarations.py",
        "core/settings/tables.py",
        "core/measurements/",
    ),
    "core/limiter/": (
        "core/strict_json.py",
        "core/typed_json.py",
        "core/model.py",
        "core/settings/",
        "core/measurements/",
        "core/limiter/",
    ),
    # A protection and the charge plan see a situation. They know nothing of caps, of what is kept,
    # or of the decision.
    "core/limiter/charging/": (
        "core/typed_json.py",
        "core/model.py",
        "core/settings/declarations.py",
        "core/measurements/",
        "core/limiter/charging/",
        "core/limiter/protection.py",
        "core/limiter/recovery.py",
        "core/limiter/seasons.py",
        "core/limiter/situation.py",
    ),
    "core/limiter/protections/": (
        "core/typed_json.py",
        "core/model.py",
        "core/settings/declarations.py",
        "core/settings/tables.py",
        "core/measurements/",
        "core/limiter/charging/",
        "core/limiter/curves.py",
        "core/limiter/falls.py",
        "core/limiter/protection.py",
        "core/limiter/protections/",
        "core/limiter/recovery.py",
        "core/limiter/seasons.py",
        "core/limiter/situation.py",
        "core/limiter/sweeps.py",
    ),
    # The last word shares nothing with what it watches over: only the form of the ceilings.
    "core/limiter/ceiling.py": ("core/settings/declarations.py",),
    "core/packs/": (
        "core/model.py",
        "core/paths/",
        "core/settings/",
        "core/measurements/",
        "core/limiter/",
    ),
    "core/outputs/": (
        "core/model.py",
        "core/paths/",
        "core/settings/",
        "core/measurements/",
        "core/limiter/",
        "core/outputs/",
    ),
}

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

# What may not be used where nothing may happen by itself: clocks, threads, the outside, logs.
IMPURE = {"time", "threading", "logging", "os", "sys", "socket", "subprocess", "asyncio", "random"}

PURE = ("core/", "standstill.py", "topics.py", "ports.py")

# What stands around the bridge knows it only as a person would: by its command line, its
# configuration and its topics. The files of one folder import one another, and these libraries.
AROUND_LIBRARIES = {"broker/": set(), "gx/": {"dbus", "gi", "paho", "yaml"},
                    "health.py": {"dbus", "paho"}}  # fmt: skip
AROUND_MAY_IMPORT = {"gx/session.py": ("adapters/config.py", "core/settings/", "topics.py"),
                     "gx/welcome.py": ("core/", "topics.py"),
                     "health.py": ("adapters/broker.py", "adapters/config.py",
                                   "core/settings/", "topics.py"),
                     }  # fmt: skip

# Missing on a normal Venus OS image from v3.60 on.
NOT_ON_A_GX = {"difflib", "statistics", "unittest", "multiprocessing", "mmap", "sqlite3", "tomllib"}


def imports(file: Path) -> Iterator[str]:
    """The modules that a file imports; of `from a import b` both a and, where it is one, a.b."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            assert node.module, f"{file}: an import without a module"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if _file_of(inner) else node.module


def _file_of(module: str) -> str:
    """The file of one of our modules, as a place in bridge/; "" where there is none."""
    stem = ROOT.joinpath(*module.split("."))
    for file in (stem.with_suffix(".py"), stem / "__init__.py"):
        if module.split(".")[0] == "bridge" and file.is_file():
            return file.relative_to(BRIDGE).as_posix()
    return ""


def where(file: Path) -> str:
    return file.relative_to(BRIDGE if file.is_relative_to(BRIDGE) else DOCKER).as_posix()


def rule_of(place: str) -> str:
    """The longest rule that a place falls under; "" where none does."""
    rules = [rule for rule in MAY_IMPORT if place == rule or
             (rule.endswith("/") and place.startswith(rule))]  # fmt: skip
    return max(rules, key=len, default="")


@pytest.mark.parametrize("file", FILES, ids=where)
def test_imports_go_one_way(file: Path) -> None:
    rule = rule_of(where(file))
    assert rule, f"no rule says what {where(file)} may import: add one to MAY_IMPORT"
    for module in imports(file):
        target = _file_of(module)
        if target and target != where(file):
            allowed = any(target.startswith(place) for place in MAY_IMPORT[rule])
            assert allowed, f"{where(file)} imports {module}, which {rule} may not"


def test_every_rule_has_a_place() -> None:
    missing = [rule for rule in MAY_IMPORT if not (BRIDGE / rule).exists()]
    assert not missing, f"rules for what does not exist: {missing}"


def test_no_file_imports_itself_by_a_detour() -> None:
    graph = {where(file): {_file_of(module) for module in imports(file)} - {""} for file in FILES}
    graph = {file: wanted - {file} for file, wanted in graph.items()}
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the files


@pytest.mark.parametrize("file", FILES, ids=where)
def test_each_outside_library_has_its_file(file: Path) -> None:
    for name in imports(file):
        top = name.split(".")[0]
        if top in sys.stdlib_module_names or top in ("bridge", "__future__"):
            continue
        assert where(file) in LIBRARIES.get(top, set()), f"{top} in {where(file)}"


@pytest.mark.parametrize("file", DOCKER_FILES, ids=where)
def test_what_stands_around_the_bridge_knows_it_from_outside(file: Path) -> None:
    places = [place for place in AROUND_LIBRARIES if where(file).startswith(place)]
    assert places, f"no rule says what docker/{where(file)} may import"
    own = {found.stem for found in DOCKER_FILES if where(found).startswith(places[0])}
    for name in imports(file):
        top = name.split(".")[0]
        if top == "bridge":
            allowed = AROUND_MAY_IMPORT.get(where(file), ())
            assert _file_of(name).startswith(allowed or "nothing"), f"{where(file)} imports {name}"
        elif top not in sys.stdlib_module_names:
            assert top in AROUND_LIBRARIES[places[0]] | own, f"{where(file)} imports {name}"


@pytest.mark.parametrize("file", FILES, ids=where)
def test_nothing_needs_what_a_gx_lacks(file: Path) -> None:
    assert not {name.split(".")[0] for name in imports(file)} & NOT_ON_A_GX


def test_nothing_writes_output_past_the_log() -> None:
    """While the service runs, its reader may stand still. Only the log's way never waits."""
    direct = re.compile(r"\bprint\(|\bsys\.(__)?std(out|err)\b|StreamHandler|\bbasicConfig\(")
    writers = {where(file) for file in FILES if direct.search(file.read_text(encoding="utf-8"))}
    commands = {name for name in writers if name.startswith("tools/")}
    assert writers - commands <= {"__main__.py", "adapters/log.py"}


def test_the_service_prints_nothing_itself() -> None:
    """Of the command line, only what ends or shows something, and not the way to the service."""
    tree = ast.parse((BRIDGE / "__main__.py").read_text(encoding="utf-8"))
    (run,) = (n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "_run")
    assert "print" not in ast.unparse(run)


def test_the_wall_clock_is_read_at_the_edge_only() -> None:
    """It may jump by years. Only what is told to people, or hangs on the calendar, asks it;
    and a recording, which is not the service."""
    wall = re.compile(r"\btime\.time\b|\bdatetime\.now\b|\bdate\.today\b|\butcnow\b|\blocaltime\b")
    readers = {where(file) for file in FILES if wall.search(file.read_text(encoding="utf-8"))}
    assert readers <= {"app.py", "adapters/loop.py", "tools/record.py", "tools/replay.py"}


@pytest.mark.parametrize(
    "file", [file for file in FILES if where(file).startswith(PURE)], ids=where
)
def test_the_core_is_pure(file: Path) -> None:
    assert not {name.split(".")[0] for name in imports(file)} & IMPURE


def test_no_two_test_files_have_one_name() -> None:
    """pytest imports them by their names alone, and then collects only one of them."""
    folders = {file.parent for file in (ROOT / "tests").rglob("__init__.py")}
    folders.add(ROOT / "tests" / "clients")  # run by itself
    files = [file for file in (ROOT / "tests").rglob("test_*.py") if file.parent not in folders]
    names = [file.name for file in files]
    assert sorted(names) == sorted(set(names))
