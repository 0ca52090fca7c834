"""Child processes that end when their parent ends."""

import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from typing import Any

PATIENCE = 5.0  # seconds a process has to follow SIGTERM
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)

Process = subprocess.Popen[Any]


def start(argv: Sequence[str], **popen_kwargs: Any) -> Process:
    """Start a process that the kernel kills when this one ends, even by kill -9.

    The kernel looks at the thread that started it, so call this on a thread that lives as long as
    the program.
    """
    return subprocess.Popen(argv, preexec_fn=_tied_to(os.getpid()), **popen_kwargs)


def stop(process: Process) -> None:
    """Send SIGTERM to a process, after PATIENCE seconds SIGKILL, and collect its status."""
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        kill(process)


def kill(process: Process) -> None:
    """End a process as a power cut would, and collect its status."""
    process.kill()
    process.wait()


def _tied_to(parent: int) -> Callable[[], None]:
    def in_the_child() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the parent ended before the line above
            os._exit(1)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])

    return in_the_child
