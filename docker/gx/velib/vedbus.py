"""Stand-in for velib_python's vedbus: a service that offers values on D-Bus.

Same interface and the same behaviour on the wire as velib_python of 2024-09 and newer, for what a
battery service uses of it. A development tool: on a GX device the real module is used instead.
"""

import logging
import os
from collections.abc import Callable, Iterator
from typing import Any

import dbus
import dbus.service
from ve_utils import unwrap_dbus_value, wrap_dbus_value

BUS_ITEM = "com.victronenergy.BusItem"
TAKEN, READ_ONLY, REFUSED = 0, 1, 2

Change = dict[str, Any]
OnChange = Callable[[str, Any], bool]
ToText = Callable[[str, Any], str]

log = logging.getLogger(__name__)


class VeDbusItemExport(dbus.service.Object):
    """One value at one path. Subclasses may replace SetValue (see add_path's itemtype)."""

    def __init__(
        self,
        bus: dbus.connection.Connection,
        objectPath: str,  # noqa: N803  named as in velib_python
        value: Any = None,
        description: str | None = None,
        writeable: bool = False,
        onchangecallback: OnChange | None = None,
        gettextcallback: ToText | None = None,
        deletecallback: Callable[[str], None] | None = None,
        valuetype: Callable[[Any], Any] | None = None,
    ) -> None:
        super().__init__(bus, objectPath)
        self._at: str | None = objectPath
        self._value = value
        self._description = description
        self._writeable = writeable
        self._onchangecallback = onchangecallback
        self._gettextcallback = gettextcallback
        self._deletecallback = deletecallback
        self._type = valuetype

    def __del__(self) -> None:
        """Take the path off the bus. May be called twice."""
        path, self._at = getattr(self, "_at", None), None
        if path is None:
            return
        if self._deletecallback is not None:
            self._deletecallback(path)
        self.remove_from_connection()

    def local_get_value(self) -> Any:
        return self._value

    def local_set_value(self, newvalue: Any) -> None:
        """Set the value from inside the process; a new value is signalled at once."""
        change = self._local_set_value(newvalue)
        if change is not None:
            self.PropertiesChanged(change)

    def _local_set_value(self, newvalue: Any) -> Change | None:
        """Store the value. Returns the content of the signal, None if nothing changed.

        As in velib_python the value is stored before it is formatted: a value that the text
        callback cannot format stays, and makes GetItems fail for the whole service.
        """
        if newvalue == self._value:
            return None
        self._value = newvalue
        return self._as_change()

    def _as_change(self) -> Change:
        return {"Value": wrap_dbus_value(self.local_get_value()), "Text": self.GetText()}

    def _coerced(self, value: Any) -> Any:
        if self._type is None or value is None:
            return value
        return self._type(value)

    @dbus.service.method(BUS_ITEM, in_signature="v", out_signature="i")
    def SetValue(self, newvalue: Any) -> int:
        """A write from another process: 0 taken or equal, 1 read-only or wrong type, 2 refused."""
        if not self._writeable:
            return READ_ONLY
        try:
            value = self._coerced(unwrap_dbus_value(newvalue))
        except (TypeError, ValueError):
            return READ_ONLY
        if value == self._value:
            return TAKEN  # without a call of the callback
        if self._onchangecallback is not None and not self._onchangecallback(self._at, value):
            return REFUSED
        self.local_set_value(value)
        return TAKEN

    @dbus.service.method(BUS_ITEM, out_signature="v")
    def GetValue(self) -> Any:
        return wrap_dbus_value(self._value)

    @dbus.service.method(BUS_ITEM, out_signature="s")
    def GetText(self) -> str:
        if self._value is None:
            return "---"
        if self._gettextcallback is not None:
            return self._gettextcallback(self._at, self._value)
        if self._at == "/ProductId":
            return f"0x{self._value:X}"
        return str(self._value)

    @dbus.service.method(BUS_ITEM, in_signature="si", out_signature="s")
    def GetDescription(self, language: str, length: int) -> str:  # noqa: ARG002  the wire has them
        return "No description given" if self._description is None else self._description

    @dbus.service.signal(BUS_ITEM, signature="a{sv}")
    def PropertiesChanged(self, changes: Change) -> None:
        pass


class _Node(dbus.service.Object):
    """A path that has values below it and none of its own."""

    def __init__(self, bus: dbus.connection.Connection, path: str, service: "VeDbusService"):
        super().__init__(bus, path)
        self._prefix = path.rstrip("/") + "/"
        self._service = service

    def _below(self) -> Iterator[tuple[str, VeDbusItemExport]]:
        for path, item in self._service._items.items():
            if path.startswith(self._prefix):
                yield path.removeprefix(self._prefix), item

    @dbus.service.method(BUS_ITEM, out_signature="v")
    def GetValue(self) -> dbus.Dictionary:
        values = {path: item.GetValue() for path, item in self._below()}
        return dbus.Dictionary(values, signature="sv", variant_level=1)

    @dbus.service.method(BUS_ITEM, out_signature="v")
    def GetText(self) -> dbus.Dictionary:
        texts = {path: item.GetText() for path, item in self._below()}
        return dbus.Dictionary(texts, signature="ss", variant_level=1)


class _Root(_Node):
    """The path / of a service: all its values in one answer, all its changes in one signal."""

    @dbus.service.method(BUS_ITEM, out_signature="a{sa{sv}}")
    def GetItems(self) -> dict[str, Change]:
        return {path: item._as_change() for path, item in self._service._items.items()}

    @dbus.service.signal(BUS_ITEM, signature="a{sa{sv}}")
    def ItemsChanged(self, changes: dict[str, Change]) -> None:
        pass


class VeDbusService:
    """A named service with its values.

    Add all paths first and call register() last: the platform reads a service as soon as its name
    appears.
    """

    def __init__(
        self,
        servicename: str,
        bus: dbus.connection.Connection | None = None,
        register: bool | None = None,
    ) -> None:
        self.name = servicename
        self.dbusconn = bus or _default_bus()
        self._items: dict[str, VeDbusItemExport] = {}
        self._onchange: dict[str, OnChange] = {}
        self._root = _Root(self.dbusconn, "/", self)
        self._nodes: dict[str, _Node] = {}
        self._contexts: list[ServiceContext] = []
        self._busname: dbus.service.BusName | None = None
        if register is None:
            log.warning("give register=False and call register() after the last path")
        if register is None or register:
            self.register()

    def register(self) -> None:
        """Take the name on the bus.

        Raises dbus.exceptions.NameExistsException when another process has it.
        """
        self._busname = dbus.service.BusName(self.name, self.dbusconn, do_not_queue=True)

    def __del__(self) -> None:
        """Leave the bus: the name and every path. May be called twice."""
        self._busname = None  # its last reference: the name is free
        for item in list(getattr(self, "_items", {}).values()):
            item.__del__()
        if getattr(self, "_root", None) is not None:
            self._root.remove_from_connection()
            self._root = None

    def add_path(
        self,
        path: str,
        value: Any,
        description: str = "",
        writeable: bool = False,
        onchangecallback: OnChange | None = None,
        gettextcallback: ToText | None = None,
        valuetype: Callable[[Any], Any] | None = None,
        itemtype: type[VeDbusItemExport] | None = None,
    ) -> VeDbusItemExport:
        """Offer a value. No signal is sent: before register() none is needed, later use `with`.

        onchangecallback(path, value) returns whether a write from outside is taken.
        gettextcallback(path, value) returns the text of a value that is not None.
        valuetype converts what is written from outside; its ValueError or TypeError refuses.
        """
        if onchangecallback is not None:
            self._onchange[path] = onchangecallback
        item = (itemtype or VeDbusItemExport)(
            self.dbusconn,
            path,
            value,
            description,
            writeable,
            self._ask_owner,
            gettextcallback,
            deletecallback=self._forget,
            valuetype=valuetype,
        )
        self._add_nodes_above(path)
        self._items[path] = item
        return item

    def add_mandatory_paths(
        self,
        processname: str,
        processversion: str,
        connection: str,
        deviceinstance: int,
        productid: int,
        productname: str,
        firmwareversion: Any,
        hardwareversion: Any,
        connected: int,
    ) -> None:
        """Offer what every Venus service has to have."""
        self.add_path("/Mgmt/ProcessName", processname)
        self.add_path("/Mgmt/ProcessVersion", processversion)
        self.add_path("/Mgmt/Connection", connection)
        self.add_path("/DeviceInstance", deviceinstance)
        self.add_path("/ProductId", productid)
        self.add_path("/ProductName", productname)
        self.add_path("/FirmwareVersion", firmwareversion)
        self.add_path("/HardwareVersion", hardwareversion)
        self.add_path("/Connected", connected)

    def get_name(self) -> str:
        return self.name

    def __contains__(self, path: str) -> bool:
        return path in self._items

    def __getitem__(self, path: str) -> Any:
        return self._items[path].local_get_value()

    def __setitem__(self, path: str, newvalue: Any) -> None:
        self._items[path].local_set_value(newvalue)

    def __delitem__(self, path: str) -> None:
        self._items[path].__del__()

    def __enter__(self) -> "ServiceContext":
        context = ServiceContext(self)
        self._contexts.append(context)
        return context

    def __exit__(self, *_exception: object) -> None:
        # Also after an exception: values that were set before it must be signalled.
        self._contexts.pop().flush()

    def _items_changed(self, changes: dict[str, Change]) -> None:
        self._root.ItemsChanged(changes)

    def _ask_owner(self, path: str, value: Any) -> bool:
        callback = self._onchange.get(path)
        return True if callback is None else callback(path, value)

    def _add_nodes_above(self, path: str) -> None:
        for above in _paths_above(path):
            if above not in self._nodes and above not in self._items:
                self._nodes[above] = _Node(self.dbusconn, above, self)

    def _forget(self, path: str) -> None:
        del self._items[path]
        for above in _paths_above(path):
            if above in self._nodes and not any(p.startswith(above + "/") for p in self._items):
                self._nodes.pop(above).remove_from_connection()


class ServiceContext:
    """What `with service as s:` gives: sets values at once, signals them together at the end."""

    def __init__(self, service: VeDbusService) -> None:
        self._service = service
        self._changes: dict[str, Change] = {}

    def __contains__(self, path: str) -> bool:
        return path in self._service

    def __getitem__(self, path: str) -> Any:
        return self._service[path]

    def __setitem__(self, path: str, newvalue: Any) -> None:
        change = self._service._items[path]._local_set_value(newvalue)
        if change is not None:
            self._changes[path] = change

    def __delitem__(self, path: str) -> None:
        self._changes.pop(path, None)
        del self._service[path]

    def add_path(self, path: str, value: Any, *args: Any, **kwargs: Any) -> None:
        """Offer a value and signal it, for paths that come after register()."""
        self._changes[path] = self._service.add_path(path, value, *args, **kwargs)._as_change()

    def flush(self) -> None:
        """Send one ItemsChanged with all that changed since the last one; none for nothing."""
        changes, self._changes = self._changes, {}
        if changes:
            self._service._items_changed(changes)


def _paths_above(path: str) -> list[str]:
    """'/Dc/0/Voltage' → ['/Dc', '/Dc/0']."""
    parts = path.split("/")
    return ["/".join(parts[:end]) for end in range(2, len(parts))]


def _default_bus() -> dbus.bus.BusConnection:
    return dbus.SessionBus() if "DBUS_SESSION_BUS_ADDRESS" in os.environ else dbus.SystemBus()
