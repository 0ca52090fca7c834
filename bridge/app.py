"""Builds everything, once, and runs the loop. Only here are things made with side effects."""

from __future__ import annotations

import logging
import re
import signal
import time
from pathlib import Path

from bridge import __version__
from bridge.adapters import dbus_service, health, log, mqtt_link, settings
from bridge.adapters.loop import Loop, guarded, monotonic
from bridge.core.paths.gate import sanitize_for_log
from bridge.core.settings.configuration import PORTAL_ID, Config
from bridge.core.throttle import Throttle
from bridge.gateways.home_assistant.publisher import discovery_of
from bridge.gateways.victron_mqtt.publisher import Notifications
from bridge.host import BatteryHost

logger = logging.getLogger(__name__)

UNIQUE_ID = Path("/data/venus/unique-id")
SYSTEM = "com.victronenergy.system"

RAN, NAME_TAKEN = 0, 3

_PATIENCE_FOR_TOPICS = 4.0  # s; the settings service has 3

_QUEUES = ("/set", "/keepalive", "/Serial")
"""Ends of topics on which each message counts, not only the newest."""


def run(config: Config, broker: mqtt_link.Broker) -> int:
    """Run until SIGTERM or SIGINT. Answers the exit status."""
    log.start(config.log_level)
    health.end_process_with_threads()
    dbus_service.use_main_loop()
    return App(config, broker).run()


class App:
    """The loop, one MQTT link, and the batteries on their buses."""

    def __init__(self, config: Config, broker: mqtt_link.Broker) -> None:
        self._config = config
        self._base = config.mqtt.base_topic
        self._portal = "" if config.mqtt.portal_id == "auto" else config.mqtt.portal_id
        self._portal_missed = False
        self._connecting = False
        self._retained_told: set[str] = set()
        self._dropped_told = 0
        self._drops_logged = Throttle(per_second=0.02, burst=5)
        self._link_told = Throttle(per_second=0.1, burst=20)
        self._topics: list[str] = []
        self._status = RAN
        self._loop = Loop()
        for number in (signal.SIGTERM, signal.SIGINT):  # from now on; served once the loop runs
            self._loop.on_signal(number, self._loop.quit)
        self._loop.on_signal(signal.SIGUSR1, lambda: self._set_log_level("debug"))
        self._loop.on_signal(signal.SIGUSR2, lambda: self._set_log_level(config.log_level))
        self._watchdog = health.Watchdog()
        self._link = mqtt_link.MqttLink(
            broker,
            ring=lambda: self._loop.ring(self._on_mail),
            will=(f"{self._base}/status", "offline"),
            is_queue=lambda topic: topic.endswith(_QUEUES),
            is_known=self._is_known,
            on_state=self._on_link_state,
        )
        self._notifications = Notifications(
            config.mqtt.notifications, self._link, resubscribe=self._subscribe, epoch=time.time
        )
        self._settings_bus = dbus_service.private_bus()
        self._batteries = [
            BatteryHost(
                battery,
                config,
                str(broker),
                self._loop,
                self._link,
                self._notifications,
                self._settings_bus,
                moved=self._subscribe,
                name_taken=self._on_name_taken,
            )
            for battery in config.batteries
        ]
        for battery in self._batteries:
            self._notifications.add(battery)
        self._notifications.set_portal(self._portal, monotonic())
        self._discoveries = [
            discovery_of(config, battery, self._link, wired.battery, __version__)
            for battery, wired in zip(config.batteries, self._batteries, strict=True)
        ]

    def run(self) -> int:
        """Serve until a signal ends it. Answers the exit status."""
        self._loop.every(1, self._on_tick)
        for battery in self._batteries:
            battery.open()
        settings.watch_for(self._settings_bus, settings.SERVICE, guarded(self._on_settings))
        self._subscribe()
        self._loop.call_in(_PATIENCE_FOR_TOPICS, self._connect)
        self._watchdog.start()
        self._on_tick()
        self._loop.run()
        self._leave()
        return self._status

    def _leave(self) -> None:
        for battery in self._batteries:
            battery.close()
        self._notifications.close()
        self._link.publish(f"{self._base}/status", "offline", retain=True)
        self._link.stop()

    # --- the loop's callbacks --------------------------------------------------------------

    def _on_tick(self) -> None:
        self._watchdog.beat()
        self._find_portal()
        self._tell_dropped()
        now = monotonic()
        for battery in self._batteries:
            battery.on_tick(now)
        self._notifications.on_tick(now)
        for discovery in self._discoveries:
            if discovery.on_tick(now):
                self._subscribe()

    def _on_mail(self) -> None:
        now = monotonic()
        for message in self._link.drain():
            topic, payload, _size, retained = message
            if topic.startswith("homeassistant/"):
                for discovery in self._discoveries:
                    discovery.on_message(topic, payload)
            elif self._notifications.on_message(topic, payload, retained, now):
                pass
            elif retained:
                self._ignore_retained(message.topic)
            else:
                for battery in self._batteries:
                    battery.on_message(message, now)
        for battery in self._batteries:
            battery.settle()
        self._notifications.settle(now)

    def _ignore_retained(self, topic: str) -> None:
        """A retained message carries no age: it may be a year old."""
        if topic not in self._retained_told and len(self._retained_told) < 100:
            self._retained_told.add(topic)
            words = "ignored the retained message on %s: nobody knows how old it is"
            logger.warning(words, sanitize_for_log(topic))

    def _tell_dropped(self) -> None:
        dropped = self._link.dropped - self._dropped_told
        if dropped and self._drops_logged.allows(monotonic()):
            self._dropped_told += dropped
            logger.warning("too many topics at once: %d messages were dropped", dropped)

    def _is_known(self, topic: str) -> bool:
        """On paho's thread: whether a topic is one of ours, not just below one of ours."""
        return not topic.startswith("W/") or any(
            battery.knows(topic) for battery in self._batteries
        )

    def _on_link_state(self, connected: bool, words: str) -> None:
        """On paho's thread. A broker that drops us at once does so each second."""
        if self._link_told.allows(monotonic()):
            logger.log(logging.INFO if connected else logging.WARNING, "%s", words)
        if connected:
            self._loop.ring(self._on_connected)

    def _on_connected(self) -> None:
        self._link.publish(f"{self._base}/status", "online", retain=True)
        for battery in self._batteries:
            battery.tell_again()
        self._notifications.on_connected(monotonic())
        for discovery in self._discoveries:
            discovery.on_connected(monotonic())
        self._subscribe()

    # --- who and where we are --------------------------------------------------------------

    def _set_log_level(self, level: str) -> None:
        log.start(level)
        logger.warning("the log is at level %s now", level)

    def _find_portal(self) -> None:
        """The portal id: from the configuration, the file of a GX, or the system service."""
        if self._portal:
            return
        if UNIQUE_ID.is_file():
            self._set_portal(UNIQUE_ID.read_text(encoding="ascii", errors="replace").strip())
            return
        settings.ask(self._settings_bus, SYSTEM, "/Serial", guarded(self._set_portal))
        if not self._portal_missed:
            self._portal_missed = True
            logger.info("asking %s for the portal id", SYSTEM)

    def _set_portal(self, portal: object) -> None:
        if not self._portal and isinstance(portal, str) and re.fullmatch(PORTAL_ID, portal):
            self._portal = str(portal)
            self._subscribe()
            self._notifications.set_portal(self._portal, monotonic())

    def _connect(self) -> None:
        """To the broker, once: when our topics are known, so that "online" means "we listen"; or
        without them, since batches and D-Bus need no portal id."""
        if not self._connecting:
            self._connecting = True
            self._link.start()

    def _on_settings(self) -> None:
        """The settings service has come, or come back: instances may have changed."""
        for battery in self._batteries:
            battery.open()

    def _on_name_taken(self, name: str) -> None:
        logger.error("%s is on the bus already: another service has this ident", name)
        self._status = NAME_TAKEN
        self._loop.call_in(0, self._loop.quit)  # it may not be running yet

    def _subscribe(self) -> None:
        """To the topics of all batteries as they are called now, and to no others."""
        topics = [topic for battery in self._batteries for topic in battery.topics(self._portal)]
        topics += self._notifications.topics()
        topics += [topic for discovery in self._discoveries for topic in discovery.topics()]
        self._link.unsubscribe(topic for topic in self._topics if topic not in topics)
        self._link.subscribe(topics)
        self._topics = topics
        if self._portal and all(battery.is_on_bus for battery in self._batteries):
            self._connect()
