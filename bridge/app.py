"""Builds everything, once, and runs the main loop."""

from __future__ import annotations

import logging
import os
import signal
import time
from functools import partial
from typing import NoReturn

from bridge import __version__
from bridge.adapters import dbus_service, ending, health, log, memory, settings
from bridge.adapters.broker import INSECURE, Broker
from bridge.adapters.loop import Loop, guarded, monotonic, today, wall
from bridge.adapters.mqtt_link import MqttLink
from bridge.core.settings.configuration import Config
from bridge.core.throttle import Throttle
from bridge.gateways.home_assistant.publisher import discovery_of
from bridge.gateways.victron_mqtt.publisher import Notifications
from bridge.host import BatteryHost
from bridge.inbox import Inbox
from bridge.portal import SERIAL_PATH, SYSTEM_SERVICE, Answer, PortalFinder
from bridge.standstill import Standstill
from bridge.topics import bridge_status, each_message_counts

logger = logging.getLogger(__name__)

RAN, NO_BUS, NAME_TAKEN = 0, 1, 3
"""Exit statuses."""

DAY = 86400.0  # s
CATCH_UP = 0.3  # s; ours: after a suspension, a broker passes on what it held in less
WAITED_AT_MOST = 10.0  # s; ours: for a broker that does not confirm
CONNECT_WITHIN = 4.0  # s, also if not all topics are known; the settings service gets 3 s


def run(config: Config, broker: Broker, stop: ending.StopSignals) -> NoReturn:
    """Run until a signal to stop, then end the process."""
    outlet = log.start(config.log_level)
    ending.end_process_with_threads()
    try:
        dbus_service.use_main_loop()
        app = App(config, broker, outlet.last_resort())
        stop.on_stop(app.stop)
        status = app.run()
        ending.end_after(ending.LEAVE_WITHIN, status)
        app.leave()
    except dbus_service.NoBus as why:
        words = str(why)
        ending.end(NO_BUS, lambda: logger.error("%s", words))
    except Exception as problem:
        ending.end_process(problem)
    ending.end(status)


class App:
    """The main loop, one MQTT link, and all batteries."""

    def __init__(self, config: Config, broker: Broker, stacks_to: int = 2) -> None:
        """Make all parts; none of them runs yet. stacks_to: see Watchdog."""
        self._config = config
        self._status_topic = bridge_status(config.mqtt.base_topic)
        self._exit_status = RAN
        self._subscribed: list[str] = []
        self._connecting = False
        self._link_changes = Throttle(per_second=0.1, burst=20)
        self._is_insecure = broker.tls_insecure
        self._insecure_warnings = Throttle(per_second=1 / DAY, burst=1)
        self._watchdog = health.Watchdog(stacks_to=stacks_to)
        self._loop = Loop()
        self._listen_to_signals()  # they are handled once the loop runs
        self._link = MqttLink(
            broker,
            wake=lambda: self._loop.call_soon(self._on_mail),
            will=(self._status_topic, "offline"),
            is_queue=each_message_counts,
            is_known=lambda topic: self._inbox.is_known(topic),
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
                broker=str(broker),
                loop=self._loop,
                client=self._link,
                notifications=self._notifications,
                settings_bus=self._settings_bus,
                memory=_memory(config, battery.ident),
                monotonic=monotonic,
                today=today,
                wall=wall,
                note_running=lambda now: self._standstill.note(now),
                on_entered=self._subscribe,
                on_name_taken=self._on_name_taken,
                on_no_bus=self._on_no_bus,
            )
            for battery in config.batteries
        ]
        self._discoveries = [
            discovery_of(config, battery, self._link, host.battery, __version__)
            for battery, host in zip(config.batteries, self._batteries, strict=True)
        ]
        self._inbox = Inbox(self._batteries, self._notifications, self._discoveries)
        self._standstill = Standstill(monotonic(), self._on_standstill)
        self._stood_still_at = 0.0
        self._standstills_logged = Throttle(per_second=0.01, burst=5)
        self._portal = PortalFinder(config.mqtt.portal_id, self._ask_portal, self._on_portal)
        for host in self._batteries:
            host.set_portal(self._portal.portal)
            self._notifications.add(host)
        self._notifications.set_portal(self._portal.portal, monotonic())

    def run(self) -> int:
        """Run the loop until `stop`, or until another service has our name. Returns the status."""
        self._loop.call_every(1, self._on_tick)
        self._open()
        settings.watch_for(self._settings_bus, settings.SERVICE, guarded(self._open))
        self._subscribe()
        self._loop.call_in(CONNECT_WITHIN, self._connect)
        self._watchdog.start()
        self._on_tick()
        self._loop.run()
        return self._exit_status

    def stop(self) -> None:
        """End the loop soon. May be called from any thread."""
        self._loop.call_soon(self._loop.quit)

    def leave(self) -> None:
        """Leave the bus first, then the broker."""
        for battery in self._batteries:
            battery.close()
        self._notifications.close()
        self._link.publish(self._status_topic, "offline", retain=True)
        self._link.stop()

    def _open(self) -> None:
        """Called at the start, and each time that the settings service appears on D-Bus."""
        for battery in self._batteries:
            battery.open()

    # --- the loop's callbacks --------------------------------------------------------------

    def _on_tick(self) -> None:
        self._watchdog.beat()
        self._portal.look()
        now = monotonic()
        self._standstill.note(now)
        self._inbox.report_dropped(self._link.dropped, now)
        if self._is_insecure and self._insecure_warnings.allows(now):
            logger.warning(INSECURE)
        for battery in self._batteries:
            battery.on_tick(now)
        self._notifications.on_tick(now)
        for discovery in self._discoveries:
            if discovery.on_tick(now):
                self._subscribe()

    def _on_mail(self) -> None:
        now = monotonic()
        self._standstill.note(now)
        self._inbox.deliver(self._link.drain(), now)

    def _on_standstill(self, since: float, now: float) -> None:
        """What is queued may be as old as the standstill. Before it is read, all limits follow.

        The broker and the publishers may have stood still too (a suspended machine), so the end of
        the queues is asked for a moment later.
        """
        if self._standstills_logged.allows(now):
            logger.warning("the process stood still for %.0f s", now - since)
        self._link.mark_waited(since)
        for battery in self._batteries:
            battery.mark_waited(since)
            battery.on_tick(now)
        self._stood_still_at = now
        self._loop.call_in(CATCH_UP, partial(self._ask_end_of_waited, now))
        self._loop.call_in(WAITED_AT_MOST, partial(self._end_waited, now))

    def _end_waited(self, standstill: float) -> None:
        if standstill == self._stood_still_at:  # it was the last one
            self._link.end_waited()

    def _ask_end_of_waited(self, standstill: float) -> None:
        if standstill != self._stood_still_at:
            return  # the broker may still have to wake up from a later one
        self._link.ask_end_of_waited()
        for battery in self._batteries:
            battery.ask_end_of_waited()

    def _on_connected(self) -> None:
        now = monotonic()
        self._link.publish(self._status_topic, "online", retain=True)
        for battery in self._batteries:
            battery.publish_again()
        self._notifications.on_connected(now)
        for discovery in self._discoveries:
            discovery.on_connected(now)
        self._subscribe()

    def _on_link_state(self, connected: bool, words: str) -> None:
        """Called on paho's thread. Throttled: some brokers drop the connection every second."""
        if self._link_changes.allows(monotonic()):
            logger.log(logging.INFO if connected else logging.WARNING, "%s", words)
        if connected:
            self._loop.call_soon(self._on_connected)

    def _on_name_taken(self, name: str) -> None:
        logger.error("%s is on the bus already: another service has this ident", name)
        self._end(NAME_TAKEN)

    def _on_no_bus(self, why: str) -> None:
        logger.error("%s", why)
        self._end(NO_BUS)

    def _end(self, status: int) -> None:
        self._exit_status = status
        self._loop.call_in(0, self._loop.quit)  # the loop may not run yet

    # --- signals ---------------------------------------------------------------------------

    def _listen_to_signals(self) -> None:
        """Change the log's level at run time. `StopSignals` waits for those that end it."""
        self._loop.on_signal(signal.SIGUSR1, lambda: self._set_log_level("debug"))
        self._loop.on_signal(signal.SIGUSR2, lambda: self._set_log_level(self._config.log_level))

    def _set_log_level(self, level: str) -> None:
        log.set_level(level)
        logger.warning("the log is at level %s now", level)

    # --- portal and topics -----------------------------------------------------------------

    def _ask_portal(self, answer: Answer) -> None:
        settings.ask(self._settings_bus, SYSTEM_SERVICE, SERIAL_PATH, guarded(answer))

    def _on_portal(self, portal: str) -> None:
        for battery in self._batteries:
            battery.set_portal(portal)
        self._subscribe()
        self._notifications.set_portal(portal, monotonic())

    def _topics(self) -> list[str]:
        """What to subscribe to now. It changes with the portal id and the instances."""
        topics = [topic for battery in self._batteries for topic in battery.topics()]
        topics += self._notifications.topics()
        topics += [topic for discovery in self._discoveries for topic in discovery.topics()]
        return topics

    def _subscribe(self) -> None:
        """Subscribe to exactly our present topics. Connect as soon as all of them are known."""
        topics = self._topics()
        self._link.unsubscribe(topic for topic in self._subscribed if topic not in topics)
        self._link.subscribe(topics)
        self._subscribed = topics
        if self._portal.portal and all(battery.is_on_bus for battery in self._batteries):
            self._connect()

    def _connect(self) -> None:
        """Connect to the broker, once.

        This waits until our topics are known, so that "online" means that we are subscribed. After
        CONNECT_WITHIN it happens in any case: batches need no portal id.
        """
        if not self._connecting:
            self._connecting = True
            self._link.start()


def _memory(config: Config, ident: str) -> memory.MemoryFile | None:
    folder = memory.folder_of(config.memory, os.environ)
    return None if folder is None else memory.MemoryFile(folder, ident)
