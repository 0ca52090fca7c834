"""What is written twice is generated: the tables of the documentation are those of the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs import TABLES, renewed


@pytest.mark.parametrize("file", TABLES, ids=lambda file: file.name)
def test_the_tables_are_those_of_the_code(file: Path) -> None:
    assert renewed(file) == file.read_text(encoding="utf-8"), "run ./run docs"
