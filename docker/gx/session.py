"""What ./run and ./run demo start: the pocket GX, the bridge, and in the demo pack and view."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import dbus
import dbus.bus
import dbus.mainloop
import foreground
import private_broker
from part import PartFailedError, PartMissingError
from pocket import REPOSITORY, PocketGx
from welcome import Place, welcome

from bridge.adapters.config import load
from bridge.core.settings.configuration import BadConfiguration, BatteryConfig, Config

USUAL_PORT = 1883
STATE = REPOSITORY / ".pocket"  # what stays after a session: settings, and its logs
APPEARS_WITHIN = 15.0  # seconds
ASK_EVERY = 0.05  # seconds


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    arguments = _arguments(argv)
    foreground.hold_signals()
    try:
        config = load(arguments.config)
        with _pocket(arguments) as gx:
            shutil.rmtree(gx.run, ignore_errors=True)  # a boot: the memory of a restart ends here
            options = ["--config", arguments.config, "--broker", f"127.0.0.1:{gx.port}"]
            return (_demo if arguments.demo else _live)(gx, config, options)
    except BadConfiguration:
        return subprocess.call(_python("bridge", "check", arguments.config))  # prints all mistakes
    except (PartMissingError, PartFailedError, OSError) as failure:
        print(f"run: {failure}", file=sys.stderr)
        return 1


def _pocket(arguments: argparse.Namespace) -> PocketGx:
    """The pocket GX, its broker on the port asked for; else on the usual one, else a free one."""
    directory = arguments.directory or STATE / ("demo" if arguments.demo else "run")
    if arguments.port is not None:
        return PocketGx(directory, port=arguments.port)
    try:
        return PocketGx(directory, port=USUAL_PORT)
    except PartFailedError as failure:
        if private_broker.PORT_TAKEN not in str(failure):
            raise
        return PocketGx(directory)


def _live(gx: PocketGx, config: Config, options: Sequence[str]) -> int:
    print(f"MQTT broker on 127.0.0.1:{gx.port}, portal id {gx.portal_id}")
    print("It needs no password, and only this machine can reach it.", flush=True)
    bridge = gx.spawn(_python("bridge", *options))
    battery = config.batteries[0]
    instance = _instance(gx, battery, bridge)
    if instance is not None:
        place = Place(gx.port, gx.bus_address, gx.portal_id, instance, config.mqtt.base_topic)
        print(welcome(battery, place), flush=True)
    return foreground.wait_for(bridge)


def _demo(gx: PocketGx, config: Config, options: Sequence[str]) -> int:
    """Only the view uses the terminal. The others run in sessions of their own, so that a Ctrl-C
    ends the view first, and then the others in order."""
    battery = config.batteries[0]
    bridge = _in_the_background(gx, "bridge", *options)
    if _instance(gx, battery, bridge) is None:
        print(f"run: no battery on the bus, see {gx.directory}/bridge.log", file=sys.stderr)
        return 1
    _in_the_background(gx, "tests.pack", *_pack_options(gx, config))
    status = foreground.wait_for(gx.spawn(_python("bridge", "watch", *options)))
    print(f"The logs of the bridge and the pack are in {gx.directory}")
    return status


def _in_the_background(gx: PocketGx, module: str, *options: str) -> subprocess.Popen[Any]:
    with (gx.directory / f"{module.rpartition('.')[2]}.log").open("wb") as log:
        return gx.spawn(
            _python(module, *options),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _python(module: str, *options: str) -> list[str]:
    return [sys.executable, "-m", module, *options]


def _pack_options(gx: PocketGx, config: Config) -> list[str]:
    battery = config.batteries[0]
    options = {
        "--broker": f"127.0.0.1:{gx.port}",
        "--base": config.mqtt.base_topic,
        "--ident": battery.ident,
        "--cells": battery.cells,
        "--chemistry": battery.chemistry,
        "--capacity": battery.capacity,
    }
    return [str(word) for option in options.items() for word in option]


def _instance(
    gx: PocketGx, battery: BatteryConfig, bridge: subprocess.Popen[Any]
) -> int | None:
    """The device instance of the battery, once it is on the bus; None when it does not appear."""
    name = f"com.victronenergy.battery.{battery.ident}"
    bus = dbus.bus.BusConnection(gx.bus_address, mainloop=dbus.mainloop.NULL_MAIN_LOOP)
    try:
        end = time.monotonic() + APPEARS_WITHIN
        while not bus.name_has_owner(name):
            if bridge.poll() is not None or time.monotonic() > end:
                return None
            time.sleep(ASK_EVERY)
        item = bus.get_object(name, "/DeviceInstance", introspect=False)
        return int(item.GetValue(dbus_interface="com.victronenergy.BusItem"))
    finally:
        bus.close()


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run", description=__doc__)
    parser.add_argument("--demo", action="store_true", help="with a simulated pack and a live view")
    parser.add_argument("--config", default="config.yaml", help="default: config.yaml")
    parser.add_argument(
        "--port", type=int, help=f"of the broker; default: {USUAL_PORT}, or a free one"
    )
    parser.add_argument("--directory", help="for settings and logs; default: a place in .pocket/")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
