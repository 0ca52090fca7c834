"""A D-Bus client for tests: calls one service, and notes each of its signals."""

from __future__ import annotations

from typing import Any

import dbus
import dbus.bus
from dbus.mainloop.glib import DBusGMainLoop
from gi.repository import GLib
from pocket import PocketGx

from tests.harness.waiting import PATIENCE, wait_for

BUS_ITEM = "com.victronenergy.BusItem"
SETTINGS_SERVICE = "com.victronenergy.settings"
LIMITS = {"CVL": "/Info/MaxChargeVoltage", "CCL": "/Info/MaxChargeCurrent",
          "DCL": "/Info/MaxDischargeCurrent"}  # fmt: skip

Signal = tuple[str, str, Any]
"""Path, name and argument."""


class BusClient:
    """A connection of its own, from its construction until `close` or the end of the context.

    `get`, `text` and `call` answer what is on the wire; `client[path]` is the value in plain
    Python, of a path or of a limit by its short name.
    """

    def __init__(self, gx: PocketGx, service: str) -> None:
        self.service = service
        self._signals: list[Signal] = []
        self._bus = dbus.bus.BusConnection(gx.bus_address, mainloop=DBusGMainLoop())
        self._bus.set_exit_on_disconnect(False)
        self._bus.add_signal_receiver(
            self._note,
            dbus_interface=BUS_ITEM,
            bus_name=service,
            path_keyword="path",
            member_keyword="member",
        )

    def __enter__(self) -> BusClient:
        return self

    def __exit__(self, *_problem: object) -> None:
        self.close()

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

    def items(self) -> dict[str, Any]:
        """Every path with its value and text, as one answer."""
        return dict(self.call("/", "GetItems"))

    def __getitem__(self, path: str) -> Any:
        return plain(self.get(LIMITS.get(path, path)))

    def comes(self, path: str, value: Any, seconds: float = PATIENCE) -> None:
        """Wait until a path holds a value."""
        wait_for(lambda: self[path] == value, lambda: f"{path} is {self[path]!r}", seconds)

    def is_there(self) -> bool:
        return bool(self._bus.name_has_owner(self.service))

    def owner(self) -> str:
        """The connection that has the name; another one after a restart."""
        return str(self._bus.get_name_owner(self.service))

    def process_id(self) -> int:
        daemon = ("org.freedesktop.DBus", "/", "org.freedesktop.DBus")
        asked = "GetConnectionUnixProcessID"
        return int(self._bus.call_blocking(*daemon, asked, "s", [self.service]))

    def heard(self) -> list[Signal]:
        """All signals that were sent until now; each is given once.

        One sender's messages keep their order, so after the answer to a call all its earlier
        signals have come in.
        """
        if self.is_there():
            self._bus.call_blocking(self.service, "/", "org.freedesktop.DBus.Peer", "Ping", "", [])
        context = GLib.MainContext.default()
        while context.pending():
            context.iteration(False)
        signals, self._signals = self._signals, []
        return signals

    def changes(self) -> list[dict[str, Any]]:
        """What each ItemsChanged until now has changed, in plain Python; each is given once."""
        return [
            {str(path): plain(item["Value"]) for path, item in items.items()}
            for _, name, items in self.heard()
            if name == "ItemsChanged"
        ]

    def _note(self, argument: Any, path: str, member: str) -> None:
        self._signals.append((str(path), str(member), argument))


def plain(value: Any) -> Any:
    """A D-Bus value as float, str, int, or None for the empty array that means no value."""
    if isinstance(value, dbus.Array):
        return None
    return {dbus.Double: float, dbus.String: str}.get(type(value), int)(value)
