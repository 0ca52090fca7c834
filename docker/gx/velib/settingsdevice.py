"""Stand-in for velib_python's settingsdevice: settings kept by com.victronenergy.settings.

A development tool: on a GX device the real module takes this one's place. Versions of the real one
differ in what they forgive. The stand-in forgives nothing that one of them does not:

- As in those of 2024, a SettingsDevice speaks to the process that was the settings service when it
  was made. When that one is gone, make a new one.
- As in those since 2025, all hear changes on the connection of the first, and a path is followed
  by the latest only. Whoever closes that first connection makes all of them deaf.
"""

import logging
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

import dbus
from ve_utils import unwrap_dbus_value, wrap_dbus_value

SETTINGS = "com.victronenergy.settings"
BUS_ITEM = "com.victronenergy.BusItem"
OK = 0

# [path, default, minimum, maximum] and, where wanted, silent.
Supported = Mapping[str, list[Any]]
EventCallback = Callable[[str, Any, Any], None]

log = logging.getLogger(__name__)


class SettingsDevice:
    """A few settings by short names: device["instance"] reads, device["instance"] = … writes.

    A write is confirmed by the settings service, and read back as soon as its signal came in.
    eventCallback(name, old, new) is called for each such signal, one's own writes included.
    """

    def __init__(
        self,
        bus: dbus.connection.Connection,
        supportedSettings: Supported,  # noqa: N803  named as in velib_python
        eventCallback: EventCallback | None,  # noqa: N803
        name: str = SETTINGS,
        timeout: int = 0,
    ) -> None:
        """Wait at most `timeout` seconds for the settings service, then add the settings."""
        self._bus = bus
        self._callback = eventCallback
        self._paths: dict[str, str] = {}
        self._values: dict[str, Any] = {}
        self._service = _owner_of(name, bus, timeout)
        self.addSettings(supportedSettings)

    def addSettings(self, settings: Supported) -> None:  # noqa: N802
        """Add settings; those that exist keep their value. What is refused is only logged."""
        names = {options[0]: name for name, options in settings.items()}
        answers = self._bus.call_blocking(
            self._service,
            "/",
            "com.victronenergy.Settings",
            "AddSettings",
            "aa{sv}",
            [[_definition(*options) for options in settings.values()]],
        )
        for answer in answers:
            if answer["error"] == OK:
                self._follow(names[answer["path"]], str(answer["path"]), answer["value"])
            else:
                log.error("setting %s refused, error %d", answer["path"], answer["error"])

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __setitem__(self, name: str, newvalue: Any) -> None:
        result = self._bus.call_blocking(
            self._service, self._paths[name], BUS_ITEM, "SetValue", "v", [wrap_dbus_value(newvalue)]
        )
        if result != OK:
            raise AssertionError(f"setting {self._paths[name]} refuses {newvalue!r}")

    def _follow(self, name: str, path: str, value: Any) -> None:
        self._paths[name] = path
        self._values[name] = unwrap_dbus_value(value)
        _Listener.follow(self._bus, self._service, path, partial(self._changed, name))

    def _changed(self, name: str, new: Any) -> None:
        old, self._values[name] = self._values[name], new
        if self._callback is not None:
            self._callback(name, old, new)


class _Listener:
    """Hears the settings change; one for the whole process, on the first connection."""

    _followers: ClassVar[dict[str, tuple[str, Callable[[Any], None]]]] = {}

    @classmethod
    def follow(
        cls,
        bus: dbus.connection.Connection,
        owner: str,
        path: str,
        follower: Callable[[Any], None],
    ) -> None:
        if not cls._followers:
            bus.add_signal_receiver(
                cls._heard,
                "PropertiesChanged",
                BUS_ITEM,
                SETTINGS,
                path_keyword="path",
                sender_keyword="sender",
            )
        cls._followers[path] = owner, follower

    @classmethod
    def _heard(cls, changes: Mapping[str, Any], path: str, sender: str) -> None:
        owner, follower = cls._followers.get(path, (None, None))
        if follower is not None and owner == sender:
            follower(unwrap_dbus_value(changes["Value"]))


def _owner_of(service: str, bus: dbus.connection.Connection, timeout: int) -> str:
    """The process behind a name, waited for at most `timeout` seconds."""
    for _ in range(timeout):
        if bus.name_has_owner(service):
            break
        time.sleep(1)
    if not bus.name_has_owner(service):
        raise Exception(f"no {service} on the bus")
    return str(bus.get_name_owner(service))


def _definition(
    path: str, default: Any, minimum: Any, maximum: Any, silent: bool = False
) -> dict[str, Any]:
    return {"path": path, "default": default, "min": minimum, "max": maximum, "silent": silent}
