"""The set-up behind ./run: what it says when it cannot fetch, and when it trusts a .venv/."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# A machine that lacks one program and one Python part, where nobody is root.
BARE = """
. docker/gx/setup.sh
kind=
programs() { echo 'nothing-such|command -v nothing-such|the program nothing-such'; }
python_parts() { echo 'python3-nothing|false|the Python module nothing'; }
find_python() { return 1; }
id() { echo 1000; }
"""
NO_SUDO = "sudo() { return 1; }\n"
FREE_SUDO = 'sudo() { echo "sudo $*"; }\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of what the set-up reads, with no .venv/."""
    (tmp_path / "docker/gx").mkdir(parents=True)
    for name in ("docker/gx/setup.sh", "requirements.txt", "requirements-dev.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def sh(
    folder: Path, script: str, path: str = "/usr/bin:/bin"
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", "-c", script],
        cwd=folder,
        env={"PATH": path},
        text=True,
        capture_output=True,
        timeout=30,
    )


def an_apt_get(folder: Path) -> str:
    """A PATH that has an apt-get, on whatever system the tests run."""
    (folder / "bin").mkdir()
    (folder / "bin/apt-get").symlink_to("/bin/false")
    return f"{folder}/bin:/usr/bin:/bin"


def test_without_root_it_names_the_line_to_paste_and_stops(folder: Path) -> None:
    told = sh(folder, BARE + NO_SUDO + "set_up; echo went on", an_apt_get(folder))

    assert told.returncode != 0
    assert "went on" not in told.stdout
    assert (
        "    sudo apt-get update && sudo apt-get install --yes --no-install-recommends"
        " nothing-such python3-nothing\n"
    ) in told.stderr


def test_with_free_sudo_it_fetches_exactly_what_is_missing(folder: Path) -> None:
    told = sh(folder, BARE + FREE_SUDO + "fetch_parts", an_apt_get(folder))

    assert told.stdout.endswith("sudo -n sh docker/gx/apt.sh nothing-such python3-nothing\n")


def test_without_apt_get_it_names_the_parts_plainly(folder: Path) -> None:
    (folder / "bin").mkdir()
    for tool in ("sh", "sed", "tr", "cat", "cksum"):
        (folder / "bin" / tool).symlink_to(str(shutil.which(tool)))
    # setup.sh appends folders to PATH, where this system may have an apt-get.
    told = sh(folder, BARE + f"PATH={folder}/bin\nset_up; echo went on", f"{folder}/bin")

    assert told.returncode != 0
    assert "went on" not in told.stdout
    assert "  - the program nothing-such\n  - the Python module nothing\n" in told.stderr


HAS = "kind=\n. docker/gx/setup.sh\nvenv_has requirements.txt"


def test_an_interrupted_venv_does_not_count(folder: Path) -> None:
    (folder / ".venv/bin").mkdir(parents=True)

    assert sh(folder, HAS).returncode == 1


def test_a_venv_counts_until_its_list_changes(folder: Path) -> None:
    (folder / ".venv").mkdir()
    sh(folder, "cksum <requirements.txt >.venv/requirements.txt.sum")
    assert sh(folder, HAS).returncode == 0

    with (folder / "requirements.txt").open("a") as requirements:
        requirements.write("something==1\n")
    assert sh(folder, HAS).returncode == 1


def test_a_venv_whose_interpreter_vanished_does_not_work(folder: Path) -> None:
    (folder / ".venv/bin").mkdir(parents=True)
    (folder / ".venv/bin/python").symlink_to("/nowhere/python3")

    assert sh(folder, "kind=\n. docker/gx/setup.sh\nvenv_works").returncode != 0
