"""Every promise has a test that holds it, and every marker names a promise."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.promises import NOT_RUN_BY_ALL, PROMISES, TESTS, Holder, holders, holders_in

HOLDERS = list(holders())


@pytest.mark.parametrize("promise", PROMISES)
def test_a_promise_has_a_test(promise: str) -> None:
    assert [each for each in HOLDERS if each.promise == promise and each.runs]


@pytest.mark.parametrize("holder", HOLDERS, ids=lambda each: f"{each.file.name}:{each.test}")
def test_a_marker_names_a_promise_and_stands_at_a_test_that_runs(holder: Holder) -> None:
    assert holder.promise in PROMISES
    assert holder.runs


TEST_FILE = TESTS / "unit" / "test_some.py"
MARK = '@pytest.mark.promise("ceilings")\n'


@pytest.mark.parametrize(
    "file, text, promise, runs",
    [
        (TEST_FILE, f"{MARK}def test_x(): ...", "ceilings", True),
        (TEST_FILE, f"{MARK}class TestX: ...", "ceilings", True),
        (TEST_FILE, f"@given(st.text())\n{MARK}def test_x(): ...", "ceilings", True),
        (TEST_FILE, f"{MARK}def helper(): ...", "ceilings", False),
        (TEST_FILE, f"{MARK}@pytest.mark.skip\ndef test_x(): ...", "ceilings", False),
        (TEST_FILE, f"{MARK}@pytest.mark.xfail(True)\ndef test_x(): ...", "ceilings", False),
        (TEST_FILE, "@pytest.mark.promise(NAME)\ndef test_x(): ...", None, True),
        (TEST_FILE, "@pytest.mark.promise\ndef test_x(): ...", None, True),
        (TESTS / "unit" / "doubles.py", f"{MARK}def test_x(): ...", "ceilings", False),
        (NOT_RUN_BY_ALL / "test_x.py", f"{MARK}def test_x(): ...", "ceilings", False),
    ],
)
def test_a_marker_is_read(file: Path, text: str, promise: str | None, runs: bool) -> None:
    (holder,) = holders_in(file, text)
    assert (holder.promise, holder.runs) == (promise, runs)


def test_a_method_may_hold_a_promise() -> None:
    text = f"class TestX:\n    {MARK}    def test_y(self): ..."
    assert [each.test for each in holders_in(TEST_FILE, text)] == ["test_y"]
