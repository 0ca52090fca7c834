"""The MQTT broker, by paho-mqtt: the only file that imports it, and the only second thread.

paho runs its network loop on a thread of its own and fills a mailbox here. `ring` is called on
that thread, once per filling, and must do no more than wake the main loop, which then calls
`drain`. A broker that is absent, slow or hostile therefore costs the main loop nothing. Of a flood
`drain` gives a part, and rings again for the rest, so that D-Bus and the timers have their turn.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import sys
import threading
import time
import traceback
import types
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

# paho looks for a proxy with urllib.request, which brings http, email and two megabytes. We use no
# proxy (see _Client), and a GX has little memory: an empty module stands in while paho is imported.
_PROXIES = "urllib.request"
_stands_in = sys.modules.setdefault(_PROXIES, types.ModuleType(_PROXIES))

import paho.mqtt.client as paho  # noqa: E402
from paho.mqtt.enums import CallbackAPIVersion  # noqa: E402
from paho.mqtt.reasoncodes import ReasonCode  # noqa: E402

if not hasattr(_stands_in, "urlopen"):
    del sys.modules[_PROXIES]  # whoever wants the real one later gets it

log = logging.getLogger(__name__)

KEEPALIVE = 30  # seconds; a broker that vanished is noticed after 45 s at the latest
BACKOFF = (1, 60)  # seconds between attempts, doubling from the first to the second
MAX_PAYLOAD = 64 * 1024  # bytes; a batch for 256 cells is about 10 kB
AT_ONCE = 128  # messages of one drain; a frame of a usual battery is fewer
CROWDED = 256  # messages in the mailbox from which on the newest of a topic replaces the others
MAX_WAITING = 4096  # messages in the mailbox; a battery of 256 cells has some 1100 topics
MAX_WAITING_BYTES = 1024 * 1024  # of their payloads; a hundred batches for 256 cells


@dataclass(frozen=True)
class Broker:
    """Where the broker is and how to get in. Empty strings mean: not used."""

    host: str = "127.0.0.1"
    port: int = 1883
    username: str = ""
    password: str = field(default="", repr=False)  # never in a log or a traceback
    tls: bool = False
    tls_ca: str = ""
    tls_insecure: bool = False

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Message(NamedTuple):
    """One publication. `payload` is None where it was too large to keep; `size` always tells."""

    topic: str
    payload: bytes | None
    size: int
    retained: bool


class Mailbox:
    """Messages on their way from paho's thread to the main loop.

    Every message is kept while it is not crowded: a valid value and the garbage after it are two
    pieces of news. In a crowd only the newest of a topic is kept, unless the topic is a queue:
    there each message may say something else (a batch names some paths, the next one others).
    Bounded, by number and by size: when full, strangers go first (topics that nobody here knows),
    then the oldest. Thus bounded is also the main loop's work on one filling.
    """

    def __init__(
        self,
        is_queue: Callable[[str], bool] = lambda topic: False,
        is_known: Callable[[str], bool] = lambda topic: True,
    ) -> None:
        self._is_queue, self._is_known = is_queue, is_known
        self._lock = threading.Lock()
        self._waiting: dict[int, Message] = {}
        self._newest: dict[str, int] = {}  # of each topic that is no queue
        self._strangers: dict[int, None] = {}
        self._bytes = 0
        self._serial = itertools.count()
        self.dropped = 0

    def put(self, message: Message) -> bool:
        """Store; tell whether the mailbox was empty before (so somebody must be woken)."""
        is_queue, is_known = self._is_queue(message.topic), self._is_known(message.topic)
        with self._lock:
            was_empty = not self._waiting
            if message.topic in self._newest and self._is_crowded:
                self._take_out(self._newest[message.topic])
            serial = next(self._serial)
            self._waiting[serial] = message
            self._bytes += _weight(message)
            if not is_queue:
                self._newest[message.topic] = serial
            if not is_known:
                self._strangers[serial] = None
            while len(self._waiting) > MAX_WAITING or self._bytes > MAX_WAITING_BYTES:
                self._take_out(next(iter(self._strangers or self._waiting)))
                self.dropped += 1
        return was_empty

    def drain(self, most: int = MAX_WAITING) -> list[Message]:
        """Take out the oldest messages, in order."""
        with self._lock:
            oldest = list(itertools.islice(self._waiting, most))
            return [self._take_out(serial) for serial in oldest]

    @property
    def _is_crowded(self) -> bool:
        return len(self._waiting) >= CROWDED or self._bytes >= MAX_WAITING_BYTES // 4

    @property
    def is_empty(self) -> bool:
        return not self._waiting

    def _take_out(self, serial: int) -> Message:
        message = self._waiting.pop(serial)
        self._strangers.pop(serial, None)
        if self._newest.get(message.topic) == serial:
            del self._newest[message.topic]
        self._bytes -= _weight(message)
        return message


def _weight(message: Message) -> int:
    return len(message.topic) + len(message.payload or b"")


class _Client(paho.Client):
    """paho's client, but a broker that sends nonsense costs its connection, not the process."""

    def __init__(self, on_nonsense: Callable[[], None]) -> None:
        super().__init__(CallbackAPIVersion.VERSION2, clean_session=True)
        self._on_nonsense = on_nonsense

    def _get_proxy(self) -> None:
        """None: the broker is on the device itself or near it."""

    def loop_forever(self, *arguments: Any, **named: Any) -> Any:
        """What `loop_start` runs on its thread. An ill-formed packet makes paho raise anything:
        struct.error, IndexError, KeyError; one of 100 MB, a MemoryError where memory is limited.
        What our own callbacks raise is a bug, and goes on."""
        while True:
            try:
                return super().loop_forever(*arguments, **named)
            except Exception as problem:
                if _is_from_callback(problem):
                    raise
                self._on_nonsense()
                time.sleep(BACKOFF[0])
                with contextlib.suppress(OSError):
                    self.reconnect()


def _is_from_callback(problem: Exception) -> bool:
    """Whether paho had called back into this file when it happened."""
    frames = traceback.walk_tb(problem.__traceback__)
    return sum(frame.f_code.co_filename == __file__ for frame, _line in frames) > 1


class MqttLink:
    """One connection that is kept up for ever, with its subscriptions.

    The session is clean: what a broker queued while we were away would arrive as news.
    `on_state(connected, words)` is called on paho's thread at each transition, never twice for
    the same one.
    """

    def __init__(
        self,
        broker: Broker,
        *,
        ring: Callable[[], None],
        will: tuple[str, str] | None = None,
        is_queue: Callable[[str], bool] = lambda topic: False,
        is_known: Callable[[str], bool] = lambda topic: True,
        on_state: Callable[[bool, str], None] = lambda connected, words: None,
    ) -> None:
        self._broker = broker
        self._ring = ring
        self._on_state = on_state
        self._last_words = ""
        self._topics: list[str] = []
        self._mailbox = Mailbox(is_queue, is_known)
        self._client = self._make_client(broker, will)

    def _make_client(self, broker: Broker, will: tuple[str, str] | None) -> paho.Client:
        client = _Client(self._on_nonsense)
        if broker.username:
            client.username_pw_set(broker.username, broker.password or None)
        if broker.tls:
            client.tls_set_context(_tls_context(broker))
        if will:
            client.will_set(will[0], will[1], retain=True)
        client.reconnect_delay_set(*BACKOFF)
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_subscribe = self._on_subscribe
        return client

    # --- for the main loop ---------------------------------------------------------------

    @property
    def dropped(self) -> int:
        """How many messages the full mailbox has lost since the start."""
        return self._mailbox.dropped

    def subscribe(self, topics: Iterable[str]) -> None:
        """Subscribe now and at every later connection."""
        new = [topic for topic in topics if topic not in self._topics]
        self._topics += new
        if new and self._client.is_connected():
            self._client.subscribe([(topic, 0) for topic in new])

    def unsubscribe(self, topics: Iterable[str]) -> None:
        """The opposite of `subscribe`; unknown topics are ignored."""
        gone = [topic for topic in topics if topic in self._topics]
        self._topics = [topic for topic in self._topics if topic not in gone]
        if gone and self._client.is_connected():
            self._client.unsubscribe(gone)

    def publish(self, topic: str, payload: str | bytes, retain: bool = False) -> None:
        """Hand over to paho, which never blocks. Without a connection it is lost, by intention:
        what happened while nobody could hear is told afresh after the next connection.

        Half a character ("\\ud800" in somebody's JSON) goes out as a question mark.
        """
        if self._client.is_connected():
            data = payload.encode("utf-8", "replace") if isinstance(payload, str) else payload
            self._client.publish(topic, data, qos=0, retain=retain)

    def drain(self) -> list[Message]:
        """What has come, at most AT_ONCE messages; for the rest it rings again."""
        messages = self._mailbox.drain(AT_ONCE)
        if not self._mailbox.is_empty:
            self._ring()
        return messages

    def start(self) -> None:
        self._client.connect_async(self._broker.host, self._broker.port, keepalive=KEEPALIVE)
        self._client.loop_start()

    def stop(self) -> None:
        """Leave properly: a broker keeps the last will to itself then, so say it before."""
        self._client.disconnect()
        self._client.loop_stop()

    # --- on paho's thread ----------------------------------------------------------------

    def _on_connect(
        self, client: paho.Client, _user: Any, _flags: Any, reason: ReasonCode, _properties: Any
    ) -> None:
        if reason.is_failure:
            self._tell(False, f"broker {self._broker} refuses us: {reason}")
            return
        if self._topics:
            client.subscribe([(topic, 0) for topic in self._topics])
        self._tell(True, f"connected to broker {self._broker}")

    def _on_connect_fail(self, _client: paho.Client, _user: Any) -> None:
        self._tell(False, f"broker {self._broker} cannot be reached, will keep trying")

    def _on_disconnect(
        self, _client: paho.Client, _user: Any, _flags: Any, reason: ReasonCode, _properties: Any
    ) -> None:
        if reason.is_failure and not self._last_words.startswith(f"broker {self._broker} refuses"):
            self._tell(False, f"lost broker {self._broker} ({reason}), will keep trying")

    def _on_nonsense(self) -> None:
        self._tell(False, f"broker {self._broker} sends what cannot be read, will keep trying")

    def _on_subscribe(
        self, _client: paho.Client, _user: Any, _id: int, answers: list[ReasonCode], _more: Any
    ) -> None:
        """A broker may let us in and still keep topics from us."""
        if any(answer.is_failure for answer in answers):
            self._tell(False, f"broker {self._broker} does not let us subscribe to all our topics")

    def _on_message(self, _client: paho.Client, _user: Any, message: paho.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return  # no broker should pass it on, and none of our topics looks like that
        size = len(message.payload)
        payload = message.payload if size <= MAX_PAYLOAD else None
        if self._mailbox.put(Message(topic, payload, size, message.retain)):
            self._ring()

    def _tell(self, connected: bool, words: str) -> None:
        """Report a transition once, not at every attempt."""
        if words != self._last_words:
            self._last_words = words
            self._on_state(connected, words)


def check(broker: Broker) -> None:
    """Whether the certificate can be used, before anything starts. Raises OSError."""
    if broker.tls:
        try:
            _tls_context(broker)
        except OSError as problem:
            words = problem.strerror or str(problem)
            raise OSError(problem.errno or 0, words, broker.tls_ca or "TLS") from None


def _tls_context(broker: Broker) -> Any:
    import ssl  # a megabyte and more of memory, for those who use it

    context = ssl.create_default_context(cafile=broker.tls_ca or None)
    if broker.tls_insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def read_password(file: str) -> str:
    """The first line of a password file.

    Raises OSError when it cannot be read.
    """
    lines = Path(file).read_text(encoding="utf-8").splitlines()
    return lines[0] if lines else ""
