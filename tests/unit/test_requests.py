"""Requests: wishes for a limit that can only tighten, are not kept, and end with a null."""

from __future__ import annotations

import pytest
from doubles import Bench

CVL = "/Info/MaxChargeVoltage"
CCL = "/Info/MaxChargeCurrent"
DCL = "/Info/MaxDischargeCurrent"


def fed() -> Bench:
    bench = Bench()
    bench.feed()
    return bench


def test_of_several_writers_the_latest_counts_whichever_way_it_came() -> None:
    bench = fed()
    bench.mqtt(CCL, "40")
    assert bench.dbus(CCL, 60) == 0
    bench.batch({"Info": {"MaxChargeCurrent": 30}})
    bench.settle()
    assert bench.ccl == 30.0
    assert bench.dbus(CCL, 35.0) == 0
    bench.settle()
    assert bench.ccl == 35.0
    bench.pass_time(2, bench.feed)
    assert bench.state["requests"]["CCL"]["value"] == 35.0


@pytest.mark.parametrize(
    ("path", "wish", "before"), [(CVL, 54.0, 55.2), (CCL, 12.5, 100.0), (DCL, 0.0, 150.0)]
)
def test_each_limit_can_be_asked_for_and_given_back(path: str, wish: float, before: float) -> None:
    bench = fed()
    bench.mqtt(path, f'{{"value": {wish}}}')
    assert bench[path] == wish
    bench.mqtt(path, '{"value": null}')
    bench.pass_time(2, bench.feed)
    assert bench.state["requests"] == {}
    assert bench[path] == wish, "what the request held down rises slowly"
    bench.pass_time(300, bench.feed)
    assert bench[path] == before


@pytest.mark.parametrize(("path", "wish"), [(CVL, 53.0), (CVL, 0.0), (CCL, 5.0), (DCL, 0.0)])
def test_a_null_lifts_nothing_at_once_and_a_new_wish_holds_again(path: str, wish: float) -> None:
    """Node-RED makes a null of a NaN: one missing number must not open the current."""
    bench = fed()
    bench.mqtt(path, str(wish))
    held = bench[path]
    for _ in range(50):
        bench.mqtt(path, '{"value": null}')
        bench.settle()
        assert bench[path] == held
        bench.mqtt(path, str(wish))
        bench.pass_time(1, bench.feed)
        assert bench[path] == held


def test_taking_back_a_wish_lifts_nothing_that_a_protection_holds_lower() -> None:
    bench = fed()
    bench.mqtt(CCL, "40")
    bench.feed(cell=3.46)  # past cv2: 10 A
    bench.feed(cell=3.3)
    assert bench.ccl == 10.0
    bench.mqtt(CCL, '{"value": null}')
    bench.settle()
    assert bench.ccl == 10.0


def test_a_wish_that_holds_nothing_down_leaves_no_trace_when_it_is_taken_back() -> None:
    bench = fed()
    bench.mqtt(CCL, "120")
    bench.mqtt(CCL, '{"value": null}')
    bench.settle()
    assert (bench.ccl, bench["/Info/ChargeLimitation"]) == (100.0, "maximum")


def test_a_request_is_not_kept_and_no_setting() -> None:
    bench = fed()
    bench.mqtt(CCL, "40")
    bench.pass_time(2, bench.feed)
    assert bench.store.saved == []
    assert bench["/Settings/Changed"] == "nothing"


@pytest.mark.parametrize("value", ["-1", "NaN", "unknown", '{"value": "x"}', "5001", "true", "{}"])
def test_a_wish_that_cannot_be_understood_leaves_the_last_one(value: str) -> None:
    bench = fed()
    bench.mqtt(CCL, "40")
    bench.mqtt(CCL, value)
    bench.settle()
    assert bench.ccl == 40.0
    assert len(bench.rejected) == 1
