"""What outlives a restart, by the platform's settings service.

On a GX the service writes each change to flash: keep here only what people decide.

velib_python's SettingsDevice is not used: it waits for its answers, and a settings service that
hangs would stop the main loop and with it the safety tick for up to two minutes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import dbus
import dbus.bus

log = logging.getLogger(__name__)

SERVICE = "com.victronenergy.settings"
_ITEM = "com.victronenergy.BusItem"
_DEVICES = "/Settings/Devices"
Connection = dbus.bus.BusConnection
PATIENCE = 3.0  # seconds that an answer may take


class DeviceSettings:
    """The settings of one device, all of them texts, under /Settings/Devices/<ident>.

    Every answer comes later, by a callback; nothing here waits.
    """

    def __init__(
        self, bus: Connection, ident: str, on_change: Callable[[str, str], None]
    ) -> None:
        """on_change(key, value): somebody has changed a setting, or we have."""
        self._bus = bus
        self._ident = ident
        self._on_change = on_change
        self._followed: set[str] = set()

    def open(
        self,
        defaults: Mapping[str, str],
        opened: Callable[[dict[str, str]], None],
        failed: Callable[[str], None],
    ) -> None:
        """Ask for settings; those that do not exist yet are made, with their default.

        Afterwards either opened(values) is called, or failed(why).
        """

        def answered(*answers: Any) -> None:
            try:
                values = dict(self._values(answers[0]))
            except (IndexError, TypeError, AttributeError):
                failed("answers nonsense")
            else:
                opened(values)

        for key in defaults:
            self._follow(key)
        wanted = [
            {"path": f"{self._ident}/{key}", "default": default, "silent": True}
            for key, default in defaults.items()
        ]
        self._bus.call_async(
            SERVICE,
            _DEVICES,
            "com.victronenergy.Settings",
            "AddSettings",
            "aa{sv}",
            [wanted],
            answered,
            lambda error: failed(_why(error)),
            timeout=PATIENCE,
        )

    def save(
        self, key: str, value: str, kept: Callable[[], None], failed: Callable[[str], None]
    ) -> None:
        """Keep a value. Afterwards either kept() is called, or failed(why).

        A value that the service refuses counts as kept: asking again would not help.
        """

        def answered(*codes: object) -> None:
            if codes != (0,):
                log.warning("%s: the settings service refuses %r as %s", self._ident, value, key)
            kept()

        self._bus.call_async(
            SERVICE,
            f"{_DEVICES}/{self._ident}/{key}",
            _ITEM,
            "SetValue",
            "v",
            [value],
            answered,
            lambda error: failed(_why(error)),
            timeout=PATIENCE,
        )

    def _values(self, answers: list[Mapping[str, Any]]) -> list[tuple[str, str]]:
        values = []
        for answer in answers:
            key = str(answer.get("path", "")).removeprefix(f"{self._ident}/")
            if answer.get("error") == 0 and isinstance(answer.get("value"), str):
                values.append((key, str(answer["value"])))
            else:
                log.warning("%s: the settings service has no usable %s", self._ident, key)
        return values

    def _follow(self, key: str) -> None:
        if key in self._followed:
            return
        self._followed.add(key)
        self._bus.add_signal_receiver(
            partial(self._changed, key),
            "PropertiesChanged",
            _ITEM,
            SERVICE,
            f"{_DEVICES}/{self._ident}/{key}",
        )

    def _changed(self, key: str, changes: Mapping[str, Any]) -> None:
        value = changes.get("Value")
        if isinstance(value, str):
            self._on_change(key, str(value))


def instance_of(class_and_instance: str) -> int | None:
    """The number in "battery:7"; None when there is none."""
    _, _, number = class_and_instance.partition(":")
    return int(number) if number.isascii() and number.isdigit() and len(number) < 10 else None


def watch_for(bus: Connection, name: str, appeared: Callable[[], None]) -> None:
    """Call back whenever a service of this name appears on the bus."""
    bus.watch_name_owner(name, lambda owner: appeared() if owner else None)


def ask(
    bus: Connection, service: str, path: str, answered: Callable[[object], None]
) -> None:
    """Ask a service for the value of one path, without waiting; silence when it has none."""

    def heard(*values: object) -> None:
        if values:
            answered(values[0])

    bus.call_async(
        service, path, _ITEM, "GetValue", "", [], heard, lambda error: None, timeout=5.0
    )


def _why(error: Exception) -> str:
    name = getattr(error, "get_dbus_name", lambda: "")()
    absent = ("ServiceUnknown", "NameHasNoOwner")
    return "is not there" if name.endswith(absent) else f"does not answer ({name or error})"
