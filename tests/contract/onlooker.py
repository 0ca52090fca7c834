"""The other side of the bus: a client that calls and listens, and the process it looks at."""

import json
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dbus
import dbus.bus
from dbus.mainloop.glib import DBusGMainLoop
from gi.repository import GLib
from pocket import PocketGx

BUS_ITEM = "com.victronenergy.BusItem"
SUBJECT = Path(__file__).with_name("subject.py")


class SubjectError(Exception):
    """An exception in the process under test; its text is the name of that exception."""


class Subject:
    """The process under test. Call it with Python code; see subject.py."""

    def __init__(self, gx: PocketGx) -> None:
        self._process = gx.spawn(
            [sys.executable, str(SUBJECT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __call__(self, source: str) -> Any:
        self.begin(source)
        return self.finish()

    def begin(self, source: str) -> None:
        """Start something that takes its time; finish() gives the result."""
        print(json.dumps(textwrap.dedent(source)), file=self._process.stdin, flush=True)

    def finish(self) -> Any:
        answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise SubjectError(answer["error"])
        return answer["value"]

    def end(self) -> None:
        """Let it run to its end."""
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


class Onlooker:
    """A client on the bus that notes every signal of one service."""

    def __init__(self, gx: PocketGx, service: str) -> None:
        self.service = service
        self.signals: list[tuple[str, str, Any]] = []
        self._bus = dbus.bus.BusConnection(gx.bus_address, mainloop=DBusGMainLoop())
        self._bus.set_exit_on_disconnect(False)
        self._bus.add_signal_receiver(
            self._note,
            dbus_interface=BUS_ITEM,
            bus_name=service,
            path_keyword="path",
            member_keyword="member",
        )

    def close(self) -> None:
        self._bus.close()

    def call(self, path: str, method: str, *args: Any, signature: str = "", on: str = "") -> Any:
        """Call a method, of the interface `on` or of BusItem."""
        return self._bus.call_blocking(
            self.service, path, on or BUS_ITEM, method, signature, list(args)
        )

    def get(self, path: str) -> Any:
        return self.call(path, "GetValue")

    def text(self, path: str) -> Any:
        return self.call(path, "GetText")

    def set(self, path: str, value: Any) -> int:
        return int(self.call(path, "SetValue", value, signature="v"))

    def is_there(self) -> bool:
        return bool(self._bus.name_has_owner(self.service))

    def heard(self) -> list[tuple[str, str, Any]]:
        """All signals (path, name, argument) that were sent until now; each is told once.

        One sender's messages keep their order, so after the answer to a call all its earlier
        signals have come in.
        """
        if self.is_there():
            self._bus.call_blocking(self.service, "/", "org.freedesktop.DBus.Peer", "Ping", "", [])
        context = GLib.MainContext.default()
        while context.pending():
            context.iteration(False)
        signals, self.signals = self.signals, []
        return signals

    def _note(self, argument: Any, path: str, member: str) -> None:
        self.signals.append((str(path), str(member), argument))


def until(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    """Turn the main loop until something is true, and answer it; fail after some seconds."""
    context = GLib.MainContext.default()
    expired = []
    guard = GLib.timeout_add(int(seconds * 1000), lambda: expired.append(True))
    ticker = GLib.timeout_add(10, lambda: True)  # so that a condition outside the loop is seen
    try:
        while not (result := condition()):
            assert not expired, "it did not come true in time"
            context.iteration(True)
        return result
    finally:
        GLib.source_remove(ticker)
        if not expired:
            GLib.source_remove(guard)
