"""Runs the live view: messages from the broker in, text to the terminal out."""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from typing import TextIO

from bridge.adapters.broker import Broker
from bridge.adapters.mqtt_link import MqttLink
from bridge.core.settings.configuration import BadConfiguration, Config
from bridge.tools.stop_request import StopRequest
from bridge.tools.watch.screen import screen_for
from bridge.tools.watch.view import View
from bridge.topics import all_below

REDRAW_S = 0.25


def main(config: Config, broker: Broker, ident: str | None = None) -> int:
    """Watch one battery of a configuration, the first by default, until a signal ends it.

    Returns the exit status. Raises BadConfiguration for an ident that is not in the configuration.
    """
    idents = [battery.ident for battery in config.batteries]
    if ident is not None and ident not in idents:
        known = ", ".join(idents)
        raise BadConfiguration([f"--ident: there is no battery {ident!r}, only {known}"])
    stop = StopRequest().listen()
    return watch(broker, config.mqtt.base_topic, ident or idents[0], stop)


def watch(
    broker: Broker,
    base: str,
    ident: str,
    stop: StopRequest,
    *,
    out: TextIO = sys.stdout,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Show the battery `ident` until `stop` is set or the output is closed.

    `base` is the bridge's base topic. `clock` returns monotonic seconds. Returns the exit status,
    0. At the end the terminal shows again what it showed before.
    """
    view = View(base, ident)
    try:
        with screen_for(out, os.environ, clock()) as screen, _Feed(broker, view) as feed:
            drawn = -REDRAW_S
            while not stop.is_set():
                feed.wait(max(drawn + REDRAW_S - clock(), 0.0))
                feed.deliver(clock())
                if clock() - drawn >= REDRAW_S:
                    drawn = clock()
                    screen.show(view, drawn)
    except BrokenPipeError:
        # The reader has ended. Python would report the same error again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
    return 0


class _Feed:
    """The connection to the broker, drained into a view."""

    def __init__(self, broker: Broker, view: View) -> None:
        self._view = view
        self._news = threading.Event()
        self._transitions: queue.SimpleQueue[tuple[bool, str]] = queue.SimpleQueue()
        self._write_root: str | None = None
        # Every refusal and every batch is to be shown, not only the latest.
        counted = (view.topics.rejected, view.topics.set)
        self._link = MqttLink(
            broker,
            wake=self._news.set,
            is_queue=lambda topic: topic in counted,
            on_state=self._on_transition,
        )
        self._link.subscribe(view.own_topics)

    def __enter__(self) -> _Feed:
        self._link.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self._link.stop()

    def wait(self, seconds: float) -> None:
        """Wait until something has arrived, at most this many seconds."""
        self._news.wait(seconds)
        self._news.clear()

    def deliver(self, now: float) -> None:
        """Give the view what has arrived, and subscribe to the writes to the battery.

        now: monotonic seconds.
        """
        while not self._transitions.empty():
            self._view.on_connection(*self._transitions.get())
        for message in self._link.drain():
            self._view.on_message(message.topic, message.payload, message.retained, now)
        if self._view.write_root != self._write_root:
            self._follow(self._view.write_root)

    def _follow(self, root: str | None) -> None:
        if self._write_root is not None:
            self._link.unsubscribe([all_below(self._write_root)])
        if root is not None:
            self._link.subscribe([all_below(root)])
        self._write_root = root

    def _on_transition(self, connected: bool, words: str) -> None:
        """Called on paho's thread."""
        self._transitions.put((connected, words))
        self._news.set()
