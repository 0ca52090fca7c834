"""Run one command in the foreground: pass signals on, and give back its exit status."""

import signal
import subprocess
import time
from typing import Any

PATIENCE = 10.0  # seconds a command has to follow SIGTERM
_ENDING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
_FROM_THE_TERMINAL = 128  # si_code of a signal that the kernel itself sent


def hold_signals() -> None:
    """Block these signals until they are waited for here, so that none is lost."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING | {signal.SIGCHLD})


def wait_for(process: subprocess.Popen[Any]) -> int:
    """Wait until the command ends, or until it ignored SIGTERM or SIGHUP for PATIENCE seconds.

    Returns what a shell would: its status, or 128 plus the number of the signal that ended it.
    """
    give_up = None
    while process.poll() is None:
        received = signal.sigtimedwait(_ENDING | {signal.SIGCHLD}, 1.0)
        if received is not None and received.si_signo in _ENDING:
            # A Ctrl-C reaches the whole foreground group, so the command has it already.
            if received.si_code != _FROM_THE_TERMINAL:
                process.send_signal(received.si_signo)
            if received.si_signo != signal.SIGINT:
                give_up = give_up or time.monotonic() + PATIENCE
        if give_up is not None and time.monotonic() > give_up:
            return 128 + signal.SIGTERM
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


def wait_for_signal() -> int:
    """Wait for SIGINT, SIGTERM or SIGHUP. Returns the exit status, 0."""
    signal.sigwait(_ENDING)
    return 0
