"""The platform's settings service, and other values of other services, by D-Bus.

Nothing here waits: every answer comes later, by a callback. (velib_python's SettingsDevice is not
used because it waits: a settings service that hangs would stop the main loop, and with it the
safety tick, for up to two minutes.)

On a GX the settings service writes each change to flash: keep there only what people decide.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

import dbus
import dbus.bus

from bridge.core.text import sanitize_for_log

log = logging.getLogger(__name__)

SERVICE = "com.victronenergy.settings"
ANSWER_WITHIN = 3.0  # s until the settings service counts as silent

_ITEM = "com.victronenergy.BusItem"
_DEVICES = "/Settings/Devices"
_VALUE_WITHIN = 5.0  # s for a value of another service

Connection: TypeAlias = dbus.bus.BusConnection
Guard = Callable[[Callable[..., None]], Callable[..., None]]


class DeviceSettings:
    """The settings of one device, all of them texts, under /Settings/Devices/<ident>."""

    def __init__(
        self,
        bus: Connection,
        ident: str,
        on_change: Callable[[str, str], None],
        guard: Guard = lambda callback: callback,
    ) -> None:
        """on_change(key, value): a setting has changed, by us or by another client.

        guard: wraps every callback; dbus-python would print an exception in it and go on.
        """
        self._bus = bus
        self._ident = ident
        self._on_change = guard(on_change)
        self._guard = guard
        self._followed: set[str] = set()

    def open(
        self,
        defaults: Mapping[str, str],
        opened: Callable[[dict[str, str]], None],
        failed: Callable[[str], None],
    ) -> None:
        """Ask for settings; those that do not exist yet are made, with their default.

        Afterwards either opened(values by key) is called, or failed(reason).
        """
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
            self._guard(partial(self._on_opened, opened, failed)),
            self._guard(lambda error: failed(_reason(error))),
            timeout=ANSWER_WITHIN,
        )

    def save(
        self, key: str, value: str, kept: Callable[[], None], failed: Callable[[str], None]
    ) -> None:
        """Keep a value. Afterwards either kept() is called, or failed(reason).

        A value that the service refuses counts as kept: asking again would not help.
        """

        def answered(*codes: object) -> None:
            if codes != (0,):
                shown = sanitize_for_log(value)
                log.warning("%s: the settings service refuses %s as %s", self._ident, shown, key)
            kept()

        self._bus.call_async(
            SERVICE,
            self._path(key),
            _ITEM,
            "SetValue",
            "v",
            [value],
            self._guard(answered),
            self._guard(lambda error: failed(_reason(error))),
            timeout=ANSWER_WITHIN,
        )

    def _on_opened(
        self,
        opened: Callable[[dict[str, str]], None],
        failed: Callable[[str], None],
        *answers: Any,
    ) -> None:
        try:
            values = dict(self._values(answers[0]))
        except (IndexError, TypeError, AttributeError):
            failed("sends an answer that cannot be read")
        else:
            opened(values)

    def _values(self, answers: list[Mapping[str, Any]]) -> list[tuple[str, str]]:
        values = []
        for answer in answers:
            key = str(answer.get("path", "")).removeprefix(f"{self._ident}/")
            if answer.get("error") == 0 and isinstance(answer.get("value"), str):
                values.append((key, str(answer["value"])))
            else:
                shown = sanitize_for_log(key)
                log.warning("%s: the settings service has no usable %s", self._ident, shown)
        return values

    def _follow(self, key: str) -> None:
        if key not in self._followed:
            self._followed.add(key)
            changed = self._guard(partial(self._changed, key))
            self._bus.add_signal_receiver(
                changed, "PropertiesChanged", _ITEM, SERVICE, self._path(key)
            )

    def _changed(self, key: str, changes: Mapping[str, Any]) -> None:
        value = changes.get("Value")
        if isinstance(value, str):
            self._on_change(key, str(value))

    def _path(self, key: str) -> str:
        return f"{_DEVICES}/{self._ident}/{key}"


def watch_for(bus: Connection, name: str, appeared: Callable[[], None]) -> None:
    """Call back whenever a service of this name appears on the bus."""
    bus.watch_name_owner(name, lambda owner: appeared() if owner else None)


def ask(bus: Connection, service: str, path: str, answered: Callable[[object], None]) -> None:
    """Ask a service for the value of one path. Nothing is called where it has none."""

    def on_answer(*values: object) -> None:
        if values:
            answered(values[0])

    bus.call_async(
        service,
        path,
        _ITEM,
        "GetValue",
        "",
        [],
        on_answer,
        lambda error: None,
        timeout=_VALUE_WITHIN,
    )


def _reason(error: Exception) -> str:
    name = getattr(error, "get_dbus_name", lambda: "")()
    absent = ("ServiceUnknown", "NameHasNoOwner")
    return "is not there" if name.endswith(absent) else f"does not answer ({name or error})"
