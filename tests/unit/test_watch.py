"""The live view: what it collects, how it draws it, and how it writes it to a pipe."""

import io
import json
import re

import pytest

from bridge.tools.watch.journal import Journal
from bridge.tools.watch.render import render
from bridge.tools.watch.screen import Appended, Terminal, screen_for
from bridge.tools.watch.state import parse
from bridge.tools.watch.text import ASCII, UNICODE, Look, age, clipped, columns, printable
from bridge.tools.watch.view import View

BASE, IDENT = "virtual-battery", "virtual"
STATE, REJECTED, BATCH = (f"{BASE}/{IDENT}/{name}" for name in ("state", "rejected", "set"))
ROOT = "W/c0ffee000001/battery/1"
NOW = 100.0

WRITES = {
    "Dc/0/Voltage": 53.12,
    "Dc/0/Current": 8.3,
    "Dc/0/Temperature": 24.1,
    "Soc": 81.2,
    "Io/AllowToCharge": 1,
}


def state(cells: int = 16, **changes: object) -> dict:
    """A state message as the bridge tells it, cell 7 the highest, cell 1 the lowest."""
    volts = {f"Voltages/Cell{n}": round(3.320 + n / 10000, 4) for n in range(1, cells + 1)}
    volts["Voltages/Cell7"] = 3.46
    message = {
        "stage": "fresh",
        "next": {"stage": "aging", "in": 14.2},
        "doubt": "",
        "frozen": None,
        "ages": {"cells": 0.3, "dc": 0.3, "soc": 1.2, "temperature": None, "flags": None},
        "limits": {"CVL": 55.2, "CCL": 10.0, "DCL": 150.0},
        "reasons": {
            "CVL": "charge voltage 3.45 V x 16",
            "CCL": "cell 7 at 3.460 V, cv2 is 3.450 V",
            "DCL": "max discharge current",
        },
        "caps": {
            "CVL": {"charge_voltage": 55.2},
            "CCL": {"maximum": 100.0, "cell_voltage": 10.0},
            "DCL": {"maximum": 150.0},
        },
        "requests": {"CCL": {"value": 40.0, "age": 12.0}},
        "ceilings": {"CVL": 58.4, "CCL": 200.0, "DCL": 250.0},
        "identity": {
            "ident": IDENT,
            "name": "Cellar",
            "instance": 1,
            "portal": "c0ffee000001",
        },
        "values": {**WRITES, **volts, "Dc/0/Power": 441.0, "Alarms/BmsCable": 0},
    }
    return message | changes


def a_view(message: dict | None = None) -> View:
    """A connected view that has just been told the state."""
    view = View(BASE, IDENT)
    view.on_connection(True, "connected to broker 127.0.0.1:1883")
    view.on_message(f"{BASE}/status", b"online", True, NOW)
    view.on_message(STATE, json.dumps(message or state()).encode(), False, NOW)
    return view


def write(view: View, path: str, payload: str, now: float = NOW, retained: bool = False) -> None:
    view.on_message(f"{ROOT}/{path}", payload.encode(), retained, now)


def refuse(view: View, now: float = NOW, **content: object) -> None:
    view.on_message(REJECTED, json.dumps(content).encode(), False, now)


def screen(view: View, width: int = 80, height: int = 24, now: float = NOW, **look: object) -> str:
    return "\n".join(render(view, width, height, now, Look(**look)))


def line_with(text: str, drawn: str) -> str:
    (found,) = [line for line in drawn.splitlines() if text in line]
    return found


class TestText:
    def test_nothing_that_steers_a_terminal_gets_through(self):
        assert printable("a\x1b[2Jb\r\nc\x9bd\u202ee") == "a?[2Jb??c?d?e"

    def test_wide_characters_take_two_columns(self):
        assert columns("電池 a") == 6
        assert clipped("電池電池", 5, UNICODE) == "電池…"
        assert clipped("電池電池", 8, UNICODE) == "電池電池"

    @pytest.mark.parametrize(
        ("seconds", "words"),
        [(-1, "0 s"), (0.9, "0 s"), (119.9, "119 s"), (120, "2 min"), (7200, "2 h")],
    )
    def test_ages_in_whole_units(self, seconds, words):
        assert age(seconds) == words


class TestState:
    @pytest.mark.parametrize(
        "payload",
        [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"[" * 100_000],
    )
    def test_what_is_no_object_is_no_state(self, payload):
        assert parse(payload) is None

    @pytest.mark.parametrize("part", list(state()))
    @pytest.mark.parametrize("rubbish", [None, 7, "x", [], [1], {"CCL": "x"}, {"CCL": {"a": []}}])
    def test_rubbish_in_one_part_neither_raises_nor_hides_the_rest(self, part, rubbish):
        view = a_view(state(**{part: rubbish}))
        drawn = screen(view)
        assert "CVL" in drawn and "DCL" in drawn
        if part != "reasons":
            assert "cell 7 at 3.460 V" in drawn

    def test_numbers_that_are_none(self):
        nan = json.dumps(state(limits={"CVL": float("nan"), "CCL": True, "DCL": 10**400}))
        assert [limit.value for limit in parse(nan.encode()).limits] == [None, None, None]

    def test_cells_in_their_order_and_only_cells(self):
        values = {"Voltages/Cell10": 3.2, "Voltages/Cell2": 3.3, "Voltages/Sum": 6.5}
        assert parse(json.dumps(state(values=values)).encode()).cells == ((2, 3.3), (10, 3.2))


class TestView:
    def test_where_to_listen_is_known_from_the_state(self):
        assert View(BASE, IDENT).write_root is None
        assert a_view().write_root == ROOT

    @pytest.mark.parametrize("portal", ["+", "#", "a/b", "", None])
    def test_a_portal_id_with_wildcards_is_not_followed(self, portal):
        assert a_view(state(identity={"portal": portal, "instance": 1})).write_root is None

    def test_rate_over_the_last_seconds(self):
        view = a_view()
        for tenth in range(50):
            write(view, "Soc", "81", 95 + tenth / 10)
        assert view.rate.per_second(100.5) == 10
        assert view.rate.per_second(102.5) == 6
        assert view.rate.per_second(200.0) == 0

    def test_cells_share_a_row(self):
        view = a_view()
        for number in (2, 16, 9):
            write(view, f"Voltages/Cell{number}", '{"value": 3.331}')
        (source,) = view.sources.values()
        assert (source.label, source.text) == ("Voltages/Cell2-16", "3.331")

    @pytest.mark.parametrize(
        ("payload", "shown"),
        [
            ('{"value": 53.2}', "53.2"),
            ('{"value":"53.2"}', '"53.2"'),
            ("53.2\n", "53.2"),
            ("{'value': 53.2}", "{'value': 53.2}"),
            ("", ""),
        ],
    )
    def test_what_was_written_as_it_was_typed(self, payload, shown):
        view = a_view()
        write(view, "Soc", payload)
        assert view.sources["Soc"].text == shown

    def test_endless_paths_do_not_fill_the_memory(self):
        view = a_view()
        for number in range(1000):
            write(view, f"x{number}y", "1")
            refuse(view, path=f"x{number}y", value="1" * 10_000, reason="unknown")
        assert len(view.sources) == 200
        assert len(view.refusals) == 50
        assert view.refused == 1000
        assert max(len(refusal.value) for refusal in view.refusals) == 200

    def test_other_topics_are_none_of_its_business(self):
        view = a_view()
        view.on_message("W/c0ffee000001/battery/11/Soc", b"1", False, NOW)
        view.on_message(f"{BASE}/other/state", b"{}", False, NOW)
        assert view.sources == {}

    @pytest.mark.parametrize("payload", [None, b"", b"{", b"[1]", b'{"value": 1}', b"\xff"])
    def test_foreign_input_never_raises(self, payload):
        view = a_view()
        for topic in (STATE, REJECTED, BATCH, f"{BASE}/status", f"{ROOT}/Soc"):
            view.on_message(topic, payload, False, NOW)
        assert "CVL" in screen(view)


class TestRender:
    def test_before_the_broker_is_there(self):
        view = View(BASE, IDENT)
        view.on_connection(False, "broker 127.0.0.1:1883 cannot be reached, will keep trying")
        assert "cannot be reached" in screen(view)
        assert "Waiting for the broker." in screen(view)

    def test_before_the_bridge_has_spoken(self):
        view = View(BASE, IDENT)
        view.on_connection(True, "connected")
        assert "Nothing has come on virtual-battery/virtual/state" in screen(view)

    def test_who_and_how_much(self):
        first, second = screen(a_view()).splitlines()[:2]
        assert first.startswith(" Cellar  virtual, instance 1")
        assert first.endswith("connected to broker 127.0.0.1:1883 ")
        known = ["53.12 V", "+8.3 A", "+441 W", "81.2 %", "24.1 °C"]
        assert re.split("  +", second.strip()) == known

    def test_unknown_readings_are_dashes_and_no_zeros(self):
        second = screen(a_view(state(values={}))).splitlines()[1]
        assert re.split("  +", second.strip()) == ["-- V", "-- A", "-- W", "-- %", "-- °C"]

    def test_the_stage_and_the_silence_of_each_group(self):
        drawn = screen(a_view(), now=NOW + 2)
        line = line_with("fresh", drawn)
        assert re.split("  +", line.strip()) == [
            "fresh",
            "cells 2 s",
            "dc 2 s",
            "soc 3 s",
            "temp --",
            "flags --",
        ]

    def test_ages_stand_while_writes_arrive_and_grow_in_silence(self):
        view = a_view()
        write(view, "Soc", "81.2", NOW + 20)
        assert "soc 1 s" in screen(view, now=NOW + 20)
        assert "soc 6 s" in screen(view, now=NOW + 25)

    def test_a_retained_write_is_no_sign_of_life(self):
        view = a_view()
        write(view, "Soc", "81.2", NOW + 20, retained=True)
        assert "soc 21 s" in screen(view, now=NOW + 20)
        assert re.search(r" 0 s  Soc +retained", screen(view, now=NOW + 20))

    def test_the_next_stage_is_announced_when_it_is_near(self):
        assert "aging" not in screen(a_view(), now=NOW + 2)
        assert "fresh, aging in 4 s" in screen(a_view(), now=NOW + 10)
        waiting = state(stage="waiting", next={"stage": "stale", "in": 58.0})
        assert "waiting, stale in 58 s" in screen(a_view(waiting))

    def test_the_worst_case_of_that_line_fits_a_usual_screen(self):
        ages = dict.fromkeys(("cells", "dc", "soc", "temperature", "flags"), 100.0)
        stale = state(stage="stale", next={"stage": "lost", "in": 500.0}, ages=ages)
        assert screen(a_view(stale)).splitlines()[2].endswith("flags 100 s")

    def test_each_limit_with_its_ceiling_its_caps_and_its_reason(self):
        lines = screen(a_view()).splitlines()
        at = lines.index(line_with(" CCL ", screen(a_view())))
        assert re.fullmatch(
            r" CCL    10\.0 A \S{20} 200 A    cell voltage 10\.0 · maximum 100\.0", lines[at]
        )
        assert lines[at + 1].startswith("     cell 7 at 3.460 V, cv2 is 3.450 V")

    def test_where_rows_are_few_the_reason_stands_on_the_line_of_its_limit(self):
        line = line_with(" CCL ", screen(a_view(), height=8))
        assert line.endswith("cell 7 at 3.460 V, cv2 is 3.450 V")

    def test_the_wish_of_a_client_and_its_age(self):
        assert screen(a_view(), now=NOW + 3).count("asked for 40.0 A 15 s ago") == 1

    def test_the_ceiling_is_not_told_twice(self):
        view = a_view(state(caps={"CCL": {"ceiling": 200.0, "maximum": 100.0}}))
        assert line_with(" CCL ", screen(view)).endswith(" maximum 100.0")

    def test_a_long_reason_is_read_to_its_end(self):
        reason = "rises to 55.2 V within 123 s (charge voltage 3.45 V times 16 cells)"
        assert reason in screen(a_view(state(reasons={"CVL": reason})))

    def test_a_withdrawn_limit_says_so(self):
        view = a_view(state(limits={"CVL": 55.2, "CCL": None, "DCL": 0.0}))
        assert "withdrawn" in line_with(" CCL ", screen(view))
        assert "0.0 A" in line_with(" DCL ", screen(view))

    @pytest.mark.parametrize(
        ("name", "changes", "bar"),
        [
            # of 20 columns: 8.3 A of 200 A is 1, 10 A of 200 A is 1
            ("CCL", {}, (1, 0, 19)),
            ("CCL", {"limits": {"CCL": 100.0}}, (1, 9, 10)),
            ("CCL", {"limits": {"CCL": 500.0}}, (1, 19, 0)),
            ("DCL", {}, (0, 12, 8)),
            # the voltage bar starts at 46.72 V: 53.12 V of 58.4 V is 11, 55.2 V is 15
            ("CVL", {}, (11, 4, 5)),
            ("CVL", {"limits": {"CVL": 40.0}}, (11, 0, 9)),
        ],
    )
    def test_bars_show_used_allowed_and_beyond(self, name, changes, bar):
        line = line_with(f" {name} ", screen(a_view(state(**changes))))
        glyphs = (UNICODE.used, UNICODE.allowed, UNICODE.beyond)
        assert tuple(line.count(glyph) for glyph in glyphs) == bar

    def test_discharging_is_drawn_against_the_discharge_limit(self):
        view = a_view(state(values={"Dc/0/Current": -75.0}))
        assert line_with(" DCL ", screen(view)).count(UNICODE.used) == 6
        assert line_with(" CCL ", screen(view)).count(UNICODE.used) == 0

    def test_lowest_and_highest_cell(self):
        line = line_with(" Cells", screen(a_view()))
        assert line.split("   ") == [
            " Cells",
            "lowest 1 3.320 V",
            "highest 7 3.460 V",
            "140 mV apart",
        ]

    def test_a_bar_for_every_cell_the_highest_is_full(self):
        drawn = screen(a_view())
        bars = dict(re.findall(r"(\d+) 3\.\d{3} ([▏▎▍▌▋▊▉█]+)", drawn))
        assert sorted(map(int, bars)) == list(range(1, 17))
        assert bars["7"] == "█" * 8
        assert bars["1"] == "▏"

    def test_a_level_pack_shows_level_bars(self):
        volts = {"Voltages/Cell1": 3.330, "Voltages/Cell2": 3.331}
        bars = re.findall(r"3\.33\d ([▏▎▍▌▋▊▉█]+)", screen(a_view(state(values=volts))))
        assert [len(bar) for bar in bars] == [1, 1]

    def test_a_pack_too_large_for_bars_has_a_column_per_cell(self):
        drawn = screen(a_view(state(cells=256)))
        strip = "".join(re.findall(r"^ *\d+ ([▁▂▃▄▅▆▇█]+)$", drawn, re.MULTILINE))
        assert len(strip) == 256
        assert strip[6] == "█"

    def test_what_does_not_fit_at_all_is_counted(self):
        drawn = screen(a_view(state(cells=256)), 40, 20)
        shown = "".join(re.findall(r"^ *\d+ ([▁▂▃▄▅▆▇█]+)$", drawn, re.MULTILINE))
        (more,) = re.findall(r"and (\d+) more", drawn)
        assert len(shown) + int(more) == 256

    def test_extremes_alone_are_a_pack_too(self):
        values = {
            "System/MinCellVoltage": 3.301,
            "System/MaxCellVoltage": 3.402,
            "System/MinVoltageCellId": "C3",
            "System/MaxVoltageCellId": "C9",
        }
        line = line_with(" Cells", screen(a_view(state(values=values))))
        assert "lowest C3 3.301 V" in line and "highest C9 3.402 V" in line

    def test_without_cells_there_is_no_cell_block(self):
        assert "Cells" not in screen(a_view(state(values=WRITES)))

    def test_raised_alarms_have_a_line_and_others_do_not(self):
        alarms = {"Alarms/BmsCable": 2, "Alarms/LowSoc": 1, "Alarms/HighVoltage": 0}
        line = line_with("BmsCable", screen(a_view(state(values=alarms))))
        assert line.split("   ") == [" BmsCable alarm", "LowSoc warning  "]
        assert "BmsCable" not in screen(a_view())

    def test_a_doubt_has_a_line_and_what_does_not_change_says_since_when(self):
        doubts = {"doubt": "no change of the SoC", "frozen": "the SoC has not changed for 9 min"}
        line = line_with("doubt:", screen(a_view(state(**doubts))))
        assert line == " doubt: the SoC has not changed for 9 min"
        assert "doubt: Soc is in doubt" in screen(a_view(state(doubt="Soc is in doubt")))
        assert "doubt" not in screen(a_view())

    def test_what_arrives_newest_path_first(self):
        view = a_view()
        for path, value in WRITES.items():
            write(view, path, json.dumps({"value": value}))
        write(view, "Info/MaxChargeCurrent", "40")
        write(view, "Soc", "82", NOW + 5)
        drawn = screen(view, now=NOW + 7)
        assert f"{ROOT}/" in line_with("Arriving", drawn)
        first = drawn.splitlines()[drawn.splitlines().index(line_with("Arriving", drawn)) + 1]
        assert re.match(r" +7 s  Info/MaxChargeCurrent 40 ", first)
        assert re.search(r" 2 s  Soc +82 ", drawn)

    def test_what_was_refused_and_why_the_latest_first(self):
        view = a_view()
        refuse(view, NOW, path="Dc/0/Voltage", value=999, reason="999 is outside 0 to 100 V")
        refuse(view, NOW + 3, topic=BATCH, value="x" * 500, reason="no JSON")
        lines = screen(view, height=40, now=NOW + 4).splitlines()[-2:]
        assert re.fullmatch(r" +1 s  virtual-battery/virtual/set = \"x+…  no JSON", lines[0])
        assert lines[1] == "    4 s  Dc/0/Voltage = 999  999 is outside 0 to 100 V"

    def test_the_bridge_offline(self):
        view = a_view()
        view.on_message(f"{BASE}/status", b"offline", True, NOW)
        assert "the bridge is offline" in screen(view)

    def test_a_lost_broker_is_said_at_length_and_the_limits_stay(self):
        view, words = a_view(), "lost broker 127.0.0.1:1883 (Unspecified error), will keep trying"
        view.on_connection(False, words)
        assert words in screen(view)
        assert "CVL   55.20 V" in screen(view)

    @pytest.mark.parametrize("connected", [True, False])
    def test_a_stage_of_the_past_does_not_look_like_news(self, connected):
        view = a_view()
        assert line_with("cells", screen(view)).startswith(" fresh ")
        if connected:
            view.on_message(f"{BASE}/status", b"offline", True, NOW)
        else:
            view.on_connection(False, "lost broker")
        assert line_with("cells", screen(view)).startswith(" was fresh ")

    def test_foreign_text_cannot_steer_the_terminal(self):
        evil = "\x1b[2J\x07"
        message = state(
            stage=evil,
            reasons={"CCL": evil},
            caps={"CCL": {evil: 1.0}},
            ages={evil: 1.0},
            identity={"name": evil, "portal": "c0ffee000001", "instance": 1},
        )
        message["values"] |= {f"Alarms/{evil}": 2, "System/MinVoltageCellId": evil}
        message["values"] |= {"Info/ChargeMode": evil, "System/MaxVoltageCellId": evil}
        for cells in ({}, {f"Voltages/Cell{n}": None for n in range(1, 17)}):
            message["values"] |= cells
            message["values"] |= {"System/MinCellVoltage": 3.3, "System/MaxCellVoltage": 3.4}
            view = a_view(message)
            view.on_connection(True, evil)
            write(view, "Soc", evil)
            write(view, evil, "1")
            refuse(view, path=evil, value=evil, reason=evil)
            drawn = screen(view, 200, 60)
            assert "\x1b" not in drawn and "\x07" not in drawn

    @pytest.mark.parametrize("cells", [1, 4, 16, 33, 256])
    @pytest.mark.parametrize("height", [1, 2, 5, 10, 14, 24, 50])
    @pytest.mark.parametrize("width", [1, 10, 40, 80, 132, 250])
    def test_it_fits_every_screen(self, cells, width, height):
        view = a_view(state(cells=cells))
        for path, value in WRITES.items():
            write(view, path, json.dumps({"value": value}))
        refuse(view, path="Soc", value="unknown", reason="'unknown' is not a number")
        for look in (Look(), Look(glyphs=ASCII)):
            lines = render(view, width, height, NOW, look)
            assert 0 < len(lines) <= height
            assert max(columns(line) for line in lines) <= width

    def test_a_usual_screen_holds_everything(self):
        view = a_view()
        for path, value in WRITES.items():
            write(view, path, json.dumps({"value": value}))
        refuse(view, path="Soc", value="unknown", reason="'unknown' is not a number")
        drawn = screen(view)
        assert len(drawn.splitlines()) == 24
        for part in ("fresh", "CVL", "CCL", "DCL", "Cells", "Arriving", "Refused", "'unknown'"):
            assert part in drawn

    def test_the_limits_stay_on_the_smallest_screen(self):
        drawn = screen(a_view(), 40, 6)
        assert [f" {name} " in drawn for name in ("CVL", "CCL", "DCL")] == [True] * 3

    def test_colours_change_nothing_but_colours(self):
        view = a_view()
        assert "\x1b" not in screen(view)
        coloured = screen(view, colours=True)
        assert "\x1b[" in coloured
        assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == screen(view)

    def test_ascii_for_terminals_that_know_no_more(self):
        assert screen(a_view(), glyphs=ASCII).replace("°", "").isascii()


class TestJournal:
    def test_says_what_is_new_and_no_more(self):
        journal, view = Journal(NOW - 1), a_view()
        lines = journal.lines(view, NOW)
        assert lines == [
            "      1.0 s  connected to broker 127.0.0.1:1883, the bridge is online",
            "      1.0 s  fresh  53.12 V  +8.3 A  81.2 %"
            "  CVL 55.20 V (charge voltage 3.45 V x 16)"
            "  CCL 10.0 A (cell 7 at 3.460 V, cv2 is 3.450 V)"
            "  DCL 150.0 A (max discharge current)",
        ]
        assert journal.lines(view, NOW + 1) == []

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"stage": "stale"}, "stale"),
            ({"doubt": "Soc is in doubt"}, "doubt: Soc is in doubt"),
            ({"limits": {"CVL": None, "CCL": 0.0, "DCL": 5.0}}, "CVL withdrawn"),
            ({"values": {"Alarms/BmsCable": 2}}, "BmsCable alarm"),
        ],
    )
    def test_a_changed_decision_is_news(self, changes, words):
        journal, view = Journal(NOW), a_view()
        journal.lines(view, NOW)
        view.on_message(STATE, json.dumps(state(**changes)).encode(), False, NOW + 1)
        (line,) = journal.lines(view, NOW + 1)
        assert words in line

    def test_changed_measurements_alone_are_not(self):
        journal, view = Journal(NOW), a_view()
        journal.lines(view, NOW)
        view.on_message(STATE, json.dumps(state(values={"Soc": 1.0})).encode(), False, NOW + 1)
        assert journal.lines(view, NOW + 1) == []

    def test_shows_now_and_then_that_it_is_alive(self):
        journal, view = Journal(NOW), a_view()
        journal.lines(view, NOW)
        assert journal.lines(view, NOW + 9.9) == []
        assert len(journal.lines(view, NOW + 10)) == 1

    def test_every_refusal_in_its_order(self):
        journal, view = Journal(NOW), a_view()
        journal.lines(view, NOW)
        for value in (1, 2):
            refuse(view, NOW, path="Soc", value=value, reason="no")
        lines = journal.lines(view, NOW)
        assert [line.split("  ")[-1] for line in lines] == [
            "refused Soc = 1: no",
            "refused Soc = 2: no",
        ]
        assert journal.lines(view, NOW) == []


class Tty(io.StringIO):
    """A terminal without a size of its own, as far as Python is concerned."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class TestScreen:
    def test_a_terminal_comes_back_as_it_was(self):
        out = Tty()
        with Terminal(out, Look()) as terminal:
            terminal.show(a_view(), NOW)
        written = out.getvalue()
        assert written.startswith("\x1b[?1049h\x1b[?25l")
        assert written.endswith("\x1b[?25h\x1b[?1049l")

    def test_a_terminal_comes_back_after_a_crash_too(self):
        out = Tty()
        with pytest.raises(ZeroDivisionError), Terminal(out, Look()):
            raise ZeroDivisionError
        assert out.getvalue().endswith("\x1b[?25h\x1b[?1049l")

    def test_a_screen_is_never_scrolled(self):
        out, view = Tty(), a_view()
        for number in range(100):
            write(view, f"x{number}y", "1")
        Terminal(out, Look()).show(view, NOW)
        assert out.getvalue().count("\n") == 23
        assert not out.getvalue().endswith("\n")

    def test_nothing_new_is_not_drawn_again(self):
        out = Tty()
        terminal, view = Terminal(out, Look()), a_view()
        terminal.show(view, NOW)
        drawn = out.getvalue()
        terminal.show(view, NOW)
        assert out.getvalue() == drawn

    def test_a_terminal_of_few_characters_still_gets_its_text(self):
        out = Tty()
        out.encoding = "ascii"
        Terminal(out, Look(glyphs=ASCII)).show(a_view(), NOW)
        assert out.getvalue().isascii()

    @pytest.mark.parametrize(
        ("environment", "encoding", "look"),
        [
            ({"TERM": "xterm"}, "utf-8", Look(colours=True, glyphs=UNICODE)),
            ({"TERM": "xterm", "NO_COLOR": "1"}, "UTF-8", Look(colours=False, glyphs=UNICODE)),
            ({"TERM": "xterm", "NO_COLOR": ""}, "UTF8", Look(colours=True, glyphs=UNICODE)),
            ({"TERM": "vt100"}, "iso-8859-1", Look(colours=True, glyphs=ASCII)),
        ],
    )
    def test_a_terminal_gets_what_it_can_show(self, environment, encoding, look):
        out = Tty()
        out.encoding = encoding
        chosen = screen_for(out, environment, NOW)
        assert isinstance(chosen, Terminal) and chosen.look == look

    @pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {}])
    def test_a_dumb_terminal_and_a_pipe_get_lines(self, environment):
        assert isinstance(screen_for(Tty(), environment, NOW), Appended)
        out = io.StringIO()
        with screen_for(out, {"TERM": "xterm"}, NOW) as appended:
            appended.show(a_view(), NOW)
        assert len(out.getvalue().splitlines()) == 2
        assert "\x1b" not in out.getvalue()
