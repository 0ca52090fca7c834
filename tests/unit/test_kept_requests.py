"""Requests over a boot: the settings service keeps them, and its flash is spared."""

from __future__ import annotations

import pytest
from doubles import Bench

from bridge.battery.battery import REQUESTS_KEY
from bridge.battery.kept_requests import EVERY, SOON

CCL = "/Info/MaxChargeCurrent"
DCL = "/Info/MaxDischargeCurrent"
NOON = 1_800_000_000.0  # s of the wall clock


def booted(kept: str = "", wall: float | None = NOON) -> Bench:
    """A battery of a new boot, which has taken over what the settings service has."""
    bench = Bench()
    bench.wall = wall
    bench.battery.load_requests(kept)
    bench.feed()
    return bench


def sent(bench: Bench) -> list[str]:
    return [str(value) for key, value in bench.store.saved if key == REQUESTS_KEY]


@pytest.mark.promise("boot")
def test_requests_survive_a_boot() -> None:
    bench = booted()
    bench.batch({CCL: 40, DCL: {"value": 20, "expires": 7200}})
    bench.pass_time(2, bench.feed)
    later = booted(sent(bench)[-1], NOON + 3600)
    later.pass_time(2, later.feed)
    assert (later.ccl, later.dcl) == (40.0, 20.0)
    assert later.state["requests"]["DCL"]["expires"] == pytest.approx(3600, abs=10)


def test_one_that_has_expired_meanwhile_does_not_come_back() -> None:
    bench = booted()
    bench.batch({CCL: {"value": 40, "expires": 900}})
    bench.pass_time(2, bench.feed)
    assert booted(sent(bench)[-1], NOON + 1000).ccl == 100.0


@pytest.mark.parametrize(("before", "after"), [(None, NOON), (NOON, None), (NOON, NOON - 1e8)])
def test_without_a_clock_it_keeps_all_of_its_time(
    before: float | None, after: float | None
) -> None:
    bench = booted(wall=before)
    bench.batch({CCL: {"value": 40, "expires": 900}})
    bench.pass_time(2, bench.feed)
    later = booted(sent(bench)[-1], after)
    later.pass_time(890, later.feed)
    assert later.ccl == 40.0
    later.pass_time(20, later.feed)
    assert later.state["requests"] == {}


def test_a_request_of_now_is_newer_than_one_of_before_the_boot() -> None:
    bench = booted()
    bench.batch({CCL: 40})
    bench.pass_time(2, bench.feed)
    later = Bench()
    later.feed()
    later.mqtt(CCL, "60")
    later.battery.load_requests(sent(bench)[-1])
    later.settle()
    assert later.ccl == 60.0


def test_within_a_boot_the_memory_is_newer() -> None:
    bench = booted()
    bench.mqtt(CCL, "40")
    bench.pass_time(2, bench.feed)
    kept = sent(bench)[-1]
    bench.mqtt(CCL, "off")
    bench.settle()
    later = Bench(before=bench)
    later.battery.load_requests(kept)
    later.pass_time(2, later.feed)
    assert later.state["requests"] == {}


def test_a_restart_alone_sends_nothing() -> None:
    bench = booted()
    bench.batch({CCL: {"value": 40, "expires": 7200}})
    bench.pass_time(2, bench.feed)
    later = Bench(before=bench)
    later.wall = NOON + 5
    later.battery.load_requests(sent(bench)[-1])
    later.pass_time(100, later.feed)
    assert sent(later) == []


def test_nothing_is_sent_before_it_is_known_what_is_kept() -> None:
    bench = Bench()
    bench.mqtt(CCL, "40")
    bench.pass_time(5, bench.feed)
    assert sent(bench) == []


def test_a_client_that_asks_every_second_costs_a_write_in_ten_minutes() -> None:
    bench = booted()
    for n in range(1200):
        bench.mqtt(CCL, f'{{"value": {20 + n % 50}, "expires": 300}}')
        bench.pass_time(1)
    assert 1 <= len(sent(bench)) <= 1200 / EVERY + 1


def test_a_stop_is_sent_soon_and_not_every_second() -> None:
    bench = booted()
    bench.mqtt(CCL, "20")
    bench.pass_time(SOON + 1)
    bench.mqtt(CCL, "0")
    bench.pass_time(1)
    assert '"value":0.0' in sent(bench)[-1]
    for n in range(600):
        bench.mqtt(CCL, str(n % 2))
        bench.pass_time(1)
    assert len(sent(bench)) <= 2 + 600 / SOON


@pytest.mark.parametrize(
    "kept",
    ["{", "null", "[]", "[" * 500, "x" * 5000, '{"at":null}', '{"at":"noon","asked":{}}',
     '{"at":null,"asked":{"cvl":null,"ccl":{"value":-1,"left":null},"dcl":null}}',
     '{"at":null,"asked":{"cvl":null,"ccl":{"value":NaN,"left":null},"dcl":null}}',
     '{"at":null,"asked":{"cvl":null,"ccl":{"value":40,"left":"long"},"dcl":null}}'],
)  # fmt: skip
def test_what_cannot_be_read_asks_for_nothing(
    kept: str, caplog: pytest.LogCaptureFixture
) -> None:
    bench = booted(kept)
    assert bench.ccl == 100.0
    assert caplog.text.count("cannot be read") == 1
    bench.mqtt(CCL, "40")
    bench.pass_time(1)
    assert len(sent(bench)) == 1




def test_a_memory_that_cannot_be_written_is_not_newer() -> None:
    bench = booted()
    bench.memory.works = False
    bench.mqtt(CCL, "0")
    bench.pass_time(2, bench.feed)
    later = Bench(before=bench)
    later.battery.load_requests(sent(bench)[-1])
    later.pass_time(300, later.feed)
    assert (later.ccl, later.dcl) == (0.0, 150.0)


def test_that_charging_is_stopped_for_longer_is_kept_soon() -> None:
    bench = booted()
    bench.batch({CCL: {"value": 0, "expires": 20}})
    bench.pass_time(3, bench.feed)
    bench.mqtt(CCL, "0")
    bench.pass_time(SOON + 1, bench.feed)
    later = booted(sent(bench)[-1], NOON + 3600)
    later.pass_time(2, later.feed)
    assert later.ccl == 0.0
