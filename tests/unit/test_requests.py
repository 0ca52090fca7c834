"""Requests: limits that clients ask for. They can only tighten, and end by "off" or by expiry."""

from __future__ import annotations

import logging

import pytest
from doubles import Bench

CVL = "/Info/MaxChargeVoltage"
CCL = "/Info/MaxChargeCurrent"
DCL = "/Info/MaxDischargeCurrent"


def fed(**changes: object) -> Bench:
    bench = Bench(**changes)
    bench.feed()
    return bench


def test_of_several_writers_the_latest_counts_whichever_way_it_came() -> None:
    bench = fed()
    bench.mqtt(CCL, "40")
    assert bench.dbus(CCL, 35) == 0
    bench.batch({"Info": {"MaxChargeCurrent": 30}})
    bench.settle()
    assert bench.ccl == 30.0
    assert bench.dbus(CCL, 20.0) == 0
    bench.settle()
    assert bench.ccl == 20.0
    bench.pass_time(2, bench.feed)
    assert bench.state["requests"]["CCL"]["value"] == 20.0


@pytest.mark.parametrize(
    ("path", "wish", "before"), [(CVL, 54.0, 55.2), (CCL, 12.5, 100.0), (DCL, 0.0, 150.0)]
)
@pytest.mark.parametrize("words", ['{"value": "off"}', "off", "OFF", '"Off"', '{"value": " oFF "}'])
def test_each_limit_can_be_asked_for_and_given_back(
    path: str, wish: float, before: float, words: str
) -> None:
    bench = fed()
    bench.mqtt(path, f'{{"value": {wish}}}')
    assert bench[path] == wish
    bench.mqtt(path, words)
    bench.pass_time(2, bench.feed)
    assert bench.state["requests"] == {}
    assert bench[path] == wish, "what the request held down rises slowly"
    bench.pass_time(300, bench.feed)
    assert bench[path] == before


def test_off_without_a_request_is_no_mistake() -> None:
    bench = fed()
    bench.batch({"Info": {"MaxChargeCurrent": "off", "MaxDischargeCurrent": {"value": "off"}}})
    assert bench.dbus(CVL, "off") == 0
    assert bench.rejected == []


# --- what is no request ------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["mqtt", "batch", "dbus"])
@pytest.mark.parametrize("nothing", [None, "", []])
def test_a_null_withdraws_nothing(way: str, nothing: object) -> None:
    """Node-RED makes a null of a NaN, and D-Bus an empty list of a null."""
    bench = fed()
    bench.mqtt(CCL, "40")
    if way == "dbus":
        assert bench.dbus(CCL, nothing) == 2
    elif way == "batch":
        bench.batch({CCL: nothing})
    else:
        bench.mqtt(CCL, {None: "null", "": '""'}.get(nothing, "[]") if nothing != [] else "[]")
    bench.pass_time(100, bench.feed)
    assert bench.ccl == 40.0
    (refused,) = bench.rejected
    assert '"off"' in refused["reason"]


@pytest.mark.parametrize(
    "value",
    ["-1", "NaN", "unknown", '{"value": "x"}', "5001", "true", "{}", '{"expires": 5}', "of"],
)
def test_a_wish_that_cannot_be_understood_leaves_the_last_one(value: str) -> None:
    bench = fed()
    bench.mqtt(CCL, "40")
    bench.mqtt(CCL, value)
    bench.settle()
    assert bench.ccl == 40.0
    assert len(bench.rejected) == 1


@pytest.mark.parametrize("expires", ["0", "-5", "null", "true", '"soon"', "1e300", "NaN", "[300]"])
def test_a_wrong_expiry_refuses_the_whole_request(expires: str) -> None:
    bench = fed()
    bench.mqtt(CCL, "40")
    bench.mqtt(CCL, f'{{"value": 60, "expires": {expires}}}')
    bench.pass_time(100, bench.feed)
    assert bench.ccl == 40.0
    assert len(bench.rejected) == 1


def test_only_a_request_expires() -> None:
    bench = fed()
    bench.mqtt("/Soc", '{"value": 40, "expires": 300}')
    bench.mqtt("/Settings/Limiter/Cv1", '{"value": 3.41, "expires": 300}')
    assert bench["/Soc"] == 50.0
    assert len(bench.rejected) == 2


# --- a limit rises slowly whatever lifts the request --------------------------------------------


@pytest.mark.promise("requests")
@pytest.mark.parametrize("more", ["75", "60", "off", '{"value": 75, "expires": 60}'])
@pytest.mark.parametrize(("path", "least"), [(CVL, 52.0), (CCL, 0.0), (DCL, 0.0)])
def test_a_higher_request_lifts_nothing_at_once(path: str, least: float, more: str) -> None:
    bench = fed()
    bench.mqtt(path, "0")
    bench.settle()
    assert bench[path] == least
    bench.mqtt(path, more)
    bench.pass_time(28, bench.feed)
    assert bench[path] == least, "the hold is 30 s"
    bench.pass_time(100, bench.feed)
    assert bench[path] > least


@pytest.mark.promise("clients")
@pytest.mark.parametrize("more", ["80", "off"])
@pytest.mark.parametrize("order", [1, -1])
def test_of_two_clients_that_write_in_turns_the_more_careful_one_counts(
    more: str, order: int
) -> None:
    bench = fed()
    for _ in range(90):
        for value in ("10", more)[::order]:
            bench.mqtt("/Info/MaxChargeCurrent", value)
        bench.settle()
        bench.pass_time(1, bench.feed)
        assert bench["/Info/MaxChargeCurrent"] == 10.0


@pytest.mark.parametrize("more", ["60", "off"])
def test_a_higher_request_rises_at_the_rate_of_the_limit(more: str) -> None:
    bench = fed()
    bench.mqtt(CCL, "20")
    bench.mqtt(CCL, more)
    rises = []
    for _ in range(60):
        before = bench.ccl
        bench.pass_time(1, bench.feed)
        rises.append(bench.ccl - before)
    assert max(rises) == pytest.approx(5.0), "0.05 of 100 A each second"
    assert bench.ccl == (60.0 if more == "60" else 100.0)


@pytest.mark.promise("requests")
@pytest.mark.parametrize(("path", "wish"), [(CVL, 53.0), (CVL, 0.0), (CCL, 5.0), (DCL, 0.0)])
@pytest.mark.parametrize("more", ["off", "5", "1000"])
def test_a_request_that_comes_and_goes_lifts_nothing(path: str, wish: float, more: str) -> None:
    bench = fed()
    bench.mqtt(path, str(wish))
    held = bench[path]
    for _ in range(50):
        bench.mqtt(path, more)
        bench.settle()
        assert bench[path] <= held
        bench.mqtt(path, str(wish))
        bench.pass_time(1, bench.feed)
        assert bench[path] <= held


def test_a_higher_request_lifts_nothing_while_the_measurements_are_not_fresh() -> None:
    bench = fed()
    bench.mqtt(DCL, "20")
    bench.pass_time(40)
    bench.mqtt(DCL, "off")
    bench.pass_time(15)
    assert bench.state["stage"] == "aging"
    assert bench.dcl == 20.0


@pytest.mark.promise("requests")
def test_taking_back_a_wish_lifts_nothing_that_a_protection_holds_lower() -> None:
    bench = fed()
    bench.mqtt(CCL, "40")
    bench.feed(cell=3.46)  # past cv2: 10 A
    bench.feed(cell=3.3)
    assert bench.ccl == 10.0
    bench.mqtt(CCL, "off")
    bench.settle()
    assert bench.ccl == 10.0


def test_a_wish_that_holds_nothing_down_leaves_no_trace_when_it_is_taken_back() -> None:
    bench = fed()
    bench.mqtt(CCL, "120")
    bench.mqtt(CCL, "off")
    bench.settle()
    assert (bench.ccl, bench["/Info/ChargeLimitation"]) == (100.0, "maximum")


def test_a_request_is_no_setting() -> None:
    bench = fed()
    bench.mqtt(CCL, "40")
    bench.pass_time(2, bench.feed)
    assert bench["/Settings/Changed"] == "nothing"


# --- expiry ------------------------------------------------------------------------------------

FOR_ONE_MINUTE = '{"value": 40, "expires": 60}'


def _write(bench: Bench, form: str) -> None:
    if form == "batch":
        bench.batch({"Info": {"MaxChargeCurrent": {"value": 40, "expires": 60}}})
    elif form == "flat batch":
        bench.batch({"Info/MaxChargeCurrent": {"expires": 60, "value": "40"}})
    elif form == "D-Bus object":
        assert bench.dbus(CCL, {"value": 40, "expires": 60.0}) == 0
    elif form == "D-Bus text":
        assert bench.dbus(CCL, FOR_ONE_MINUTE) == 0
    elif form == "Python dict":
        bench.mqtt(CCL, FOR_ONE_MINUTE.replace('"', "'"))
    else:
        bench.mqtt(CCL, FOR_ONE_MINUTE)
    bench.settle()


@pytest.mark.parametrize(
    "form", ["topic", "Python dict", "batch", "flat batch", "D-Bus object", "D-Bus text"]
)
def test_a_request_ends_when_it_expires(form: str, caplog: pytest.LogCaptureFixture) -> None:
    bench = fed()
    _write(bench, form)
    with caplog.at_level(logging.INFO):
        bench.pass_time(59, bench.feed)
    assert bench.state["requests"]["CCL"]["expires"] == pytest.approx(59, abs=1)
    assert (bench.ccl, "expired" in caplog.text) == (40.0, False)
    with caplog.at_level(logging.INFO):
        bench.pass_time(2, bench.feed)
    assert bench.state["requests"] == {}
    assert "test: the request of 40 for CCL has expired" in caplog.text
    assert bench.ccl == 40.0, "it rises slowly"
    bench.pass_time(60, bench.feed)
    assert bench.ccl == 100.0


def test_a_request_that_is_written_again_begins_anew() -> None:
    bench = fed()
    for _ in range(5):
        bench.mqtt(CCL, FOR_ONE_MINUTE)
        bench.pass_time(50, bench.feed)
    assert bench.ccl == 40.0
    bench.mqtt(CCL, "40")
    bench.pass_time(300, bench.feed)
    assert bench.ccl == 40.0, "the last write has no expiry"


@pytest.mark.parametrize("first", ["40", '{"value": 10, "expires": 60}', "off"])
def test_the_copy_that_a_gx_makes_of_a_write_has_no_expiry_and_ends_none(first: str) -> None:
    """On a GX a write to W/ comes by MQTT, and its bare value once more by D-Bus."""
    bench = fed()
    bench.mqtt(CCL, first)
    bench.mqtt(CCL, FOR_ONE_MINUTE)
    bench.clock.now += 0.2
    for copy in (10.0, 40.0) if "10" in first else (40.0,):
        assert bench.dbus(CCL, copy) == 0
    bench.pass_time(62, bench.feed)
    assert bench.state["requests"] == {}


def test_the_copy_may_come_first() -> None:
    bench = fed()
    assert bench.dbus(CCL, 40.0) == 0
    bench.mqtt(CCL, FOR_ONE_MINUTE)
    bench.pass_time(62, bench.feed)
    assert bench.state["requests"] == {}


def test_a_later_write_of_the_same_value_is_no_copy() -> None:
    bench = fed()
    bench.mqtt(CCL, FOR_ONE_MINUTE)
    bench.pass_time(10, bench.feed)
    assert bench.dbus(CCL, 40.0) == 0
    bench.pass_time(100, bench.feed)
    assert bench.ccl == 40.0


def test_one_expiry_may_hold_for_all_requests() -> None:
    bench = fed(requests={"expire": 30})
    bench.mqtt(CCL, "40")
    bench.mqtt(DCL, '{"value": 20, "expires": 90}')
    bench.pass_time(32, bench.feed)
    assert list(bench.state["requests"]) == ["DCL"], "its own expiry comes first"
    bench.pass_time(60, bench.feed)
    assert bench.state["requests"] == {}


def test_a_shorter_expiry_ends_no_request_that_stands() -> None:
    bench = fed()
    bench.mqtt(CCL, "40")
    bench.mqtt("/Settings/Requests/Expire", "5")
    bench.pass_time(100, bench.feed)
    assert bench.ccl == 40.0
