"""A start that no later one will know of has no grace: the memory fails, is full, or is off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from doubles import Bench, FakeMemory
from test_restarts import fed, killed

from bridge.battery.control import Control
from bridge.core.model import Limits, Request
from bridge.core.paths.table import path_table


class Unwritable(FakeMemory):
    """A read-only or full folder: nothing in it can be replaced. text: what stands there."""

    def __init__(self, text: str | None = None) -> None:
        super().__init__()
        self.text, self.works = text, False


class Pit(FakeMemory):
    """It says that a text is kept, and has none afterwards, like a link to /dev/null."""

    def write(self, _text: str) -> bool:
        self.writes += 1
        return True


def started(memory: FakeMemory | None, after: float = 0.0) -> Bench:
    """A battery on this memory, so many seconds after a boot."""
    boot = Bench()
    boot.clock.now, boot.memory = after, memory  # type: ignore[assignment]
    return Bench(boot.config, before=boot)


UNKEPT: dict[str, Callable[[], FakeMemory | None]] = {
    "unwritable": Unwritable,
    "empty": lambda: Unwritable(""),
    "damaged": lambda: Unwritable("{"),
    "of another version": lambda: Unwritable('{"version":2}'),
    "of good words": lambda: Unwritable(fed().memory.text),
    "a pit": Pit,
    "off": lambda: None,
}


@pytest.mark.promise("memory")
@pytest.mark.parametrize("kind", UNKEPT)
@pytest.mark.parametrize("every", [0.2, 7.0, 50.0])
@pytest.mark.parametrize("after", [5.0, 5000.0])
def test_no_restart_without_data_permits_anything(kind: str, every: float, after: float) -> None:
    bench = started(UNKEPT[kind](), after)
    for _ in range(3):
        assert (bench.ccl, bench.dcl) == (0.0, 0.0)
        bench.pass_time(every)
        assert (bench.ccl, bench.dcl) == (0.0, 0.0)
        bench = killed(bench, 0.1)


@pytest.mark.parametrize("kind", UNKEPT)
def test_the_measurements_are_stale_and_not_lost(kind: str) -> None:
    assert started(UNKEPT[kind](), 5000.0).state["stage"] == "stale"


@pytest.mark.parametrize("kind", [kind for kind in UNKEPT if kind != "of good words"])
@pytest.mark.parametrize("silence", [1, 100])
def test_the_first_fresh_data_act_at_once(kind: str, silence: int) -> None:
    """Also after the tenth kill: a GX with a broken /run can be used."""
    bench = started(UNKEPT[kind]())
    for _ in range(2):
        bench.pass_time(silence)
        bench.feed(cell=3.41)
        bench.settle()
        assert (bench.ccl, bench.dcl, bench.cvl) == (50.0, 150.0, 55.2)
        bench = killed(bench)


def test_lost_measurements_change_nothing_in_that() -> None:
    bench = started(Unwritable())
    bench.pass_time(700)
    assert (bench.state["stage"], bench.dcl) == ("lost", 0.0)
    bench.feed()
    bench.settle()
    assert (bench.ccl, bench.dcl) == (100.0, 150.0)


def test_the_first_data_are_the_only_ones_that_act_at_once() -> None:
    bench = started(Unwritable())
    bench.feed()
    bench.pass_time(80)
    bench.feed()
    bench.settle()
    assert (bench.ccl, bench.dcl) == (0.0, 0.0)


def test_data_that_are_not_whole_are_no_first_data() -> None:
    bench = started(Unwritable())
    bench.batch({"Voltages/Cell1": 3.3, "Dc/0/Voltage": 52.8})
    bench.pass_time(100)
    assert (bench.state["stage"], bench.ccl, bench.dcl) == ("stale", 0.0, 0.0)


def test_what_stands_in_a_memory_that_cannot_be_written_still_holds() -> None:
    bench = fed(cell=2.79)
    bench.mqtt("/Info/MaxChargeCurrent", "20")
    bench.memory.works = False
    bench = killed(bench)
    bench.pass_time(200, lambda: bench.feed(cell=2.86))
    assert (bench.ccl, bench.dcl) == (20.0, 0.0)


@pytest.mark.parametrize("kind", UNKEPT)
def test_it_is_said_once(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    memory = UNKEPT[kind]()
    caplog.clear()
    started(memory).pass_time(20)
    assert caplog.text.count("no start can be kept") == 1


def test_a_memory_that_works_again_is_used() -> None:
    bench = started(Unwritable())
    bench.pass_time(5)
    bench.memory.works = True
    bench.pass_time(2, lambda: bench.feed(cell=2.79))
    bench = killed(bench)
    assert bench.dcl == 0.0
    bench.pass_time(100, lambda: bench.feed(cell=2.86))
    assert bench.dcl == 0.0, "the discharge stop was kept"


@pytest.mark.parametrize("silence", [1, 100])
def test_a_memory_that_works_again_gives_no_grace_back(silence: int) -> None:
    bench = started(Unwritable(""))
    bench.pass_time(2)
    bench.memory.works = True
    bench.pass_time(silence)
    bench = killed(bench)
    assert (bench.state["stage"], bench.dcl) == ("stale", 0.0)


def test_a_kill_before_the_bus_loses_nothing_that_was_kept_over_the_boot() -> None:
    """The settings service answers a moment after the start. Until then nothing is newer."""
    bench, memory = Bench(), FakeMemory()
    paths = path_table(bench.config.cells)

    def control(now: float) -> Control:
        return Control(bench.config, paths, now, lambda: None, memory)

    control(1000.0)
    late = control(1001.0)
    late.load_requests(Limits(None, None, Request(0.0, 1001.0)))
    late.load_last_full("2026-11-01", 1001.0)
    assert late.assess(1002.0).decision.dcl.value == 0.0
    assert late.last_full != ""


def test_a_start_is_written_down_before_it_permits_anything() -> None:
    """It may be killed before it is on the bus, again and again."""
    bench, memory = Bench(), FakeMemory()
    paths = path_table(bench.config.cells)

    def control(now: float) -> Control:
        return Control(bench.config, paths, now, lambda: None, memory)

    control(1000.0)
    late: Any = control(1050.0)
    assert late.assess(1059.0).decision.dcl.value == 150.0
    assert late.assess(1061.0).decision.dcl.value == 0.0
