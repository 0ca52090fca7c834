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
     BOOT.encode() + b"\n" + b"x" * 100_000, b"\0" * 100, b"\0" * 100_000,
     BOOT.encode() + b"\nkept\n", OTHER_BOOT.encode() + b"\nkept\n",
     OTHER_BOOT.encode() + b" 00000000\nkept\n", b" 00000000\n\n"],
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
    other = MemoryFile(tmp_path, "other", boot_id)
    assert (other.read(), other.write("kept")) == ("", False)


@pytest.mark.parametrize("target", ["/dev/null", "somebody's file", "nothing there"])
def test_a_link_in_its_place_is_not_followed(tmp_path: Path, boot_id: Path, target: str) -> None:
    (tmp_path / "somebody's file").write_text("precious")
    (tmp_path / "virtual.json").symlink_to(tmp_path / target)
    memory = MemoryFile(tmp_path, "virtual", boot_id)
    assert (memory.read(), memory.write("kept")) == ("", False)
    assert (tmp_path / "somebody's file").read_text() == "precious"
    assert not (tmp_path / "nothing there").exists()


@pytest.mark.parametrize("filling", [b"\0", b"x", b"x\n"])
def test_a_huge_file_is_read_in_part_and_then_used(
    tmp_path: Path, boot_id: Path, filling: bytes
) -> None:
    file = tmp_path / "virtual.json"
    file.write_bytes(filling * 100_000)
    os.truncate(file, 2**40)
    memory = MemoryFile(tmp_path, "virtual", boot_id)
    assert memory.read() == ""
    assert memory.write("kept")
    assert MemoryFile(tmp_path, "virtual", boot_id).read() == "kept"


def test_a_text_that_could_not_be_read_again_is_not_written(tmp_path: Path, boot_id: Path) -> None:
    memory = MemoryFile(tmp_path, "virtual", boot_id)
    assert memory.write("kept")
    assert not memory.write("x" * 100_000)
    assert memory.read() == "kept"


@pytest.mark.parametrize("at", range(70, 8000, 890))
def test_a_text_half_of_which_is_old_is_one_that_nobody_can_read(
    tmp_path: Path, boot_id: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """A kill may cut a write between two pages of memory."""
    memory = MemoryFile(tmp_path, "virtual", boot_id)
    assert memory.write("a" * 8000)
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, text, _: pwrite(file, text[:at], 0))
    memory.write("b" * 8000)
    assert memory.read() == ""


@pytest.mark.promise("memory")
@pytest.mark.parametrize("bit", range(0, 8 * 50, 13))
def test_no_damaged_bit_goes_unnoticed(tmp_path: Path, boot_id: Path, bit: int) -> None:
    """Not in the boot id either: a file of another boot would be a first start."""
    memory = MemoryFile(tmp_path, "virtual", boot_id)
    assert memory.write('{"dcl":0}')
    file = tmp_path / "virtual.json"
    content = bytearray(file.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    file.write_bytes(content)
    assert memory.read() == ""


def test_the_first_write_takes_all_the_room_that_is_ever_needed(
    tmp_path: Path, boot_id: Path
) -> None:
    """So a disk that is full later stops no write."""
    memory = MemoryFile(tmp_path, "virtual", boot_id)
    assert memory.write("short")
    assert (tmp_path / "virtual.json").stat().st_blocks * 512 >= 32 * 1024
    size = (tmp_path / "virtual.json").stat().st_size
    assert memory.write("a text that needs more than before " * 100)
    assert (tmp_path / "virtual.json").stat().st_size == size


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
