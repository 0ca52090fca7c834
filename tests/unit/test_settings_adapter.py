"""The settings service may answer anything: somebody always hears that it has answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bridge.adapters.settings import DeviceSettings, ask

GOOD = {"path": "test/CustomName", "error": 0, "value": "Bank"}
NONSENSE = [(), (None,), (0,), ("text",), (["text"],), ([GOOD, 1],), ([[]],)]


class AnsweringBus:
    """A bus on which every call is answered at once, with the same."""

    def __init__(self, *answer: object) -> None:
        self._answer = answer

    def add_signal_receiver(self, *_: object) -> None:
        """Nothing is ever signalled."""

    def call_async(self, *call: Any, timeout: float) -> None:
        assert timeout <= 5
        answered: Callable[..., None] = call[6]
        answered(*self._answer)


def opened_and_failed(*answer: object) -> tuple[list[Any], list[str]]:
    opened: list[Any] = []
    failed: list[str] = []
    device = DeviceSettings(AnsweringBus(*answer), "test", lambda key, value: None)  # type: ignore[arg-type]
    device.open({"CustomName": "Battery"}, opened.append, failed.append)
    return opened, failed


def test_an_answer_is_understood() -> None:
    assert opened_and_failed([GOOD]) == ([{"CustomName": "Bank"}], [])


@pytest.mark.parametrize("answer", NONSENSE, ids=str)
def test_nonsense_counts_as_no_answer(answer: tuple[object, ...]) -> None:
    assert opened_and_failed(*answer) == ([], ["sends an answer that cannot be read"])


@pytest.mark.parametrize("answer", [(0,), (2,), (), ("text",), (0, 0)], ids=str)
def test_whatever_it_says_to_a_write_the_write_is_over(answer: tuple[object, ...]) -> None:
    kept: list[bool] = []
    device = DeviceSettings(AnsweringBus(*answer), "test", lambda key, value: None)  # type: ignore[arg-type]
    device.save("CustomName", "Bank", lambda: kept.append(True), lambda why: None)
    assert kept == [True]


def test_a_service_that_answers_without_a_value_is_silent() -> None:
    heard: list[object] = []
    ask(AnsweringBus(), "service", "/Serial", heard.append)  # type: ignore[arg-type]
    assert heard == []
    ask(AnsweringBus("c0ffee"), "service", "/Serial", heard.append)  # type: ignore[arg-type]
    assert heard == ["c0ffee"]
