"""What is written twice is generated: the README's tables are the code's."""

from __future__ import annotations

from docs import README, renewed


def test_the_tables_of_the_readme_are_those_of_the_code() -> None:
    text = README.read_text(encoding="utf-8")
    assert renewed(text) == text, "run ./run docs"
