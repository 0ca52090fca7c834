"""Removes what the GX's settings service keeps of the batteries in a configuration file.

    python3 forget.py FILE        with the bridge on PYTHONPATH

Exit status 1 when the file cannot be read or the settings service does not answer.
"""

from __future__ import annotations

import os
import sys

import dbus

from bridge.adapters.config import load
from bridge.core.settings.configuration import BadConfiguration

SERVICE = "com.victronenergy.settings"


def main() -> int:
    """The command line; returns the exit status."""
    try:
        idents = [battery.ident for battery in load(sys.argv[1]).batteries]
        bus = dbus.SessionBus() if "DBUS_SESSION_BUS_ADDRESS" in os.environ else dbus.SystemBus()
        for ident in idents:
            forget(bus, ident)
    except (BadConfiguration, dbus.DBusException) as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


def forget(bus: dbus.Bus, ident: str) -> None:
    """Remove /Settings/Devices/<ident> with all below it."""
    root = bus.get_object(SERVICE, "/Settings", introspect=False)
    kept = root.GetValue(dbus_interface="com.victronenergy.BusItem")
    ours = [path for path in kept if path.startswith(f"Devices/{ident}/")]
    if ours:
        root.RemoveSettings(dbus.Array(ours, "s"), dbus_interface="com.victronenergy.Settings")


if __name__ == "__main__":
    sys.exit(main())
