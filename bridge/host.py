"""Connects one battery to D-Bus, to its MQTT topics and to the settings service."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial

from bridge import __version__
from bridge.adapters import dbus_service, settings
from bridge.adapters.loop import Loop, guarded
from bridge.battery.battery import Battery
from bridge.battery.persistence import SettingsPersistence
from bridge.core.model import Date, Value
from bridge.core.settings.configuration import BatteryConfig, Config
from bridge.gateways.victron_mqtt.publisher import Notifications
from bridge.ports import Client, Memory
from bridge.topics import BatteryTopics, WriteTopic, all_below, path_below

log = logging.getLogger(__name__)

PRODUCT_ID = 0xC065  # Victron's id for a virtual battery: no consumer treats it specially
PRODUCT_NAME = "Virtual battery"

SETTLE_WITHIN = 0.05  # s after a D-Bus write at most, even if the main loop is never idle


class BatteryHost:
    """A battery that is on the bus from shortly after `open` until `close`."""

    def __init__(
        self,
        config: BatteryConfig,
        whole: Config,
        *,
        broker: str,
        loop: Loop,
        client: Client,
        notifications: Notifications,
        settings_bus: settings.Connection,
        memory: Memory | None,
        monotonic: Callable[[], float],
        today: Callable[[], Date | None],
        wall: Callable[[], float | None],
        note_running: Callable[[float], None],
        on_entered: Callable[[], None],
        on_name_taken: Callable[[str], None],
        on_no_bus: Callable[[str], None],
    ) -> None:
        """config: this battery's part of the whole configuration. broker: host and port, as text.

        note_running(now): called before a write over D-Bus is taken, see Standstill.
        on_entered(): called when the battery is on the bus, perhaps with another instance, so
        that `topics` has changed. on_name_taken(name): called when another service has its name.
        on_no_bus(why): called when D-Bus does not take it.
        """
        self._config = config
        self._broker = broker
        self._loop = loop
        self._notifications = notifications
        self._settings_bus = settings_bus
        self._monotonic = monotonic
        self._note_running = note_running
        self._on_entered = on_entered
        self._on_name_taken, self._on_no_bus = on_name_taken, on_no_bus
        self._topics = BatteryTopics(whole.mqtt.base_topic, config.ident)
        self._portal = ""
        self._instance = config.instance
        self._write_root = ""
        self._service: dbus_service.BatteryService | None = None
        self._settle_is_due = False
        self._waited_since: float | None = None  # of writes over D-Bus
        self._standstills = 0
        self.battery = Battery(
            config,
            topics=self._topics,
            publish_interval=whole.publish_interval,
            bus=self,
            client=client,
            timer=loop,
            store=self,
            monotonic=monotonic,
            memory=memory,
            access=whole.access,
            today=today,
            wall=wall,
        )
        self._persistence = SettingsPersistence(
            settings.DeviceSettings(settings_bus, config.ident, self._on_setting, guard=guarded),
            config,
            self.battery,
            whole.access,
            monotonic,
            on_instance=self._take_instance,
            on_ready=self._enter_bus,
        )

    def open(self) -> None:
        """Ask the settings service for name, instance and settings, then enter the bus.

        Call it again when the settings service has come back. If another process has a battery
        with our ident on the bus, do not ask: the request could change that battery's instance.
        """
        name = dbus_service.PREFIX + self._config.ident
        if self._service is None and self._settings_bus.name_has_owner(name):
            self._on_name_taken(name)
        else:
            self._persistence.open()

    def close(self) -> None:
        """Leave the bus."""
        if self._service:
            self._notifications.on_left(self)
            self._service.close()
            self._service = None

    def on_tick(self, now: float) -> None:
        """Once a second. now: monotonic seconds."""
        self._persistence.on_tick(now)
        self.battery.on_tick(now)

    # --- identity ----------------------------------------------------------------------------

    @property
    def is_on_bus(self) -> bool:
        """Whether the battery is on the bus now."""
        return self._service is not None

    @property
    def instance(self) -> int:
        """The device instance; until the battery is on the bus, only the configured one."""
        return self._instance

    def set_portal(self, portal: str) -> None:
        """The portal id, as soon as it is known."""
        self._portal = portal
        self._update_identity()

    def topics(self) -> list[str]:
        """What to subscribe to; the write topics only once portal id and instance are known."""
        writes = [all_below(self._write_root)] if self._write_root else []
        return [self._topics.set, *writes]

    def _update_identity(self) -> None:
        """Portal id and instance are in the topics of writes, and in the state."""
        is_known = self._portal and self.is_on_bus
        self._write_root = WriteTopic.root(self._portal, self._instance) if is_known else ""
        instance = self._instance if self.is_on_bus else None
        self.battery.identity.update(instance=instance, portal=self._portal or None)

    def _take_instance(self, instance: int) -> None:
        """Leave the bus and enter it again: consumers read the instance only at that moment."""
        if instance == self._instance:
            return
        log.info("%s: instance %d", self._config.ident, instance)
        was_on_bus = self.is_on_bus
        self.close()
        self._instance = instance
        if was_on_bus:
            self._enter_bus()

    def _enter_bus(self) -> None:
        ident = self._config.ident
        self.battery.refresh(self._monotonic())
        try:
            self._service = self._registered()
        except dbus_service.NameTaken as taken:
            self._on_name_taken(str(taken))
            return
        except dbus_service.NoBus as problem:
            self._on_no_bus(str(problem))
            return
        self._waited_since = None
        log.info("%s: on D-Bus as %s%s", ident, dbus_service.PREFIX, ident)
        self._update_identity()
        self._on_entered()
        self._notifications.on_entered(self)

    def _registered(self) -> dbus_service.BatteryService:
        """A service that is on the bus. Raises NameTaken or NoBus."""
        service = dbus_service.BatteryService(
            self._config.ident, self.battery.paths, self.all_values(), guarded(self._on_write)
        )
        try:
            service.register()
        except Exception:
            service.close()
            raise
        return service

    # --- what comes in -----------------------------------------------------------------------

    def knows(self, topic: str) -> bool:
        """Whether a topic of a write leads to a path of this battery. Called on any thread."""
        return path_below(self._write_root, topic) in self.battery.paths

    def on_message(
        self,
        topic: str,
        payload: bytes | None,
        size: int,
        now: float,
        waited_since: float | None = None,
    ) -> None:
        """Take a message that may be for this battery or for another one.

        payload: None where its size (bytes) is too large. now: monotonic seconds. waited_since: see
        Battery.
        """
        path = "" if topic == self._topics.set else path_below(self._write_root, topic)
        if path is None:
            return
        self.battery.waited_since = waited_since
        if payload is None:
            self.battery.on_oversize(path, topic, size, now)
        elif path:
            self.battery.on_message(path, payload, topic, now)
        else:
            self.battery.on_batch(payload, topic, now)

    def settle(self) -> None:
        """Publish what has changed, after a burst of writes."""
        self._settle_is_due = False
        self.battery.settle(self._monotonic())

    def _on_write(self, path: str, value: object) -> int:
        """Take a SetValue. More of the same burst may follow, so settle after the last one."""
        now = self._monotonic()
        self._note_running(now)
        self.battery.waited_since = self._waited_since
        code = self.battery.on_write(path, value, now)
        if not self._settle_is_due:
            self._settle_is_due = True
            self._loop.call_when_idle(self.settle)
            self._loop.call_in(SETTLE_WITHIN, self.settle)
        return code

    def _on_setting(self, key: str, value: str) -> None:
        self._persistence.on_changed(key, value)

    def mark_waited(self, since: float) -> None:
        """The writes that the bus holds for us may be from then (monotonic s).

        Call `ask_end_of_waited` soon after it.
        """
        self._waited_since = since if self._waited_since is None else min(self._waited_since, since)
        self._standstills += 1

    def ask_end_of_waited(self) -> None:
        """Have the bus show that it has sent us all that it held."""
        if self._service:
            answered = partial(self._end_waited, self._standstills)
            self._service.ask_end_of_waited(guarded(answered))

    def _end_waited(self, standstills: int) -> None:
        if standstills == self._standstills:  # there was no other one since the question
            self._waited_since = None

    # --- what goes out -----------------------------------------------------------------------

    def publish(self, changes: Mapping[str, Value]) -> None:
        """Send changes to D-Bus, in one signal. Off the bus nothing is sent.

        When the battery enters the bus, it starts with all its values.
        """
        if self._service:
            self._service.publish(changes)
            self._notifications.on_changes(self, changes)

    def publish_again(self) -> None:
        """Publish state and settings on MQTT although they have not changed."""
        self.battery.publish_again()

    def catch_up(self, now: float) -> None:
        """Publish at once what is still being gathered. now: monotonic seconds."""
        self.battery.catch_up(now)

    def save(self, key: str, value: Value) -> None:
        """Keep a value over a restart."""
        self._persistence.save(key, value)

    def all_values(self) -> dict[str, Value]:
        """Every path with its value, None where it has none."""
        return {
            **dict.fromkeys(self.battery.paths),
            **self.battery.values(),
            **_mandatory_values(self._config.ident, self._instance, self._broker),
        }


def _mandatory_values(ident: str, instance: int, broker: str) -> dict[str, Value]:
    """The paths that every service on a GX must have."""
    return {
        "/Mgmt/ProcessName": "virtual-battery",
        "/Mgmt/ProcessVersion": __version__,
        "/Mgmt/Connection": f"MQTT {broker}",
        "/Mgmt/InsecureConnection": 1,
        "/DeviceInstance": instance,
        "/ProductId": PRODUCT_ID,
        "/ProductName": PRODUCT_NAME,
        "/FirmwareVersion": __version__,
        "/HardwareVersion": None,
        "/Serial": ident,
        "/Connected": 1,
    }
