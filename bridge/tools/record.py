"""Record what clients write, for `replay`: every write to a battery, and every batch."""

from __future__ import annotations

import signal
import sys
import threading
import time
from typing import TextIO

from bridge.adapters.broker import Broker
from bridge.adapters.mqtt_link import MqttLink
from bridge.core.settings.configuration import Config
from bridge.tools.recording import Entry, written
from bridge.topics import ALL_WRITES, all_batches


def main(config: Config, broker: Broker, file: str) -> int:
    """Record into a file until a signal ends it. Returns the exit status. Raises OSError."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    topics = [ALL_WRITES, all_batches(config.mqtt.base_topic)]
    with open(file, "w", encoding="utf-8") as out:  # noqa: PTH123  a name, or /dev/stdout
        count = _record(broker, topics, out, stop)
    print(f"{count} messages in {file}", file=sys.stderr)
    return 0


def _record(broker: Broker, topics: list[str], out: TextIO, stop: threading.Event) -> int:
    news = threading.Event()
    link = MqttLink(
        broker,
        wake=news.set,
        is_queue=lambda topic: True,
        on_state=lambda connected, words: print(words, file=sys.stderr),
    )
    link.subscribe(topics)
    link.start()
    count = 0
    while not stop.is_set():
        news.wait(0.5)
        news.clear()
        count += _drain(link, out)
    link.stop()
    return count + _drain(link, out)


def _drain(link: MqttLink, out: TextIO) -> int:
    """Write what has arrived to the file. Returns the number of messages written.

    Retained messages are left out: the service ignores them too.
    """
    count = 0
    for message in link.drain():
        if not message.retained and message.payload is not None:
            out.write(written(Entry(time.time(), message.topic, message.payload)) + "\n")
            count += 1
    out.flush()
    return count
