"""The command line of the simulated pack: python3 -m tests.pack --broker HOST:PORT."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import threading
from typing import Any

from tests.pack.charger import Day, System
from tests.pack.client import Address, Client, Names, play
from tests.pack.model import CHEMISTRIES, SECONDS_PER_HOUR, Balancing, Weakness, build
from tests.pack.simulation import Simulation


def main(arguments: list[str]) -> int:
    """Play a pack until SIGINT or SIGTERM, then 0; 1 when the connection's thread dies."""
    options = _parser().parse_args(arguments)
    stop, failed = threading.Event(), threading.Event()
    # Not stop.set(): the loop waits for that event, and holds its lock in some moments.
    _at_signals(signal.default_int_handler)

    def end_loudly(problem: threading.ExceptHookArgs) -> None:
        # A pack that no longer hears its limits would go on with old ones.
        threading.__excepthook__(problem)
        failed.set()
        stop.set()

    threading.excepthook = end_loudly

    names = Names(options.base, options.ident)
    client = Client(names, Address(options.portal, options.instance), _say)
    client.start(*options.broker)
    with contextlib.suppress(KeyboardInterrupt):
        play(
            _simulation(options),
            client,
            names,
            style=options.style,
            interval=options.interval,
            speed=options.speed,
            stop=stop,
        )
    _at_signals(signal.SIG_IGN)  # it is ending already
    client.stop()
    return 1 if failed.is_set() else 0


def _at_signals(action: Any) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, action)


def _simulation(options: argparse.Namespace) -> Simulation:
    pack = build(
        options.chemistry,
        cells=options.cells,
        capacity=options.capacity,
        soc=options.soc / 100,
        temperature=options.ambient,
        seed=options.seed,
        weak=Weakness(options.weak) if 0 < options.weak <= options.cells else None,
        balancing=Balancing(options.balancing) if options.balancing else None,
    )
    day = Day(
        solar_peak=options.solar,
        load_peak=options.load,
        mean_ambient=options.ambient,
        seed=options.seed,
    )
    return Simulation(pack, System(), day, t=options.hour * SECONDS_PER_HOUR)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m tests.pack",
        description="A simulated battery pack that publishes as an MQTT client would and "
        "charges and discharges within the limits that the bridge answers.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--broker", type=_broker, required=True, metavar="HOST:PORT", help="where to publish")
    add("--portal", type=_or_auto(str), default="auto", metavar="ID", help="auto asks the bridge")
    add("--instance", type=_or_auto(int), default="auto", metavar="N", help="auto asks the bridge")
    add("--ident", default="virtual", help="ident of the battery")
    add("--base", default="virtual-battery", help="base topic of the bridge")
    add("--style", choices=("topics", "batch"), default="topics", help="one write each, or all")
    add("--interval", type=_positive, default=0.5, help="seconds between two publications")
    add("--speed", type=_positive, default=60.0, help="simulated seconds per second")
    add("--seed", type=int, default=1, help="for the spread of the cells and the clouds")
    add("--chemistry", choices=sorted(CHEMISTRIES), default="lfp", help="kind of cell")
    add("--cells", type=int, default=16, help="cells in series")
    add("--capacity", type=_positive, default=280.0, help="Ah")
    add("--soc", type=float, default=80.0, help="state of charge at the start, %%")
    add("--weak", type=int, default=7, help="number of a weak cell, 0 for none")
    add("--balancing", type=float, default=0.0, help="passive balancing current, A")
    add("--hour", type=float, default=9.0, help="hour of the day at the start")
    add("--solar", type=float, default=6000.0, help="peak power of the sun, W")
    add("--load", type=float, default=2500.0, help="peak power of the loads, W")
    add("--ambient", type=float, default=18.0, help="mean temperature of the day, °C")
    return parser


def _broker(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host, int(port)


def _or_auto(kind: type):
    def parse(text: str):
        return None if text == "auto" else kind(text)

    parse.__name__ = kind.__name__  # argparse names the type in its complaint
    return parse


def _positive(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def _say(line: str) -> None:
    print(f"pack: {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
