"""What outlives a restart, by the platform's settings service and velib_python's settingsdevice.

On a GX the service writes each change to flash: keep here only what people decide.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

import dbus.bus
from settingsdevice import SettingsDevice

from bridge.core.model import Value

log = logging.getLogger(__name__)

SERVICE = "com.victronenergy.settings"
_ITEM = "com.victronenergy.BusItem"


class SettingsAbsent(Exception):
    """The settings service is not on the bus."""


class BatterySettings:
    """The settings of one battery, under /Settings/Devices/<ident>.

    Raises SettingsAbsent when the service is not there; it is never waited for.
    `on_change(key, value)` is called when somebody changes one.
    """

    def __init__(
        self,
        bus: dbus.bus.BusConnection,
        ident: str,
        defaults: Mapping[str, Value],
        on_change: Callable[[str, Value], None],
    ) -> None:
        self._bus = bus
        self._root = f"/Settings/Devices/{ident}"
        self._on_change = on_change
        if not bus.name_has_owner(SERVICE):
            raise SettingsAbsent
        supported = {key: [f"{self._root}/{key}", value, 0, 0] for key, value in defaults.items()}
        self._device = SettingsDevice(bus, supported, self._changed)

    def __getitem__(self, key: str) -> Value:
        value: Value = self._device[key]
        return value

    def save(self, key: str, value: Value) -> None:
        """Keep a value. Not waited for: a service that hangs must not hang us."""
        self._bus.call_async(
            SERVICE,
            f"{self._root}/{key}",
            _ITEM,
            "SetValue",
            "v",
            [value],
            lambda code: self._saved(key, int(code)),
            lambda error: log.warning("setting %s was not kept: %s", key, error),
        )

    def _saved(self, key: str, code: int) -> None:
        if code != 0:
            log.warning("setting %s was not kept: the settings service refused it", key)

    def _changed(self, key: str, _before: Value, value: Value) -> None:
        self._on_change(key, value)


def instance_of(class_and_instance: Value) -> int | None:
    """The number in "battery:7"; None when there is none."""
    _, _, number = str(class_and_instance).partition(":")
    return int(number) if number.isascii() and number.isdigit() else None


def watch_for(bus: dbus.bus.BusConnection, name: str, appeared: Callable[[], None]) -> None:
    """Call back whenever a service of this name appears on the bus."""
    bus.watch_name_owner(name, lambda owner: appeared() if owner else None)


def ask(
    bus: dbus.bus.BusConnection, service: str, path: str, answered: Callable[[object], None]
) -> None:
    """Ask a service for the value of one path, without waiting; silence when it has none."""
    bus.call_async(
        service, path, _ITEM, "GetValue", "", [], answered, lambda error: None, timeout=5.0
    )
