"""Is the service well? That is: its process has a battery on D-Bus.

    python3 well.py                          says what is on the bus; exit status 1 if nothing is
    python3 well.py --wait 60 --steady 10    waits until one process has been so for 10 s; exit
                                             status 1 if that has not come true within 60 s

Depends on nothing of the version that it judges.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time

import dbus

PREFIX = "com.victronenergy.battery."
LOOK_EVERY = 0.25  # s


def main() -> int:
    arguments = _arguments()
    bus = dbus.SessionBus() if "DBUS_SESSION_BUS_ADDRESS" in os.environ else dbus.SystemBus()
    if arguments.wait:
        return 0 if wait(bus, arguments.service, arguments.wait, arguments.steady) else 1
    names = batteries(bus, process_id(arguments.service))
    for name in names:
        print(f"{name}, device instance {instance(bus, name)}")
    return 0 if names else 1


def wait(bus: dbus.Bus, service: str, patience: float, steady: float) -> bool:
    """Whether, within `patience` seconds, one process kept its batteries for `steady` seconds."""
    now = time.monotonic()
    give_up_at = now + patience
    seen, since = None, now
    while now < give_up_at:
        process = process_id(service)
        if process is None or process != seen or not batteries(bus, process):
            seen, since = process, now
        elif now - since >= steady:
            return True
        time.sleep(LOOK_EVERY)
        now = time.monotonic()
    return False


def process_id(service: str) -> int | None:
    """What supervise runs at the moment; None for nothing."""
    answer = subprocess.run(["svstat", service], capture_output=True, text=True, check=False)
    up = re.search(r": up \(pid (\d+)\)", answer.stdout)
    return int(up[1]) if up else None


def batteries(bus: dbus.Bus, process: int | None) -> list[str]:
    """The names of the batteries that a process has on the bus."""
    names = [str(name) for name in bus.list_names() if name.startswith(PREFIX)]
    return [name for name in names if process is not None and _owner(bus, name) == process]


def instance(bus: dbus.Bus, name: str) -> object:
    item = bus.get_object(name, "/DeviceInstance", introspect=False)
    return item.GetValue(dbus_interface="com.victronenergy.BusItem")


def _owner(bus: dbus.Bus, name: str) -> int | None:
    daemon = bus.get_object("org.freedesktop.DBus", "/org/freedesktop/DBus", introspect=False)
    try:
        return int(daemon.GetConnectionUnixProcessID(name, dbus_interface="org.freedesktop.DBus"))
    except dbus.DBusException:  # it has left since
        return None


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--service", default="/service/virtual-battery")
    parser.add_argument("--wait", type=float, default=0, metavar="SECONDS")
    parser.add_argument("--steady", type=float, default=0, metavar="SECONDS")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
