"""A limit on its way back up."""

from __future__ import annotations

import pytest
from doubles import Bench

from bridge.core.limiter.recovery import (
    LONGEST_STEP,
    Certainty,
    Pace,
    Recovering,
    recover,
    seconds_to,
)

CERTAIN = Certainty.CERTAIN


def test_noise_of_the_arithmetic_starts_no_hold() -> None:
    pace = Pace(hold=60, rise=0.01)
    state = recover(None, 13.2, pace, 0, CERTAIN)
    state = recover(state, 13.200000000000003, pace, 10, CERTAIN)
    assert state == Recovering(13.2, None, 10)
    state = recover(state, 13.6, pace, 50, CERTAIN)
    assert recover(state, 13.6, pace, 90, CERTAIN).value == 13.2, "the hold began at 50"


def test_it_holds_and_then_rises_at_its_rate_and_not_above_its_target() -> None:
    pace = Pace(hold=5, rise=2.0)
    state = recover(None, 10.0, pace, 0, CERTAIN)
    seen = []
    for now in range(1, 12):
        state = recover(state, 16.0, pace, now, CERTAIN)
        seen.append(state.value)
    assert seen == [10.0] * 6 + [12.0, 14.0, 16.0, 16.0, 16.0]
    assert state.rising_since is None, "at its target it waits for nothing"


@pytest.mark.promise("tighten")
def test_a_fall_is_followed_at_once_and_the_hold_begins_anew() -> None:
    pace = Pace(hold=5, rise=2.0)
    state = recover(Recovering(10.0, 0, 9), 4.0, pace, 10, CERTAIN)
    assert state == Recovering(4.0, None, 10)
    assert recover(state, 10.0, pace, 11, CERTAIN) == Recovering(4.0, 11, 11, hold=5)


def test_a_clock_that_jumps_is_not_that_much_recovery() -> None:
    pace = Pace(hold=5, rise=2.0)
    ready = Recovering(10.0, 0, 10)
    assert recover(ready, 99.0, pace, 1000, CERTAIN).value == 10.0 + 2.0 * LONGEST_STEP
    assert recover(ready, 99.0, pace, 3, CERTAIN) == Recovering(10.0, 0, 10, hold=5), "it ran back"
    assert recover(Recovering(10.0, 0, 1), 99.0, pace, 6, CERTAIN).value == 12.0, (
        "1 s past the hold"
    )


def test_while_a_reading_is_in_doubt_the_hold_stands_still() -> None:
    pace = Pace(hold=5, rise=2.0)
    state = recover(Recovering(10.0, 0, 3), 99.0, pace, 4, Certainty.IN_DOUBT)
    assert state == Recovering(10.0, 1, 4), "3 s of the hold are over"
    state = recover(state, 99.0, pace, 5, CERTAIN)
    assert (state.value, seconds_to(state, 10.5, pace)) == (10.0, 1.25)
    assert recover(Recovering(10.0, None, 3), 99.0, pace, 4, Certainty.IN_DOUBT) == Recovering(
        10.0, None, 4
    )


def test_while_the_measurements_are_not_fresh_there_is_no_hold() -> None:
    pace = Pace(hold=5, rise=2.0)
    state = recover(Recovering(10.0, 0, 9), 99.0, pace, 10, Certainty.NOT_FRESH)
    assert state == Recovering(10.0, None, 10)
    assert recover(state, 99.0, pace, 11, CERTAIN) == Recovering(10.0, 11, 11, hold=5)


def test_from_0_it_starts_only_when_the_rise_is_worth_it() -> None:
    pace = Pace(hold=0, rise=2.0, release=3.0)
    assert recover(Recovering(0.0, None, 0), 2.9, pace, 1, CERTAIN) == Recovering(0.0, None, 1)
    assert recover(Recovering(0.0, None, 0), 3.0, pace, 1, CERTAIN).rising_since == 1
    assert recover(Recovering(0.1, None, 0), 2.9, pace, 1, CERTAIN).rising_since == 1


def test_the_wait_is_what_is_left_of_the_hold_and_the_rise() -> None:
    pace = Pace(hold=5, rise=2.0)
    assert seconds_to(Recovering(10.0, None, 7), 16.0, pace) == 5 + 3
    assert seconds_to(Recovering(10.0, 4, 7), 16.0, pace) == 2 + 3
    assert seconds_to(Recovering(10.0, 0, 7), 16.0, pace) == 3
    assert seconds_to(Recovering(16.0, None, 7), 16.0, pace) == 0


def test_the_reason_says_why_a_limit_is_not_yet_up() -> None:
    bench = Bench(limiter={**LIMITER, "max_charge_current_above_cv2": 0})

    def reason() -> str:
        return str(bench.state["reasons"]["CCL"])

    bench.feed()
    bench.pass_time(1, lambda: bench.feed(cell=3.46))
    bench.pass_time(2, bench.feed)
    assert reason() == (
        "rises to 25.0 within 34 s"
        " (a cell was at cv1 3.4 V, until all are 30 mV below it for 15 min)"
    )
    bench.dbus("/Soc", 101)  # refused: until the next reading the SoC is in doubt
    bench.pass_time(1)
    assert reason() == "does not rise while a measurement is in doubt"
    bench.dbus("/Settings/Limiter/MaxChargeCurrentAboveCv1", 1)
    bench.pass_time(2, lambda: bench.feed(cell=3.41))
    assert reason() == "stays at 0 A, 1.00 A is less than current_release"


LIMITER = {
    "max_charge_current": 100,
    "max_charge_current_above_cv1": 50,
    "max_discharge_current": 150,
}


def test_a_shorter_hold_holds_from_the_next_rise_on() -> None:
    """Its value at run time is a client's, and a hold that is under way is a protection's."""
    bench = Bench()
    bench.feed()
    bench.batch({"Voltages/Cell3": 3.56})
    bench.settle()
    assert bench.ccl == 0.0
    low = bench.cvl
    bench.pass_time(3, bench.feed)
    quick = {"CurrentHold": 0, "CurrentRise": 1, "VoltageHold": 0, "VoltageRise": 1}
    bench.batch({"Settings": {"Limiter": quick}})
    bench.pass_time(26, bench.feed)
    assert (bench.ccl, bench.cvl) == (0.0, low)
    bench.pass_time(4, bench.feed)
    assert bench.ccl > 0.0 and bench.cvl == low
    bench.pass_time(40, bench.feed)
    assert (bench.ccl, bench.cvl) == (32.5, 55.2)  # as far back as after a high cell
    bench.batch({"Voltages/Cell3": 3.56})
    bench.pass_time(3, bench.feed)
    assert bench.ccl == 15.6
