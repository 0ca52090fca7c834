"""Run one command in the foreground: pass signals on, and give back its exit status."""

import signal
import subprocess
import time
from typing import Any

PATIENCE = 10.0  # seconds a command has to follow SIGTERM
_ENDING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
_FROM_THE_TERMINAL = 128  # si_code of a signal that the kernel itself sent


def hold_signals() -> None:
    """From now on signals wait to be fetched here, so that none falls between two steps."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING | {signal.SIGCHLD})


def wait_for(process: subprocess.Popen[Any]) -> int:
    """Wait until the command ends, or until it ignored SIGTERM or SIGHUP for PATIENCE seconds.

    Answers what a shell would: its status, or 128 and the number of the signal that ended it.
    """
    give_up = None
    while process.poll() is None:
        told = signal.sigtimedwait(_ENDING | {signal.SIGCHLD}, 1.0)
        if told is not None and told.si_signo in _ENDING:
            # A Ctrl-C reaches the whole foreground group, the command too; once is enough.
            if told.si_code != _FROM_THE_TERMINAL:
                process.send_signal(told.si_signo)
            if told.si_signo != signal.SIGINT:
                give_up = give_up or time.monotonic() + PATIENCE
        if give_up is not None and time.monotonic() > give_up:
            return 128 + signal.SIGTERM
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


def wait_for_signal() -> int:
    """Wait until somebody wants us to end."""
    signal.sigwait(_ENDING)
    return 0
