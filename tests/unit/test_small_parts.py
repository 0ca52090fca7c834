"""The throttle, the nearest word, the watchdog: small parts with one promise each."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from bridge.adapters.health import Watchdog
from bridge.core.text import did_you_mean, distance
from bridge.core.throttle import Throttle


def test_the_throttle_allows_a_burst_and_then_its_rate() -> None:
    throttle = Throttle(per_second=2, burst=5)
    assert sum(throttle.allows(0.0) for _ in range(100)) == 5
    assert sum(throttle.allows(1.0) for _ in range(100)) == 2
    assert throttle.take_withheld() == 193
    assert throttle.take_withheld() == 0
    assert not throttle.allows(-1e9)


words = st.text(alphabet="abcdef", max_size=8)


@given(words, words)
def test_the_distance_of_words_is_a_distance(a: str, b: str) -> None:
    assert distance(a, b) == distance(b, a)
    assert (distance(a, b) == 0) == (a == b)
    assert distance(a, b) <= max(len(a), len(b))


@given(words, words, words)
def test_no_detour_is_shorter(a: str, b: str, c: str) -> None:
    assert distance(a, c) <= distance(a, b) + distance(b, c)


def test_only_a_near_word_is_suggested() -> None:
    assert did_you_mean("cv3", ["cv1", "voltage"]) == '; did you mean "cv1"?'
    assert did_you_mean("banana", ["cv1", "voltage"]) == ""
    assert did_you_mean("x" * 1_000_000, ["cv1"]) == ""
    assert did_you_mean("x", []) == ""


@given(words, st.lists(words))
def test_what_a_suggestion_leaves_out_could_not_have_won(word: str, known: list[str]) -> None:
    near = [other for other in known if distance(word, other) <= max(1, len(other) // 3)]
    best = min(near, key=lambda other: (distance(word, other), other), default="")
    assert did_you_mean(word, known) == (f'; did you mean "{best}"?' if best else "")


class Watched:
    """A watchdog with a patience of 20 s, whose thread checks every 4 s."""

    def __init__(self) -> None:
        self.now = 100.0
        self.ended: list[int] = []
        self.dog = Watchdog(20.0, lambda: self.now, self._end)

    def _end(self, status: int, _last_words: Callable[[], None]) -> None:
        self.ended.append(status)

    def check_after(self, seconds: float) -> None:
        self.now += seconds
        self.dog.check()


def test_the_watchdog_ends_a_process_whose_loop_stopped() -> None:
    watched = Watched()
    watched.check_after(4.0)
    watched.dog.beat()
    for _ in range(5):
        watched.check_after(4.0)
    assert not watched.ended, "20 s are not over"
    watched.check_after(4.0)
    assert watched.ended == [1]


@given(st.lists(st.floats(4.0, 1e6), max_size=20))
def test_the_watchdog_lets_a_process_live_that_stood_still(standstills: list[float]) -> None:
    """Then its own thread stood still too. Afterwards the loop has time for a beat."""
    watched = Watched()
    for seconds in standstills:
        watched.check_after(seconds)
        watched.check_after(4.0)
        watched.dog.beat()
        watched.check_after(4.0)
    assert not watched.ended


@given(st.lists(st.floats(4.0, 1e6), min_size=6, max_size=6))
def test_the_watchdog_ends_a_hung_process_that_also_stood_still(checks: list[float]) -> None:
    watched = Watched()
    for seconds in checks:
        watched.check_after(seconds)
    assert watched.ended
