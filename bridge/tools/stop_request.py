"""How a person ends a tool: by Ctrl-C, or by another signal that asks it to stop."""

from __future__ import annotations

import signal


class StopRequest:
    """Becomes set by SIGINT, SIGTERM or SIGHUP, and stays so.

    It is a plain flag, not a threading.Event: a second signal that arrives while the handler of
    the first one holds the lock of an Event would wait for that lock for ever.
    """

    def __init__(self) -> None:
        """Not set yet; call `listen` on the main thread."""
        self._is_set = False

    def listen(self) -> StopRequest:
        """Become set by these signals from now on."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: self.set())
        return self

    def set(self) -> None:
        """Ask to stop."""
        self._is_set = True

    def is_set(self) -> bool:
        """Whether somebody has asked to stop."""
        return self._is_set
