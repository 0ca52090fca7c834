"""Random inputs for a few seconds; and planted defects, each of which the fuzz must find."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest

from bridge.battery.battery import Battery
from bridge.core.text import sanitize_for_log
from tests.fuzz.fuzz import Finding, Tried, live
from tests.fuzz.targets import TARGETS

LIVES = 5  # within which a defect must be found


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_is_found(target: str) -> None:
    found = live(target, 1, Tried())
    assert found is None, str(found)


Patch = pytest.MonkeyPatch


def _half_a_character_raises(patch: Patch) -> None:
    on_message = Battery.on_message

    def broken(battery: Battery, path: str, payload: bytes, topic: str, now: float) -> None:
        payload.decode()
        on_message(battery, path, payload, topic, now)

    patch.setattr(Battery, "on_message", broken)


def _work_grows_with_the_payload(patch: Patch) -> None:
    on_message = Battery.on_message

    def broken(battery: Battery, path: str, payload: bytes, topic: str, now: float) -> None:
        for _ in payload:
            sanitize_for_log("x")
        on_message(battery, path, payload, topic, now)

    patch.setattr(Battery, "on_message", broken)


def _payloads_are_kept(patch: Patch) -> None:
    on_message, kept = Battery.on_message, []

    def broken(battery: Battery, path: str, payload: bytes, topic: str, now: float) -> None:
        kept.append([payload[:1], str(now), [topic]])
        kept.append([payload[1:], [now]])
        on_message(battery, path, payload, topic, now)

    patch.setattr(Battery, "on_message", broken)


PLANTED: dict[str, Callable[[Patch], None]] = {
    "UnicodeDecodeError": _half_a_character_raises,
    "Python calls": _work_grows_with_the_payload,
    "memory grows": _payloads_are_kept,
}


@pytest.mark.parametrize("words", PLANTED)
def test_it_finds(words: str, monkeypatch: Patch) -> None:
    PLANTED[words](monkeypatch)
    lives = (live("one path", seed, Tried()) for seed in range(LIVES))
    found: Finding | None = next((found for found in lives if found), None)
    assert found is not None and words in found.problem
    assert f"--seed {found.seed}" in str(found)
