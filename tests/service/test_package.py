"""What ./run package builds."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tarfile
from pathlib import Path

import releases

ALLOWED_AT_THE_TOP = {"CHANGELOG.md", "LICENSE", "SHA256SUMS", "config.yaml"}
FOLDERS = {"bridge", "ext", "service"}


def test_two_builds_are_the_same(tmp_path: Path) -> None:
    """By somebody with other habits, elsewhere, and without the network."""
    archive = releases.build(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    again = subprocess.run(
        ["sh", "-c", f"umask 077; exec {releases.REPOSITORY}/service/package.sh out"],
        cwd=elsewhere,
        env={
            "PATH": os.environ["PATH"],
            "TZ": "Pacific/Auckland",
            "LANG": "de_DE.UTF-8",
            "PIP_INDEX_URL": "http://127.0.0.1:9/nothing",
            "PIP_CONFIG_FILE": "/dev/null",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode == 0, again.stderr
    assert (elsewhere / "out" / archive.name).read_bytes() == archive.read_bytes()


def test_the_checksum_beside_it(archive: Path) -> None:
    line = archive.with_name(archive.name + ".sha256").read_text()
    assert line == f"{hashlib.sha256(archive.read_bytes()).hexdigest()}  {archive.name}\n"


def test_what_is_in_it(archive: Path) -> None:
    with tarfile.open(archive) as tar:
        members = tar.getmembers()
    folder = archive.name.removesuffix(".tar.gz")
    for member in members:
        first, _, rest = member.name.partition("/")
        assert first == folder
        assert not rest or rest.split("/")[0] in FOLDERS | ALLOWED_AT_THE_TOP
        assert member.isfile() or member.isdir()
        assert (member.uid, member.gid, member.uname, member.gname) == (0, 0, "", "")
        assert not rest.endswith((".so", ".pyc"))
    names = {member.name.removeprefix(f"{folder}/") for member in members}
    for needed in ("service/run", "service/log/run", "service/install.sh", "bridge/__main__.py"):
        assert needed in names
    for tool in ("service/package.sh", "ext/_yaml/__init__.py"):
        assert tool not in names
    licences = [name for name in names if "licenses/" in name]
    assert len(licences) == 2


def test_what_is_executable(archive: Path) -> None:
    with tarfile.open(archive) as tar:
        executable = {Path(each.name).name for each in tar if each.isfile() and each.mode & 0o111}
    scripts = {"boot.sh", "install.sh", "restart.sh", "status.sh", "uninstall.sh"}
    assert executable == {"run", *scripts}


def test_its_own_checksums(unpacked: Path) -> None:
    """They name every file, so that install.sh sees what is missing or damaged."""
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=unpacked, check=False
    )
    assert checked.returncode == 0
    named = {line.split("  ./")[1] for line in (unpacked / "SHA256SUMS").read_text().splitlines()}
    files = {str(each.relative_to(unpacked)) for each in unpacked.rglob("*") if each.is_file()}
    assert files - named == {"SHA256SUMS"}
