"""A recording through the core: what is written down, what it shows, what it refuses."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.adapters.config import load
from bridge.adapters.mailbox import Message
from bridge.tools.record import write_down
from bridge.tools.recording import BadRecording, Entry, read, written
from bridge.tools.replay import Replay, panels, table

ROOT = Path(__file__).parents[2]
CONFIG = load(str(ROOT / "config.yaml"))
START = 1_790_000_000.0  # in September 2026


@given(st.floats(0, 4e9), st.text(), st.binary(max_size=100))
def test_what_is_written_can_be_read(time: float, topic: str, payload: bytes) -> None:
    entry = read(written(Entry(time, topic, payload)))
    assert entry == Entry(round(time, 3), topic, payload)


@pytest.mark.parametrize(
    "line",
    ["", "x", "[]", "1", "null", '{"time": 1}', '{"time": "1", "topic": "a", "payload": ""}',
     '{"time": 1, "topic": 2, "payload": ""}', '{"time": 1, "topic": "a", "payload": 5}',
     '{"time": 1, "topic": "a", "hex": "zz"}', '{"time": NaN, "topic": "a", "payload": ""}'],
)  # fmt: skip
def test_what_is_no_entry_is_refused(line: str) -> None:
    with pytest.raises(BadRecording):
        read(line)


def test_writes_are_written_down_but_nothing_retained_or_too_large() -> None:
    out = io.StringIO()
    messages = [
        Message("a/set", b"{}", 2, False),
        Message("a/set", b"{}", 2, True),
        Message("a/set", None, 1_000_000, False),
        Message("W/p/battery/1/Soc", b"\xff", 1, False),
    ]
    assert write_down(messages, out, START) == 2
    assert [read(line) for line in out.getvalue().splitlines()] == [
        Entry(START, "a/set", b"{}"),
        Entry(START, "W/p/battery/1/Soc", b"\xff"),
    ]


def frame(time: float, cell: float, **more: object) -> str:
    cells = {f"Voltages/Cell{n}": 3.3 for n in range(1, 17)} | {"Voltages/Cell7": cell}
    content = {**cells, "Dc/0/Voltage": 52.8, "Dc/0/Current": 20, "Soc": 60, **more}
    return written(Entry(time, "virtual-battery/virtual/set", json.dumps(content).encode()))


def a_day() -> Iterator[str]:
    """A minute of rest, one of a cell that rises, silence, and a lone write at its end."""
    for second in range(60):
        yield frame(START + second, 3.3)
    for second in range(60):
        yield frame(START + 60 + second, 3.3 + second / 250)
    topic = "W/c0619ab1/battery/1/Soc"
    yield written(Entry(START + 300, topic, b'{"value": 61}'))


def replayed(lines: Iterator[str]) -> tuple[Replay, list[str]]:
    replay = Replay(CONFIG.batteries[0], CONFIG)
    return replay, list(table(replay.run(lines), 0))


def test_limits_and_reasons_are_those_of_the_service() -> None:
    replay, lines = replayed(a_day())
    held = [line.split("  ")[-1] for line in lines]
    assert any("CCL: cell 7 at 3.400 V, cv1 is 3.4 V" in words for words in held)
    assert any("DCL: the measurements are stale" in words for words in held), "the silence"
    assert not replay.refused and not replay.others


def days_at_80_percent() -> Iterator[str]:
    """A SoC window that closes, the day of the full charge, and the charge to full."""
    for day in (0, 1, 2):
        for second in range(120):
            full = day == 2 and second > 60
            soc, volts = (99, 3.46) if full else (80, 3.33)
            cells = {f"Voltages/Cell{n}": volts for n in range(1, 17)}
            content = {**cells, "Dc/0/Voltage": 16 * volts, "Dc/0/Current": 1, "Soc": soc}
            topic = "virtual-battery/virtual/set"
            yield written(Entry(START + day * 86400 + second, topic, json.dumps(content).encode()))


def test_the_soc_window_and_the_full_charge_are_shown() -> None:
    limiter = replace(CONFIG.batteries[0].limiter, charge_to_soc=80.0, full_charge_every=2.0)
    config = replace(CONFIG.batteries[0], limiter=limiter)
    text = "\n".join(table(Replay(config, CONFIG).run(days_at_80_percent()), 0))
    held = "Held at 80 %; "
    assert f"{held}CVL: charged to 80 %, CVL falls while the battery is still charged" in text
    assert "CCL: SoC at 80.0 %, charged to 80 %, goes on below 75 %" in text
    assert "Bulk, full charge" in text
    assert text.rindex(held) > text.rindex("full charge"), "and then the window holds again"


def test_time_passes_as_in_the_recording() -> None:
    moments = list(Replay(CONFIG.batteries[0], CONFIG).run(a_day()))
    assert moments[-1].time == pytest.approx(START + 301)
    assert len(moments) == 301
    assert moments[-1].values["/Soc"] == 61
    assert moments[59].values["/Info/MaxChargeCurrent"] == 100


def test_a_clock_that_was_set_back_or_a_gap_of_weeks_is_survived() -> None:
    lines = [frame(START, 3.3), frame(START - 5000, 3.3), frame(START + 3e6, 3.3)]
    moments = list(Replay(CONFIG.batteries[0], CONFIG).run(lines))
    assert 3600 <= len(moments) <= 3602
    times = [moment.time for moment in moments]
    assert times == sorted(times)


def test_refusals_and_messages_for_others_are_counted() -> None:
    other = written(Entry(START, "W/c0619ab1/battery/77/Soc", b"5"))
    wrong = written(Entry(START, "W/c0619ab1/battery/1/Soc", b"500"))
    replay, _ = replayed(iter([other, wrong, wrong]))
    assert replay.others == 1
    assert list(replay.refused.values()) == [2]


def test_the_panels_hold_measurements_and_limits() -> None:
    moments = list(Replay(CONFIG.batteries[0], CONFIG).run(a_day()))
    labels = {c.label for panel in panels(moments) for c in (*panel.curves, *panel.right)}
    assert labels == {"CCL", "DCL", "CVL", "current", "pack", "SoC", "highest cell", "lowest cell"}


def command(recording: Path, *more: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "bridge", "replay", str(recording), "--config", "config.yaml"]
    return subprocess.run(
        [*words, *more], cwd=ROOT, capture_output=True, text=True, timeout=60
    )


def test_the_command_needs_no_dbus(tmp_path: Path) -> None:
    recording = tmp_path / "day.jsonl"
    recording.write_text("\n".join(a_day()), encoding="utf-8")
    done = command(recording, "--every", "30")
    assert done.returncode == 0, done.stderr
    assert "CCL: cell 7 at" in done.stdout
    assert "held by" in done.stdout.splitlines()[0]


def test_the_command_says_what_is_wrong(tmp_path: Path) -> None:
    recording = tmp_path / "bad.jsonl"
    recording.write_text("not JSON\n", encoding="utf-8")
    done = command(recording)
    assert done.returncode == 1
    assert str(recording) in done.stderr and "Traceback" not in done.stderr
    assert command(tmp_path / "absent").returncode == 1
