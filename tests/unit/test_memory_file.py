"""The file that survives a restart of the process: what may stand in it, and where it is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bridge.adapters.memory import MemoryFile, folder_of

BOOT = "3b9d0a6e-5c1f-4a57-9b0f-0d3c7d0f2a11"
OTHER_BOOT = "77777777-5c1f-4a57-9b0f-0d3c7d0f2a11"


@pytest.fixture
def boot_id(tmp_path: Path) -> Path:
    file = tmp_path / "boot_id"
    file.write_text(BOOT + "\n")
    return file


def test_a_text_of_an_earlier_boot_is_none(tmp_path: Path, boot_id: Path) -> None:
    assert MemoryFile(tmp_path, "virtual", boot_id).write("kept")
    boot_id.write_text(OTHER_BOOT)
    assert MemoryFile(tmp_path, "virtual", boot_id).read() is None


def test_each_battery_has_its_own(tmp_path: Path, boot_id: Path) -> None:
    one, other = (MemoryFile(tmp_path, ident, boot_id) for ident in ("one", "other"))
    assert one.write("of one") and other.write("of the other")
    assert (one.read(), other.read()) == ("of one", "of the other")


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"garbage", b"garbage\nkept", BOOT[:20].encode(), BOOT.encode(), b"\xff\n\xff",
     BOOT.encode() + b"\n" + b"x" * 100_000, b"\0" * 100],
)  # fmt: skip
def test_what_is_no_such_file_is_a_text_that_nobody_can_read(
    tmp_path: Path, boot_id: Path, content: bytes
) -> None:
    """Not None: that would be a first start, which may permit something."""
    (tmp_path / "virtual.json").write_bytes(content)
    assert MemoryFile(tmp_path, "virtual", boot_id).read() == ""


def test_a_folder_or_a_pipe_in_its_place_stops_nothing(tmp_path: Path, boot_id: Path) -> None:
    (tmp_path / "virtual.json").mkdir()
    os.mkfifo(tmp_path / "other.json")
    memory = MemoryFile(tmp_path, "virtual", boot_id)
    assert (memory.read(), memory.write("kept")) == ("", False)
    assert MemoryFile(tmp_path, "other", boot_id).read() == ""


def test_what_cannot_be_written_is_said_once_and_again_after_it_worked(
    tmp_path: Path, boot_id: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "run"
    folder.write_text("a file where the folder should be")
    memory = MemoryFile(folder, "virtual", boot_id)
    assert memory.read() is None
    assert not memory.write("1") and not memory.write("2")
    assert caplog.text.count("are not kept over a restart") == 1
    folder.unlink()
    assert memory.write("3")
    assert memory.read() == "3"


def test_without_a_boot_id_nothing_is_kept(tmp_path: Path) -> None:
    memory = MemoryFile(tmp_path, "virtual", tmp_path / "there is none")
    assert (memory.write("kept"), memory.read()) == (False, None)


def test_a_write_that_fails_leaves_the_text_of_before(
    tmp_path: Path, boot_id: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = MemoryFile(tmp_path, "virtual", boot_id)
    assert memory.write("first")

    def full(*_: object) -> int:
        raise OSError("no space left")

    monkeypatch.setattr(os, "pwrite", full)
    assert not memory.write("second")
    assert memory.read() == "first"


def test_a_text_that_is_cut_off_is_one_that_nobody_can_read(
    tmp_path: Path, boot_id: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = MemoryFile(tmp_path, "virtual", boot_id)
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, text, at: pwrite(file, text[:45], at))
    assert not memory.write("a text of some length")
    assert memory.read() == ""


def test_a_shorter_text_replaces_a_longer_one(tmp_path: Path, boot_id: Path) -> None:
    memory = MemoryFile(tmp_path, "virtual", boot_id)
    assert memory.write("a text of some length") and memory.write("short")
    assert memory.read() == "short"


def test_only_its_owner_can_read_the_folder(tmp_path: Path, boot_id: Path) -> None:
    MemoryFile(tmp_path / "a" / "b", "virtual", boot_id).write("kept")
    assert (tmp_path / "a" / "b").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("setting", "environment", "folder"),
    [
        ("auto", {}, "/run/virtual-battery"),
        ("auto", {"XDG_RUNTIME_DIR": ""}, "/run/virtual-battery"),
        ("auto", {"XDG_RUNTIME_DIR": "/run/user/1000"}, "/run/user/1000/virtual-battery"),
        ("auto", {"RUNTIME_DIRECTORY": "/run/x", "XDG_RUNTIME_DIR": "/run/user/0"}, "/run/x"),
        ("/tmp/mine", {"RUNTIME_DIRECTORY": "/run/x"}, "/tmp/mine"),
        ("off", {"RUNTIME_DIRECTORY": "/run/x"}, None),
    ],
)
def test_the_folder(setting: str, environment: dict[str, str], folder: str | None) -> None:
    assert folder_of(setting, environment) == (None if folder is None else Path(folder))
