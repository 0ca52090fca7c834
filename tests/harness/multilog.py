"""daemontools' multilog, which reads the log on a GX, with a small disk of its own."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from pathlib import Path

from tests.harness.waiting import wait_for

_DISK = 1024 * 1024  # bytes; more than the pipes hold, so that it is full only when a test wants
_MOUNT_AND_READ = """
mount -t tmpfs -o size={size} tmpfs "$1" && exec multilog t s25000 n4 "$1"
"""


class Multilog:
    """A context manager; `entry` is the file descriptor for a process that writes its log.

    multilog runs in a mount namespace of its own, so the disk goes when it ends.
    `entry_path` leads to the same pipe.
    directory: made, and the disk is mounted over it
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        outlet, self.entry = os.pipe()
        self.entry_path = f"/proc/self/fd/{self.entry}"
        script = _MOUNT_AND_READ.format(size=_DISK)
        self._said = directory.parent / "multilog-says"
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                ["unshare", "--mount", "sh", "-c", script, "sh", directory],
                stdin=outlet,
                stderr=said,
            )
        os.close(outlet)
        self._disk = Path(f"/proc/{self._process.pid}/root{directory}")

    def __enter__(self) -> Multilog:
        wait_for((self._disk / "current").exists, self._said.read_text)
        return self

    def __exit__(self, *_problem: object) -> None:
        os.close(self.entry)
        self._process.kill()
        self._process.wait()

    def fill_disk(self) -> None:
        """Leave no room on the disk; wait until multilog has noticed, and pauses."""
        with (
            (self._disk / "filler").open("wb", buffering=0) as filler,
            contextlib.suppress(OSError),
        ):
            while True:
                filler.write(bytes(4096))
        while not self.has_paused():
            os.write(self.entry, b"a line\n")
            time.sleep(0.01)

    def free_disk(self) -> None:
        """multilog goes on by itself, up to five seconds later."""
        (self._disk / "filler").unlink()

    def has_paused(self) -> bool:
        return "pausing" in self._said.read_text()

    def log(self) -> str:
        """All that it has written and not deleted, the oldest first."""
        files = [*sorted(self._disk.glob("@*")), self._disk / "current"]
        return "".join(file.read_text() for file in files)
