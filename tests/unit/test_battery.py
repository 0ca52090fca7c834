"""One battery on doubles: writes in, one signal out, refusals by name."""

from __future__ import annotations

import pytest
from doubles import Bench


def test_it_starts_without_permission_to_charge_and_invents_nothing() -> None:
    bench = Bench()
    assert (bench.ccl, bench.dcl, bench.cvl) == (0.0, 150.0, 52.0)
    for path in ("/Dc/0/Voltage", "/Dc/0/Current", "/Dc/0/Power", "/Soc", "/TimeToGo",
                 "/Dc/0/Temperature", "/Voltages/Cell1", "/System/MinCellVoltage"):  # fmt: skip
        assert bench[path] is None
    assert bench["/Info/BatteryLowVoltage"] == 46.4
    assert bench["/Freshness/Stage"] == "waiting"


def test_a_fed_battery_permits_what_is_configured() -> None:
    bench = Bench()
    bench.feed()
    assert (bench.ccl, bench.dcl, bench.cvl) == (100.0, 150.0, 55.2)
    assert bench["/Freshness/Stage"] == "fresh"
    assert bench["/Info/ChargeLimitation"] == "maximum"


@pytest.mark.parametrize(("cell", "current"), [(3.39, 100), (3.40, 50), (3.45, 10), (3.55, 0)])
def test_a_high_cell_lowers_ccl_at_once(cell: float, current: float) -> None:
    bench = Bench()
    bench.feed()
    bench.mqtt("/Voltages/Cell7", f'{{"value": {cell}}}')
    bench.settle()
    assert bench.ccl == current


def test_a_tightening_write_does_not_wait_for_the_interval() -> None:
    bench = Bench()
    bench.feed()
    bench.mqtt("/Voltages/Cell7", "3.46")  # 0 s after the last publication
    assert bench.ccl == 10.0
    assert bench["/Info/ChargeLimitation"] == "cell voltage"
    assert bench["/Voltages/Cell7"] == 3.46


def test_a_lone_write_goes_out_at_once_and_a_frame_costs_two_signals() -> None:
    bench = Bench()
    bench.feed()
    bench.timer.run(1)
    bench.bus.signals.clear()
    bench.mqtt("/Soc", "51")
    assert len(bench.bus.signals) == 1
    for cell in range(1, 17):
        bench.mqtt(f"/Voltages/Cell{cell}", "3.31")
    assert len(bench.bus.signals) == 1
    bench.settle()
    assert len(bench.bus.signals) == 2
    assert bench["/Voltages/Cell16"] == 3.31


def test_a_lone_write_right_after_a_tick_goes_out_at_once() -> None:
    bench = Bench()
    bench.feed()
    bench.pass_time(1)
    bench.bus.signals.clear()
    bench.mqtt("/Soc", "51")
    assert len(bench.bus.signals) == 1


def test_what_time_alone_changes_is_the_ticks_business() -> None:
    bench = Bench()
    bench.feed()
    bench.settle()
    bench.clock.now += 20
    bench.battery.settle(bench.clock.now)
    bench.battery.catch_up(bench.clock.now)
    assert bench["/Freshness/Stage"] == "fresh", "nothing was written, so nothing is published"
    bench.battery.on_tick(bench.clock.now)
    assert bench["/Freshness/Stage"] == "aging"


def test_a_tightening_limit_does_not_wait_for_the_rest_of_a_frame() -> None:
    bench = Bench()
    bench.feed()
    bench.timer.run(1)
    bench.mqtt("/Soc", "51")
    bench.bus.signals.clear()
    bench.mqtt("/Voltages/Cell7", "3.31")
    bench.mqtt("/Soh", "99")
    assert bench.bus.signals == []
    bench.mqtt("/Voltages/Cell7", "3.46")
    assert bench.ccl == 10.0


def test_a_repeated_value_costs_no_signal() -> None:
    bench = Bench()
    bench.feed()
    bench.timer.run(1)
    bench.bus.signals.clear()
    bench.feed()
    bench.settle()
    assert bench.bus.signals == []


@pytest.mark.parametrize("stem", ["/Voltages/Cell", "/Balances/Cell"])
def test_a_cell_that_the_battery_does_not_have_is_told_the_number_of_cells(stem: str) -> None:
    bench = Bench()
    for number in ("17", "0", "999999"):
        bench.mqtt(f"{stem}{number}", "3.3")
        assert bench.rejected[-1]["reason"].endswith("; the configuration has 16 cells")
    bench.mqtt("/Voltages/Cel1", "3.3")
    assert 'did you mean "/Voltages/Cell1"' in bench.rejected[-1]["reason"]


def test_a_batch_is_one_signal_and_what_is_wrong_in_it_is_refused_by_name() -> None:
    bench = Bench()
    bench.bus.signals.clear()
    bench.batch({"Dc": {"0": {"Voltage": 53.1, "Curent": 3}}, "Soc": 200, "Connected": 0})
    assert len(bench.bus.signals) == 1
    assert bench["/Dc/0/Voltage"] == 53.1
    reasons = {answer["path"]: answer["reason"] for answer in bench.rejected}
    assert 'did you mean "/Dc/0/Current"' in reasons["/Dc/0/Curent"]
    assert "outside 0 to 100" in reasons["/Soc"]
    assert "cannot be written" in reasons["/Connected"]


def test_a_flood_of_unknown_paths_costs_no_search_for_what_was_meant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    searches: list[str] = []
    monkeypatch.setattr(
        "bridge.battery.status.did_you_mean", lambda path, _: searches.append(path) or ""
    )
    bench = Bench()
    for number in range(10_000):
        bench.mqtt(f"/Nobody/{number}", "1")
    assert 0 < len(searches) <= 20


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_one_broken_sensor_in_a_batch_does_not_silence_the_others(number: str) -> None:
    bench = Bench()
    payload = f'{{"Dc/0/Voltage": 53.1, "Soc": {number}, "Dc/0/Current": -10}}'.encode()
    bench.battery.on_batch(payload, "virtual-battery/test/set", bench.clock.now)
    bench.battery.refresh(bench.clock.now)
    assert (bench["/Dc/0/Voltage"], bench["/Soc"], bench["/Dc/0/Current"]) == (53.1, None, -10.0)
    (refused,) = bench.rejected
    assert refused["path"] == "/Soc" and "is not a number to work with" in refused["reason"]


def test_whatever_a_client_repeats_the_log_stays_short_and_each_line_one_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    bench = Bench()
    bench.feed()
    for n in range(2000):
        bench.dbus("/Settings/Limiter/MaxChargeCurrent", 50 + n % 2)
        bench.batch({"x\nERROR forged\x1b[2J" + "y" * 60_000: n})
        bench.mqtt("/" + "z" * 60_000, "1")
        bench.clock.now += 0.01
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) < 200
    assert all(len(line) < 300 and line.isprintable() for line in lines)
    assert all(len(answer["path"]) < 200 for answer in bench.rejected)


@pytest.mark.parametrize(
    "payload",
    ["unknown", "unavailable", "NaN", "{}", '{"value": NaN}', '{"value": {"a": 1}}', "[1]", "true",
     "-1", "1501", "1e999", '{"value": "x"}', "x" * 1000, "[" * 3000, b"\xff", "{'value': None}"],
)  # fmt: skip
def test_garbage_changes_nothing_and_is_answered(payload: str | bytes) -> None:
    bench = Bench()
    bench.feed()
    bench.settle()
    before = dict(bench.bus.values)
    bench.mqtt("/Dc/0/Voltage", payload)
    bench.settle()
    assert bench.bus.values == before
    (answer,) = bench.rejected
    assert answer["path"] == "/Dc/0/Voltage"
    assert answer["topic"] == "W/portal/battery/1/Dc/0/Voltage"
    assert answer["reason"]


def test_an_empty_payload_is_nothing_at_all() -> None:
    bench = Bench()
    bench.feed()
    bench.mqtt("/Dc/0/Voltage", "")
    bench.settle()
    assert bench["/Dc/0/Voltage"] == 52.8
    assert bench.rejected == []


def test_a_flood_of_refusals_is_answered_in_moderation() -> None:
    bench = Bench()
    for _ in range(10_000):
        bench.mqtt("/Dc/0/Voltage", "x")
    assert len(bench.rejected) == 20


def test_set_value_answers_as_velib_does() -> None:
    bench = Bench()
    assert bench.dbus("/Dc/0/Voltage", 53.1) == 0
    assert bench.dbus("/Dc/0/Voltage", 53.1) == 0
    assert bench.dbus("/Dc/0/Voltage", "garbage") == 2
    assert bench.dbus("/Connected", 0) == 1
    assert bench.dbus("/Nowhere", 0) == 1
    assert bench["/Dc/0/Voltage"] == 53.1


def test_what_follows_from_the_measurements_is_derived() -> None:
    bench = Bench()
    bench.feed(cell=3.3, current=-28.0)
    bench.mqtt("/Voltages/Cell3", "3.25")
    bench.mqtt("/Voltages/Cell9", "3.35")
    bench.settle()
    assert bench["/Dc/0/Power"] == round(52.8 * -28)
    assert bench["/Capacity"] == 140.0
    assert bench["/ConsumedAmphours"] == -140.0
    assert bench["/TimeToGo"] == 5 * 3600
    assert bench["/System/MinCellVoltage"] == 3.25
    assert bench["/System/MinVoltageCellId"] == "C3"
    assert bench["/System/MaxCellVoltage"] == 3.35
    assert bench["/System/MaxVoltageCellId"] == "C9"
    assert bench["/Voltages/Sum"] == 52.8
    assert bench["/Voltages/Diff"] == 0.1
    assert bench["/Battery/1/Cell/9/Voltage"] == 3.35


@pytest.mark.parametrize("cell", [1, 9, 16])
def test_one_cell_that_is_balanced_is_enough(cell: int) -> None:
    bench = Bench()
    assert bench["/Balancing"] is None
    bench.batch({f"Balances/Cell{n}": 0 for n in range(1, 17)})
    bench.settle()
    assert bench["/Balancing"] == 0
    bench.mqtt(f"/Balances/Cell{cell}", "1")
    bench.settle()
    assert bench["/Balancing"] == 1


@pytest.mark.parametrize(
    ("lowest", "highest", "apart"), [(3.2, 3.4, 0.2), (3.31, 3.32, 0.01), (3.4, 3.2, 0.0)]
)
def test_written_extremes_tell_how_far_the_cells_are_apart(
    lowest: float, highest: float, apart: float
) -> None:
    bench = Bench()
    bench.batch({"System/MinCellVoltage": lowest, "System/MaxCellVoltage": highest})
    bench.settle()
    assert bench["/Voltages/Diff"] == apart


def test_a_written_value_wins_over_a_derived_one_until_it_is_taken_back() -> None:
    bench = Bench()
    bench.feed()
    bench.mqtt("/Dc/0/Power", "-500")
    bench.settle()
    assert bench["/Dc/0/Power"] == -500.0
    bench.mqtt("/Dc/0/Power", "null")
    bench.settle()
    assert bench["/Dc/0/Power"] == -528.0


def test_a_power_of_minus_nothing_is_shown_as_nothing() -> None:
    bench = Bench()
    bench.feed(current=-0.001)
    assert str(bench["/Dc/0/Power"]) == "0.0"


def test_time_to_go_is_unknown_while_nothing_is_discharged() -> None:
    bench = Bench()
    bench.feed(current=5.0)
    assert bench["/TimeToGo"] is None


def test_a_stop_by_a_reading_in_doubt_does_not_blame_the_pack() -> None:
    bench = Bench()
    bench.feed()
    bench.mqtt("/Voltages/Cell1", "0")

    def the_others() -> None:
        bench.batch({f"Voltages/Cell{n}": 3.3 for n in range(2, 17)})
        bench.batch({"Dc/0/Voltage": 52.8})

    bench.pass_time(6, the_others)
    assert bench.dcl == 0.0
    assert "pack at" not in bench.state["reasons"]["DCL"]


# --- requests ---------------------------------------------------------------------------------


def test_a_request_tightens_and_off_withdraws_it() -> None:
    bench = Bench()
    bench.feed()
    bench.mqtt("/Info/MaxChargeCurrent", "40")
    assert (bench.ccl, bench["/Info/ChargeLimitation"]) == (40.0, "request")
    bench.mqtt("/Info/MaxChargeCurrent", '{"value": "off"}')
    bench.settle()
    assert (bench.ccl, bench["/Info/ChargeLimitation"]) == (40.0, "recovery")
    bench.pass_time(60, bench.feed)
    assert (bench.ccl, bench["/Info/ChargeLimitation"]) == (100.0, "maximum")


@pytest.mark.parametrize("wish", [101, 200, 5000])
def test_a_request_never_loosens(wish: float) -> None:
    bench = Bench()
    bench.feed()
    bench.mqtt("/Info/MaxChargeCurrent", str(wish))
    bench.settle()
    assert bench.ccl == 100.0


def test_a_requested_cvl_below_the_floor_is_raised_to_it_and_says_so() -> None:
    bench = Bench()
    bench.feed()
    bench.mqtt("/Info/MaxChargeVoltage", "0")
    bench.settle()
    assert bench.cvl == 52.0
    bench.pass_time(2, bench.feed)
    assert "the floor is 52.00" in bench.state["reasons"]["CVL"]


def test_a_request_is_shown_with_its_age() -> None:
    bench = Bench()
    bench.feed()
    bench.mqtt("/Info/MaxChargeCurrent", "40")
    bench.pass_time(3, bench.feed)
    bench.mqtt("/Info/MaxDischargeCurrent", "30")
    bench.pass_time(2, bench.feed)
    requests = bench.state["requests"]
    assert requests["CCL"]["value"] == 40.0 and requests["CCL"]["age"] >= 3
    assert requests["DCL"]["value"] == 30.0


# --- name, page, state topic ------------------------------------------------------------------


def test_the_name_is_kept_and_may_be_empty() -> None:
    bench = Bench()
    assert bench.dbus("/CustomName", "Cellar") == 0
    bench.settle()
    assert bench["/CustomName"] == "Cellar"
    assert bench.dbus("/CustomName", "") == 0
    bench.settle()
    assert bench["/CustomName"] == ""
    assert bench.store.saved == [("CustomName", "Cellar"), ("CustomName", "")]


def test_a_name_from_the_settings_is_shown_without_a_tick_and_not_kept_again() -> None:
    bench = Bench()
    bench.battery.set_name("Cellar")
    bench.battery.settle(bench.clock.now)
    assert bench["/CustomName"] == "Cellar"
    assert bench.store.saved == []


def test_a_name_that_is_written_again_is_a_write_like_any_other() -> None:
    """What time has changed goes out with it, and it is not kept a second time."""
    bench = Bench()
    bench.feed()
    bench.dbus("/CustomName", "shed")
    bench.settle()
    bench.clock.now += 20
    bench.dbus("/CustomName", "shed")
    assert bench["/Freshness/Stage"] == "aging"
    assert bench.store.saved == [("CustomName", "shed")]


def test_the_state_topic_tells_at_most_once_a_second_and_only_news() -> None:
    bench = Bench()
    bench.feed()
    bench.pass_time(1, bench.feed)
    told = len(bench.client.on("virtual-battery/test/state"))
    bench.pass_time(10, bench.feed)
    assert len(bench.client.on("virtual-battery/test/state")) == told
    for _ in range(10):
        bench.timer.run(0.1)
        bench.mqtt("/Soc", str(60 + bench.clock.now % 10))
    bench.settle()
    assert len(bench.client.on("virtual-battery/test/state")) - told in (1, 2)


def test_the_state_topic_is_retained_and_explains() -> None:
    bench = Bench()
    bench.feed(cell=3.3)
    bench.mqtt("/Voltages/Cell7", "3.46")
    bench.pass_time(2, lambda: bench.mqtt("/Voltages/Cell7", "3.46"))
    assert all(retain for topic, _, retain in bench.client.published if topic.endswith("/state"))
    state = bench.state
    assert state["limits"]["CCL"] == 10.0
    assert state["reasons"]["CCL"] == "cell 7 at 3.460 V, cv2 is 3.45 V"
    assert state["caps"]["CCL"] == {"maximum": 100.0, "cell voltage": 10.0, "ceiling": 200.0}
    assert state["ceilings"] == {"CVL": 58.4, "CCL": 200.0, "DCL": 250.0}
    assert state["values"]["Voltages/Cell7"] == 3.46


def test_a_broker_that_comes_back_is_told_again() -> None:
    bench = Bench()
    bench.feed()
    bench.pass_time(3, bench.feed)
    told = len(bench.client.on("virtual-battery/test/state"))
    bench.battery.publish_again()
    bench.pass_time(1, bench.feed)
    assert len(bench.client.on("virtual-battery/test/state")) == told + 1


@pytest.mark.parametrize("cells", [1, 4, 16, 256])
def test_any_number_of_cells(cells: int) -> None:
    bench = Bench(cells=cells)
    bench.feed()
    bench.settle()
    assert bench.ccl == 100.0
    bench.mqtt(f"/Voltages/Cell{cells}", "3.56")
    assert bench.ccl == 0.0


def test_a_block_of_a_moment_counts_also_while_the_limit_is_0_already() -> None:
    bench = Bench(limiter={"block_release": 20, "current_hold": 0})
    bench.feed()
    bench.pass_time(30, bench.feed)
    bench.mqtt("/Info/MaxDischargeCurrent", "0")
    bench.pass_time(2, bench.feed)
    bench.batch({"/Info/MaxDischargeCurrent": 0})
    bench.mqtt("/System/NrOfModulesBlockingDischarge", "1")
    bench.mqtt("/System/NrOfModulesBlockingDischarge", "0")
    bench.mqtt("/Info/MaxDischargeCurrent", "off")
    bench.pass_time(18, bench.feed)
    assert bench.dcl == 0.0
    bench.pass_time(10, bench.feed)
    assert bench.dcl
