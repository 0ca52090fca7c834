"""Stand-ins for ports that do not fit into doubles.py.

tests/contract/test_contract_ports.py holds them to the real ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from paho.mqtt.client import topic_matches_sub
from settings_store import OK, Store

from bridge.adapters.broker import Broker
from bridge.adapters.dbus_service import NameTaken
from bridge.adapters.mailbox import Mailbox, Message
from bridge.core.model import Value
from bridge.core.paths.table import Paths
from tests.unit.doubles import Clock, FakeBus, FakeClient, FakeTimer

NO_REPLY = "does not answer (org.freedesktop.DBus.Error.NoReply)"
NOT_THERE = "is not there"

DEVICES = "/Settings/Devices/"


class FakeSettingsService:
    """The pocket GX's own settings store, and what a client sees of it, without D-Bus.

    As on D-Bus nothing is answered at once: `answer` gives the answers that are due, in order.
    """

    def __init__(self, ident: str, on_change: Callable[[str, str], None]) -> None:
        self.store = Store()
        self.fails = ""  # why it answers nothing; empty while it works
        self.on_change = on_change
        self._ident = ident
        self._followed: set[str] = set()
        self._calls: list[Callable[[], None]] = []

    def open(
        self,
        defaults: Mapping[str, str],
        opened: Callable[[dict[str, str]], None],
        failed: Callable[[str], None],
    ) -> None:
        self._followed |= set(defaults)
        self._calls.append(partial(self._open, dict(defaults), opened, failed))

    def save(
        self, key: str, value: str, kept: Callable[[], None], failed: Callable[[str], None]
    ) -> None:
        self._calls.append(partial(self._save, key, value, kept, failed))

    @property
    def asked(self) -> int:
        """How many calls wait for their answer."""
        return len(self._calls)

    def answer(self, most: int = 100) -> None:
        """Answer so many calls, also those that an answer has led to."""
        for _ in range(most):
            if self._calls:
                self._calls.pop(0)()

    def drop_calls(self) -> None:
        """Whoever has asked is gone."""
        self._calls.clear()

    def write(self, key: str, value: str, ident: str = "") -> None:
        """Somebody else writes a setting, of this device or of another one."""
        path = self._path(key, ident)
        if path not in self.store.settings:
            self.store.add(path, value, "s", 0, 0, True)
        _, changed = self.store.set(path, value)
        if changed and not ident:
            self._signal(key)

    def value(self, key: str) -> str | None:
        """What it has kept."""
        setting = self.store.settings.get(self._path(key))
        return None if setting is None else str(setting.value)

    def forget(self, *keys: str) -> None:
        """It has been killed, and these are no longer on its disk."""
        for key in keys:
            self.store.settings.pop(self._path(key), None)

    def go_back(self, key: str, value: str) -> None:
        """It has been killed, and this older value is on its disk."""
        path = self._path(key)
        self.forget(key)
        self.store.add(path, value, "s", 0, 0, True)

    def _open(
        self,
        defaults: dict[str, str],
        opened: Callable[[dict[str, str]], None],
        failed: Callable[[str], None],
    ) -> None:
        if self.fails:
            failed(self.fails)
            return
        values = {}
        for key, default in defaults.items():
            error, changed = self.store.add(self._path(key), default, "s", 0, 0, True)
            if changed:
                self._signal(key)
            if error == OK:
                values[key] = str(self.value(key))
        opened(values)

    def _save(
        self, key: str, value: str, kept: Callable[[], None], failed: Callable[[str], None]
    ) -> None:
        if self.fails:
            failed(self.fails)
            return
        _, changed = self.store.set(self._path(key), value)
        if changed:
            self._signal(key)
        kept()

    def _signal(self, key: str) -> None:
        if key in self._followed:
            self.on_change(key, str(self.value(key)))

    def _path(self, key: str, ident: str = "") -> str:
        return f"{DEVICES}{ident or self._ident}/{key}"


class FakeBatteryService(FakeBus):
    """One battery's service on a bus of names. Give `names` to all services of one bus."""

    def __init__(
        self,
        ident: str,
        paths: Paths,
        values: Mapping[str, Value],
        on_write: Callable[[str, object], int],
        names: set[str],
    ) -> None:
        super().__init__()
        self.values = {path: values.get(path) for path in paths}
        self.write = on_write
        self._name, self._names = f"com.victronenergy.battery.{ident}", names
        self._is_registered = False
        self._asked_end: list[Callable[[], None]] = []
        self.is_closed = False

    def register(self) -> None:
        if self._name in self._names:
            raise NameTaken(self._name)
        self._names.add(self._name)
        self._is_registered = True

    def ask_end_of_waited(self, answered: Callable[[], None]) -> None:
        self._asked_end.append(answered)

    def answer_end(self) -> None:
        """The bus shows that it has sent all that it held."""
        asked, self._asked_end = self._asked_end, []
        for answered in asked:
            answered()

    def close(self) -> None:
        self.is_closed = True
        if self._is_registered:
            self._names.discard(self._name)


class FakeLoop(FakeTimer):
    """A timer that also calls back when nothing else is to do: that is when `run` begins."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._idle: list[Callable[[], None]] = []

    def call_when_idle(self, callback: Callable[[], None]) -> None:
        self._idle.append(callback)

    def run(self, seconds: float = 0.0) -> None:
        waiting, self._idle = self._idle, []
        for callback in waiting:
            callback()
        self.run_busy(seconds)

    def run_busy(self, seconds: float) -> None:
        """Let time pass in which there is always something to do."""
        super().run(seconds)


class FakeNotificationSource:
    """One battery for the N/ topics: keywords name its paths with _ for /."""

    def __init__(self, instance: int, **values: Value) -> None:
        self.instance = instance
        self.values = {"/" + path.replace("_", "/"): value for path, value in values.items()}
        self.gathered: dict[str, Value] = {}

    def catch_up(self, now: float) -> None:  # noqa: ARG002  at any time
        self.values.update(self.gathered)
        self.gathered = {}

    def all_values(self) -> dict[str, Value]:
        return dict(self.values)


class FakeDiscoverySource:
    """One battery for Home Assistant, and how often it was asked to publish its state again."""

    def __init__(self, paths: Paths, values: Mapping[str, Value]) -> None:
        self.paths = paths
        self.on_bus = dict(values)
        self.told_again = 0

    def values(self) -> dict[str, Value]:
        return dict(self.on_bus)

    def publish_again(self) -> None:
        self.told_again += 1


class FakeLink(FakeClient):
    """A link to a broker that is there at once, with the product's own mailbox."""

    def __init__(
        self,
        broker: Broker,
        *,
        wake: Callable[[], None],
        will: tuple[str, str] | None = None,
        is_queue: Callable[[str], bool] = lambda topic: False,
        is_known: Callable[[str], bool] = lambda topic: True,
        on_state: Callable[[bool, str], None] = lambda connected, words: None,
    ) -> None:
        super().__init__()
        self.will, self.topics, self.is_started = will, list[str](), False
        self.asked = 0  # how often for the end of what waited
        self.confirms = True  # the broker confirms the end of what waited, at once
        self._broker, self._wake, self._on_state = broker, wake, on_state
        self._mailbox = Mailbox(is_queue, is_known)

    def start(self) -> None:
        self.is_started = True
        self._on_state(True, f"connected to broker {self._broker}")

    def stop(self) -> None:
        self.is_started = False

    def subscribe(self, topics: Iterable[str]) -> None:
        self.topics += [topic for topic in topics if topic not in self.topics]

    def unsubscribe(self, topics: Iterable[str]) -> None:
        gone = list(topics)
        self.topics = [topic for topic in self.topics if topic not in gone]

    def publish(self, topic: str, payload: str, retain: bool = False) -> None:
        if self.is_started:
            super().publish(topic, payload, retain)

    def arrive(self, topic: str, payload: bytes, retained: bool = False) -> None:
        """Somebody publishes; it comes where we are connected and have subscribed to it."""
        comes = self.is_started and any(topic_matches_sub(sub, topic) for sub in self.topics)
        if comes and self._mailbox.put(Message(topic, payload, len(payload), retained)):
            self._wake()

    def drain(self) -> list[Message]:
        return self._mailbox.drain()

    def mark_waited(self, since: float) -> None:
        self._mailbox.mark_waited(since)

    def ask_end_of_waited(self) -> None:
        self.asked += 1
        if self.confirms:
            self.end_waited()

    def end_waited(self) -> None:
        self._mailbox.end_waited()

    @property
    def dropped(self) -> int:
        return self._mailbox.dropped
