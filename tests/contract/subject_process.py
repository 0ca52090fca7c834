"""The process under test as the test sees it; subject.py is its program."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

from pocket import PocketGx

from tests.harness.waiting import PATIENCE

PROGRAM = Path(__file__).with_name("subject.py")


class SubjectError(Exception):
    """An exception in the process under test; its text is the name of that exception."""


class Subject:
    """Call it with Python code, which it runs; see subject.py for the names it knows."""

    def __init__(self, gx: PocketGx) -> None:
        self._process = gx.spawn(
            [sys.executable, str(PROGRAM)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __call__(self, source: str) -> Any:
        print(json.dumps(textwrap.dedent(source)), file=self._process.stdin, flush=True)
        answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise SubjectError(answer["error"])
        return answer["value"]

    def end(self) -> None:
        """Let it run to its end."""
        self._process.stdin.close()
        self._process.wait(PATIENCE)
        self._process.stdout.close()
