"""Files that are there as a whole or not at all, and programs that say why they failed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path


class Problem(Exception):
    """Why the broker cannot start, in one line."""


def made(folder: str | Path) -> Path:
    """A folder, made where there is none. One that is there may be read-only. Raises OSError."""
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    return path


def written(file: Path, text: str) -> Path:
    """Replace a file as a whole; only its owner may read it. Raises OSError."""
    part = file.with_name(f"{file.name}.part")
    part.write_text(text, encoding="utf-8")
    part.chmod(0o600)
    with part.open("rb") as content:
        os.fsync(content.fileno())
    return part.replace(file)


def run(command: Sequence[str | Path]) -> None:
    """Run a program without any input. Raises Problem with what it prints, in one line."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    except FileNotFoundError:
        raise Problem(f"the program {command[0]} is missing") from None
    if done.returncode:
        said = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise Problem(f"{command[0]} failed: {'; '.join(said) or 'it does not say why'}")
