"""Record what clients write, for `replay`: every write to a battery, and every batch."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterable
from typing import TextIO

from bridge.adapters.broker import Broker
from bridge.adapters.mailbox import Message
from bridge.adapters.mqtt_link import MqttLink
from bridge.core.settings.configuration import Config
from bridge.tools.recording import Entry, written
from bridge.tools.stop_request import StopRequest
from bridge.topics import ALL_WRITES, all_batches


def main(config: Config, broker: Broker, file: str) -> int:
    """Record into a file until a signal ends it. Returns the exit status. Raises OSError."""
    stop = StopRequest().listen()
    topics = [ALL_WRITES, all_batches(config.mqtt.base_topic)]
    with open(file, "w", encoding="utf-8") as out:  # noqa: PTH123  a name, or /dev/stdout
        count = _record(broker, topics, out, stop)
    print(f"{count} messages in {file}", file=sys.stderr)
    return 0


def _record(broker: Broker, topics: list[str], out: TextIO, stop: StopRequest) -> int:
    """Write down messages until `stop` is set. Answers how many that were."""
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
        count += write_down(link.drain(), out, time.time())
    link.stop()
    return count + write_down(link.drain(), out, time.time())


def write_down(messages: Iterable[Message], out: TextIO, now: float) -> int:
    """Write down messages that have come now (Unix time in s), and answer how many.

    Retained messages are left out, because the service ignores them too; so are those that were
    too large.
    """
    count = 0
    for message in messages:
        if not message.retained and message.payload is not None:
            out.write(written(Entry(now, message.topic, message.payload)) + "\n")
            count += 1
    out.flush()
    return count
