"""One server of the pocket GX, from its start until it answers, and until it is stopped."""

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import children

STARTS_WITHIN = 10.0  # seconds
_ASK_EVERY = 0.01  # seconds
# Servers are installed here, and the PATH of an ordinary user often does not contain it.
_SERVER_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")


class PartMissingError(Exception):
    """A program that is not installed."""


class PartFailedError(Exception):
    """A server that ended, or did not answer, when it was started."""


class Part:
    """A server process with its log.

    It runs in a session of its own, so that a Ctrl-C in the terminal does not end the bus and the
    broker before the processes that still use them.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        log: Path,
        answers: Callable[[], bool],
        env: Mapping[str, str] | None = None,
    ) -> None:
        """`answers` asks the server whether it is ready; it is called until it returns True."""
        self.name = name
        self._argv = argv
        self._log = log
        self._answers = answers
        self._env = env
        self._process: children.Process | None = None

    def start(self) -> None:
        """Start the server and return when it answers. No effect if it runs already.

        Raises PartFailedError with the end of its log.
        """
        if self._process is not None:
            return
        with self._log.open("wb") as log:
            self._process = children.start(
                self._argv, env=self._env, stdout=log, stderr=log, start_new_session=True
            )
        try:
            self._wait_for_answer()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Send SIGTERM. No effect if the server does not run."""
        process, self._process = self._process, None
        if process is not None:
            children.stop(process)

    def kill(self) -> None:
        """Send SIGKILL. No effect if the server does not run."""
        process, self._process = self._process, None
        if process is not None:
            children.kill(process)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let the server stand still within the context: it is there, and answers nothing."""
        assert self._process is not None, "it does not run"
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def _wait_for_answer(self) -> None:
        end = time.monotonic() + STARTS_WITHIN
        while not self._answers():
            if self._process.poll() is not None:
                raise PartFailedError(f"{self.name} ended at once. {self._end_of_log()}")
            if time.monotonic() > end:
                raise PartFailedError(f"{self.name} does not answer. {self._end_of_log()}")
            time.sleep(_ASK_EVERY)

    def _end_of_log(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()
        return "\n".join([f"{self._log} ends:", *lines[-10:]])


def program(name: str, package: str) -> str:
    """The path of an installed program.

    Raises PartMissingError, which says how to get it.
    """
    folders = os.pathsep.join([os.environ.get("PATH", os.defpath), *_SERVER_FOLDERS])
    found = shutil.which(name, path=folders)
    if found is None:
        raise PartMissingError(
            f"{name} is missing. On Debian and Ubuntu: apt-get install {package}. "
            f"Elsewhere it comes with the package of {package}."
        )
    return found
