"""The bare echo: what arrives on MQTT goes to D-Bus, unseen. The least that a bridge can cost.

    python3 -m tests.bench.echo PORT PREFIX <PATHS

PATHS is a JSON list of the paths to offer. paho's own thread fills a list and wakes the GLib main
loop, which puts all that has come into one signal: the same libraries, the same crossing of
threads, and nothing else.
"""

from __future__ import annotations

import json
import sys
import threading
from typing import Any

import dbus
import dbus.mainloop.glib
import paho.mqtt.client as paho
from gi.repository import GLib
from vedbus import VeDbusService

NAME = "com.victronenergy.battery.echo"


class Echo:
    """On the bus and at the broker from its construction."""

    def __init__(self, port: int, prefix: str, paths: list[str]) -> None:
        self._cut = len(prefix)
        self._lock = threading.Lock()
        self._waiting: list[tuple[str, bytes]] = []
        self._service = VeDbusService(NAME, dbus.SessionBus(private=True), register=False)
        for path in paths:
            self._service.add_path(path, None)
        self._service.register()
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe(f"{prefix}/#")
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def _on_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        with self._lock:
            was_empty = not self._waiting
            self._waiting.append((message.topic, message.payload))
        if was_empty:
            GLib.idle_add(self._on_mail, priority=GLib.PRIORITY_DEFAULT)

    def _on_mail(self) -> bool:
        with self._lock:
            waiting, self._waiting = self._waiting, []
        with self._service as items:
            for topic, payload in waiting:
                try:
                    items[topic[self._cut :]] = json.loads(payload)["value"]
                except (KeyError, TypeError, ValueError, RecursionError):
                    continue
        return False


if __name__ == "__main__":
    dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
    echo = Echo(int(sys.argv[1]), sys.argv[2], json.load(sys.stdin))
    GLib.MainLoop().run()
