"""Every line of docker/shell.md, pasted into a shell, prints what the page says.

The shell is a client of the closed broker, so what the page does is also what a client may do.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from pocket import PocketGx

from tests.harness.batteries import battery
from tests.harness.bridge_process import BridgeProcess
from tests.harness.closed_broker import ClosedBroker

PAGE = Path(__file__).parents[2] / "docker" / "shell.md"
BLOCK = re.compile(r"```sh\n(.*?)```\n(?:```text\n(.*?)```\n)?", re.DOTALL)
MARK = "--- end of block ---"


def blocks() -> Iterator[tuple[str, str]]:
    """What is pasted, and what it prints; a … there matches anything."""
    for block in BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
        yield block[1], block[2] or ""


def pattern(printed: str) -> str:
    return ".*".join(re.escape(part) for part in printed.strip().split("…"))


def test_the_page_has_lines() -> None:
    assert len(list(blocks())) > 10


def test_every_line_works_when_pasted(gx: PocketGx, tmp_path: Path) -> None:
    broker = ClosedBroker(tmp_path)
    script = "".join(f"{pasted}\necho '{MARK}'\n" for pasted, _ in blocks())

    limiter = {"max_charge_current": 100, "max_discharge_current": 150}
    login = {"username": "bridge", "password_file": str(broker.login / "password")}
    with (
        broker.running(),
        BridgeProcess(
            gx, tmp_path, battery(limiter=limiter), mqtt={"port": broker.port, **login}
        ),
    ):
        for tool in ("pub", "sub", "rr"):  # the page says how to log in; this is that way
            options = f"-p {broker.port}\n-u client\n-P {broker.passwords['client']}\n"
            (tmp_path / f"mosquitto_{tool}").write_text(options)
        shell = subprocess.run(
            ["sh"],
            input=script,
            env={**gx.env, "XDG_CONFIG_HOME": str(tmp_path)},
            text=True,
            capture_output=True,
            timeout=60,
        )

    assert shell.stderr == ""
    for (pasted, expected), printed in zip(blocks(), shell.stdout.split(MARK), strict=False):
        words = f"{pasted}\nprinted:\n{printed}"
        assert re.fullmatch(pattern(expected), printed.strip(), re.DOTALL), words
