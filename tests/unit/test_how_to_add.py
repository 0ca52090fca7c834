"""The page of the house says how to add one of each; here it is done, to a copy of the house."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "bridge" / "README.md"
PLACE = re.compile(r"# (\S+\.py), (a new file|in .*|below .*)")

WHAT_FOLLOWS = '''
from doubles import Bench
from measured import measured

from bridge.battery.control import INPUTS
from bridge.core.paths.table import path_table
from bridge.core.settings.setting_paths import SETTINGS
from bridge.tools.explain import explanation

COOLANT, CCL = "/System/CoolantTemperature", "/Info/MaxChargeCurrent"

# the path
assert path_table(16)[COOLANT].quantity.unit == "°C"
bench = Bench(limiter={"max_charge_current": 100, "coolant_temperature": [[40, 1], [60, 0.1]],
                       "current_hold": 0, "current_rise": 1.0})
bench.feed()
assert bench.dbus(COOLANT, 700) == 2, "the gate knows its range"
assert bench.dbus(COOLANT, 20) == 0
bench.settle()
assert bench[COOLANT] == 20.0

# the setting
assert "/Settings/Limiter/CoolantTemperature" in SETTINGS
assert bench["/Settings/Limiter/CoolantTemperature"] == "[[40,1],[60,0.1]]"

# the protection: its cap, at once and in the middle of a frame
bench.pass_time(3, bench.feed)
assert bench[CCL] == 100.0
bench.dbus("/Soh", 99)
bench.dbus(COOLANT, 45)
assert bench[CCL] == 77.5, "a straight line from (40, 1) to (60, 0.1)"
assert bench.state["rules"]["CCL"] == "coolant"
# its latch
bench.dbus(COOLANT, 60)
assert bench[CCL] == 0.0
bench.pass_time(5, lambda: (bench.feed(), bench.dbus(COOLANT, 55)))
assert bench[CCL] == 0.0
bench.pass_time(5, lambda: (bench.feed(), bench.dbus(COOLANT, 35)))
assert bench[CCL] == 100.0
# the plausibility of its readings
assert bench.dbus(COOLANT, -40) == 2
assert "hard to believe" in bench.rejected[-1]["reason"]
bench.dbus(COOLANT, 35)
# the freshness of its input
bench.pass_time(70, bench.feed)
assert bench.ccl == 10.0 and "the cooling water went silent" in bench.state["reasons"]["CCL"]
# what explain shows of it
assert "cooling water at" in explanation(bench.config)
assert "the cooling water" in map(repr, INPUTS)

# the alarm
alarm = Bench()
alarm.pass_time(10, lambda: alarm.feed(Soc=98.5))
assert alarm["/Alarms/HighSoc"] == 1
assert alarm["/Settings/Alarms/HighSoc"] == "[98,99]"

# the topic
assert alarm.client.on("virtual-battery/test/limits")[-1]["DCL"] == 150.0
print("all of it follows")
'''


def snippets() -> list[tuple[str, str, str]]:
    """(file below bridge/, where in it, lines) of everything that the page adds."""
    text = PAGE.read_text(encoding="utf-8")
    chapter = text.split("## How to add one")[1].split("\n## ")[0]
    found: list[tuple[str, str, str]] = []
    for block in re.findall(r"```python\n(.*?)```", chapter, re.DOTALL):
        for line in block.splitlines(keepends=True):
            if place := PLACE.fullmatch(line.rstrip()):
                found.append((place[1], place[2], ""))
            else:
                file, where, lines = found.pop()
                found.append((file, where, lines + line))
    return found


def add(bridge: Path, file: str, where: str, lines: str) -> None:
    """Put the lines where the page says that they go."""
    target = bridge / file
    if where == "a new file":
        assert not target.exists()
        target.write_text(lines, encoding="utf-8")
        return
    how, anchor = where.split(" ", 1)
    text = target.read_text(encoding="utf-8").splitlines(keepends=True)
    at = [n for n, line in enumerate(text) if line.strip() == anchor or line.startswith(anchor)]
    assert len(at) == 1, f"{file} has {len(at)} lines {anchor!r}"
    after = at[0] + 1
    if how == "in" and anchor.startswith("class "):
        while not text[after].rstrip().endswith('"""'):  # below its docstring
            after += 1
        after += 1
    target.write_text("".join([*text[:after], lines, *text[after:]]), encoding="utf-8")


def test_the_page_says_how_to_add_one_of_each() -> None:
    files = {file for file, _, _ in snippets()}
    assert {
        "core/paths/table.py",
        "core/settings/declarations.py",
        "core/limiter/protections/coolant.py",
        "core/outputs/alarms.py",
        "topics.py",
    } <= files


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the house with one of each added."""
    shutil.copytree(ROOT / "bridge", tmp_path / "bridge", ignore=shutil.ignore_patterns("__pyc*"))
    for file, where, lines in snippets():
        add(tmp_path / "bridge", file, where, lines)
    return tmp_path


def test_what_the_page_adds_works(house: Path) -> None:
    path = os.pathsep.join([str(house), str(ROOT / "tests" / "unit")])
    done = subprocess.run(
        [sys.executable, "-c", WHAT_FOLLOWS],
        cwd=house,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "all of it follows"
