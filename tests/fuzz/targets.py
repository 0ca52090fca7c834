"""What is fuzzed. A target lives for one seed: it makes inputs, and plays them one by one."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, NamedTuple

import dbus
import pytest
import yaml

from bridge import __version__
from bridge.adapters import config as config_file
from bridge.adapters import dbus_service
from bridge.core.model import Refused
from bridge.core.settings.configuration import BadConfiguration, Config, MqttConfig
from bridge.core.settings.setting_paths import SETTINGS
from bridge.gateways.home_assistant.publisher import discovery_of
from bridge.inbox import Inbox
from tests.fuzz.mutations import TEXTS, as_text, changed, some_bytes, some_value, spoiled
from tests.harness.batteries import battery, healthy
from tests.unit.doubles import Bench, battery_config
from tests.unit.host_bench import HostBench

CELLS = 4
PORTAL = "c0ffee"
PASSES = 0.05  # of the inputs are followed by some s
SECONDS = (1, 1, 3, 70)


class _OnBench:
    """A target that writes to one battery on doubles, whose past is thrown away."""

    def __init__(self) -> None:
        self.bench = Bench(cells=CELLS)
        self.bench.feed()
        self.paths = [spec.path for spec in self.bench.battery.paths.values()]

    def rest(self, random: Random) -> None:
        if random.random() < PASSES:
            self.bench.pass_time(random.choice(SECONDS))
        self.bench.settle()
        self.bench.client.published.clear()
        self.bench.bus.signals.clear()
        self.bench.store.saved.clear()

    def close(self) -> None:
        pass


class OnePath(_OnBench):
    """A payload on the topic of one path."""

    def make(self, random: Random) -> Any:
        path = random.choice(self.paths)
        number = round(random.uniform(0, 60), 3)
        valid = (number, {"value": number}, "off", {"value": 0, "expires": 5}, [[0, 1], [50, 0]])
        return path, some_bytes(valid, random)

    def play(self, made: Any) -> None:
        path, payload = made
        self.bench.mqtt(path, payload)


class Batches(_OnBench):
    """A batch of writes."""

    def make(self, random: Random) -> Any:
        whole = healthy(CELLS, round(random.uniform(2.5, 3.7), 3))
        few = {random.choice(self.paths): some_value(random) for _ in range(5)}
        return some_bytes((whole, few, {**whole, **few}), random)

    def play(self, made: Any) -> None:
        battery, now = self.bench.battery, self.bench.clock.now
        battery.on_batch(made, "virtual-battery/test/set", now)
        battery.settle(now)


class DbusValues(_OnBench):
    """A value of any D-Bus type through the adapter, as dbus-python gives it to us."""

    def __init__(self) -> None:
        super().__init__()
        self._item: Any = dbus_service._gated_item(self.bench.dbus)

    def make(self, random: Random) -> Any:
        return random.choice(self.paths), _dbus_value(random)

    def play(self, made: Any) -> None:
        path, value = made
        code = self._item.SetValue(SimpleNamespace(__dbus_object_path__=path), value)
        assert code in (0, 1, 2), f"SetValue answers {code!r}"


def _dbus_value(random: Random, depth: int = 0) -> Any:
    kinds: tuple[Callable[[], Any], ...] = (
        lambda: dbus.Double(random.choice((0.0, 3.3, -1.0, 1e308, float("nan"), float("inf")))),
        lambda: dbus.Double(round(random.uniform(0, 60), 3)),
        lambda: dbus.Int32(random.choice((0, 1, -1, 100, 2**31 - 1))),
        lambda: dbus.Int64(random.choice((0, 2**63 - 1, -(2**63)))),
        lambda: dbus.UInt64(2**64 - 1),
        lambda: dbus.Byte(random.randrange(256)),
        lambda: dbus.Boolean(random.random() < 0.5),
        lambda: dbus.String(_dbus_text(random)),
        lambda: dbus.ObjectPath("/a/b"),
        lambda: dbus.Signature("a{sv}"),
        lambda: dbus.ByteArray(b"\xff\x00" * random.choice((0, 1, 3000))),
        lambda: dbus.Array([], signature=random.choice("iusv")),
    )
    containers: tuple[Callable[[], Any], ...] = (
        lambda: dbus.Array([_dbus_value(random, depth + 1) for _ in range(3)], signature="v"),
        lambda: dbus.Struct([_dbus_value(random, depth + 1) for _ in range(2)]),
        lambda: dbus.Dictionary(
            {dbus.String(_dbus_text(random)): _dbus_value(random, depth + 1)}, signature="sv"
        ),
        lambda: dbus.Array([dbus.Double(1.0)] * 5000, signature="d"),
    )
    return random.choice(kinds if depth > 3 else kinds + containers)()


def _dbus_text(random: Random) -> str:
    """D-Bus has UTF-8 without a zero byte."""
    text = random.choice(TEXTS) if random.random() < 0.7 else as_text(some_value(random))
    return text.replace("\ud800", "").replace("\x00", "")


class Topics:
    """Any topic with any payload, through the inbox to the battery's host and the gateways."""

    def __init__(self) -> None:
        self._patch = pytest.MonkeyPatch()
        self._bench = bench = HostBench(self._patch).open()
        bench.host.set_portal(PORTAL)
        one = battery_config()
        whole = Config(mqtt=MqttConfig(home_assistant="on"), batteries=(one,))
        self._discovery = discovery_of(whole, one, bench.client, bench.host.battery, __version__)
        self._discovery.on_connected(bench.clock.now)
        self._inbox = Inbox([bench.host], bench.notifications, [self._discovery])

    def close(self) -> None:
        self._patch.undo()

    def make(self, random: Random) -> Any:
        path = random.choice(list(self._bench.host.battery.paths))
        topic = random.choice(
            (
                f"W/{PORTAL}/battery/{self._bench.host.instance}{path}",
                f"R/{PORTAL}/battery/{self._bench.host.instance}{path}",
                f"R/{PORTAL}/keepalive",
                f"N/{PORTAL}/system/0/Serial",
                f"R/{PORTAL}/system/0/Serial",
                "virtual-battery/test/set",
                "homeassistant/status",
                "homeassistant/device/virtual-battery-test/config",
            )
        )
        if random.random() < 0.4:
            topic = spoiled(topic.encode(), random).decode("utf-8", "replace")
        keepalive = {
            "keepalive-options": ["suppress-republish", {"full-publish-completed-echo": 1}]
        }
        payload = some_bytes((1, {"value": 1}, PORTAL, "online", keepalive, {}), random)
        is_too_large = random.random() < 0.02
        is_retained = random.random() < 0.1
        waited = random.choice((None, None, None, 0.0, 5.0, 1000.0))
        return topic, None if is_too_large else payload, is_retained, waited

    def play(self, made: Any) -> None:
        topic, payload, is_retained, waited = made
        bench = self._bench
        if self._inbox.is_known(topic):
            size = 10**6 if payload is None else len(payload)
            since = None if waited is None else bench.clock.now - waited
            self._inbox.deliver([(topic, payload, size, is_retained, since)], bench.clock.now)

    def rest(self, random: Random) -> None:
        bench = self._bench
        bench.loop.run(1.0)
        if random.random() < PASSES:
            bench.clock.now += random.choice(SECONDS)
        bench.host.on_tick(bench.clock.now)
        bench.notifications.on_tick(bench.clock.now)
        self._discovery.on_tick(bench.clock.now)
        bench.client.published.clear()


class Configurations:
    """A configuration file. A mistake in it is a BadConfiguration, and nothing else."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._file = Path(self._folder.name) / "config.yaml"
        self._valid: dict[str, Any] = {
            "mqtt": {"host": "127.0.0.1", "port": 1883, "tls": {}, "accept": ["measurements"]},
            "dbus": {"accept": []},
            "publish_interval": 0.05,
            "batteries": [
                battery(
                    limiter={
                        "max_charge_current": 100,
                        "charge_temperature": [[0, 0], [10, 1]],
                        "charge_voltage_by_month": [[3, 3.4]],
                        "full_charge_at": "16:00",
                        "taper": "linear",
                    },
                    freshness={"required": ["cells"], "stale": 30},
                    alarms={"low_soc": [10, 5]},
                )
            ],
        }

    def close(self) -> None:
        self._folder.cleanup()

    def make(self, random: Random) -> Any:
        value = self._valid
        for _ in range(random.choice((0, 1, 2, 5))):
            value = changed(value, random)
        try:
            text = yaml.safe_dump(value) if random.random() < 0.5 else as_text(value)
        except (yaml.YAMLError, UnicodeError):
            text = as_text(value)
        data = text.encode("utf-8", "surrogatepass")
        return spoiled(data, random) if random.random() < 0.4 else data

    def play(self, made: Any) -> None:
        self._file.write_bytes(made)
        with contextlib.suppress(BadConfiguration):
            config_file.load(str(self._file))

    def rest(self, random: Random) -> None:
        pass


class KeptTexts(_OnBench):
    """What the settings service says it has kept, at the start and while the bridge runs."""

    def make(self, random: Random) -> Any:
        path = random.choice(sorted(SETTINGS))
        settings = {SETTINGS[path].key: {"value": some_value(random)}}
        requests = {"CCL": {"value": 0.0, "at": 1.7e9}, "version": 1}
        what = random.choice(("settings", "replace", "requests", "last_full", "name"))
        valid = (settings, requests, "2026-01-01", self.bench.battery.settings_record())
        return what, some_bytes(valid, random).decode("utf-8", "replace")

    def play(self, made: Any) -> None:
        what, text = made
        battery = self.bench.battery
        actions: Mapping[str, Callable[[str], None]] = {
            "settings": battery.load_settings,
            "replace": battery.replace_settings,
            "requests": battery.load_requests,
            "last_full": battery.load_last_full,
            "name": battery.set_name,
        }
        with contextlib.suppress(Refused):
            actions[what](text)
        battery.settle(self.bench.clock.now)


class RestartMemory:
    """What a restart finds in its memory."""

    def __init__(self) -> None:
        self._before = Bench(cells=CELLS)
        self._before.feed(cell=3.45, Io_AllowToCharge=0)
        self._before.mqtt("/Info/MaxChargeCurrent", "20")
        self._before.pass_time(5)
        self._kept = self._before.memory.text or ""
        assert self._kept, "a battery keeps something"

    def close(self) -> None:
        pass

    def make(self, random: Random) -> Any:
        return some_bytes((json.loads(self._kept),), random).decode("utf-8", "replace")

    def play(self, made: Any) -> None:
        self._before.memory.text = made
        after = Bench(cells=CELLS, before=self._before)
        after.feed()
        after.pass_time(1)

    def rest(self, random: Random) -> None:
        pass


class Work(NamedTuple):
    """The Python calls that one input may cost: a base, and so many for each byte of it."""

    base: int
    per_byte: float


class Kind(NamedTuple):
    """A target: how it is made, its bound of work, and how many inputs it lives for."""

    start: Callable[[], Any]
    most: Work
    life: int


TARGETS = {
    "one path": Kind(OnePath, Work(6_000, 0), 2000),
    "batches": Kind(Batches, Work(10_000, 5), 1000),
    "topics": Kind(Topics, Work(10_000, 5), 1000),
    "dbus values": Kind(DbusValues, Work(6_000, 0), 2000),
    "configurations": Kind(Configurations, Work(100_000, 100), 200),
    "kept texts": Kind(KeptTexts, Work(8_000, 5), 1000),
    "restart memory": Kind(RestartMemory, Work(12_000, 5), 500),
}
"""Ours: more than the worst of 250 000 inputs has cost."""
