"""What has still to be kept: each latest value once, and not too often."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bridge.core.settings.save_queue import BURST, SaveQueue


def test_a_decision_is_sent_once_and_is_done_when_it_is_kept() -> None:
    queue = SaveQueue()
    queue.put("name", "Cellar")
    assert queue.is_pending("name")
    assert queue.due(0) == {"name": "Cellar"}
    assert queue.is_pending("name") and queue.due(1) == {}
    queue.kept("name")
    assert not queue.is_pending("name") and queue.due(2) == {}


def test_while_one_is_under_way_only_the_latest_waits() -> None:
    queue = SaveQueue()
    queue.put("name", "a")
    queue.due(0)
    queue.put("name", "b")
    queue.put("name", "c")
    assert queue.due(0) == {}
    queue.kept("name")
    assert queue.due(0) == {"name": "c"}


def test_what_did_not_arrive_is_sent_again_unless_something_newer_waits() -> None:
    queue = SaveQueue()
    queue.put("name", "a")
    queue.due(0)
    queue.failed("name")
    assert queue.due(1) == {"name": "a"}
    queue.put("name", "b")
    queue.failed("name")
    assert queue.due(2) == {"name": "b"}


def test_a_flow_that_runs_wild_costs_one_write_a_minute_and_its_last_word_is_kept() -> None:
    queue, writes = SaveQueue(), []
    for second in range(3600):
        queue.put("settings", str(second))
        for value in queue.due(second).values():
            writes.append(value)
            queue.kept("settings")
    assert len(writes) <= BURST + 61
    for second in range(3600, 3700):
        for value in queue.due(second).values():
            writes.append(value)
            queue.kept("settings")
    assert writes[-1] == "3599"


steps = st.lists(st.sampled_from(["put", "due", "kept", "failed"]), max_size=60)


@given(steps)
def test_the_last_decision_is_never_lost(steps: list[str]) -> None:
    queue, stored, last = SaveQueue(), "", ""
    sent: dict[str, str] = {}
    for number, step in enumerate(steps):
        if step == "put":
            last = str(number)
            queue.put("key", last)
        elif step == "due":
            sent = queue.due(number * 60.0) or sent
        elif step == "kept" and sent:
            stored, sent = sent["key"], {}
            queue.kept("key")
        elif step == "failed" and sent:
            sent = {}
            queue.failed("key")
    for number in range(3):
        sent = queue.due(1e6 + number * 60) or sent
        stored = sent.pop("key", stored)
        queue.kept("key")
    assert stored == last and not queue.is_pending("key")
