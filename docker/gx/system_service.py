"""Stand-in for com.victronenergy.system: it has the portal id, and nothing else."""

import argparse
import signal

from dbus.mainloop.glib import DBusGMainLoop
from gi.repository import GLib
from vedbus import VeDbusService


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--serial", required=True, help="the portal id")
    serial = arguments.parse_args().serial

    DBusGMainLoop(set_as_default=True)
    service = VeDbusService("com.victronenergy.system", register=False)
    service.add_path("/Serial", serial)
    service.register()

    loop = GLib.MainLoop()
    for number in (signal.SIGINT, signal.SIGTERM):
        GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, number, loop.quit)
    loop.run()


if __name__ == "__main__":
    main()
