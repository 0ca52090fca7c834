"""The connection to the MQTT broker, by paho-mqtt: the only file that imports it.

paho runs its network loop on a thread of its own. Messages go into a mailbox; `wake` is called on
paho's thread when the mailbox was empty, and must only wake the main loop, which then calls
`drain`. So a broker that is absent, slow or hostile does not slow down the main loop. `drain` gives
messages for a limited time and calls `wake` again for the rest, so that D-Bus and the timers are
served between them.

We speak MQTT 5, which has a maximum packet size: the broker drops for us what is larger. A broker
that knows no MQTT 5 is spoken to in MQTT 3.1.1. There, and where a broker ignores the limit, we
read a larger packet and drop it on the way, so that it costs no memory.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
import traceback
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from bridge.adapters import broker_trouble
from bridge.adapters.broker import Broker, tls_context
from bridge.adapters.mailbox import Mailbox, Message

# paho imports urllib.request to look for a proxy, which loads http and email: two megabytes. We use
# no proxy (see _Client), and a GX has little memory: so paho is given an empty module instead.
_PROXIES = "urllib.request"
_stands_in = sys.modules.setdefault(_PROXIES, types.ModuleType(_PROXIES))

import paho.mqtt.client as paho  # noqa: E402
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion  # noqa: E402
from paho.mqtt.packettypes import PacketTypes  # noqa: E402
from paho.mqtt.properties import Properties, VariableByteIntegers  # noqa: E402
from paho.mqtt.reasoncodes import ReasonCode  # noqa: E402

if not hasattr(_stands_in, "urlopen"):
    del sys.modules[_PROXIES]  # so that a later import gets the real module

KEEPALIVE = 30  # s; a broker that vanished is noticed after 45 s at the latest
BACKOFF = (1, 60)  # s between attempts, doubling from the first to the second
_NEVER_SUBSCRIBED = "virtual-battery/never-subscribed"  # the end of this is always confirmed
STOP_WITHIN = 0.8  # s; ours: paho may be in a call that takes longer, of TLS or DNS
MAX_PAYLOAD = 64 * 1024  # bytes; a batch for 256 cells is about 10 kB
MAX_PACKET = 512 * 1024
"""Bytes of a whole packet. Ours: the largest honest one is our own retained discovery for Home
Assistant, which is read back: 275 kB for 256 cells."""
AT_ONCE = 128  # messages of one drain; a usual battery sends fewer at a time
DRAIN_WITHIN = 0.005
"""Seconds after which a drain gives no further message. Ours: a write over D-Bus waits for it."""


class MqttLink:
    """One connection that is made again whenever it is lost, with its subscriptions.

    The session is clean: messages that a broker queued meanwhile would look like new ones.
    """

    def __init__(
        self,
        broker: Broker,
        *,
        wake: Callable[[], None],
        will: tuple[str, str] | None = None,
        is_queue: Callable[[str], bool] = lambda topic: False,
        is_known: Callable[[str], bool] = lambda topic: True,
        on_state: Callable[[bool, str], None] = lambda connected, words: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare everything; `start` connects.

        wake: see above. will: topic and payload that the broker publishes, retained, when it
        loses us. is_queue, is_known: see Mailbox. on_state(connected, words): called at each
        transition, never twice for the same one. monotonic: in s.
        wake, is_queue, is_known and on_state are called on paho's thread.
        """
        self._broker = broker
        self._wake = wake
        self._monotonic = monotonic
        self._on_state = on_state
        self._last_words = ""
        self._topics: list[str] = []
        self._mailbox = Mailbox(is_queue, is_known)
        self._waiting = threading.Lock()  # between a standstill and the answer about another one
        self._last_asked: int | None = None  # since the last standstill
        self._last_answered: int | None = -1
        self._answer: ReasonCode | None = None  # the broker's, of the present connection
        self._client = self._make_client(broker, will)

    def _make_client(self, broker: Broker, will: tuple[str, str] | None) -> _Client:
        client = _Client(self._on_unreadable)
        if broker.username:
            client.username_pw_set(broker.username, broker.password or None)
        if broker.tls:
            client.tls_set_context(tls_context(broker))
        if will:
            client.will_set(will[0], will[1], retain=True)
        client.reconnect_delay_set(*BACKOFF)
        client.on_pre_connect = self._on_pre_connect
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_subscribe = self._on_subscribe
        client.on_unsubscribe = self._on_unsubscribe
        return client

    # --- for the main loop ---------------------------------------------------------------

    def start(self) -> None:
        """Connect, and connect again whenever the connection is lost."""
        limit = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        limit.MaximumPacketSize = MAX_PACKET
        self._client.connect_async(
            self._broker.host,
            self._broker.port,
            keepalive=KEEPALIVE,
            clean_start=True,
            properties=limit,
        )
        self._client.loop_start()

    def stop(self) -> None:
        """Disconnect. The broker does not publish the will then, so publish it before.

        What was published before is sent within STOP_WITHIN, or lost.
        """
        self._client.disconnect()
        stopping = threading.Thread(target=self._client.loop_stop, daemon=True)
        stopping.start()
        stopping.join(STOP_WITHIN)

    def subscribe(self, topics: Iterable[str]) -> None:
        """Subscribe now, and again at every later connection."""
        new = [topic for topic in topics if topic not in self._topics]
        self._topics += new
        if new and self._client.is_connected():
            self._client.follow(new)

    def unsubscribe(self, topics: Iterable[str]) -> None:
        """The opposite of `subscribe`; unknown topics are ignored."""
        gone = [topic for topic in topics if topic in self._topics]
        self._topics = [topic for topic in self._topics if topic not in gone]
        if gone and self._client.is_connected():
            self._client.unsubscribe(gone)

    def publish(self, topic: str, payload: str | bytes, retain: bool = False) -> None:
        """Hand a message over to paho, which never blocks.

        Without a connection the message is lost, on purpose: the present state is published after
        the next connection. A lone surrogate (from a client's JSON) cannot be encoded, and becomes
        a question mark.
        """
        if self._client.is_connected():
            data = payload.encode("utf-8", "replace") if isinstance(payload, str) else payload
            self._client.publish(topic, data, qos=0, retain=retain)

    def drain(self) -> Iterator[Message]:
        """The messages that have come, at most AT_ONCE, each when the one before is handled.

        Ends after DRAIN_WITHIN, but not before the first. If more wait, calls `wake` again.
        """
        end = self._monotonic() + DRAIN_WITHIN
        for _ in range(AT_ONCE):
            yield from self._mailbox.drain(1)
            if self._mailbox.is_empty:
                return
            if self._monotonic() >= end:
                break
        self._wake()

    def mark_waited(self, since: float) -> None:
        """What has come, and what the broker still holds for us, may be from then (monotonic s).

        Call `ask_end_of_waited` soon after it.
        """
        with self._waiting:
            self._last_asked = None
            self._mailbox.mark_waited(since)

    def ask_end_of_waited(self) -> None:
        """Have the broker show that it has sent us all it held: then what comes has not waited.

        It answers in the order of its messages. A new connection has no old messages.
        """
        _, self._last_asked = self._client.unsubscribe(_NEVER_SUBSCRIBED)
        if self._last_asked == self._last_answered:  # it was quicker than the line above
            self.end_waited()

    def end_waited(self) -> None:
        """What comes from now on has not waited. May be called on any thread."""
        self._mailbox.end_waited()

    @property
    def dropped(self) -> int:
        """How many messages the full mailbox has lost since the start."""
        return self._mailbox.dropped

    # --- on paho's thread ----------------------------------------------------------------

    def _on_pre_connect(self, _client: paho.Client, _user: Any) -> None:
        self._answer = None

    def _on_connect(
        self, _client: paho.Client, _user: Any, _flags: Any, reason: ReasonCode, _properties: Any
    ) -> None:
        self._answer = reason
        if reason == _UNSUPPORTED_VERSION and self._client.speak_older(for_good=True):
            return
        if reason.is_failure:
            self._report(False, broker_trouble.why_refused(str(reason), self._broker))
            return
        self.end_waited()
        if self._topics:
            self._client.follow(self._topics)
        self._report(True, f"connected to broker {self._broker}")

    def _on_connect_fail(self, _client: paho.Client, _user: Any) -> None:
        """No connection could be made, or no TLS in it."""
        attempt = broker_trouble.Attempt(is_open=False, problem=self._client.problem)
        self._report(False, broker_trouble.why(attempt, self._broker))

    def _on_disconnect(
        self, _client: paho.Client, _user: Any, _flags: Any, reason: ReasonCode, _properties: Any
    ) -> None:
        answer, self._answer = self._answer, None
        if answer and not answer.is_failure:
            self._client.speak_newest()
        if not reason.is_failure or (answer and answer.is_failure):
            return  # we have left, or the refusal has been reported
        if answer:
            self._report(False, f"lost broker {self._broker} ({reason}), will keep trying")
            return
        in_time = reason != _SILENCE
        if self._client.speak_older() and in_time and not self._client.heard:
            return  # perhaps it has closed the connection because it knows no MQTT 5
        attempt = broker_trouble.Attempt(
            is_open=True,
            problem=self._client.problem,
            heard=self._client.heard,
            in_time=in_time,
        )
        self._report(False, broker_trouble.why(attempt, self._broker))

    def _on_unreadable(self) -> None:
        if self._answer is None and self._client.speak_older():
            return
        self._report(False, f"broker {self._broker} sends what cannot be read, will keep trying")

    def _on_subscribe(
        self, _client: paho.Client, _user: Any, _id: int, answers: list[ReasonCode], _more: Any
    ) -> None:
        """A broker may accept the connection and still refuse topics."""
        if any(answer.is_failure for answer in answers):
            words = f"broker {self._broker} does not let us subscribe to all our topics"
            self._report(False, words)

    def _on_unsubscribe(
        self, _client: paho.Client, _user: Any, message_id: int, _answers: Any, _more: Any
    ) -> None:
        with self._waiting:
            self._last_answered = message_id
            if message_id == self._last_asked:
                self.end_waited()

    def _on_message(self, _client: paho.Client, _user: Any, message: paho.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return  # not valid MQTT, and not one of our topics
        size = max(len(message.payload), self._client.oversize)
        payload = message.payload if size <= MAX_PAYLOAD else None
        if self._mailbox.put(Message(topic, payload, size, message.retain)):
            self._wake()

    def _report(self, connected: bool, words: str) -> None:
        """Report a transition once, not at every attempt."""
        if words != self._last_words:
            self._last_words = words
            self._on_state(connected, words)


_UNSUPPORTED_VERSION, _SILENCE = "Unsupported protocol version", "Keep alive timeout"
_AT_A_TIME = 64 * 1024  # bytes of one read
_KEPT = 128 * 1024  # bytes of a dropped packet that are kept at least: its topic, of 64 kB at most
_READS = 100  # of a large packet before the next look at what is to be sent; as paho
_QOS = 0b0110  # of the first byte of a PUBLISH
_BEFORE_PROPERTIES = {
    PacketTypes.CONNACK: 2,
    PacketTypes.PUBACK: 3,
    PacketTypes.PUBREC: 3,
    PacketTypes.PUBREL: 3,
    PacketTypes.PUBCOMP: 3,
    PacketTypes.SUBACK: 2,
    PacketTypes.UNSUBACK: 2,
    PacketTypes.DISCONNECT: 1,
}
"""Bytes of an MQTT 5 packet before its properties (MQTT 5.0, chapter 3), except of PUBLISH."""


class _Client(paho.Client):
    """paho's client that speaks MQTT 5 or 3.1.1, and drops what is too large.

    Unreadable packets of a broker only end the connection. The names with an underscore are
    paho's own: it has no others for this, and its version is pinned.

    problem: what was raised in the present attempt to connect. heard: the first byte that came.
    """

    def __init__(self, on_unreadable: Callable[[], None]) -> None:
        super().__init__(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._clean_session = True  # the same in MQTT 3.1.1
        self._knows_newest = True
        self._version = threading.RLock()  # held while a packet is made in this version
        self._on_unreadable = on_unreadable
        self.problem: Exception | None = None
        self.heard = b""

    def reconnect(self) -> Any:
        """Connect, as paho does, and note why it fails."""
        self.problem, self.heard = None, b""
        try:
            return super().reconnect()
        except Exception as problem:
            self.problem = problem
            raise

    def speak_older(self, *, for_good: bool = False) -> bool:
        """Speak MQTT 3.1.1 from the next attempt on; if that was so already, MQTT 5 again.

        for_good: the broker has said that it knows no MQTT 5. Returns whether it is older now.
        """
        was_newest = self._protocol == MQTTProtocolVersion.MQTTv5
        self._knows_newest = self._knows_newest and not for_good
        self._speak(newest=not was_newest)
        return was_newest

    def speak_newest(self) -> None:
        """Try MQTT 5 first again, unless the broker has said that it knows none."""
        self._speak(newest=True)

    def _speak(self, newest: bool) -> None:
        versions = MQTTProtocolVersion
        is_newest = newest and self._knows_newest
        with self._version:
            self._protocol = versions.MQTTv5 if is_newest else versions.MQTTv311

    def follow(self, topics: Iterable[str]) -> None:
        """Subscribe to these topics, with quality of service 0."""
        with self._version:
            self.subscribe([(topic, 0) for topic in topics])

    def unsubscribe(self, *arguments: Any, **named: Any) -> Any:
        """As paho's; `_speak` waits for it."""
        with self._version:
            return super().unsubscribe(*arguments, **named)

    def publish(self, *arguments: Any, **named: Any) -> Any:
        """As paho's; `_speak` waits for it."""
        with self._version:
            return super().publish(*arguments, **named)

    @property
    def oversize(self) -> int:
        """The bytes of the packet that is being read or handled, if they are too many; else 0."""
        size = int(self._in_packet["remaining_length"])
        return size if size > MAX_PACKET else 0

    @property
    def _is_dropping(self) -> bool:
        return self.oversize > 0 and len(self._in_packet["packet"]) >= _KEPT

    def _sock_recv(self, size: int) -> bytes:
        if self._is_dropping:
            raise BlockingIOError  # so that _packet_read is called again
        return self._receive(size)

    def _receive(self, size: int) -> bytes:
        """Receive, as paho does, and note why it fails: paho only logs it.

        Not many bytes at a time: a read allocates as much as it asks for.
        """
        try:
            data: bytes = super()._sock_recv(min(size, _AT_A_TIME))
        except BlockingIOError:
            raise
        except OSError as problem:
            self.problem = problem
            raise
        if not self.heard:
            self.heard = data[:1]
        return data

    def _packet_read(self) -> MQTTErrorCode:
        """Read from the broker. Of a packet that is too large, keep only the beginning.

        MQTT 3.1.1 has no limit, so such a packet must be read. paho would gather it in memory.
        """
        packet = self._in_packet
        reads = 0
        while self._is_dropping and packet["to_process"]:
            try:
                data = self._receive(packet["to_process"])
            except BlockingIOError:
                return MQTTErrorCode.MQTT_ERR_AGAIN
            except OSError:
                data = b""
            if not data:
                return MQTTErrorCode.MQTT_ERR_CONN_LOST
            packet["to_process"] -= len(data)
            self._last_msg_in = time.monotonic()
            reads += 1
            if reads == _READS:
                return MQTTErrorCode.MQTT_ERR_AGAIN
        return super()._packet_read()

    def _packet_handle(self) -> MQTTErrorCode:
        if self._protocol == MQTTProtocolVersion.MQTTv5 and not self._remove_properties():
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        return super()._packet_handle()

    def _remove_properties(self) -> bool:
        """Remove the properties of the packet that was read. Returns whether it may be handled.

        We use none, and any client chooses those of a message. The time in which paho reads them
        grows with the square of their number, and some texts in them raise an exception. A
        message without a topic uses a topic alias, which we do not permit.
        """
        packet, command = self._in_packet["packet"], self._in_packet["command"]
        if command >> 4 == PacketTypes.PUBLISH:
            topic_size = int.from_bytes(packet[:2], "big")
            if topic_size == 0:
                return False
            start = 2 + topic_size + (2 if command & _QOS else 0)
        else:
            start = _BEFORE_PROPERTIES.get(command >> 4, len(packet))
        if start >= len(packet):
            return True
        size, used = VariableByteIntegers.decode(packet[start : start + 4])  # type: ignore[no-untyped-call]
        end = start + used + size
        if end > len(packet) and not self.oversize:
            return False
        packet[start:end] = b"\0"
        return True

    def _get_proxy(self) -> None:
        """No proxy: the broker is on the device itself or in its network."""

    def loop_forever(self, *arguments: Any, **named: Any) -> Any:
        """What `loop_start` runs on its thread.

        A malformed packet can make paho raise many exceptions: struct.error, IndexError, KeyError;
        for one of 100 MB, a MemoryError where memory is limited. An exception of our own callbacks
        is a bug, and is raised again.
        """
        is_broken = False
        while True:
            try:
                if is_broken:
                    with contextlib.suppress(OSError):  # paho tries again
                        self.reconnect()
                return super().loop_forever(*arguments, **named)
            except Exception as problem:
                if _is_from_callback(problem):
                    raise
                is_broken = True
                self._on_unreadable()
                time.sleep(BACKOFF[0])


def _is_from_callback(problem: Exception) -> bool:
    """Whether paho had called back into this file when it happened."""
    codes = [frame.f_code for frame, _line in traceback.walk_tb(problem.__traceback__)]
    return any(code.co_filename == __file__ and code.co_name.startswith("_on_") for code in codes)
