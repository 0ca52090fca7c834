"""Decisions on their way into the settings service."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bridge.core.settings.save_queue import BURST, SaveQueue


def test_a_decision_is_sent_once_and_is_done_when_it_is_kept() -> None:
    keeper = SaveQueue()
    keeper.decide("name", "Cellar")
    assert keeper.is_on_its_way("name")
    assert keeper.due(0) == {"name": "Cellar"}
    assert keeper.is_on_its_way("name") and keeper.due(1) == {}
    keeper.kept("name")
    assert not keeper.is_on_its_way("name") and keeper.due(2) == {}


def test_while_one_is_under_way_only_the_latest_waits() -> None:
    keeper = SaveQueue()
    keeper.decide("name", "a")
    keeper.due(0)
    keeper.decide("name", "b")
    keeper.decide("name", "c")
    assert keeper.due(0) == {}
    keeper.kept("name")
    assert keeper.due(0) == {"name": "c"}


def test_what_did_not_arrive_is_sent_again_unless_something_newer_waits() -> None:
    keeper = SaveQueue()
    keeper.decide("name", "a")
    keeper.due(0)
    keeper.failed("name")
    assert keeper.due(1) == {"name": "a"}
    keeper.decide("name", "b")
    keeper.failed("name")
    assert keeper.due(2) == {"name": "b"}


def test_a_flow_that_runs_wild_costs_one_write_a_minute_and_its_last_word_is_kept() -> None:
    keeper, writes = SaveQueue(), []
    for second in range(3600):
        keeper.decide("settings", str(second))
        for value in keeper.due(second).values():
            writes.append(value)
            keeper.kept("settings")
    assert len(writes) <= BURST + 61
    for second in range(3600, 3700):
        for value in keeper.due(second).values():
            writes.append(value)
            keeper.kept("settings")
    assert writes[-1] == "3599"


steps = st.lists(st.sampled_from(["decide", "due", "kept", "failed"]), max_size=60)


@given(steps)
def test_the_last_decision_is_never_lost(steps: list[str]) -> None:
    keeper, stored, last = SaveQueue(), "", ""
    sent: dict[str, str] = {}
    for number, step in enumerate(steps):
        if step == "decide":
            last = str(number)
            keeper.decide("key", last)
        elif step == "due":
            sent = keeper.due(number * 60.0) or sent
        elif step == "kept" and sent:
            stored, sent = sent["key"], {}
            keeper.kept("key")
        elif step == "failed" and sent:
            sent = {}
            keeper.failed("key")
    for number in range(3):
        sent = keeper.due(1e6 + number * 60) or sent
        stored = sent.pop("key", stored)
        keeper.kept("key")
    assert stored == last and not keeper.is_on_its_way("key")
