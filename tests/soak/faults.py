"""What goes wrong, each as a generator: it begins, yields how many s it lasts, and ends.

Three lanes run beside each other: what happens to processes, what clients do, and the battery.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import Any

import dbus

from bridge.core.settings.setting_paths import SETTINGS
from tests.harness.false_broker import FalseBroker
from tests.search.configurations import some_value
from tests.search.written import LIMITS
from tests.soak.publisher import MODES
from tests.soak.stage import Stage

Fault = Callable[[Stage, Random], Iterator[float]]

DAY = 86400.0  # s
MEGABYTE = 1_000_000

# --- processes ---------------------------------------------------------------------------------


def _broker_gone(stage: Stage, random: Random, kills: bool) -> Iterator[float]:
    stage.lose()
    if kills:
        stage.gx.kill_broker()
    else:
        stage.gx.stop_broker()
    yield random.uniform(0.5, 9.0)
    stage.gx.start_broker()
    stage.is_over()


def _broker_frozen(stage: Stage, random: Random) -> Iterator[float]:
    stage.lose()
    with stage.gx.frozen("broker"):
        yield random.uniform(0.5, 12.0)
    stage.is_over()


def _broker_of_garbage(stage: Stage, random: Random) -> Iterator[float]:
    stage.lose()
    stage.gx.kill_broker()
    answer = random.choice((b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x20\x02\x00\x05", None))
    with FalseBroker(answer, stage.gx.port):
        yield random.uniform(2.0, 8.0)
    stage.gx.start_broker()
    stage.is_over()


def _settings_gone(stage: Stage, random: Random, kills: bool) -> Iterator[float]:
    if kills:
        stage.gx.kill_settings()
    else:
        stage.gx.stop_settings()
    yield random.uniform(0.5, 10.0)
    stage.gx.start_settings()


def _settings_frozen(stage: Stage, random: Random) -> Iterator[float]:
    with stage.gx.frozen("settings"):
        yield random.uniform(1.0, 10.0)


def _system_frozen(stage: Stage, random: Random) -> Iterator[float]:
    with stage.gx.frozen("system"):
        yield random.uniform(1.0, 5.0)


def _bridge_frozen(stage: Stage, random: Random) -> Iterator[float]:
    stage.lose()
    stage.is_frozen = True
    stage.bridge.freeze()
    yield random.uniform(0.5, 10.0)
    stage.bridge.thaw()
    stage.is_frozen = False
    stage.is_over()


def _log_not_read(stage: Stage, random: Random) -> Iterator[float]:
    stage.is_log_read = False
    yield random.uniform(3.0, 15.0)
    stage.is_log_read = True


def _wall_clock_set(stage: Stage, random: Random) -> Iterator[float]:
    stage.set_wall_clock(random.choice((-20 * 365 * DAY, -DAY, -3600.0, 3600.0, 400 * DAY)))
    yield random.uniform(1.0, 10.0)
    stage.set_wall_clock(0.0)


OF_PROCESSES: dict[str, Fault] = {
    "the broker is killed": partial(_broker_gone, kills=True),
    "the broker is stopped": partial(_broker_gone, kills=False),
    "the broker stands still": _broker_frozen,
    "another server has the broker's port": _broker_of_garbage,
    "the settings service is killed": partial(_settings_gone, kills=True),
    "the settings service is stopped": partial(_settings_gone, kills=False),
    "the settings service stands still": _settings_frozen,
    "the system service stands still": _system_frozen,
    "the bridge stands still": _bridge_frozen,
    "nobody reads the log": _log_not_read,
    "the wall clock is set": _wall_clock_set,
}


def _restart(stage: Stage, random: Random, kills: bool, settings: bool) -> Iterator[float]:
    """settings: whether the settings service answers at the start."""
    stage.lose()
    if kills:
        stage.bridge.kill()
    else:
        stage.bridge.stop()
    stage.watch.forget()
    yield random.uniform(0.1, 3.0)
    if settings:
        stage.restart()
    else:
        with stage.gx.frozen("settings"):
            stage.restart()
            yield random.uniform(0.5, 4.0)


RESTARTS: dict[str, Fault] = {
    "the bridge is killed": partial(_restart, kills=True, settings=True),
    "the bridge is stopped": partial(_restart, kills=False, settings=True),
    "the bridge starts without settings": partial(_restart, kills=True, settings=False),
}
"""These end a process, so what it uses cannot be followed over them."""

# --- clients -----------------------------------------------------------------------------------


def _request(stage: Stage, random: Random) -> Iterator[float]:
    """By D-Bus: its answer says that it is in force."""
    limit = random.choice(LIMITS)
    value = random.choice((0.0, 20.0, 50.0))

    def answered(code: Any) -> None:
        if code == 0:
            stage.bound.requests[limit] = value

    if stage.is_answering:
        stage.watch.set(limit, value, answered)
        yield random.uniform(3.0, 10.0)
    while not stage.is_answering:
        yield 0.5
    stage.bound.requests.pop(limit, None)
    stage.watch.set(limit, "off")


def _settings(stage: Stage, random: Random, is_hostile: bool, count: int) -> Iterator[float]:
    for _ in range(count):
        path = random.choice(sorted(SETTINGS))
        value = some_value(SETTINGS[path], random)
        if is_hostile:
            value = random.choice((1e308, -1, "x" * 5000, "[[", [[0, 1]] * 500, {}, True))
        if random.random() < 0.5:
            stage.send_json({path: value})
        elif stage.is_answering:
            stage.watch.set(path, value if isinstance(value, (int, float, str)) else str(value))
    yield random.uniform(1.0, 5.0)


def _restore(stage: Stage, _random: Random) -> Iterator[float]:
    if stage.is_answering:
        stage.watch.set("/Settings/Restore", "all")
    yield 3.0


def _flood_of_messages(stage: Stage, random: Random) -> Iterator[float]:
    """What comes too fast may be dropped."""
    stage.lose()
    topics = random.choice((1, 50, 3000))
    for _ in range(20):
        for number in range(100):
            stage.send('{"value": 3.3}', f"W/{stage.gx.portal_id}/battery/1/X/{number % topics}")
            stage.send('{"Soc": 50}')
        yield 0.1
    yield 1.0
    stage.is_over()


def _large_messages(stage: Stage, random: Random) -> Iterator[float]:
    for _ in range(5):
        stage.send(random.choice(("x", "[", "1")) * (2 * MEGABYTE))
        yield 0.5


def _flood_of_calls(stage: Stage, random: Random) -> Iterator[float]:
    for _ in range(20):
        for _ in range(40 if stage.is_answering else 0):
            stage.watch.set("/Soh", random.randrange(100))
            stage.watch.call("/Soc", "GetText")
        if stage.is_answering:
            stage.watch.call("/", "GetItems")
        yield 0.1


def _large_values(stage: Stage, _random: Random) -> Iterator[float]:
    if stage.is_answering:
        for path in ("/Soh", "/CustomName", "/Settings/Limiter/Imbalance"):
            stage.watch.set(path, dbus.ByteArray(MEGABYTE))
            stage.watch.set(path, "x" * MEGABYTE)
    yield 1.0


def _names(stage: Stage, random: Random) -> Iterator[float]:
    stage.send_json({"CustomName": f"battery {random.randrange(1000)}"})
    yield 1.0


def _nonsense(stage: Stage, _random: Random) -> Iterator[float]:
    """Topics and payloads that nobody understands."""
    portal = stage.gx.portal_id
    for topic, payload in (
        (f"W/{portal}/battery/1/", "1"),
        (f"W/{portal}/battery/1//Soh", "{" * 60_000),
        (f"R/{portal}/keepalive", json.dumps({"keepalive-options": "\ud800"})),
        (f"R/{portal}/battery/1/Soc", "x" * 9000),
        (f"W/{portal}/battery/1/Soh", "9" * 4000),
    ):
        stage.send(payload, topic)
    yield 0.5


OF_CLIENTS: dict[str, Fault] = {
    "a request": _request,
    "a setting": partial(_settings, is_hostile=False, count=1),
    "many settings": partial(_settings, is_hostile=False, count=5),
    "hostile settings": partial(_settings, is_hostile=True, count=10),
    "all settings are restored": _restore,
    "a flood of messages": _flood_of_messages,
    "messages of 2 MB": _large_messages,
    "a flood of calls": _flood_of_calls,
    "values of 1 MB": _large_values,
    "a new name": _names,
    "nonsense": _nonsense,
}

# --- the battery and its publisher -------------------------------------------------------------


def _publisher_is(mode: str, stage: Stage, random: Random) -> Iterator[float]:
    stage.publisher.mode = mode
    yield random.uniform(1.0, 12.0)
    stage.publisher.mode = "usual"
    yield 2.0


def _battery_changes(stage: Stage, random: Random) -> Iterator[float]:
    stage.say(stage.publisher.change(random))
    yield random.uniform(3.0, 7.0)


def _battery_changes_often(stage: Stage, random: Random) -> Iterator[float]:
    for _ in range(8):
        stage.say(stage.publisher.change(random))
        yield random.uniform(0.3, 4.0)


def _battery_calms_down(stage: Stage, random: Random) -> Iterator[float]:
    stage.publisher.calm_down()
    yield random.uniform(2.0, 6.0)


OF_BATTERY: dict[str, Fault] = {
    "the battery changes": _battery_changes,
    "the battery changes again": _battery_changes,
    "the battery changes a lot": _battery_changes_often,
    "the battery is healthy": _battery_calms_down,
    **{f"the publisher is {mode}": partial(_publisher_is, mode) for mode in MODES[1:]},
}
