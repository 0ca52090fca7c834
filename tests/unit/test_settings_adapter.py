"""The settings service may answer anything: somebody always hears that it has answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from dbus import DBusException

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


class FailingBus(AnsweringBus):
    """A bus on which every call fails at once, and whose signals come when told."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error
        self.receivers: list[Callable[..., None]] = []

    def add_signal_receiver(self, receiver: Any, *_: object) -> None:
        self.receivers.append(receiver)

    def call_async(self, *call: Any, timeout: float) -> None:
        assert timeout <= 5
        call[7](self._error)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (DBusException(name="org.freedesktop.DBus.Error.ServiceUnknown"), "is not there"),
        (DBusException(name="org.freedesktop.DBus.Error.NameHasNoOwner"), "is not there"),
        (DBusException(name="a.b.NoReply"), "does not answer (a.b.NoReply)"),
        (ValueError("odd"), "does not answer (odd)"),
    ],
)
def test_the_reason_of_a_failure(error: Exception, reason: str) -> None:
    failed: list[str] = []
    device = DeviceSettings(FailingBus(error), "test", lambda key, value: None)  # type: ignore[arg-type]
    device.open({}, lambda values: None, failed.append)
    device.save("CustomName", "Bank", lambda: None, failed.append)
    assert failed == [reason, reason]


def test_a_key_is_followed_once_and_only_texts_are_changes() -> None:
    changes: list[tuple[str, str]] = []
    bus = FailingBus(ValueError())
    device = DeviceSettings(bus, "test", lambda key, value: changes.append((key, value)))  # type: ignore[arg-type]
    for _ in range(2):
        device.open({"CustomName": ""}, lambda values: None, lambda reason: None)
    (receiver,) = bus.receivers
    for change in ({"Value": "Attic"}, {"Value": 7}, {"Text": "x"}, {"Value": []}):
        receiver(change)
    assert changes == [("CustomName", "Attic")]


def test_every_callback_is_guarded() -> None:
    """dbus-python would print an exception in a callback and go on."""
    caught: list[str] = []

    def guard(callback: Callable[..., None]) -> Callable[..., None]:
        def call(*arguments: Any) -> None:
            try:
                callback(*arguments)
            except ZeroDivisionError:
                caught.append("caught")

        return call

    def fails(*_: object) -> None:
        raise ZeroDivisionError

    failing = FailingBus(ValueError())
    for bus in (AnsweringBus([]), AnsweringBus(0), failing):
        device = DeviceSettings(bus, "test", fails, guard)  # type: ignore[arg-type]
        device.open({"CustomName": ""}, fails, fails)
        device.save("CustomName", "Bank", fails, fails)
    failing.receivers[0]({"Value": "Attic"})
    assert len(caught) == 7
