"""A limit on its way back up."""

from __future__ import annotations

from bridge.core.limiter.recovery import Pace, Recovering, follow


def test_noise_of_the_arithmetic_starts_no_hold() -> None:
    pace = Pace(hold=60, rise=0.01)
    state = follow(None, 13.2, pace, 0, True)
    state = follow(state, 13.200000000000003, pace, 10, True)
    assert state == Recovering(13.2, None, 10)
    state = follow(state, 13.6, pace, 50, True)
    assert follow(state, 13.6, pace, 90, True).value == 13.2, "the hold began at 50"
