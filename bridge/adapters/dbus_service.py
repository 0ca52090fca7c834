"""The battery on D-Bus, by velib_python's vedbus (found on PYTHONPATH)."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

import dbus
import dbus.bus
import dbus.mainloop.glib
import dbus.service
from ve_utils import unwrap_dbus_value
from vedbus import VeDbusItemExport, VeDbusService

from bridge.core.model import Value
from bridge.core.paths.gate import PathSpec
from bridge.core.paths.table import Paths
from bridge.core.text import sanitize_for_log

Write = Callable[[str, object], int]
"""Takes a path and a value; returns SetValue's return code."""

PREFIX = "com.victronenergy.battery."
ANSWER_WITHIN = 10.0  # s; ours
_ITEM = "com.victronenergy.BusItem"

LONGEST = 4096
"""Characters, or values in a list with all its lists, of one write. Ours: as by MQTT."""


class _TooLong:
    """The type of TOO_LONG, which stands for a value that was not read. No path accepts it."""

    def __repr__(self) -> str:
        return f"a value of more than {LONGEST} parts"


TOO_LONG = _TooLong()

_SESSION = "DBUS_SESSION_BUS_ADDRESS"
_ADVICE = {
    "FileNotFound": "is dbus-daemon running?",
    "NoServer": "is dbus-daemon running?",
    "BadAddress": "an address is written as unix:path=/run/dbus/system_bus_socket",
    "AccessDenied": "run the service as root, or allow this user in /etc/dbus-1/system.d/",
    "AuthFailed": "run the service as root, or allow this user in /etc/dbus-1/system.d/",
    "LimitsExceeded": "this process or this user needs more connections or descriptors (ulimit -n)",
}
"""By the last part of the name of the error, in the D-Bus specification."""


class NameTaken(Exception):
    """Another process on the bus has the name already."""


class NoBus(Exception):
    """Why D-Bus does not take us, in words, and what to do."""


def _gated_item(on_write: Write) -> type:
    """A class of items that hand every write to `on_write` and store nothing.

    velib's own item ignores a write that repeats the present value, but such a write keeps the
    value fresh. It also stores a value before it is checked. Here the battery checks and publishes.
    """

    class GatedItem(VeDbusItemExport):  # type: ignore[misc]  # velib has no types
        # byte_arrays: dbus-python makes an object of each byte otherwise, before this is called.
        @dbus.service.method(_ITEM, in_signature="v", out_signature="i", byte_arrays=True)  # type: ignore[untyped-decorator]
        def SetValue(self, newvalue: object) -> int:
            value = unwrap_dbus_value(newvalue) if _is_short(newvalue) else TOO_LONG
            if isinstance(newvalue, dbus.Boolean):  # velib unwraps it into a number
                value = bool(newvalue)
            return on_write(str(self.__dbus_object_path__), value)

    return GatedItem


def _is_short(value: object) -> bool:
    """Whether a value has at most LONGEST parts. Looks at LONGEST of them at most."""
    waiting: list[object] = [value]
    parts = 0
    while waiting:
        one = waiting.pop()
        parts += len(one) if isinstance(one, (list, tuple, dict, str, bytes)) else 1
        if parts > LONGEST:
            return False
        if isinstance(one, dict):
            waiting.extend(one.values())
        elif isinstance(one, (list, tuple)):
            waiting.extend(one)
    return True


def use_main_loop() -> None:
    """Have the GLib main loop serve D-Bus. Call once, before any connection is made."""
    dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)


def private_bus() -> dbus.bus.BusConnection:
    """A new connection for each service: consumers identify a service by its connection.

    The system bus, unless DBUS_SESSION_BUS_ADDRESS is set. Raises NoBus.
    """
    address = os.environ.get(_SESSION)
    kind = dbus.SessionBus if address else dbus.SystemBus
    try:
        return kind(private=True)
    except dbus.exceptions.DBusException as problem:
        bus = f"of {_SESSION} ({address})" if address else "of the system"
        raise NoBus(f"no connection to the D-Bus {bus}: {_words(problem)}") from None


def _words(problem: dbus.exceptions.DBusException) -> str:
    """What the bus says, and what to do."""
    said = problem.get_dbus_message() or str(problem)
    name = (problem.get_dbus_name() or "").rpartition(".")[2]
    advice = _ADVICE.get(name)
    return sanitize_for_log(f"{said}; {advice}" if advice else said, 300)


class BatteryService:
    """One service with all its paths. Register it last, close it first."""

    def __init__(
        self, ident: str, paths: Paths, values: Mapping[str, Value], on_write: Write
    ) -> None:
        """Prepare every path with its value; other processes see it after `register`.

        Raises NoBus.
        """
        self._paths = paths
        self._gated_item = _gated_item(on_write)
        self._bus = private_bus()
        self._service = VeDbusService(PREFIX + ident, self._bus, register=False)
        for spec in paths.values():
            self._add(spec, values.get(spec.path))

    def _add(self, spec: PathSpec, value: Value) -> None:
        self._service.add_path(
            spec.path,
            value,
            description=spec.doc,
            writeable=spec.writable,
            gettextcallback=self._text,
            valuetype=spec.quantity.kind,
            itemtype=self._gated_item if spec.writable else None,
        )

    def _text(self, path: str, value: Value) -> str:
        return self._paths[path].text(value)

    def register(self) -> None:
        """Appear on the bus. Raises NameTaken, or NoBus if we may not have the name."""
        try:
            self._service.register()
        except dbus.exceptions.NameExistsException:
            raise NameTaken(self._service.name) from None
        except dbus.exceptions.DBusException as problem:
            words = f"D-Bus does not let us be {self._service.name}: {_words(problem)}"
            raise NoBus(words) from None

    def publish(self, changes: Mapping[str, Value]) -> None:
        """All changes in one ItemsChanged."""
        with self._service as items:
            for path, value in changes.items():
                items[path] = value

    def ask_end_of_waited(self, answered: Callable[[], None]) -> None:
        """Call back when all writes have come that the bus holds now, or after ANSWER_WITHIN.

        The bus answers in the order of its messages.
        """
        self._bus.call_async(
            dbus.BUS_DAEMON_NAME,
            dbus.BUS_DAEMON_PATH,
            dbus.BUS_DAEMON_IFACE,
            "GetId",
            "",
            [],
            lambda _: answered(),
            lambda _: answered(),
            timeout=ANSWER_WITHIN,
        )

    def close(self) -> None:
        """Leave the bus."""
        self._service.__del__()
        self._bus.set_exit_on_disconnect(False)  # we close it ourselves, so do not exit
        self._bus.close()
