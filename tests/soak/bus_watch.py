"""What stands on the bus, by the signals of one service; never waits for an answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import dbus.bus
import dbus.lowlevel
from dbus.mainloop.glib import DBusGMainLoop
from gi.repository import GLib

from tests.harness.bus_client import BUS_ITEM, plain

Answer = Callable[[Any], None]

_CALL = 60.0  # s after which a call is given up


class BusWatch:
    """A connection from its construction until `close`. `on_bus` holds every path's value.

    answered_in: s that the answers of the last minute took, the longest; asked_at: when the oldest
    question without an answer was asked (monotonic s).
    """

    def __init__(self, bus_address: str, service: str) -> None:
        self.on_bus: dict[str, Any] = {}
        self.signals = 0
        self._service = service
        self._asked: dict[int, float] = {}
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
        self.on_bus = {str(path): _value(item["Value"]) for path, item in items.items()}

    def forget(self) -> None:
        """The process is gone, and with it all answers."""
        self.on_bus = {}
        self._asked.clear()
        self._times.clear()

    def look(self) -> None:
        """Take in everything that has come."""
        context = GLib.MainContext.default()
        while context.pending():
            context.iteration(False)

    # --- questions ---------------------------------------------------------------------------

    def ask(self) -> None:
        """Ask for any answer, to see how long it takes. At most one such question waits."""
        if not self._asked:
            self.call("/", "Ping", "", [], on="org.freedesktop.DBus.Peer", is_timed=True)

    def set(self, path: str, value: Any, answered: Answer = lambda _answer: None) -> None:
        """SetValue."""
        self.call(path, "SetValue", "v", [value], answered)

    def call(
        self,
        path: str,
        method: str,
        signature: str,
        arguments: list[Any],
        answered: Answer = lambda _answer: None,
        on: str = BUS_ITEM,
        is_timed: bool = False,
    ) -> None:
        """Call a method; answered(answer) follows, but for an error."""
        key, began = object(), time.monotonic()
        if is_timed:
            self._asked[id(key)] = began

        def taken(*answer: Any) -> None:
            if self._asked.pop(id(key), None) is not None:
                self._times.append((time.monotonic(), time.monotonic() - began))
            answered(answer[0] if answer else None)

        self._bus.call_async(
            self._service, path, on, method, signature, arguments,
            taken, lambda _error: self._asked.pop(id(key), None), _CALL,
        )  # fmt: skip

    def slow(self, now: float) -> float:
        """s that an answer takes these days: the longest one of the last 10 s, or still waited."""
        self._times = [(at, took) for at, took in self._times if now - at < 10.0]
        waits = [now - asked for asked in self._asked.values()]
        return max([0.0, *waits, *(took for _, took in self._times)])

    def waits(self, now: float) -> float:
        """s that a question has been waiting for its answer."""
        return max((now - asked for asked in self._asked.values()), default=0.0)

    def _on_items(self, items: Any) -> None:
        self.signals += 1
        self.on_bus.update({str(path): _value(item["Value"]) for path, item in items.items()})


def _value(value: Any) -> Any:
    return plain(value)
