"""Does a container do its work? The exit status is 0 if it does; else one line says what does not.

    python3 docker/health.py broker    one can log in to the broker, and it answers
    python3 docker/health.py bridge    every battery answers on D-Bus, and the broker has the bridge
    … --wait SECONDS                   asks again until that is so, or the time is over

The environment is that of docker/entrypoint.sh.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TooLate
from dataclasses import replace
from pathlib import Path

import dbus
import dbus.bus
import dbus.mainloop
import paho.mqtt.client as mqtt

from bridge.adapters import config
from bridge.adapters.broker import Broker, broker_of, tls_context
from bridge.core.settings.address import split_address
from bridge.core.settings.configuration import BadConfiguration, Config, MqttConfig
from bridge.topics import bridge_status

PATIENCE = 2.0  # s, for an answer of the broker or of a battery
ASK_EVERY = 0.5  # s
USER = "bridge"


class Ill(Exception):
    """What does not work, in one line."""


def main() -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("service", choices=CHECKS)
    parser.add_argument("--wait", type=float, default=0.0, metavar="SECONDS")
    arguments = parser.parse_args()
    give_up_at = time.monotonic() + arguments.wait
    while (problem := _problem(CHECKS[arguments.service])) and time.monotonic() < give_up_at:
        time.sleep(ASK_EVERY)
    if problem:
        print(f"{arguments.service}: {problem}", file=sys.stderr)
    return 1 if problem else 0


def _problem(check: Callable[[Mapping[str, str]], None]) -> str:
    try:
        check(os.environ)
    except (Ill, BadConfiguration) as problem:
        return str(problem)
    except OSError as problem:
        where = f"{problem.filename}: " if problem.filename else ""
        return f"{where}{problem.strerror or problem}"
    return ""


def _broker(environment: Mapping[str, str]) -> None:
    """Log in with the bridge's name, and subscribe to something."""
    rest = MqttConfig() if environment.get("LOGIN") else _configuration(environment).mqtt
    _retained(_broker_for(environment, rest), "health/question")


def _bridge(environment: Mapping[str, str]) -> None:
    wanted = _configuration(environment)
    for battery in wanted.batteries:
        _ask_battery(environment, f"com.victronenergy.battery.{battery.ident}")
    topic = bridge_status(wanted.mqtt.base_topic)
    status = _retained(_broker_for(environment, wanted.mqtt), topic)
    if status != "online":
        raise Ill(f"the broker has {status or 'nothing'} on {topic}")


def _configuration(environment: Mapping[str, str]) -> Config:
    return config.load(environment.get("CONFIG", "config.yaml"))


def _broker_for(environment: Mapping[str, str], rest: MqttConfig) -> Broker:
    """The broker and the login of the bridge. rest: for what BROKER and LOGIN do not say.

    Raises Ill, and BadConfiguration for files that cannot be used.
    """
    try:
        host, port = split_address(environment.get("BROKER", "127.0.0.1:1883"))
    except ValueError as problem:
        raise Ill(f"BROKER: {problem}") from None
    wanted = replace(rest, host=host, port=port or rest.port)
    if login := environment.get("LOGIN"):
        wanted = replace(wanted, username=USER, password_file=str(Path(login, "password")))
        ca = Path(login, "ca.crt")
        if ca.exists():
            wanted = replace(wanted, tls=True, tls_ca=str(ca))
    return broker_of(wanted)


def _ask_battery(environment: Mapping[str, str], name: str) -> None:
    address = f"unix:path={environment.get('DATA', '/data')}/bus"
    try:
        bus = dbus.bus.BusConnection(address, mainloop=dbus.mainloop.NULL_MAIN_LOOP)
        item = bus.get_object(name, "/DeviceInstance", introspect=False)
        item.get_dbus_method("GetValue", "com.victronenergy.BusItem")(timeout=PATIENCE)
    except dbus.DBusException as problem:
        raise Ill(f"{name} does not answer: {problem.get_dbus_message()}") from None


def _retained(broker: Broker, topic: str) -> str:
    """What the broker has retained on a topic; "" for nothing. Raises Ill and OSError."""
    heard: list[str] = []
    end: Future[None] = Future()

    def on_connect(client: mqtt.Client, _data: object, _flags: object, reason: object, _more: object
                   ) -> None:  # fmt: skip
        if reason.is_failure:
            end.set_exception(Ill(f"the broker at {broker} refuses us: {reason}"))
        client.subscribe(topic)
        client.subscribe("health/end")  # the answer to it comes after what is retained

    def on_subscribe(_client: mqtt.Client, _data: object, number: int, *_more: object) -> None:
        if number == 2 and not end.done():
            end.set_result(None)

    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.on_connect, client.on_subscribe = on_connect, on_subscribe
    client.on_message = lambda _client, _data, message: heard.append(message.payload.decode())
    if broker.username:
        client.username_pw_set(broker.username, broker.password or None)
    if broker.tls:
        client.tls_set_context(tls_context(broker))
    client.connect_timeout = PATIENCE
    client.connect(broker.host, broker.port)
    client.loop_start()
    try:
        end.result(PATIENCE)
    except TooLate:
        raise Ill(f"the broker at {broker} does not answer") from None
    finally:
        client.disconnect()
        client.loop_stop()
    return heard[-1] if heard else ""


CHECKS = {"broker": _broker, "bridge": _bridge}

if __name__ == "__main__":
    sys.exit(main())
