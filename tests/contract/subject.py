"""The process under test: it runs the Python that the test sends it, line by line.

So a test shows both sides: what the program does with velib_python, and what is seen on the bus.
Each line of stdin is a JSON string with an expression or statements; each is answered on stdout
with {"value": …} or {"error": name of the exception}. Between lines a GLib loop runs, as in a real
service.
"""

import json
import sys
from typing import Any

import dbus
import dbus.bus
from dbus.mainloop.glib import DBusGMainLoop
from gi.repository import GLib
from vedbus import VeDbusItemExport, VeDbusService


def main() -> None:
    DBusGMainLoop(set_as_default=True)
    loop = GLib.MainLoop()
    names = {
        "dbus": dbus,
        "bus": own_connection(),
        "own_connection": own_connection,
        "VeDbusService": VeDbusService,
        "VeDbusItemExport": VeDbusItemExport,
        "heard": [],
    }

    def obey(_stdin: object, _condition: object) -> bool:
        line = sys.stdin.readline()
        if not line:
            loop.quit()
            return GLib.SOURCE_REMOVE
        print(json.dumps(answer(json.loads(line), names)), flush=True)
        return GLib.SOURCE_CONTINUE

    GLib.io_add_watch(sys.stdin, GLib.PRIORITY_DEFAULT, GLib.IO_IN | GLib.IO_HUP, obey)
    loop.run()


def own_connection() -> dbus.bus.BusConnection:
    bus = dbus.bus.BusConnection(dbus.bus.BusConnection.TYPE_SESSION)
    bus.set_exit_on_disconnect(False)  # closing it is not the end of the process
    return bus


def answer(source: str, names: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"value": run(source, names)}
    except Exception as error:
        return {"error": type(error).__name__}


def run(source: str, names: dict[str, Any]) -> Any:
    try:
        expression = compile(source, "<test>", "eval")
    except SyntaxError:
        exec(compile(source, "<test>", "exec"), names)
        return None
    return eval(expression, names)


if __name__ == "__main__":
    main()
