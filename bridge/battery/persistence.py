"""What one battery keeps over a restart: name, instance, what clients have set, the last full day.

The settings service keeps it. The service may be absent, late, silent, or killed before it has
written what it was sent: the battery runs all the same, and sends it again. The latest change
wins:

- A change by a client is newer than the service's value, until the service has stored the change.
- A name or instance that was changed in the configuration is newer than what was kept. To see such
  a change, the configuration's own name and instance are kept too.
- A change in the settings service itself, while the battery runs, is newer than both. The
  last full day is not taken from there: only the battery knows it.
- After a restart of the battery, the service's values win. After a restart of the service, the
  battery's values win, because the service may have lost the changes of the last seconds.

This file knows ports only. Times are monotonic seconds.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from functools import partial

from bridge.battery.battery import LAST_FULL_KEY, NAME_KEY, REQUESTS_KEY, SETTINGS_KEY
from bridge.core.model import Value
from bridge.core.settings.configuration import BatteryConfig
from bridge.core.settings.save_queue import SaveQueue
from bridge.core.strict_json import NotJson, parse
from bridge.ports import PersistentBattery, SettingsService

log = logging.getLogger(__name__)

INSTANCE_KEY = "ClassAndVrmInstance"
FILE_KEY = "ConfiguredIdentity"
RETRY = 30.0  # s until a service that did not answer is asked again


class SettingsPersistence:
    """One battery's part of the settings service."""

    def __init__(
        self,
        service: SettingsService,
        config: BatteryConfig,
        battery: PersistentBattery,
        monotonic: Callable[[], float],
        on_instance: Callable[[int], None],
        on_ready: Callable[[], None],
    ) -> None:
        """on_instance(number): called whenever the service says which instance is ours.

        on_ready(): called once, when the service has answered or has failed: then the battery may
        enter the bus.
        """
        self._service = service
        self._config = config
        self._battery = battery
        self._monotonic = monotonic
        self._on_instance = on_instance
        self._on_ready: Callable[[], None] | None = on_ready
        self._queue = SaveQueue()
        self._values: dict[str, str] = {}  # as the service has them
        self._is_open = False
        self._was_open = False
        self._is_asking = False
        self._ask_again_at = float("inf")

    def open(self) -> None:
        """Ask the service what it has kept: at the start, and each time that it appears."""
        if self._is_asking:
            return
        self._is_asking = True
        defaults = {
            NAME_KEY: self._config.name,
            INSTANCE_KEY: f"battery:{self._config.instance}",
            SETTINGS_KEY: "{}",
            LAST_FULL_KEY: "",
            REQUESTS_KEY: "",
            FILE_KEY: "",
        }
        self._service.open(defaults, self._on_opened, self._on_failed)

    def save(self, key: str, value: Value) -> None:
        """Keep a value, now or as soon as the service is there. Never waits."""
        self._queue.put(key, str(value))
        self._send()

    def on_tick(self, now: float) -> None:
        """Once a second: send what waits, and ask again if the service did not answer."""
        if now >= self._ask_again_at:
            self.open()
        self._send()

    def on_changed(self, key: str, value: str) -> None:
        """Take a signal of the service: our own write, or a change by another client.

        While a request to a service that lost its file is open, the signal may be only the
        default; then only the answer counts.
        """
        is_news = self._values.get(key) != value
        self._values[key] = value
        if is_news and self._was_open and not self._is_asking:
            self._take_change(key, value)

    # --- what the service answers ------------------------------------------------------------

    def _on_opened(self, values: dict[str, str]) -> None:
        self._values = values
        self._is_open, self._is_asking = True, False
        self._ask_again_at = float("inf")
        if self._was_open:
            self._send_again()
        else:
            self._was_open = True
            self._take_over()
        self._send()
        if not self._queue.is_pending(INSTANCE_KEY):
            self._take_instance()

    def _on_failed(self, reason: str) -> None:
        if not self._is_open and not self._was_open:
            log.warning("%s: the settings service %s", self._config.ident, reason)
        self._is_open = self._is_asking = False
        self._ask_again_at = self._monotonic() + RETRY
        self._be_ready()

    def _take_change(self, key: str, value: str) -> None:
        if key == INSTANCE_KEY:
            self._take_instance()
        elif self._queue.is_pending(key):
            return
        elif key == NAME_KEY:
            self._battery.set_name(value)
        elif key == SETTINGS_KEY:
            self._battery.load_settings(value, newest=True)
        self._battery.settle(self._monotonic())

    def _take_over(self) -> None:
        """Take over the first answer since our start, except where something is newer."""
        at_last_start = _identity(self._values.get(FILE_KEY, ""))
        if at_last_start.get("name", self._config.name) != self._config.name:
            self._keep_unless_newer(NAME_KEY, self._config.name)
        elif NAME_KEY in self._values and not self._queue.is_pending(NAME_KEY):
            self._battery.set_name(self._values[NAME_KEY])
        if at_last_start.get("instance", self._config.instance) != self._config.instance:
            self._keep_unless_newer(INSTANCE_KEY, f"battery:{self._config.instance}")
        self._keep_unless_newer(FILE_KEY, self._identity_in_file())
        self._battery.load_settings(self._values.get(SETTINGS_KEY, "{}"))
        self._battery.load_requests(self._values.get(REQUESTS_KEY, ""))
        self._battery.load_last_full(self._values.get(LAST_FULL_KEY, ""))
        if self._queue.is_pending(SETTINGS_KEY):  # clients have set something before this answer
            self._queue.put(SETTINGS_KEY, self._battery.settings_record())
        self._battery.settle(self._monotonic())

    def _send_again(self) -> None:
        """Send what the service lacks: it has restarted, and may have lost the last writes."""
        self._keep_unless_newer(NAME_KEY, self._battery.name)
        self._keep_unless_newer(SETTINGS_KEY, self._battery.settings_record())
        if self._battery.last_full:
            self._keep_unless_newer(LAST_FULL_KEY, self._battery.last_full)
        self._keep_unless_newer(FILE_KEY, self._identity_in_file())

    def _keep_unless_newer(self, key: str, value: str) -> None:
        """Send this value, unless the service has it already or a newer value waits."""
        if self._values.get(key) != value and not self._queue.is_pending(key):
            self._queue.put(key, value)

    def _identity_in_file(self) -> str:
        in_file = {"name": self._config.name, "instance": self._config.instance}
        return json.dumps(in_file, separators=(",", ":"), ensure_ascii=False)

    def _take_instance(self) -> None:
        instance = instance_of(self._values.get(INSTANCE_KEY, ""))
        if instance is not None:
            self._on_instance(instance)
        self._be_ready()

    def _be_ready(self) -> None:
        if self._on_ready:
            on_ready, self._on_ready = self._on_ready, None
            on_ready()

    # --- what the service is sent ------------------------------------------------------------

    def _send(self) -> None:
        if not self._is_open:
            return
        for key, value in self._queue.due(self._monotonic()).items():
            self._service.save(
                key, value, partial(self._on_kept, key), partial(self._on_not_kept, key)
            )

    def _on_kept(self, key: str) -> None:
        self._queue.kept(key)
        if key == INSTANCE_KEY:
            self._take_instance()
        self._send()

    def _on_not_kept(self, key: str, reason: str) -> None:
        log.warning("%s: %s is not kept, the settings service %s", self._config.ident, key, reason)
        self._queue.failed(key)
        self._on_failed(reason)


def instance_of(class_and_instance: str) -> int | None:
    """The number in "battery:7", 0 to 999 999 999; None when there is none."""
    _, _, number = class_and_instance.partition(":")
    return int(number) if number.isascii() and number.isdigit() and len(number) < 10 else None


def _identity(text: str) -> dict[str, object]:
    """Name and instance of the configuration at the last start; empty where unknown."""
    try:
        content = parse(text)
    except NotJson:
        return {}
    return content if isinstance(content, dict) else {}
