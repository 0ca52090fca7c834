"""What stands on the bus, by the signals of one service; never waits for an answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import dbus.bus
from dbus.mainloop.glib import DBusGMainLoop
from gi.repository import GLib

from tests.harness.bus_client import BUS_ITEM, plain

Answered = Callable[[Any], None]

_GIVE_UP = 60.0  # s after which nobody waits for an answer any more
_LATELY = 10.0  # s


class BusWatch:
    """A connection from its construction until `close`.

    on_bus: every path's value, empty while the service is gone. signals: how many have come.
    """

    def __init__(self, bus_address: str, service: str) -> None:
        self.on_bus: dict[str, Any] = {}
        self.signals = 0
        self._service = service
        self._asked_at: float | None = None
        self._times: list[tuple[float, float]] = []
        self._bus = dbus.bus.BusConnection(bus_address, mainloop=DBusGMainLoop())
        self._bus.set_exit_on_disconnect(False)
        self._bus.add_signal_receiver(
            self._on_items, "ItemsChanged", BUS_ITEM, bus_name=service, path="/"
        )

    def close(self) -> None:
        self._bus.close()

    def begin(self) -> None:
        """A process has just taken the name: read everything."""
        self.forget()
        items = self._bus.call_blocking(self._service, "/", BUS_ITEM, "GetItems", "", [])
        self.on_bus = {str(path): plain(item["Value"]) for path, item in items.items()}

    def forget(self) -> None:
        """The process is gone, and with it all answers."""
        self.on_bus = {}
        self._asked_at = None
        self._times.clear()

    def look(self) -> None:
        """Take in everything that has come."""
        context = GLib.MainContext.default()
        while context.pending():
            context.iteration(False)

    def _on_items(self, items: Any) -> None:
        self.signals += 1
        self.on_bus.update({str(path): plain(item["Value"]) for path, item in items.items()})

    # --- calls -------------------------------------------------------------------------------

    def set(self, path: str, value: Any, answered: Answered = lambda _code: None) -> None:
        """SetValue; answered(code) follows, but for an error."""
        self._bus.call_async(
            self._service, path, BUS_ITEM, "SetValue", "v", [value],
            answered, lambda _error: None, _GIVE_UP,
        )  # fmt: skip

    def call(self, path: str, method: str, on: str = BUS_ITEM) -> None:
        """Call a method without arguments, whose answer does not matter."""
        self._bus.call_async(
            self._service, path, on, method, "", [],
            lambda *_answer: None, lambda _error: None, _GIVE_UP,
        )  # fmt: skip

    # --- how fast it answers -------------------------------------------------------------------

    def ask(self) -> None:
        """Ask for any answer, to see how long it takes. One question at a time."""
        if self._asked_at is not None:
            return
        began = self._asked_at = time.monotonic()

        def over(*_answer: Any) -> None:
            if self._asked_at == began:
                now, self._asked_at = time.monotonic(), None
                self._times.append((now, now - began))

        peer = "org.freedesktop.DBus.Peer"
        self._bus.call_async(self._service, "/", peer, "Ping", "", [], over, over, _GIVE_UP)

    def waits(self, now: float) -> float:
        """s that the present question has been waiting for its answer. now: monotonic s."""
        return 0.0 if self._asked_at is None else now - self._asked_at

    def slow(self, now: float) -> float:
        """s that an answer takes these days, at most. now: monotonic s."""
        self._times = [(at, took) for at, took in self._times if now - at < _LATELY]
        return max([self.waits(now), *(took for _, took in self._times)])
