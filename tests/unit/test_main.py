"""The command line: what each command is given, and with which status it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import bridge.adapters.plot
import bridge.app
import bridge.tools.record
import bridge.tools.watch
from bridge import __version__
from bridge.__main__ import BAD_CONFIGURATION, FAILED, OK, main
from bridge.adapters.broker import Broker

CONFIG = str(Path(__file__).parents[2] / "config.yaml")

BATTERY = {
    "ident": "cellar",
    "cells": 16,
    "chemistry": "lfp",
    "capacity": 280,
    "ceiling": {"charge_current": 200, "discharge_current": 250},
}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What the commands that need a broker were called with."""
    calls: list[tuple[Any, ...]] = []

    def noted(*arguments: Any) -> int:
        calls.append(arguments)
        return 7

    monkeypatch.setattr(bridge.app, "run", noted)
    monkeypatch.setattr(bridge.tools.watch, "main", noted)
    monkeypatch.setattr(bridge.tools.record, "main", noted)
    return calls


def config(tmp_path: Path, mqtt: dict[str, object], **battery: object) -> str:
    file = tmp_path / "config.yaml"
    file.write_text(json.dumps({"mqtt": mqtt, "batteries": [{**BATTERY, **battery}]}))
    return str(file)


# --- commands that need the broker ------------------------------------------------------------


def test_without_a_command_it_runs(calls: list[tuple[Any, ...]]) -> None:
    assert main(["--config", CONFIG]) == 7
    (_config, broker, _stop), *_ = calls
    assert broker == Broker(host="127.0.0.1", port=1883)


@pytest.mark.parametrize(
    ("words", "host", "port"),
    [
        ("venus.local", "venus.local", 1884),
        ("venus.local:99", "venus.local", 99),
        ("::1", "::1", 1884),
        ("[::1]", "::1", 1884),
        ("[::1]:99", "::1", 99),
    ],
)
def test_another_broker_than_the_configurations(
    calls: list[tuple[Any, ...]], tmp_path: Path, words: str, host: str, port: int
) -> None:
    main(["--config", config(tmp_path, {"port": 1884}), "--broker", words])
    assert (calls[0][1].host, calls[0][1].port) == (host, port)


@pytest.mark.parametrize("port", ["0", "65536", "x", "-1", "\N{SUPERSCRIPT TWO}", "9" * 9999])
def test_a_broker_with_a_port_that_is_none(
    calls: list[tuple[Any, ...]], capsys: pytest.CaptureFixture[str], port: str
) -> None:
    assert main(["--config", CONFIG, "--broker", f"venus.local:{port}"]) == BAD_CONFIGURATION
    assert "is no port" in capsys.readouterr().err
    assert calls == []


def test_user_and_password_come_from_the_configuration(
    calls: list[tuple[Any, ...]], tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.write_text("open-sesame\nmore\n")
    password.chmod(0o600)
    mqtt = {"username": "me", "password_file": str(password)}
    main(["--config", config(tmp_path, mqtt)])
    broker = calls[0][1]
    assert (broker.username, broker.password) == ("me", "open-sesame")
    assert "open-sesame" not in repr(broker)


def test_the_login_of_the_command_line_comes_before_the_configurations(
    calls: list[tuple[Any, ...]], tmp_path: Path
) -> None:
    for name in ("old", "new"):
        (tmp_path / name).write_text(f"{name}-password\n")
        (tmp_path / name).chmod(0o600)
    mqtt = {"username": "me", "password_file": str(tmp_path / "old")}
    login = ["--username", "bridge", "--password-file", str(tmp_path / "new")]
    main(["--config", config(tmp_path, mqtt), *login])
    main(["watch", "--config", config(tmp_path, mqtt), *login])
    main(["--config", config(tmp_path, mqtt)])
    logins = [(broker.username, broker.password) for _config, broker, *_ in calls]
    assert logins == [("bridge", "new-password")] * 2 + [("me", "old-password")]


def test_a_ca_on_the_command_line_means_tls(
    calls: list[tuple[Any, ...]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    certificate = tmp_path / "ca.crt"
    certificate.write_text("no certificate")
    assert main(["--config", CONFIG, "--tls-ca", str(certificate)]) == BAD_CONFIGURATION
    assert str(certificate) in capsys.readouterr().err
    assert calls == []


def test_a_certificate_that_is_none_is_a_mistake_of_the_configuration(
    calls: list[tuple[Any, ...]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    certificate = tmp_path / "ca.pem"
    certificate.write_text("no certificate")
    file = config(tmp_path, {"tls": {"ca": str(certificate)}})
    assert main(["--config", file]) == BAD_CONFIGURATION
    assert str(certificate) in capsys.readouterr().err
    assert calls == []


def test_watch_and_record_get_their_arguments(calls: list[tuple[Any, ...]]) -> None:
    assert main(["watch", "--config", CONFIG, "--ident", "virtual"]) == 7
    assert main(["record", "--config", CONFIG, "out.jsonl"]) == 7
    assert [arguments[2] for arguments in calls] == ["virtual", "out.jsonl"]


def test_a_file_that_cannot_be_written_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bridge.tools.record, "main", full)
    assert main(["record", "--config", CONFIG, "/dev/full"]) == FAILED
    assert capsys.readouterr().err == "/dev/full: No space left on device\n"


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["check", "--help"]])
def test_help_that_cannot_be_written_is_one_line(words: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "bridge", *words],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
            cwd=Path(CONFIG).parent,
        )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (FAILED, "the output: No space left on device\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--confg", CONFIG], 'no option --confg; did you mean "--config"?'),
        (["--confg=" + CONFIG], 'no option --confg; did you mean "--config"?'),
        (["explain", "--confg", CONFIG], 'no option --confg; did you mean "--config"?'),
        (["watch", "--idnt", "a", "--config", CONFIG], 'no option --idnt; did you mean "--ident"?'),
    ],
)
def test_an_unknown_option_is_named(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(words)
    assert said in capsys.readouterr().err


# --- commands that need none ------------------------------------------------------------------


def test_check_shows_what_is_in_force(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", CONFIG]) == OK
    shown = capsys.readouterr().out
    assert "broker 127.0.0.1:1883, own topics below virtual-battery/" in shown
    assert "battery virtual" in shown


def test_explain_shows_the_limits(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "--config", CONFIG]) == OK
    assert "every cell at" in capsys.readouterr().out


def test_replay_shows_the_limits_and_counts_what_was_not_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [
        {"time": 1.0, "topic": "virtual-battery/virtual/set", "payload": '{"Soc": 50, "No": 1}'},
        {"time": 2.0, "topic": "virtual-battery/other/set", "payload": "{}"},
    ]
    recording = tmp_path / "recording.jsonl"
    recording.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert main(["replay", "--config", CONFIG, str(recording)]) == OK
    shown = capsys.readouterr()
    assert "CVL" in shown.out
    assert "refused 1 times: /No: there is no such path" in shown.err
    assert "1 messages were for other batteries" in shown.err


@pytest.mark.parametrize("content", ["no recording\n", "\udcff"])
def test_a_recording_that_is_none_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    recording = tmp_path / "recording.jsonl"
    recording.write_bytes(content.encode("utf-8", "surrogateescape"))
    assert main(["replay", "--config", CONFIG, str(recording)]) == FAILED
    assert capsys.readouterr().err.startswith(f"{recording}: ")


def test_a_picture_is_drawn_or_the_reason_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    drawn: list[tuple[int, str, str]] = []
    monkeypatch.setattr(
        bridge.adapters.plot,
        "draw",
        lambda panels, title, file: drawn.append((len(panels), title, file)),
    )
    assert main(["explain", "--config", CONFIG, "--plot", "limits.svg"]) == OK
    recording = tmp_path / "recording.jsonl"
    recording.write_text('{"time": 1, "topic": "virtual-battery/virtual/set", "payload": "{}"}\n')
    assert main(["replay", "--config", CONFIG, str(recording), "--plot", "day.svg"]) == OK
    assert [file for _, _, file in drawn] == ["limits.svg", "day.svg"]
    assert all(count > 0 for count, _, _ in drawn)
    monkeypatch.undo()
    assert main(["explain", "--config", CONFIG, "--plot", "limits.txt"]) == FAILED
    assert "a name that ends in .svg" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["explain", "replay"])
def test_an_ident_that_is_not_configured(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = ["/dev/null"] if command == "replay" else []
    words = [command, *recording, "--config", CONFIG, "--ident", "nobody"]
    assert main(words) == BAD_CONFIGURATION
    assert "there is no battery 'nobody', only virtual" in capsys.readouterr().err


# --- mistakes ---------------------------------------------------------------------------------


def test_every_mistake_of_a_configuration_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", config(tmp_path, {"port": 0}, cells=0)]) == BAD_CONFIGURATION
    shown = capsys.readouterr().err
    assert "cannot be used:" in shown and "mqtt.port" in shown and "batteries[0].cells" in shown


def test_a_library_that_is_missing_is_named_with_the_way_to_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def lacking(*_: object) -> int:
        raise ModuleNotFoundError("No module named 'paho'", name="paho")

    monkeypatch.setattr(bridge.app, "run", lacking)
    assert main(["--config", CONFIG]) == FAILED
    shown = capsys.readouterr().err
    assert "Python has no paho here." in shown and ".venv/bin/python" in shown


@pytest.mark.parametrize(("words", "shown"), [("--version", __version__), ("--help", "COMMAND")])
def test_version_and_help(words: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([words])
    assert ended.value.code == 0
    assert shown in capsys.readouterr().out
