"""explain: the table, its golden sweeps, the picture, and the command."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.core.settings.presets import PRESETS
from bridge.tools.explain import panels, sweeps
from tests import golden

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", golden.sweeps())
def test_the_presets_decide_what_they_did(name: str) -> None:
    kept = (golden.FOLDER / name).read_text(encoding="utf-8")
    assert golden.sweeps()[name] == kept, "python3 -m tests.golden renews it; read the difference"


def test_there_is_no_golden_file_too_many() -> None:
    assert {file.name for file in golden.FOLDER.iterdir()} == set(golden.sweeps())


@pytest.mark.parametrize("chemistry", PRESETS)
def test_a_sweep_starts_and_ends_without_charging_or_discharging(chemistry: str) -> None:
    from doubles import battery_config

    every_cell = sweeps(battery_config(chemistry=chemistry, limiter={}, ceiling={}))[0].points
    (_, lowest), (_, highest) = every_cell[0], every_cell[-1]
    assert (lowest.dcl.value, highest.ccl.value) == (0, 0)


def explain(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bridge", "explain", "--config", "config.yaml", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


def test_the_command_prints_the_table() -> None:
    done = explain()
    assert done.returncode == 0, done.stderr
    assert "every cell at" in done.stdout
    assert "CCL: cell overvoltage" in done.stdout


def test_an_unknown_ident_is_named() -> None:
    done = explain("--ident", "nobody")
    assert done.returncode == 2
    assert "nobody" in done.stderr and "virtual" in done.stderr


def test_a_picture_needs_matplotlib_and_says_so(tmp_path: Path) -> None:
    """With matplotlib it is drawn; without, one clear line and no trace of an error."""
    picture = tmp_path / "limits.svg"
    done = explain("--plot", str(picture))
    if importlib.util.find_spec("matplotlib"):
        assert done.returncode == 0, done.stderr
        assert "</svg>" in picture.read_text(encoding="utf-8")
    else:
        assert done.returncode == 1
        assert "pip install matplotlib" in done.stderr and "Traceback" not in done.stderr
        assert not picture.exists()


def test_a_picture_of_no_kind_is_refused() -> None:
    done = explain("--plot", "limits.txt")
    assert done.returncode == 1
    assert ".svg" in done.stderr


def test_the_panels_hold_every_limit() -> None:
    from doubles import battery_config

    for panel in panels(battery_config()):
        labels = [curve.label for curve in (*panel.curves, *panel.right)]
        assert labels == ["CCL", "DCL", "CVL"]
