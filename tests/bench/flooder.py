"""The publisher of a flood, a process of its own.

    python3 -m tests.bench.flooder PORT PREFIX RATE SECONDS

Prints the messages per second that the broker took. The packets are made beforehand and written
to the socket many at once: no MQTT library publishes so fast beside what it floods.
"""

from __future__ import annotations

import itertools
import random
import sys
import time

import paho.mqtt.client as mqtt

from tests.bench.stage import frame

_STEP = 0.005  # s between two bundles
_POOL = 20_000  # packets, which come round and round

_GARBAGE = (
    b"", b"nonsense", b"\xff\xfe\x00", b"{", b'{"value": NaN}', b'{"value": 1e999}', b"[" * 3000,
    b'{"value": "unknown"}', b'{"value": {"a": 1}}', b'{"voltage": 3.3}', b"x" * 5000, b"-1e9",
)  # fmt: skip


def packet(topic: str, payload: bytes) -> bytes:
    """An MQTT 3.1.1 PUBLISH of QoS 0."""
    name = topic.encode()
    body = len(name).to_bytes(2, "big") + name + payload
    length, rest = b"", len(body)
    while True:
        rest, digit = divmod(rest, 128)[0], rest % 128
        length += bytes([digit | (0x80 if rest else 0)])
        if not rest:
            return b"\x30" + length + body


def pool(prefix: str) -> list[bytes]:
    """Six of ten are good, two have no path, one is nearly a path, one is garbage."""
    random.seed(1)
    good = [*frame(0).items(), *frame(1).items()]
    kinds = {
        "good": 6, "unknown": 2, "misspelt": 1, "garbage": 1,
    }  # fmt: skip
    packets = []
    for number, kind in enumerate(random.choices(list(kinds), kinds.values(), k=_POOL)):
        path, value = random.choice(good)
        payload = b'{"value": %s}' % str(value).encode()
        if kind == "unknown":
            path = f"/Nobody/Knows/{number}"
        elif kind == "misspelt":
            path = f"{path[:-1]}{number % 100}"
        elif kind == "garbage":
            payload = random.choice(_GARBAGE)
        packets.append(packet(prefix + path, payload))
    return packets


def flood(port: int, prefix: str, rate: int, seconds: float) -> float:
    """Publish so many per second for so many seconds. Answers how many per second it became."""
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port, keepalive=3600)
    while not client.is_connected():
        client.loop(0.1)
    wire, packets = client.socket(), itertools.cycle(pool(prefix))
    wire.setblocking(True)
    started, sent = time.monotonic(), 0
    while (passed := time.monotonic() - started) < seconds:
        due = int(passed * rate) - sent
        wire.sendall(b"".join(itertools.islice(packets, due)))
        sent += due
        time.sleep(_STEP)
    return sent / passed


if __name__ == "__main__":
    port, prefix, rate, seconds = sys.argv[1:]
    print(flood(int(port), prefix, int(rate), float(seconds)))
