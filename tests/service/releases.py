"""Versions to install: the real one, and others made of it."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent


def build(target: Path, **environment: str) -> Path:
    """The archive, by package.sh as people call it. Answers its path."""
    built = subprocess.run(
        [REPOSITORY / "service" / "package.sh", target],
        env=environment or None,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return Path(built.stdout.split()[-1])


def unpack(archive: Path, target: Path) -> Path:
    """Answers the folder that was in the archive."""
    subprocess.run(["tar", "xzf", archive, "-C", target], check=True)
    return target / archive.name.removesuffix(".tar.gz")


def make(
    original: Path,
    target: Path,
    version: str,
    files: Mapping[str, str] = {},
    without: Sequence[str] = (),
) -> Path:
    """A version of another number: some files replaced, folders left out, checksums that match."""
    shutil.copytree(original, target, ignore=shutil.ignore_patterns(*without))
    (target / "bridge").mkdir(exist_ok=True)
    (target / "bridge" / "__init__.py").write_text(f'__version__ = "{version}"\n')
    for name, text in files.items():
        (target / name).write_text(text)
    sums = target / "SHA256SUMS"
    sums.unlink()
    lines = [
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  ./{file.relative_to(target)}\n"
        for file in sorted(target.rglob("*"))
        if file.is_file()
    ]
    sums.write_text("".join(lines))
    return target
