"""A frame of voltages by single topics ends with the limits of the same frame sent as one batch."""

from __future__ import annotations

from random import Random

import pytest
from doubles import Bench

from bridge.core.measurements.frame import LONGEST, PATIENCE, QUIET, SLOWEST, Frame

CELLS = 8
LIMITER = {
    "max_charge_current": 100,
    "max_charge_current_above_cv1": 50,
    "max_charge_current_above_cv2": 10,
    "max_discharge_current": 150,
    "balancing_voltage": 3.45,
}
SPANS = [0.005, 0.04, 0.2]  # s from the first to the last value of a frame
PACES = [1.0, 5.0, 15.0]  # s from frame to frame
ORDERS = ["voltage last", "voltage first", "voltage in the middle", "extremes first", "shuffled"]
MILLIVOLT = 0.011  # V; CVL goes on falling while a cell is high, by the time that has passed

Frames = list[dict[str, float]]


def _frame(high: float, others: float, soc: float = 90.0) -> dict[str, float]:
    volts = [high if n == 7 else others for n in range(1, CELLS + 1)]
    return {
        **{f"/Voltages/Cell{n}": v for n, v in enumerate(volts, 1)},
        "/System/MinCellVoltage": min(volts),
        "/System/MaxCellVoltage": max(volts),
        "/Soc": soc,
        "/Dc/0/Current": 20.0,
        "/Dc/0/Voltage": round(sum(volts), 3),
    }


HIGH_CELL = [_frame(3.40, 3.40), _frame(3.52, 3.43), _frame(3.521, 3.431)]
LOAD_STEP_UP = [_frame(3.20, 3.20, 50), _frame(3.36, 3.36, 50), _frame(3.361, 3.361, 50)]
LOAD_STEP_DOWN = [_frame(3.36, 3.36, 50), _frame(3.19, 3.19, 50), _frame(3.191, 3.191, 50)]
STORIES = {"high cell": HIGH_CELL, "load ends": LOAD_STEP_UP, "load begins": LOAD_STEP_DOWN}


def _ordered(frame: dict[str, float], order: str) -> list[tuple[str, float]]:
    writes = list(frame.items())
    if order == "voltage first":
        return writes[::-1]
    if order == "voltage in the middle":
        return [*writes[:4], writes[-1], *writes[4:-1]]
    if order == "extremes first":
        return [*writes[CELLS:], *writes[:CELLS]]
    if order == "shuffled":
        Random(7).shuffle(writes)
    return writes


def _limits(bench: Bench) -> list[float]:
    bench.settle()
    return [float(v) for v in (bench.cvl, bench.ccl, bench.dcl)]  # type: ignore[arg-type]


def _by_batches(frames: Frames, pace: float) -> list[list[float]]:
    bench, seen = Bench(cells=CELLS, limiter=LIMITER), []
    for frame in frames:
        bench.pass_time(pace)
        bench.batch({path[1:]: value for path, value in frame.items()})
        seen.append(_limits(bench))
    return seen


def _by_topics(
    frames: Frames, pace: float, order: str, span: float, by_dbus: bool
) -> list[list[float]]:
    """One write after the other, with a tick in the middle of each frame."""
    bench, seen = Bench(cells=CELLS, limiter=LIMITER), []
    for frame in frames:
        bench.pass_time(pace)
        writes = _ordered(frame, order)
        for n, (path, value) in enumerate(writes):
            if by_dbus:
                assert bench.dbus(path, value) == 0
            else:
                bench.mqtt(path, str(value))
            if n == len(writes) // 2:
                bench.battery.on_tick(bench.clock.now)
            if n < len(writes) - 1:
                bench.timer.run(span / (len(writes) - 1))
        seen.append(_limits(bench))
    return seen


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("story", STORIES)
def test_a_frame_by_single_topics_is_as_good_as_a_batch(story: str, order: str) -> None:
    for n, span in enumerate(SPANS):
        pace = PACES[n]
        batches = _by_batches(STORIES[story], pace)
        topics = _by_topics(STORIES[story], pace, order, span, by_dbus=n == 1)
        for batch, topic in zip(batches, topics, strict=True):
            tolerance = MILLIVOLT + 0.2 * CELLS * 0.021 * span
            assert topic[0] == pytest.approx(batch[0], abs=tolerance), (span, batches, topics)
            assert topic[1:] == batch[1:], (span, batches, topics)


def test_the_currents_do_not_wait_for_the_frame() -> None:
    bench = Bench(cells=CELLS, limiter=LIMITER)
    bench.batch({path[1:]: value for path, value in HIGH_CELL[0].items()})
    bench.pass_time(2)
    bench.mqtt("/Voltages/Cell7", "3.56")
    assert bench.ccl == 0.0


def test_a_lone_high_cell_lowers_cvl_when_nothing_follows() -> None:
    bench = Bench(cells=CELLS, limiter=LIMITER)
    bench.batch({path[1:]: value for path, value in HIGH_CELL[0].items()})
    bench.pass_time(2)
    bench.mqtt("/Voltages/Cell7", "3.52")
    bench.timer.run(QUIET + 0.001)
    assert isinstance(bench.cvl, float)
    assert bench.cvl <= 8 * 3.40 - 0.02


def test_values_without_end_do_not_keep_cvl_up() -> None:
    bench = Bench(cells=CELLS, limiter=LIMITER)
    bench.batch({path[1:]: value for path, value in HIGH_CELL[0].items()})
    bench.pass_time(2)
    for n in range(round(1.2 * LONGEST / 0.04)):
        bench.mqtt("/Voltages/Cell7", str(3.52 + 0.001 * (n % 2)))
        bench.timer.run(0.04)
    assert isinstance(bench.cvl, float)
    assert bench.cvl <= 8 * 3.40 - 0.02


def test_the_first_data_after_a_boot_set_cvl_at_once() -> None:
    for order in ORDERS:
        bench = Bench(cells=CELLS)
        bench.pass_time(5)
        for path, value in _ordered(_frame(3.35, 3.35), order):
            bench.mqtt(path, str(value))
            bench.timer.run(0.002)
        bench.settle()
        assert bench.cvl == 8 * 3.45, order


def _a_frame() -> Frame:
    """A frame of two cells and the pack voltage that have come; the usual pause is 0 s."""
    frame = Frame(("a", "b"), "v")
    for path in ("a", "b", "v") * 20:
        frame.note(path, 0.0, is_other=True)
        frame.look(0.0)
    return frame


def _is_coming(frame: Frame, now: float) -> bool:
    return frame.state(now)[0]


def test_half_a_frame_counts_once_it_is_quiet_and_a_whole_one_at_once() -> None:
    frame = _a_frame()
    assert not _is_coming(frame, 0.0)
    frame.note("a", 10.0, is_other=True)
    frame.note("a", 10.02, is_other=False)
    assert frame.state(10.02) == (True, pytest.approx(10.02 + QUIET))
    frame.note("other", 10.03, is_other=True)
    frame.note("b", 10.03, is_other=True)
    frame.note("v", 10.04, is_other=True)
    assert not _is_coming(frame, 10.04)


def test_a_frame_is_over_after_a_few_usual_pauses() -> None:
    for pause in (0.1, 0.3, 0.7):
        frame = _a_frame()
        for n in range(60):
            frame.note("abv"[n % 3], 10.0 + pause * n, is_other=True)
            frame.look(10.0 + pause * n)
        last = 10.0 + pause * 60
        frame.note("a", last, is_other=True)
        assert frame.state(last + 0.9 * PATIENCE * pause) == (True, None)
        assert not _is_coming(frame, last + 1.1 * PATIENCE * pause)


def test_a_frame_ends_without_silence_when_a_cell_comes_with_another_value() -> None:
    frame = _a_frame()
    assert not frame.note("a", 10.0, is_other=True)
    assert not frame.note("a", 10.01, is_other=False), "sent twice"
    assert not frame.note("v", 10.02, is_other=True)
    assert not frame.note("v", 10.03, is_other=True), "of another device"
    assert frame.note("a", 10.04, is_other=True)
    assert frame.state(10.04) == (True, pytest.approx(10.04 + QUIET))
    frame.note("b", 10.05, is_other=True)
    assert _is_coming(frame, 10.05), "nobody has looked at the frame before"
    frame.look(10.05)
    assert not _is_coming(frame, 10.05), "the pack voltage came last before this frame"


def test_a_frame_without_end_is_over_at_last() -> None:
    frame = _a_frame()
    for n in range(round(SLOWEST / 0.5)):
        frame.note("v", 10.0 + 0.5 * n, is_other=True)
    assert frame.state(9.9 + SLOWEST) == (True, None)
    assert not _is_coming(frame, 10.0 + SLOWEST)


def test_a_path_that_is_forgotten_is_not_waited_for() -> None:
    frame = _a_frame()
    frame.forget(["v"])
    frame.note("a", 10.0, is_other=True)
    frame.note("b", 10.0, is_other=True)
    assert not _is_coming(frame, 10.0)
