"""What ./run prints when the battery is on the bus: lines to paste into a second terminal."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass

from bridge.core.settings.configuration import BatteryConfig
from bridge.topics import BatteryTopics, WriteTopic


@dataclass(frozen=True)
class Place:
    """Where to find a battery."""

    port: int  # of the broker on 127.0.0.1
    bus_address: str
    portal_id: str
    instance: int
    base_topic: str


def welcome(battery: BatteryConfig, place: Place) -> str:
    """The text: how to watch the battery, feed it, raise a cell, and read the result.

    The cells are fed at rest, below `cv1`; the raised one lands just above `cv2`.
    """
    limiter = battery.limiter
    above_cv2 = f"{limiter.max_charge_current_above_cv2:g} A"
    cell = round(limiter.cv1 - 0.08, 3)
    raised = round(limiter.cv2 + 0.01, 3)
    topics = BatteryTopics(place.base_topic, battery.ident)
    service = f"com.victronenergy.battery.{battery.ident}"
    frame = {
        "Dc": {"0": {"Voltage": round(cell * battery.cells, 2), "Current": 20.0}},
        "Soc": 60,
        "Voltages": {f"Cell{number + 1}": cell for number in range(battery.cells)},
    }

    def write(path: str, value: float) -> str:
        topic = WriteTopic(place.portal_id, place.instance, path)
        return publish(topic.build(), {"value": value})

    def publish(topic: str, payload: object) -> str:
        return _shell(
            "mosquitto_pub", *_broker(place.port), "-t", topic, "-m", json.dumps(payload)
        )

    def ask_the_bus(path: str) -> str:
        return _shell(
            "dbus-send",
            f"--bus={place.bus_address}",
            "--print-reply=literal",
            f"--dest={service}",
            path,
            "com.victronenergy.BusItem.GetValue",
        )

    return f"""
{service} is on the bus, instance {place.instance}. In a second terminal:

Watch what is decided, and why.
  {_shell("mosquitto_sub", *_broker(place.port), "-v", "-t", f"{topics.stem}/#")}

Feed the battery. Repeat it within {battery.freshness.aging:g} s, or no limit may rise any more.
  {publish(topics.set, frame)}

Feed one value.
  {write("/Soc", 61)}

Let a cell rise past cv2: from {limiter.cv2:g} V on, CCL is {above_cv2}.
  {write("/Voltages/Cell1", raised)}

Read CCL and its reason on D-Bus.
  {ask_the_bus("/Info/MaxChargeCurrent")}
  {ask_the_bus("/Info/ChargeLimitation")}

Ctrl-C here ends everything.
"""


def _broker(port: int) -> tuple[str, ...]:
    return ("-h", "127.0.0.1", "-p", str(port))


def _shell(*words: str) -> str:
    return shlex.join(words)
