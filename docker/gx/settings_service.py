"""Stand-in for com.victronenergy.settings: settings on D-Bus, kept in a JSON file.

    python3 settings_service.py --file settings.json

Changes are gathered for two seconds and written together, as on a GX; changes that still wait are
written at SIGTERM.
"""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dbus
import dbus.bus
import dbus.service
import settings_store
from dbus.lowlevel import SignalMessage
from dbus.mainloop.glib import DBusGMainLoop
from gi.repository import GLib
from settings_store import FAILED, INVALID_PATH, OK, UNKNOWN_TYPE, Setting, Store

NAME = "com.victronenergy.settings"
BUS_ITEM = "com.victronenergy.BusItem"
SETTINGS = "com.victronenergy.Settings"
SAVE_DELAY = 2  # seconds

_OWNER = dbus.bus.REQUEST_NAME_REPLY_PRIMARY_OWNER
_INVALID = dbus.Array([], signature="i", variant_level=1)
_KINDS = ((dbus.Int32, "i"), (dbus.Int64, "i"), (dbus.Double, "f"), (dbus.String, "s"))

log = logging.getLogger("settings")


class SettingsService(dbus.service.FallbackObject):
    """All paths of the service in one object; each is a setting, or a group of settings."""

    def __init__(
        self, bus: dbus.connection.Connection, store: Store, changed: Callable[[], None]
    ) -> None:
        """`changed` is called after every change that has to be kept."""
        super().__init__(bus, "/")
        self._store = store
        self._changed = changed

    # Of settings and of groups

    @dbus.service.method(BUS_ITEM, out_signature="v", path_keyword="path")
    def GetValue(self, path: str) -> Any:
        if path in self._store.settings:
            return _on_the_bus(self._store.settings[path].value)
        below = self._store.below(self._group(path))
        values = {name: _on_the_bus(setting.value) for name, setting in below}
        return dbus.Dictionary(values, signature="sv", variant_level=1)

    # No out_signature: a setting answers a string, a group a variant.
    @dbus.service.method(BUS_ITEM, path_keyword="path")
    def GetText(self, path: str) -> Any:
        if path in self._store.settings:
            return str(self._store.settings[path].value)
        below = self._store.below(self._group(path))
        texts = {name: str(setting.value) for name, setting in below}
        return dbus.Dictionary(texts, signature="ss", variant_level=1)

    @dbus.service.method(BUS_ITEM, out_signature="i", path_keyword="path")
    def SetDefault(self, path: str) -> int:
        if path in self._store.settings:
            return self._set_default(path)
        for name, _ in list(self._store.below(self._group(path))):
            self._set_default(path.rstrip("/") + "/" + name)
        return OK

    # Of settings

    @dbus.service.method(BUS_ITEM, in_signature="v", out_signature="i", path_keyword="path")
    def SetValue(self, value: Any, path: str) -> int:
        self._setting(path)
        error, changed = self._store.set(path, value)
        if changed:
            self._send_change(path, self._value_of(path))
        return error

    @dbus.service.method(BUS_ITEM, out_signature="v", path_keyword="path")
    def GetMin(self, path: str) -> Any:
        return _limit_on_the_bus(self._setting(path).minimum)

    @dbus.service.method(BUS_ITEM, out_signature="v", path_keyword="path")
    def GetMax(self, path: str) -> Any:
        return _limit_on_the_bus(self._setting(path).maximum)

    @dbus.service.method(BUS_ITEM, out_signature="v", path_keyword="path")
    def GetDefault(self, path: str) -> Any:
        return _on_the_bus(self._setting(path).default)

    @dbus.service.method(SETTINGS, out_signature="b", path_keyword="path")
    def GetSilent(self, path: str) -> bool:
        return self._setting(path).silent

    @dbus.service.method(SETTINGS, out_signature="vvvi", path_keyword="path")
    def GetAttributes(self, path: str) -> tuple[Any, ...]:
        setting = self._setting(path)
        limits = _limit_on_the_bus(setting.minimum), _limit_on_the_bus(setting.maximum)
        return _on_the_bus(setting.default), *limits, int(setting.silent)

    # Of groups

    @dbus.service.method(BUS_ITEM, out_signature="a{sa{sv}}", path_keyword="path")
    def GetItems(self, path: str) -> dict[str, dict[str, Any]]:
        if path != "/":
            raise _error("UnknownMethod", "only / has all items")
        return {at: _properties(setting) for at, setting in self._store.settings.items()}

    @dbus.service.method(SETTINGS, "ssvsvv", "i", path_keyword="path")
    def AddSetting(
        self, group: str, name: str, default: Any, kind: str, low: Any, high: Any, path: str
    ) -> int:
        return self._add(_joined(self._group(path), group, name), default, kind, low, high, False)

    @dbus.service.method(SETTINGS, "ssvsvv", "i", path_keyword="path")
    def AddSilentSetting(
        self, group: str, name: str, default: Any, kind: str, low: Any, high: Any, path: str
    ) -> int:
        return self._add(_joined(self._group(path), group, name), default, kind, low, high, True)

    @dbus.service.method(SETTINGS, "aa{sv}", "aa{sv}", path_keyword="path")
    def AddSettings(self, definitions: list[dict[str, Any]], path: str) -> list[dict[str, Any]]:
        group = self._group(path)
        return [self._add_defined(group, definition) for definition in definitions]

    @dbus.service.method(SETTINGS, "as", "ai", path_keyword="path")
    def RemoveSettings(self, names: list[str], path: str) -> list[int]:
        group = self._group(path)
        return [self._remove(_joined(group, name)) for name in names]

    def _add_defined(self, group: str, definition: dict[str, Any]) -> dict[str, Any]:
        name, default = definition.get("path"), definition.get("default")
        if not isinstance(name, dbus.String):
            return {"error": INVALID_PATH, **({"path": name} if name else {})}
        kind = next((kind for type_, kind in _KINDS if isinstance(default, type_)), None)
        if kind is None:
            return {"path": name, "error": UNKNOWN_TYPE}
        low, high = definition.get("min"), definition.get("max")
        at = _joined(group, name)
        error = self._add(at, default, kind, low, high, bool(definition.get("silent")))
        value = {} if error else {"value": _on_the_bus(self._store.settings[at].value)}
        return {"path": name, "error": error, **value}

    def _add(self, at: str, default: Any, kind: str, low: Any, high: Any, silent: bool) -> int:
        error, changed = self._store.add(at, default, kind, low, high, silent)
        if changed:
            self._send_change(at, _properties(self._store.settings[at]))
        return error

    def _remove(self, at: str) -> int:
        if self._store.settings.pop(at, None) is None:
            return FAILED
        self._send_change(at, {"Value": _INVALID, "Text": ""})
        return OK

    def _set_default(self, at: str) -> int:
        error, changed = self._store.set_default(at)
        if changed:
            self._send_change(at, self._value_of(at))
        return error

    def _value_of(self, at: str) -> dict[str, Any]:
        value = self._store.settings[at].value
        return {"Value": _on_the_bus(value), "Text": str(value)}

    def _send_change(self, at: str, changes: dict[str, Any]) -> None:
        """Send PropertiesChanged, and have the change saved.

        dbus-python's own signals cannot name a path below a fallback object at the root.
        """
        message = SignalMessage(at, BUS_ITEM, "PropertiesChanged")
        message.append(changes, signature="a{sv}")
        self.connection.send_message(message)
        self._changed()

    def _setting(self, path: str) -> Setting:
        if path not in self._store.settings:
            self._group(path)
            raise _error("UnknownMethod", f"{path} is a group of settings")
        return self._store.settings[path]

    def _group(self, path: str) -> str:
        """The path itself, if it is the path of a group; else raises."""
        if path in self._store.settings:
            raise _error("UnknownMethod", f"{path} is a setting, and no group")
        if not self._store.is_group(path):
            raise _error("UnknownObject", f"there is no {path}")
        return path


class Saver:
    """Writes the store SAVE_DELAY seconds after the first change, with all changes since."""

    def __init__(self, store: Store, file: Path) -> None:
        self._store = store
        self._file = file
        self._waiting = False

    def changed(self) -> None:
        if not self._waiting:
            self._waiting = True
            GLib.timeout_add_seconds(SAVE_DELAY, self._try_to_save)

    def finish(self) -> None:
        """Write what is still waiting."""
        if self._waiting:
            self._try_to_save()

    def _try_to_save(self) -> bool:
        """Save. Returns, for GLib, whether to try again after another delay."""
        try:
            settings_store.save(self._store, self._file)
        except OSError as error:
            log.error("cannot write %s: %s", self._file, error)
            return GLib.SOURCE_CONTINUE
        self._waiting = False
        return GLib.SOURCE_REMOVE


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--file", required=True, type=Path, help="where the settings are kept")
    file = arguments.parse_args().file

    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    store = _loaded(file)
    saver = Saver(store, file)
    DBusGMainLoop(set_as_default=True)
    bus = dbus.SessionBus() if "DBUS_SESSION_BUS_ADDRESS" in os.environ else dbus.SystemBus()
    SettingsService(bus, store, saver.changed)
    if bus.request_name(NAME, dbus.bus.NAME_FLAG_DO_NOT_QUEUE) != _OWNER:
        sys.exit(f"{NAME} is on this bus already")
    _run_until_signal()
    saver.finish()


def _loaded(file: Path) -> Store:
    """The kept settings. A file that cannot be read is renamed, and the settings start empty."""
    try:
        return settings_store.load(file)
    except ValueError as error:
        aside = file.with_name(file.name + ".broken")
        log.error("%s; it is now %s, and the settings start anew", error, aside.name)
        file.replace(aside)
        return Store()


def _run_until_signal() -> None:
    loop = GLib.MainLoop()
    for number in (signal.SIGINT, signal.SIGTERM):
        GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, number, loop.quit)
    loop.run()


def _joined(group: str, *names: str) -> str:
    """'/Settings', 'Devices', 'a/Name' → '/Settings/Devices/a/Name'; empty names are left out."""
    parts = [str(part).strip("/") for part in (group, *names)]
    return "/" + "/".join(part for part in parts if part)


def _properties(setting: Setting) -> dict[str, Any]:
    properties = {
        "Value": _on_the_bus(setting.value),
        "Text": str(setting.value),
        "Default": _on_the_bus(setting.default),
    }
    if setting.minimum is not None:
        properties["Min"] = _on_the_bus(setting.minimum)
    if setting.maximum is not None:
        properties["Max"] = _on_the_bus(setting.maximum)
    return properties


def _on_the_bus(value: settings_store.Value) -> Any:
    if isinstance(value, str):
        return dbus.String(value, variant_level=1)
    if isinstance(value, float):
        return dbus.Double(value, variant_level=1)
    fitting = dbus.Int32 if abs(value) < 2**31 else dbus.Int64
    return fitting(value, variant_level=1)


def _limit_on_the_bus(limit: settings_store.Value | None) -> Any:
    return dbus.Int32(0, variant_level=1) if limit is None else _on_the_bus(limit)


def _error(name: str, text: str) -> dbus.DBusException:
    return dbus.DBusException(text, name=f"org.freedesktop.DBus.Error.{name}")


if __name__ == "__main__":
    main()
