"""The pack as an MQTT client: publishes what a BMS measures, lives within the limits it reads back.

It knows the bridge by its topics alone. Until the bridge has spoken, or when it says that it is
offline, there is no BMS: the chargers stand still.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as mqtt

from tests.pack.charger import Limits
from tests.pack.model import Pack
from tests.pack.simulation import Simulation

Message = tuple[str, str]


@dataclass(frozen=True)
class Address:
    """Where a battery is written: portal id and device instance, None while not known."""

    portal: str | None
    instance: int | None


@dataclass(frozen=True)
class Names:
    """The bridge's own topics of one battery."""

    base: str
    ident: str

    @property
    def status(self) -> str:
        return f"{self.base}/status"

    @property
    def state(self) -> str:
        return f"{self.base}/{self.ident}/state"

    @property
    def batch(self) -> str:
        return f"{self.base}/{self.ident}/set"


def readings(pack: Pack) -> dict[str, float]:
    """What the BMS of this pack measures, by D-Bus path, in the resolution of a usual BMS."""
    voltages = pack.voltages
    temperatures = pack.temperatures
    measured = {
        "Dc/0/Voltage": round(pack.voltage, 2),
        "Dc/0/Current": round(pack.current, 1) + 0.0,  # a meter knows no minus zero
        "Dc/0/Temperature": round(sum(temperatures) / len(temperatures), 1),
        "Soc": round(pack.soc * 100, 1),
        "System/MinCellTemperature": round(min(temperatures), 1),
        "System/MaxCellTemperature": round(max(temperatures), 1),
        "Io/AllowToCharge": int(max(voltages) < pack.chemistry.maximum),
        "Io/AllowToDischarge": int(min(voltages) > pack.chemistry.minimum),
    }
    cells = {f"Voltages/Cell{n}": round(v, 3) for n, v in enumerate(voltages, start=1)}
    return measured | cells


def as_topics(measured: dict[str, float], address: Address) -> list[Message]:
    """One write per path; none while the address is not known."""
    if address.portal is None or address.instance is None:
        return []
    root = f"W/{address.portal}/battery/{address.instance}"
    return [(f"{root}/{path}", json.dumps({"value": value})) for path, value in measured.items()]


def as_batch(measured: dict[str, float], names: Names) -> list[Message]:
    """One message with everything."""
    return [(names.batch, json.dumps(measured))]


def limits_in(state: dict[str, Any]) -> Limits:
    """The limits of a state message; what is missing or null in it is withdrawn."""
    limits = state.get("limits") or {}
    return Limits(cvl=limits.get("CVL"), ccl=limits.get("CCL"), dcl=limits.get("DCL"))


def address_in(state: dict[str, Any], wish: Address) -> Address:
    """The address of a state message, where the caller did not fix it."""
    identity = state.get("identity") or {}
    return Address(
        portal=identity.get("portal") if wish.portal is None else wish.portal,
        instance=identity.get("instance") if wish.instance is None else wish.instance,
    )


class Client:
    """The connection of the pack. `limits` and `address` are what the bridge said last."""

    def __init__(self, names: Names, wish: Address, say: Callable[[str], None]) -> None:
        self.limits = Limits()
        self.address = wish
        self._names = names
        self._wish = wish
        self._say = say
        self._mqtt = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        self._mqtt.on_connect = self._on_connect
        self._mqtt.on_disconnect = self._on_disconnect
        self._mqtt.on_message = self._on_message

    def start(self, host: str, port: int) -> None:
        """Connect, now or as soon as the broker is there."""
        self._mqtt.reconnect_delay_set(1, 5)
        self._mqtt.connect_async(host, port)
        self._mqtt.loop_start()

    def stop(self) -> None:
        self._mqtt.disconnect()
        self._mqtt.loop_stop()

    def publish(self, messages: list[Message]) -> None:
        """Send, if there is a connection: an old measurement is not worth a queue."""
        if self._mqtt.is_connected():
            for topic, payload in messages:
                self._mqtt.publish(topic, payload)

    # The callbacks run on paho's thread. Each hands over one immutable object at a time.

    def _on_connect(
        self, client: mqtt.Client, _data: object, _flags: object, reason: Any, _properties: object
    ) -> None:
        if reason.is_failure:
            self._say(f"the broker refuses: {reason}")
            return
        client.subscribe([(self._names.state, 0), (self._names.status, 0)])
        self._say("connected to the broker")

    def _on_disconnect(
        self, _client: mqtt.Client, _data: object, _flags: object, reason: Any, _properties: object
    ) -> None:
        self.limits = Limits()
        if reason.is_failure:
            self._say(f"lost the broker: {reason}")

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        if message.topic == self._names.state and message.payload:
            state = json.loads(message.payload)
            self.limits = limits_in(state)
            self.address = address_in(state, self._wish)
        elif message.payload == b"offline":
            self.limits = Limits()


def play(
    simulation: Simulation,
    client: Client,
    names: Names,
    *,
    style: str,
    interval: float,
    speed: float,
    stop: threading.Event,
) -> None:
    """Live and publish every `interval` seconds, `speed` times faster than the clock."""
    while not stop.wait(interval):
        simulation.advance(interval * speed, client.limits)
        measured = readings(simulation.pack)
        if style == "batch":
            client.publish(as_batch(measured, names))
        else:
            client.publish(as_topics(measured, client.address))
