"""A value that is refused again and again is missing, and a refused permission does not stay."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from doubles import Bench

from bridge.core.measurements.inputs import CELLS
from bridge.core.measurements.refusals import REFUSED, Refusals
from bridge.core.paths.access import Access, WriteAccess

CHARGE, BLOCKING = "/Io/AllowToCharge", "/System/NrOfModulesBlockingCharge"


def fed(**changes: object) -> Bench:
    bench = Bench(**changes)
    bench.feed(Dc_0_Temperature=20, Io_AllowToCharge=1)
    bench.pass_time(1)
    assert (bench.ccl, bench.dcl) == (100.0, 150.0)
    return bench


@pytest.mark.parametrize(
    ("path", "odd", "limit"),
    [(CHARGE, "maybe", "CCL"), (BLOCKING, -1, "CCL"), ("/Dc/0/Temperature", 160, "DCL")],
)
def test_the_reason_tells_what_is_refused_from_what_is_silent(
    path: str, odd: object, limit: str
) -> None:
    """Also while one becomes the other: the limit stays as it is."""
    bench = fed()
    for _ in range(2):
        for _ in range(8):
            bench.pass_time(1, lambda: feed_without(bench, path))
            bench.batch({path[1:]: odd})
        bench.pass_time(1, lambda: feed_without(bench, path))
        assert bench.state["reasons"][limit] == f"the values for {path} are refused"
        for _ in range(12):
            bench.pass_time(1, lambda: bench.batch({path[1:]: 0 if path == BLOCKING else 1}))
        bench.pass_time(70, lambda: feed_without(bench, path))
        assert "went silent" in bench.state["reasons"][limit]


def feed_without(bench: Bench, path: str) -> None:
    cells = {f"Voltages/Cell{n}": 3.3 for n in range(1, 17)}
    rest = {"Dc/0/Voltage": 52.8, "Soc": 50, "Dc/0/Temperature": 20, "Io/AllowToCharge": 1}
    bench.batch({name: value for name, value in (cells | rest).items() if name != path[1:]})


def alternating(*values: object) -> Callable[[int], object]:
    return lambda second: values[second % len(values)]


@pytest.mark.parametrize(
    ("path", "odd", "stage", "ccl", "dcl"),
    [
        ("/Voltages/Cell7", alternating(5.2), "stale", 0.0, 0.0),
        ("/Voltages/Cell7", alternating(0.0, 5.0), "stale", 0.0, 0.0),
        ("/Voltages/Cell7", alternating("unknown", {"x": 1}), "stale", 0.0, 0.0),
        ("/Dc/0/Voltage", alternating(-1), "stale", 0.0, 0.0),
        ("/Dc/0/Voltage", alternating(0.0, 79.0), "stale", 0.0, 0.0),
        ("/Dc/0/Temperature", alternating(160), "fresh", 0.0, 0.0),
        ("/Dc/0/Temperature", alternating(-50, 120), "fresh", 0.0, 0.0),
        (CHARGE, alternating(2), "fresh", 0.0, 150.0),
    ],
)
def test_refused_each_second_it_is_silent_after_the_time_of_a_doubt(
    path: str, odd: Callable[[int], object], stage: str, ccl: float, dcl: float
) -> None:
    bench = fed()
    for second in range(5):
        assert bench.dbus(path, odd(second)) == 2
        bench.pass_time(1, lambda: feed_without(bench, path))
    assert (bench["/Freshness/Stage"], bench.ccl, bench.dcl) == (stage, ccl, dcl)
    assert bench[path] in (None, 0), "not shown any more; a permission is derived from CCL"
    assert f"{path[1:]} is refused again and again" in bench.state["doubt"]


def test_it_makes_no_difference_whether_anything_was_read_before() -> None:
    bench = Bench()
    for _ in range(5):
        bench.feed()
        bench.dbus("/Dc/0/Temperature", 160)
        bench.pass_time(1)
    assert (bench.ccl, bench.dcl) == (0.0, 0.0)
    bench.pass_time(150, bench.feed)
    assert (bench.ccl, bench.dcl) == (100.0, 150.0), "nobody writes it any more"


def test_a_good_reading_ends_it_and_the_limits_rise_slowly() -> None:
    bench = fed()
    for _ in range(6):
        bench.dbus("/Voltages/Cell7", 5.2)
        bench.pass_time(1, lambda: feed_without(bench, "/Voltages/Cell7"))
    assert bench.ccl == 0.0
    bench.pass_time(10, lambda: feed_without(bench, ""))
    assert (bench["/Freshness/Stage"], bench.ccl) == ("fresh", 0.0)
    bench.pass_time(90, lambda: feed_without(bench, ""))
    assert (bench.ccl, bench.state["doubt"]) == (100.0, "")


@pytest.mark.parametrize("path", ["/Voltages/Cell7", "/Dc/0/Voltage", "/Dc/0/Temperature", CHARGE])
@pytest.mark.parametrize("odd", [1e4, "unknown", [3.3]])
def test_one_glitch_a_minute_does_not_do_it(path: str, odd: object) -> None:
    bench = fed()
    for second in range(180):
        if second % 60 == 30:
            assert bench.dbus(path, odd) == 2
            bench.mqtt(path, '"garbage"')  # the copy
        bench.pass_time(1, lambda: feed_without(bench, ""))
        assert (bench["/Freshness/Stage"], bench.ccl, bench.dcl) == ("fresh", 100.0, 150.0)


def test_a_glitch_and_a_late_next_reading_are_no_outage() -> None:
    bench = fed()
    assert bench.dbus("/Voltages/Cell7", 5.2) == 2
    bench.pass_time(14, lambda: feed_without(bench, "/Voltages/Cell7"))
    assert (bench["/Freshness/Stage"], bench.ccl, bench.dcl) == ("fresh", 100.0, 150.0)


def test_the_log_says_when_it_begins_and_when_it_ends(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    bench = fed()
    for _ in range(10):
        bench.dbus("/Voltages/Cell7", 5.2)
        bench.pass_time(1, lambda: feed_without(bench, "/Voltages/Cell7"))
    bench.pass_time(5, lambda: feed_without(bench, ""))
    lines = [record.getMessage() for record in caplog.records]
    assert lines.count("test: in doubt: Voltages/Cell7 is refused again and again") == 1
    levels = {one.levelname for one in caplog.records if ": in doubt: " in one.getMessage()}
    assert levels == {"WARNING"}
    assert lines.count("test: no longer in doubt: Voltages/Cell7 is refused again and again") == 1


class TestAPathOfWhichAShareIsRefused:
    """It is no use that some readings are good: which of them are, nobody knows."""

    @pytest.mark.parametrize(
        ("path", "good", "odd", "ccl", "dcl"),
        [
            ("/Voltages/Cell7", 3.33, 5.2, 0.0, 0.0),
            ("/Voltages/Cell7", 3.3, 4.6, 0.0, 0.0),
            ("/Voltages/Cell7", 3.3, 0.0, 0.0, 0.0),
            ("/System/MaxCellVoltage", 3.31, 5.2, 0.0, 0.0),
            ("/Dc/0/Voltage", 52.8, -1, 0.0, 0.0),
            ("/Dc/0/Temperature", 20, 160, 0.0, 0.0),
            ("/Dc/0/Temperature", 20, 90, 0.0, 0.0),
            (CHARGE, 1, "x", 0.0, 150.0),
            (BLOCKING, 0, "x", 0.0, 150.0),
        ],
    )
    @pytest.mark.parametrize(
        ("way", "pattern"),
        [("one", "gx"), ("one", "gggxgx"), ("both ways", "ggx"), ("batch", "xxgg")],
    )
    def test_is_silent_soon_and_stays_so(
        self, path: str, good: object, odd: object, ccl: float, dcl: float, pattern: str, way: str
    ) -> None:
        bench = fed()
        for second in range(25):
            value = good if pattern[second % len(pattern)] == "g" else odd
            bench.pass_time(1, lambda: feed_without(bench, path))
            if way == "batch":
                bench.batch({path[1:]: value})
            else:
                bench.mqtt(path, json.dumps(value))
            if way == "both ways":
                bench.dbus(path, value)
            if second >= 20:
                assert (bench.ccl, bench.dcl) == (ccl, dcl), second
                assert f"{path[1:]} is refused again and again" in bench.state["doubt"]

    @pytest.mark.parametrize("path", ["/Voltages/Cell7", "/Dc/0/Temperature", CHARGE])
    def test_counts_again_when_it_has_been_clean_for_a_time(self, path: str) -> None:
        good: dict[str, object] = {"/Voltages/Cell7": 3.3, "/Dc/0/Temperature": 20, CHARGE: 1}
        bench = fed()
        for second in range(20):
            bench.pass_time(1, lambda: feed_without(bench, path))
            bench.dbus(path, good[path] if second % 2 else "x")
        bench.pass_time(5, lambda: feed_without(bench, ""))
        assert "refused" in bench.state["doubt"], "not yet clean for long enough"
        bench.pass_time(20, lambda: feed_without(bench, ""))
        assert (bench["/Freshness/Stage"], bench.state["doubt"]) == ("fresh", "")
        bench.pass_time(90, lambda: feed_without(bench, ""))
        assert (bench.ccl, bench.dcl) == (100.0, 150.0)

    def test_a_slow_path_too(self) -> None:
        bench = fed()
        for second in range(150):
            if second % 15 == 0:
                bench.dbus("/Dc/0/Temperature", 160 if second % 30 else 20)
            bench.pass_time(1, lambda: feed_without(bench, "/Dc/0/Temperature"))
        assert (bench.ccl, bench.dcl) == (0.0, 0.0)

    def test_nothing_loosens_from_the_second_refusal_on(self) -> None:
        bench = fed()
        for second in range(4):
            bench.dbus("/Dc/0/Temperature", 20 if second % 2 else 160)
            bench.pass_time(1, lambda: feed_without(bench, "/Dc/0/Temperature"))
        assert "Temperature" in bench.state["doubt"]
        assert (bench.ccl, bench.dcl) == (100.0, 150.0), "but that is no outage yet"

    @pytest.mark.parametrize(("volts", "ccl"), [(16 * 3.66, 0.0), (16 * 3.33, 5.0)])
    def test_what_it_says_in_between_can_still_tighten(self, volts: float, ccl: float) -> None:
        bench = fed(failsafe={"charge_current": 5})
        for seconds in range(60):
            bench.pass_time(1, lambda: feed_without(bench, "/Dc/0/Voltage"))
            good = 16 * 3.33 if seconds < 30 else volts
            bench.batch({"Dc/0/Voltage": good if seconds % 2 else "x"})
        assert bench["/Freshness/Stage"] == "stale"
        assert bench.ccl == ccl

    @pytest.mark.parametrize(("odd", "distance"), [(1e4, 8), ("unknown", 15), (3.9, 60)])
    def test_glitches_that_are_few_are_no_outage(self, odd: object, distance: int) -> None:
        bench = fed()
        for second in range(150):
            if second % distance == 5:
                assert bench.dbus("/Voltages/Cell7", odd) == 2
                bench.mqtt("/Voltages/Cell7", json.dumps(odd))  # the copy
            bench.pass_time(1, lambda: feed_without(bench, ""))
            assert (bench["/Freshness/Stage"], bench.ccl, bench.dcl) == ("fresh", 100.0, 150.0)

    def test_two_glitches_close_together_are_no_outage(self) -> None:
        bench = fed()
        for second in range(30):
            if second in (10, 13):
                bench.dbus("/Voltages/Cell7", 5.2)
                bench.mqtt("/Voltages/Cell7", "5.2")  # the copy
            else:
                feed_without(bench, "")
            bench.pass_time(1)
            assert (bench["/Freshness/Stage"], bench.ccl, bench.dcl) == ("fresh", 100.0, 150.0)

    def test_a_restart_begins_anew_and_comes_to_the_same(self) -> None:
        bench = fed()
        for second in range(40):
            bench = Bench(before=bench) if second == 20 else bench
            bench.dbus("/Voltages/Cell7", 3.33 if second % 2 else 5.2)
            feed_without(bench, "/Voltages/Cell7")
            bench.pass_time(1)
            if second >= 12:
                assert bench.ccl == 0.0


PACES = (1 / 60, 1 / 15, 0.3, 1.0, 1.9, 2.1, 3.0, 4.0, 5.0, 7.7, 10.0, 20.0, 50.0)  # values/s
DOUBT = 3.0  # s


class TestTheShareOfRefusedReadings:
    """It is the same at every pace, and with or without the copies of a GX."""

    @staticmethod
    def silent_at(pattern: str, pace: float, copy_after: float | None) -> float | None:
        """Seconds until a cell is silent lastingly; None if never in 300 s and 300 readings."""
        path = "/Voltages/Cell7"
        refusals = Refusals((CELLS,), 16)
        copies = (0.0,) if copy_after is None else (0.0, copy_after)
        readings = sorted(
            (number / pace + delay, pattern[number % len(pattern)])
            for number in range(max(300, int(300 * pace)))
            for delay in copies
        )
        for at, kind in readings:
            if kind == "x":
                refusals.note(path, at)
            elif path in refusals.troubles:
                refusals.note_good(path, at)
                if refusals.missing(DOUBT, 60.0, 180.0, at):
                    return at
        return None

    @pytest.mark.parametrize("copy_after", [None, 0.004, 0.3])
    @pytest.mark.parametrize("pace", PACES)
    def test_below_one_in_ten_never_makes_a_path_silent(
        self, pace: float, copy_after: float | None
    ) -> None:
        for distance in (11, 12, 15, 16, 29, 60):
            pattern = "x" + "g" * (distance - 1)
            assert self.silent_at(pattern, pace, copy_after) is None, distance
        for pattern in ("xx" + "g" * 20, "xgx" + "g" * 29):
            assert self.silent_at(pattern, pace, copy_after) is None, pattern

    @pytest.mark.parametrize("copy_after", [None, 0.004, 0.3])
    @pytest.mark.parametrize("pace", PACES)
    def test_one_in_three_makes_it_silent_soon(
        self, pace: float, copy_after: float | None
    ) -> None:
        few = 15 if pace <= 2 else 36  # at a fast pace each counts half
        for pattern in ("ggx", "gx", "gxx", "ggxx", "gxgxggx", "gxxxx"):
            silent_at = self.silent_at(pattern, pace, copy_after)
            assert silent_at is not None and silent_at <= DOUBT + few / pace, (pattern, silent_at)

    def test_a_burst_counts_as_one(self) -> None:
        refusals = Refusals((CELLS,), 16)
        for number in range(20):
            refusals.note("/Voltages/Cell7", number / 50)
        assert refusals.troubles["/Voltages/Cell7"].score == REFUSED


class TestAPermission:
    """What a BMS says about it counts, also when it cannot be understood."""

    @pytest.mark.parametrize(
        ("path", "word"),
        [
            (CHARGE, "false"),
            (CHARGE, "OFF"),
            (CHARGE, '{"value": false}'),
            (BLOCKING, "true"),
            (BLOCKING, '"ON"'),
            (BLOCKING, "on"),
            (BLOCKING, '{"value": true}'),
            (BLOCKING, "yes"),
        ],
    )
    def test_can_be_denied_in_words(self, path: str, word: str) -> None:
        bench = fed()
        bench.mqtt(path, word)
        assert bench.ccl == 0.0
        assert not bench.rejected

    @pytest.mark.parametrize(
        ("path", "word"), [(CHARGE, "ON"), (BLOCKING, "false"), (BLOCKING, '"OFF"')]
    )
    def test_can_be_given_in_words(self, path: str, word: str) -> None:
        bench = fed()
        bench.pass_time(5, lambda: (bench.feed(), bench.mqtt(path, word)))
        assert bench.ccl == 100.0
        assert not bench.rejected

    @pytest.mark.promise("permission")
    @pytest.mark.parametrize("path", [CHARGE, BLOCKING])
    @pytest.mark.parametrize(
        "garbage", ["2.5", "-1", "blocked", "{", '{"x": 1}', "[1]", "NaN", "unknown", b"\xff"]
    )
    def test_that_cannot_be_understood_is_none(self, path: str, garbage: str | bytes) -> None:
        bench = fed()
        bench.mqtt(path, garbage)
        bench.pass_time(2, bench.feed)
        assert bench.ccl == 100.0, "the next one may be clear"
        bench.pass_time(2, bench.feed)
        assert (bench["/Freshness/Stage"], bench.ccl, bench.dcl) == ("fresh", 0.0, 150.0)

    @pytest.mark.parametrize("path", [CHARGE, BLOCKING])
    def test_that_was_never_understood_is_none_until_it_is(self, path: str) -> None:
        bench = Bench()
        bench.feed(current=0.0)
        bench.mqtt(path, "perhaps")
        bench.pass_time(5, lambda: bench.feed(current=0.0))
        assert (bench.ccl, bench.dcl) == (0.0, 150.0)
        bench.pass_time(200, lambda: bench.feed(current=0.0))
        assert bench.ccl == 0.0, "nobody has said anything since"
        bench.dbus("/Freshness/Forget", path)
        bench = Bench(before=bench)
        bench.pass_time(200, lambda: bench.feed(current=0.0))
        assert bench.ccl == 0.0, "a restart does not know more"
        bench.dbus("/Freshness/Forget", path)
        bench.pass_time(100, lambda: bench.feed(current=0.0))
        assert bench.ccl == 0.0
        allowed = {path[1:].replace("/", "_"): int(path == CHARGE)}
        bench.pass_time(100, lambda: bench.feed(current=0.0, **allowed))
        assert bench.ccl == 100.0

    def test_that_cannot_be_understood_is_not_forgotten(self) -> None:
        bench = fed()
        bench.mqtt(CHARGE, "perhaps")
        bench.pass_time(100, lambda: bench.feed(current=0.0, Dc_0_Temperature=20))
        assert bench.dbus("/Freshness/Forget", CHARGE) == 2
        bench.pass_time(100, lambda: bench.feed(current=0.0, Dc_0_Temperature=20))
        assert bench.ccl == 0.0

    def test_in_a_member_of_a_batch_that_is_an_object_is_none(self) -> None:
        bench = Bench()
        bench.feed()
        bench.batch({"Io": {"AllowToCharge": {"state": "blocked"}}})
        bench.pass_time(5, bench.feed)
        assert bench.ccl == 0.0

    def test_in_a_message_that_is_too_large_is_none(self) -> None:
        bench = fed()
        bench.battery.on_oversize(CHARGE, "W/portal/battery/1" + CHARGE, 9999, bench.clock.now)
        bench.pass_time(4, bench.feed)
        assert bench.ccl == 0.0

    def test_is_not_touched_by_a_way_in_that_is_closed(self) -> None:
        closed = Access(mqtt=WriteAccess("MQTT", "mqtt.accept", ()), dbus=WriteAccess("D-Bus", ""))
        bench = Bench(access=closed)
        paths = {**{f"/Voltages/Cell{n}": 3.3 for n in range(1, 17)}, "/Dc/0/Voltage": 52.8}

        def feed() -> None:
            for path, value in {**paths, CHARGE: 1}.items():
                bench.dbus(path, value)

        feed()
        bench.mqtt(CHARGE, "{")
        bench.mqtt(CHARGE, "2")
        bench.pass_time(10, lambda: [bench.dbus(path, value) for path, value in paths.items()])
        assert bench.ccl == 100.0

    def test_a_whole_set_of_flags_counts_what_blocks(self) -> None:
        bench = fed()
        bench.batch({"System/NrOfModulesBlockingDischarge": True, "Io/AllowToDischarge": "ON"})
        assert (bench.ccl, bench.dcl) == (100.0, 0.0)
