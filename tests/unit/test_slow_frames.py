"""A frame whose topics come with pauses: half of it counts at once, and no hold follows from it.

The highest cell stands at max_cell_voltage exactly, where CVL does not fall with time. So after a
frame, CVL is that of the same values sent as one batch.
"""

from __future__ import annotations

from random import Random

import pytest
from doubles import Bench

from bridge.core.limiter.protections import PROTECTIONS
from bridge.core.measurements.frame import LONGEST, QUIET

CELLS = 8
LIMIT = 3.5  # V; max_cell_voltage of LFP
LIMITER = {"max_charge_current": 100, "max_charge_current_above_cv2": 10}
MILLIVOLT = 0.011  # CVL is published in 10 mV
PAUSES = [0.0, 0.03, 0.06, 0.1, 0.3, 1.0]  # s between two topics

Frame = dict[str, float]


def _frame(volts: list[float], current: float = 20.0) -> Frame:
    cells = {f"/Voltages/Cell{n}": v for n, v in enumerate(volts, 1)}
    return {**cells, "/Soc": 90.0, "/Dc/0/Current": current, "/Dc/0/Voltage": round(sum(volts), 3)}


def _story(random: Random, frames: int = 6) -> list[Frame]:
    """All cells rise, fall and rise, each by its own amount; one is at the limit now and then."""
    story, level = [], 3.40
    for n in range(frames):
        level += random.choice([0.03, 0.02, -0.02]) if n else 0.0
        volts = [round(min(LIMIT, level + random.uniform(-0.01, 0.01)), 3) for _ in range(CELLS)]
        if n and random.random() < 0.7:
            volts[random.randrange(CELLS)] = LIMIT
        story.append(_frame(volts))
    return story


class Slow:
    """A publisher of single topics, and one that sends the same values as a batch at the end."""

    def __init__(self) -> None:
        self.topics, self.batches = (Bench(cells=CELLS, limiter=LIMITER) for _ in range(2))

    def pass_time(self, seconds: float) -> None:
        for bench in (self.topics, self.batches):
            bench.timer.run(seconds)
            bench.battery.on_tick(bench.clock.now)

    def send(self, writes: list[tuple[str, float]], pause: float) -> None:
        for path, value in writes:
            self.pass_time(pause)
            self.topics.mqtt(path, str(value))
        self.batches.batch({path[1:]: value for path, value in writes})

    def expect_the_same(self, *about: object) -> None:
        for bench in (self.topics, self.batches):
            bench.settle()
        assert self.topics.cvl == pytest.approx(self.batches.cvl, abs=MILLIVOLT), about


@pytest.mark.parametrize("seed", range(12))
def test_after_a_slow_frame_cvl_is_that_of_a_batch(seed: int) -> None:
    random = Random(seed)
    for pause in PAUSES:
        pair = Slow()
        for n, frame in enumerate(_story(random)):
            writes = list(frame.items())
            random.shuffle(writes)
            pair.send(writes, pause)
            pair.expect_the_same(seed, pause, n)
            pair.pass_time(1.0)


@pytest.mark.parametrize("pause", PAUSES)
def test_a_lost_topic_disturbs_no_later_frame(pause: float) -> None:
    """A lost cell, the publisher's usual order; each frame after it is whole again."""
    random = Random(3)
    for lost in (0, 3, CELLS - 1):
        pair = Slow()
        for n, frame in enumerate(_story(random)):
            writes = list(frame.items())
            if n == 2:
                del writes[lost]
            pair.send(writes, pause)
            if n != 2:
                pair.expect_the_same(pause, lost, n)
            pair.pass_time(2.0)


@pytest.mark.parametrize("pause", PAUSES)
def test_the_pack_voltage_of_another_device_ends_no_frame(pause: float) -> None:
    """A shunt sends its voltage before every second cell; a charge begins before a frame."""
    pair = Slow()
    for volts in ([3.40] * 8, [3.40] * 8, [*[3.43] * 7, LIMIT], [*[3.432] * 7, LIMIT]):
        writes = []
        for n, voltage in enumerate(volts, 1):
            if n % 2:
                writes.append(("/Dc/0/Voltage", round(sum(volts), 3)))
            writes.append((f"/Voltages/Cell{n}", voltage))
        pair.send(writes, pause)
        pair.expect_the_same(pause, volts)
        pair.pass_time(1.0)


@pytest.mark.parametrize("pause", [p for p in PAUSES if p > QUIET])
def test_half_a_frame_lowers_cvl_before_the_next_topic(pause: float) -> None:
    """No later than without the pauses: CVL is never above what the newest values allow."""
    random = Random(5)
    bench = Bench(cells=CELLS, limiter=LIMITER)
    cells, voltage, high = [0.0] * CELLS, 0.0, 0
    for frame in _story(random, 5):
        writes = list(frame.items())
        random.shuffle(writes)
        for path, value in writes:
            bench.mqtt(path, str(value))
            if path.startswith("/Voltages"):
                cells[int(path[14:]) - 1] = value
            elif path == "/Dc/0/Voltage":
                voltage = value
            bench.timer.run(min(pause, LONGEST))
            if min(cells) > 0.0 and max(cells) >= LIMIT and voltage:
                high += 1
                assert isinstance(bench.cvl, float)
                assert bench.cvl <= min(voltage, sum(cells)) + MILLIVOLT
    assert high > 5, "no cell was ever high"


@pytest.mark.parametrize("pause", PAUSES)
def test_a_real_fall_is_held_after_a_slow_frame(pause: float) -> None:
    bench = Bench(cells=CELLS, limiter=LIMITER)
    for volts in ([3.40] * 8, [*[3.42] * 7, LIMIT], [3.40] * 8, [3.40] * 8):
        for path, value in _frame(volts).items():
            bench.timer.run(pause)
            bench.mqtt(path, str(value))
        bench.settle()
        bench.pass_time(1)
    assert bench.cvl == pytest.approx(7 * 3.42 + LIMIT, abs=MILLIVOLT)


@pytest.mark.parametrize("pause", PAUSES)
def test_a_cell_that_comes_again_with_another_value_begins_the_hold(pause: float) -> None:
    """It was high for the time between its own two values, whatever else is missing."""
    bench = Bench(cells=CELLS, limiter=LIMITER)
    bench.batch({path[1:]: value for path, value in _frame([3.40] * 8).items()})
    bench.pass_time(4)
    for value in (LIMIT, 3.49, 3.40):
        bench.mqtt("/Voltages/Cell7", str(value))
        bench.timer.run(pause)
    bench.pass_time(5)
    assert bench.cvl == pytest.approx(8 * 3.40, abs=MILLIVOLT)


@pytest.mark.parametrize("pause", PAUSES)
def test_a_load_that_ends_in_a_slow_frame_is_no_lasting_mismatch(pause: float) -> None:
    """Half of the cells at another load differ from the pack voltage by more than 5 %."""
    bench, seen = Bench(cells=CELLS, limiter=LIMITER), []
    for cell in (3.10, 3.10, 3.32):
        for path, value in _frame([cell] * 8, 5.0).items():
            bench.timer.run(pause)
            seen.append(bench.ccl)
            bench.mqtt(path, str(value))
    bench.settle()
    assert bench.ccl == 100.0
    assert (10.0 in seen) == (pause > QUIET), "while it lasts, it counts"


def test_what_compares_voltages_says_so() -> None:
    assert {p.name for p in PROTECTIONS if p.compares} == {"high cell", "voltage mismatch"}
