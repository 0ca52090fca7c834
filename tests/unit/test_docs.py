"""What is written twice is generated: the tables of the documentation are those of the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge import __version__
from docs import ROOT, TABLES, renewed


@pytest.mark.parametrize("file", ["README.md", "service/README.md"])
def test_the_commands_that_install_name_the_present_version(file: str) -> None:
    words = (ROOT / file).read_text(encoding="utf-8").split()
    assert [word for word in words if word.startswith("version=")] == [f"version={__version__}"]


@pytest.mark.parametrize("file", TABLES, ids=lambda file: file.name)
def test_the_tables_are_those_of_the_code(file: Path) -> None:
    assert renewed(file) == file.read_text(encoding="utf-8"), "run ./run docs"
