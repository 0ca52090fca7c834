"""One battery on its wires: its D-Bus service, its topics, its place in the settings."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import dbus.bus

from bridge import __version__
from bridge.adapters import dbus_service, mqtt_link, settings
from bridge.adapters.loop import Loop, guarded, monotonic
from bridge.battery import Battery
from bridge.core.configuration import BatteryConfig, Config
from bridge.core.model import Value
from bridge.notifications import Notifications

log = logging.getLogger(__name__)

PRODUCT_ID = 0xC065  # Victron's own id for a virtual battery: no consumer has a quirk for it
PRODUCT_NAME = "Virtual battery"

_INSTANCE = "ClassAndVrmInstance"
_NAME = "CustomName"
_NEVER_QUIET = 0.05  # s


class WiredBattery:
    """A battery that is on the bus from its construction until `close`.

    Raises dbus_service.NameTaken when another service has its name.
    """

    def __init__(
        self,
        config: BatteryConfig,
        whole: Config,
        broker: str,
        loop: Loop,
        link: mqtt_link.MqttLink,
        notifications: Notifications,
        settings_bus: dbus.bus.BusConnection,
    ) -> None:
        self._config = config
        self._broker = broker
        self._loop = loop
        self._notifications = notifications
        self._settings_bus = settings_bus
        self._settings: settings.BatterySettings | None = None
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
            doors=whole.doors,
        )
        self.read_settings()
        self.battery.refresh(monotonic())
        self._enter_bus()

    # --- what the battery needs of its surroundings ------------------------------------------

    def publish(self, changes: Mapping[str, Value]) -> None:
        """To D-Bus, in one signal. Before the service is there, its start values will do."""
        if self._service:
            self._service.publish(changes)
            self._notifications.on_changes(self, changes)

    def save(self, key: str, value: Value) -> None:
        """Keep a value over a restart, where there is a settings service."""
        if self._settings:
            self._settings.save(key, value)
        else:
            log.warning("%s: %s is not kept, there is no settings service", self._config.ident, key)

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
        """What to subscribe to. Without a portal id yet, only our own topic."""
        self._write_prefix = f"W/{portal}/battery/{self._instance}/" if portal else ""
        self.battery.identity.update(instance=self._instance, portal=portal or None)
        return [self._batch_topic, *([self._write_prefix + "#"] if portal else [])]

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
        self.battery.on_tick(now)

    def tell_again(self) -> None:
        self.battery.tell_again()

    # --- identity ----------------------------------------------------------------------------

    def read_settings(self) -> None:
        """The instance and the name as the settings service has them, if it is there."""
        ident = self._config.ident
        defaults = {_INSTANCE: f"battery:{self._config.instance}", _NAME: self._config.name}
        try:
            self._settings = settings.BatterySettings(
                self._settings_bus, ident, defaults, guarded(self._on_setting)
            )
        except settings.SettingsAbsent:
            log.warning("%s: no settings service yet, instance %d", ident, self._instance)
            return
        self.battery.set_name(str(self._settings[_NAME] or ""))
        self._take_instance(self._settings[_INSTANCE])

    def _on_setting(self, key: str, value: Value) -> None:
        if key == _NAME:
            self.battery.set_name(str(value or ""))
        elif key == _INSTANCE:
            self._take_instance(value)

    def _take_instance(self, setting: Value) -> None:
        """Consumers read the instance once, when a service appears: leave and come back with it."""
        instance = settings.instance_of(setting)
        if instance is None or instance == self._instance:
            return
        log.info("%s: instance %d", self._config.ident, instance)
        was_there = self._service is not None
        self.close()
        self._instance = instance
        if was_there:
            self._enter_bus()

    def _enter_bus(self) -> None:
        ident = self._config.ident
        self._service = dbus_service.BatteryService(
            ident, self.battery.paths, self.all_values(), guarded(self._on_write)
        )
        self._service.register()
        self._notifications.on_entered(self)
        log.info("%s: on D-Bus as %s%s", ident, dbus_service.PREFIX, ident)

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
