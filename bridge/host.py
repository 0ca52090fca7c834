"""One battery on its wires: its D-Bus service, its topics, its place in the settings."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from bridge import __version__
from bridge.adapters import dbus_service, mqtt_link, settings
from bridge.adapters.loop import Loop, guarded, monotonic, today
from bridge.battery.battery import Battery
from bridge.battery.persistence import SettingsPersistence
from bridge.core.model import Value
from bridge.core.settings.configuration import BatteryConfig, Config
from bridge.gateways.victron_mqtt.publisher import Notifications

log = logging.getLogger(__name__)

PRODUCT_ID = 0xC065  # Victron's own id for a virtual battery: no consumer has a quirk for it
PRODUCT_NAME = "Virtual battery"

_NEVER_QUIET = 0.05  # s


class BatteryHost:
    """A battery that is on the bus from shortly after `open` until `close`.

    moved() is called when it has entered the bus, also when it has come back with another
    instance; name_taken(name) when another service has its name.
    """

    def __init__(
        self,
        config: BatteryConfig,
        whole: Config,
        broker: str,
        loop: Loop,
        link: mqtt_link.MqttLink,
        notifications: Notifications,
        settings_bus: settings.Connection,
        moved: Callable[[], None],
        name_taken: Callable[[str], None],
    ) -> None:
        self._config = config
        self._broker = broker
        self._loop = loop
        self._notifications = notifications
        self._settings_bus = settings_bus
        self._moved, self._name_taken = moved, name_taken
        self._service: dbus_service.BatteryService | None = None
        self._instance = config.instance
        self._settle_set = False
        self._write_prefix = ""
        self._batch_topic = f"{whole.mqtt.base_topic}/{config.ident}/set"
        self.battery = Battery(
            config,
            topic=f"{whole.mqtt.base_topic}/{config.ident}",
            publish_interval=whole.publish_interval,
            bus=self,
            client=link,
            timer=loop,
            store=self,
            monotonic=monotonic,
            access=whole.access,
            today=today,
        )
        self._persistence = SettingsPersistence(
            settings_bus, config, self.battery, self._take_instance, ready=self._enter_bus
        )

    def open(self) -> None:
        """Ask the settings service who we are, then enter the bus. Call it again when the service
        has come back.

        A second process with our ident must not even ask: it would change our instance.
        """
        name = dbus_service.PREFIX + self._config.ident
        if self._service is None and self._settings_bus.name_has_owner(name):
            self._name_taken(name)
        else:
            self._persistence.open()

    # --- what the battery needs of its surroundings ------------------------------------------

    def publish(self, changes: Mapping[str, Value]) -> None:
        """To D-Bus, in one signal. Before the service is there, its start values will do."""
        if self._service:
            self._service.publish(changes)
            self._notifications.on_changes(self, changes)

    def save(self, key: str, value: Value) -> None:
        """Keep a value over a restart."""
        self._persistence.save(key, value)

    @property
    def is_on_bus(self) -> bool:
        return self._service is not None

    @property
    def instance(self) -> int:
        return self._instance

    def catch_up(self, now: float) -> None:
        self.battery.catch_up(now)

    def all_values(self) -> dict[str, Value]:
        """Every path with its value, None where it has none."""
        return {
            **dict.fromkeys(self.battery.paths),
            **self.battery.values(),
            **self._identity(),
        }

    # --- what comes in -----------------------------------------------------------------------

    def topics(self, portal: str) -> list[str]:
        """What to subscribe to. Only our own topic while we do not know the portal id, or what
        our instance is: the configuration's may be another battery's."""
        is_known = bool(portal) and self._service is not None
        self._write_prefix = f"W/{portal}/battery/{self._instance}/" if is_known else ""
        instance = self._instance if self._service else None
        self.battery.identity.update(instance=instance, portal=portal or None)
        return [self._batch_topic, *([self._write_prefix + "#"] if is_known else [])]

    def knows(self, topic: str) -> bool:
        """Whether a W/ topic leads to a path of this battery. May be asked on any thread."""
        prefix = self._write_prefix
        return bool(prefix) and topic.startswith(prefix) and (
            topic[len(prefix) - 1 :] in self.battery.paths
        )

    def on_message(self, message: mqtt_link.Message, now: float) -> None:
        """A message that may be for this battery or for another one."""
        if message.topic == self._batch_topic:
            path = ""
        elif self._write_prefix and message.topic.startswith(self._write_prefix):
            path = message.topic[len(self._write_prefix) - 1 :]
        else:
            return
        if message.payload is None:
            self.battery.on_oversize(path, message.topic, message.size, now)
        elif path:
            self.battery.on_message(path, message.payload, message.topic, now)
        else:
            self.battery.on_batch(message.payload, message.topic, now)

    def _on_write(self, path: str, value: object) -> int:
        """A SetValue. Others of the same burst may wait behind it, so settle when it is quiet;
        where it never gets quiet, settle all the same."""
        code = self.battery.on_write(path, value, monotonic())
        if not self._settle_set:
            self._settle_set = True
            self._loop.when_quiet(self.settle)
            self._loop.call_in(_NEVER_QUIET, self.settle)
        return code

    def settle(self) -> None:
        self._settle_set = False
        self.battery.settle(monotonic())

    def on_tick(self, now: float) -> None:
        self._persistence.on_tick(now)
        self.battery.on_tick(now)

    def tell_again(self) -> None:
        self.battery.tell_again()

    # --- identity ----------------------------------------------------------------------------

    def _take_instance(self, instance: int) -> None:
        """Consumers read the instance once, when a service appears: leave and come back with it."""
        if instance == self._instance:
            return
        log.info("%s: instance %d", self._config.ident, instance)
        was_there = self._service is not None
        self.close()
        self._instance = instance
        if was_there:
            self._enter_bus()

    def _enter_bus(self) -> None:
        ident = self._config.ident
        self.battery.refresh(monotonic())
        service = dbus_service.BatteryService(
            ident, self.battery.paths, self.all_values(), guarded(self._on_write)
        )
        try:
            service.register()
        except dbus_service.NameTaken as taken:
            service.close()
            self._name_taken(str(taken))
            return
        self._service = service
        log.info("%s: on D-Bus as %s%s", ident, dbus_service.PREFIX, ident)
        self._moved()
        self._notifications.on_entered(self)

    def _identity(self) -> dict[str, Value]:
        return {
            "/Mgmt/ProcessName": "virtual-battery",
            "/Mgmt/ProcessVersion": __version__,
            "/Mgmt/Connection": f"MQTT {self._broker}",
            "/Mgmt/InsecureConnection": 1,
            "/DeviceInstance": self._instance,
            "/ProductId": PRODUCT_ID,
            "/ProductName": PRODUCT_NAME,
            "/FirmwareVersion": __version__,
            "/HardwareVersion": None,
            "/Serial": self._config.ident,
            "/Connected": 1,
        }

    def close(self) -> None:
        """Leave the bus."""
        if self._service:
            self._notifications.on_left(self)
            self._service.close()
            self._service = None
