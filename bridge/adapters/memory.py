"""A short text that survives a restart of the process, but not a boot: a file that names the boot.

The file belongs in a folder in memory, such as /run, because it is written at each change of a
limit. If the folder is on a disk all the same, a file of an earlier boot is not used.
"""

from __future__ import annotations

import contextlib
import logging
import os
import stat
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

log = logging.getLogger(__name__)

AUTO, OFF = "auto", "off"

_NAME = "virtual-battery"
_ROOM = 32 * 1024  # bytes; ours: four times the text of a battery of 256 cells
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def folder_of(setting: str, environment: Mapping[str, str]) -> Path | None:
    """The folder that the configuration means; None: nothing is to be kept.

    "auto" is a folder in memory: the one that systemd has made for the service, else one in that of
    the user's session, else one in /run.
    """
    if setting == OFF:
        return None
    if setting != AUTO:
        return Path(setting)
    own = environment.get("RUNTIME_DIRECTORY", "").split(":")[0]
    return Path(own) if own else Path(environment.get("XDG_RUNTIME_DIR") or "/run") / _NAME


class MemoryFile:
    """The file of one battery: boot id and checksum in its first line, the text in its second.

    The rest is room, taken at the first write: so no later write fails because the disk is full.
    One call writes all. If a kill of the process cuts it in half, the checksum shows it. (A rename
    would be whole on every medium, but on a disk it makes ext4 write the new file out, which takes
    milliseconds.)
    """

    def __init__(self, folder: Path, ident: str, boot_id: Path = _BOOT_ID) -> None:
        self._ident = ident
        self._path = folder / f"{ident}.json"
        self._has_failed = False
        self._boot = ""
        with contextlib.suppress(OSError, UnicodeDecodeError):
            self._boot = boot_id.read_text(encoding="ascii").strip()

    def read(self) -> str | None:
        """The text that was written since the boot; None if there is none.

        A file that cannot be read, or is damaged, gives a text that is not valid.
        """
        if not self._boot:
            return None
        try:
            boot, text = _parts(_content(self._path))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as problem:
            log.warning("%s: %s cannot be read: %s", self._ident, self._path, problem)
            return ""
        return text if boot == self._boot else None

    def write(self, text: str) -> bool:
        """Replace the file. Returns whether it is kept."""
        if not self._boot:
            return self._failed("this machine has no boot id")
        boot, words = self._boot.encode(), text.encode()
        content = b"%b %b\n%b\n" % (boot, _checksum(boot, words), words)
        if len(content) > _ROOM:
            return self._failed(f"they need {len(content)} of {_ROOM} bytes")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _opened(self._path, os.O_RDWR | os.O_CREAT) as (descriptor, size):
                if size < _ROOM:
                    content = content.ljust(_ROOM, b"\0")
                written = os.pwrite(descriptor, content, 0)
        except (OSError, ValueError) as problem:
            return self._failed(str(problem))
        if written < len(content):
            return self._failed("there is no room")
        self._has_failed = False
        return True

    def _failed(self, why: str) -> bool:
        if not self._has_failed:
            self._has_failed = True
            words = "%s: limits, stops and requests are not kept over a restart of the service: %s"
            log.warning(words, self._ident, why)
        return False


@contextlib.contextmanager
def _opened(path: Path, flags: int) -> Iterator[tuple[int, int]]:
    """The descriptor of a file, and its size in bytes. Never waits, not for a pipe either.

    Raises OSError or ValueError for what is no file. Links are not followed: the file may lie in a
    folder in which others can make one.
    """
    flags |= os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o600)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError(f"{path} is no file")
        yield descriptor, status.st_size
    finally:
        os.close(descriptor)


def _content(path: Path) -> bytes:
    """What may be ours in a file, at most _ROOM bytes. Raises OSError or ValueError."""
    with _opened(path, os.O_RDONLY) as (descriptor, _):
        return os.pread(descriptor, _ROOM, 0)


def _parts(content: bytes) -> tuple[str, str]:
    """The boot id and the text of a file. Raises ValueError if it is not as it was written."""
    head, _, rest = content.partition(b"\n")
    boot, _, checksum = head.partition(b" ")
    text, end, _ = rest.partition(b"\n")
    if not boot or not end or checksum != _checksum(boot, text):
        raise ValueError("it is damaged, or from another version")
    return boot.decode("ascii"), text.decode("utf-8")


def _checksum(boot: bytes, text: bytes) -> bytes:
    return b"%08x" % zlib.crc32(text, zlib.crc32(boot))
