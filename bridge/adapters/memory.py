"""A short text that survives a restart of the process, but not a boot: a file that names the boot.

The file belongs in a folder in memory, such as /run, because it is written at each change of a
limit. If the folder is on a disk all the same, a file of an earlier boot is not used.
"""

from __future__ import annotations

import contextlib
import logging
import os
import stat
from collections.abc import Mapping
from pathlib import Path

log = logging.getLogger(__name__)

AUTO, OFF = "auto", "off"

_NAME = "virtual-battery"
_LONGEST = 64 * 1024  # bytes; ours: some kB are written
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
    """The file of one battery: the boot id in its first line, the text in its second.

    What follows is the rest of an earlier, longer text. So one call writes all, and a kill of the
    process cannot cut it in half. (A rename would be whole on every medium, but on a disk it makes
    ext4 write the new file out, which takes milliseconds.)
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

        A file that cannot be read gives a text that is not valid.
        """
        if not self._boot:
            return None
        try:
            content = _content(self._path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as problem:
            log.warning("%s: %s cannot be read: %s", self._ident, self._path, problem)
            return ""
        boot, text, *rest = [*content.split("\n", 2), ""]
        if boot != self._boot and _is_boot_id(boot):
            return None
        return text if boot == self._boot and len(rest) == 2 else ""

    def write(self, text: str) -> bool:
        """Replace the file. Returns whether it is kept."""
        if not self._boot:
            return self._failed("this machine has no boot id")
        content = f"{self._boot}\n{text}\n".encode()
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(self._path, flags, 0o600)
            try:
                written = os.pwrite(descriptor, content, 0)
            finally:
                os.close(descriptor)
        except OSError as problem:
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


def _content(path: Path) -> str:
    """The text of a file. Raises OSError or ValueError for what is no small file of text."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is no file")
        content = file.read(_LONGEST + 1)
    if len(content) > _LONGEST:
        raise ValueError(f"it has more than {_LONGEST} bytes")
    return content.decode("utf-8")


def _is_boot_id(text: str) -> bool:
    """Whether this is the form of a boot id: a UUID."""
    return len(text) == 36 and text.count("-") == 4 and text.replace("-", "").isalnum()
