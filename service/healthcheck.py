"""Is the service healthy? That is: its process has a battery on D-Bus, and answers there.

    python3 healthcheck.py          prints the service's batteries; exit status 1 if there are none
    python3 healthcheck.py --wait 60 --steady 10 --after PROCESS
                                    waits until one process of the service has been healthy for
                                    10 s. PROCESS is just being ended and does not count. Exit
                                    status 1 if that takes more than 60 s, or if three processes
                                    have ended meanwhile

Uses no code of the bridge, so that it can check any version.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import time

import dbus

PREFIX = "com.victronenergy.battery."
LOOK_EVERY = 0.25  # s
ANSWER_WITHIN = 2.0  # s
CAME_AND_WENT_TOO_OFTEN = 3


def main() -> int:
    """The command line; returns the exit status."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # no traceback after a Ctrl-C
    arguments = _arguments()
    bus = dbus.SessionBus() if "DBUS_SESSION_BUS_ADDRESS" in os.environ else dbus.SystemBus()
    if arguments.wait:
        return 0 if wait(bus, arguments) else 1
    found = batteries(bus, process_id(arguments.service))
    for name, instance in found.items():
        print(f"{name}, {'does not answer' if instance is None else f'device instance {instance}'}")
    return 0 if answers(found) else 1


def wait(bus: dbus.Bus, arguments: argparse.Namespace) -> bool:
    """Whether one process has been healthy for `steady` seconds, within `wait` seconds."""
    now = time.monotonic()
    give_up_at = now + arguments.wait
    seen, since, gone = None, now, 0
    while now < give_up_at and gone < CAME_AND_WENT_TOO_OFTEN:
        process = process_id(arguments.service)
        if process == arguments.after:
            process = None
        if seen is not None and process != seen:
            gone += 1
        if process is None or process != seen or not answers(batteries(bus, process)):
            seen, since = process, now
        elif now - since >= arguments.steady:
            return True
        time.sleep(LOOK_EVERY)
        now = time.monotonic()
    return False


def process_id(service: str) -> int | None:
    """The process that supervise runs for this service; None where it runs none."""
    answer = subprocess.run(["svstat", service], capture_output=True, text=True, check=False)
    up = re.search(r": up \(pid (\d+)\)", answer.stdout)
    return int(up[1]) if up else None


def batteries(bus: dbus.Bus, process: int | None) -> dict[str, int | None]:
    """The batteries that a process has on the bus, with their instances; None for no answer."""
    names = [str(name) for name in bus.list_names() if name.startswith(PREFIX)]
    return {name: _instance(bus, name) for name in names if _owner(bus, name) == process}


def answers(found: dict[str, int | None]) -> bool:
    """Whether there are batteries, and all of them answer."""
    return bool(found) and None not in found.values()


def _instance(bus: dbus.Bus, name: str) -> int | None:
    answer = _ask(bus, name, "/DeviceInstance", "com.victronenergy.BusItem", "GetValue")
    return answer if isinstance(answer, int) else None


def _owner(bus: dbus.Bus, name: str) -> object:
    daemon, path = "org.freedesktop.DBus", "/org/freedesktop/DBus"
    return _ask(bus, daemon, path, daemon, "GetConnectionUnixProcessID", name)


def _ask(
    bus: dbus.Bus, service: str, path: str, interface: str, method: str, *words: str
) -> object:
    """The answer to a call; None when there is none, or an error."""
    try:
        item = bus.get_object(service, path, introspect=False)
        return item.get_dbus_method(method, interface)(*words, timeout=ANSWER_WITHIN)
    except dbus.DBusException:
        return None


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--service", default="/service/virtual-battery")
    parser.add_argument("--wait", type=float, default=0, metavar="SECONDS")
    parser.add_argument("--steady", type=float, default=0, metavar="SECONDS")
    parser.add_argument("--after", type=int, metavar="PROCESS")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
