"""What one battery keeps over a restart: name, instance, what clients have set, the last full day.

The settings service keeps it. The service may be absent, late, silent, or killed before it has
written what it was sent: the battery runs all the same, and sends it again. The latest change
wins:

- A change by a client is newer than the service's value, until the service has stored the change.
- A name or instance that was changed in the configuration is newer than what was kept. To see such
  a change, the configuration's own name and instance are kept too.
- A change in the settings service itself, while the battery runs, is newer than both. It is a write
  by D-Bus like any other: it passes access, gate and log. What is refused is put back: the value in
  force is sent again. So is a change of what only the battery knows, such as the last full day.
- After a restart of the battery, the service's values win. After a restart of the service, the
  battery's values win, because the service may have lost the changes of the last seconds.

This file knows ports only. Times are monotonic seconds.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from functools import partial

from bridge.battery.battery import LAST_FULL_KEY, NAME_KEY, REQUESTS_KEY, SETTINGS_KEY
from bridge.core.model import Refused, Value
from bridge.core.paths.access import Access
from bridge.core.paths.gate import Role
from bridge.core.settings.configuration import MAX_INSTANCE, BatteryConfig
from bridge.core.settings.live import LONGEST_RECORD
from bridge.core.settings.save_queue import SaveQueue
from bridge.core.strict_json import NotJson, parse
from bridge.core.throttle import Throttle
from bridge.ports import PersistentBattery, SettingsService

log = logging.getLogger(__name__)

INSTANCE_KEY = "ClassAndVrmInstance"
FILE_KEY = "ConfiguredIdentity"
RETRY = 30.0  # s until a service that did not answer is asked again

# Changes in the settings service that are taken or refused: ours. A person makes some in a row; one
# of the instance takes the battery off the bus for a moment, and a flood would do so all the time.
CHANGES_AT_ONCE = 10
CHANGES_PER_SECOND = 0.2
SAY_AGAIN = 3600.0  # s until the same refusal is said again

_ROLES: Mapping[str, Role] = {
    NAME_KEY: Role.NAME,
    INSTANCE_KEY: Role.NAME,
    SETTINGS_KEY: Role.SETTING,
}
"""What others may change in the settings service, where D-Bus accepts it."""


class SettingsPersistence:
    """One battery's part of the settings service."""

    def __init__(
        self,
        service: SettingsService,
        config: BatteryConfig,
        battery: PersistentBattery,
        access: Access,
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
        self._access = access
        self._monotonic = monotonic
        self._on_instance = on_instance
        self._on_ready: Callable[[], None] | None = on_ready
        self._queue = SaveQueue()
        self._values: dict[str, str] = {}  # as the service has them, cut at LONGEST_RECORD
        self._known: dict[str, str] = {}  # what only the battery knows: what it has last saved
        self._instance = config.instance
        self._changes = Throttle(CHANGES_PER_SECOND, CHANGES_AT_ONCE)
        self._late: dict[str, None] = {}  # the keys of changes that wait for their turn, in order
        self._said: dict[str, tuple[str, float]] = {}  # by key: a refusal, and when it was said
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
        self._known[key] = str(value)
        self._queue.put(key, str(value))
        self._send()

    def on_tick(self, now: float) -> None:
        """Once a second: send what waits, and ask again if the service did not answer."""
        if now >= self._ask_again_at:
            self.open()
        for key in list(self._late):
            if self._changes.allows(now):
                del self._late[key]
                self._take_change(key)
        self._send()

    def on_changed(self, key: str, value: str) -> None:
        """Take a signal of the service: our own write, or a change by another client.

        While a request to a service that lost its file is open, the signal may be only the
        default; then only the answer counts.
        """
        value = _cut(value)
        is_news = self._values.get(key) != value
        self._values[key] = value
        if not is_news or not self._was_open or self._is_asking:
            return
        if key not in self._late and self._changes.allows(self._monotonic()):
            self._take_change(key)
        else:
            self._late[key] = None

    # --- what the service answers ------------------------------------------------------------

    def _on_opened(self, values: dict[str, str]) -> None:
        self._values = {key: _cut(value) for key, value in values.items()}
        self._is_open, self._is_asking = True, False
        self._ask_again_at = float("inf")
        if self._was_open:
            self._send_again()
            self._take_change(INSTANCE_KEY)
        else:
            self._was_open = True
            self._take_over()
        self._send()
        if not self._queue.is_pending(INSTANCE_KEY):
            self._be_ready()

    def _on_failed(self, reason: str) -> None:
        if not self._is_open and not self._was_open:
            log.warning("%s: the settings service %s", self._config.ident, reason)
        self._is_open = self._is_asking = False
        self._ask_again_at = self._monotonic() + RETRY
        self._be_ready()

    # --- what others have changed ------------------------------------------------------------

    def _take_change(self, key: str) -> None:
        """Take the service's value of a key, or put back the one in force.

        While a value of ours waits, or is under way, it is newer.
        """
        value = self._values.get(key, "")
        if self._queue.is_pending(key) or value == self._in_force(key):
            return
        try:
            self._take(key, value)
        except Refused as refusal:
            self._put_back(key, str(refusal))
        else:
            self._said.pop(key, None)
        self._battery.settle(self._monotonic())

    def _take(self, key: str, value: str) -> None:
        """Take a value as a write by D-Bus. Raises Refused."""
        if key not in _ROLES:
            raise Refused("only the bridge itself can write this")
        self._access.dbus.check(_ROLES[key])
        if key == INSTANCE_KEY:
            self._use_instance(checked_instance(value))
        elif key == NAME_KEY:
            self._battery.set_name(value)
            log.info("%s: the settings service has the name %s", self._config.ident, value)
        else:
            self._battery.replace_settings(value)

    def _put_back(self, key: str, reason: str) -> None:
        """Send the value in force again. Say why, once: somebody may try it all the time."""
        now = self._monotonic()
        said, said_at = self._said.get(key, ("", 0.0))
        if said != reason or now - said_at >= SAY_AGAIN:
            self._said[key] = (reason, now)
            self._battery.refuse("the settings service", key, self._values[key], reason)
        self._queue.put(key, self._in_force(key))
        self._send()

    def _in_force(self, key: str) -> str:
        """The value that holds, as the service keeps it."""
        if key == NAME_KEY:
            return self._battery.name
        if key == SETTINGS_KEY:
            return self._battery.settings_record()
        if key == INSTANCE_KEY:
            return f"battery:{self._instance}"
        return self._identity_in_file() if key == FILE_KEY else self._known.get(key, "")

    # --- the first answer, and those after a restart of the service ----------------------------

    def _take_over(self) -> None:
        """Take over the first answer since our start, except where something is newer."""
        at_last_start = _identity(self._values.get(FILE_KEY, ""))
        if at_last_start.get("name", self._config.name) != self._config.name:
            self._keep_unless_newer(NAME_KEY, self._config.name)
        else:
            self._take_kept(NAME_KEY, self._battery.set_name)
        if at_last_start.get("instance", self._config.instance) != self._config.instance:
            self._keep_unless_newer(INSTANCE_KEY, f"battery:{self._config.instance}")
        else:
            self._take_given_instance()
        self._keep_unless_newer(FILE_KEY, self._identity_in_file())
        self._take_kept(SETTINGS_KEY, self._battery.load_settings)
        for key, load in (
            (REQUESTS_KEY, self._battery.load_requests),
            (LAST_FULL_KEY, self._battery.load_last_full),
        ):
            self._known.setdefault(key, self._values.get(key, ""))
            load(self._values.get(key, ""))
        if self._queue.is_pending(SETTINGS_KEY):  # clients have set something before this answer
            self._queue.put(SETTINGS_KEY, self._battery.settings_record())
        self._battery.settle(self._monotonic())

    def _take_kept(self, key: str, take: Callable[[str], None]) -> None:
        """Take what was kept, unless a client has decided since, or no way in accepts it."""
        if key not in self._values or (key == NAME_KEY and self._queue.is_pending(key)):
            return
        try:
            if self._values[key] != self._in_force(key):
                self._access.check_kept(_ROLES[key])
            take(self._values[key])
        except Refused as refusal:
            self._put_back(key, str(refusal))

    def _send_again(self) -> None:
        """Send what the service lacks: it has restarted, and may have lost the last writes."""
        self._keep_unless_newer(NAME_KEY, self._battery.name)
        self._keep_unless_newer(SETTINGS_KEY, self._battery.settings_record())
        for key, value in self._known.items():
            if key not in _ROLES:
                self._keep_unless_newer(key, value)
        self._keep_unless_newer(FILE_KEY, self._identity_in_file())

    def _keep_unless_newer(self, key: str, value: str) -> None:
        """Send this value, unless the service has it already or a newer value waits."""
        if self._values.get(key) != value and not self._queue.is_pending(key):
            self._queue.put(key, value)

    def _identity_in_file(self) -> str:
        in_file = {"name": self._config.name, "instance": self._config.instance}
        return json.dumps(in_file, separators=(",", ":"), ensure_ascii=False)

    def _take_given_instance(self) -> None:
        """Take the instance that the service has given us; only it knows which ones are free."""
        if INSTANCE_KEY in self._values:
            try:
                self._use_instance(checked_instance(self._values[INSTANCE_KEY]))
            except Refused as refusal:
                self._put_back(INSTANCE_KEY, str(refusal))

    def _use_instance(self, instance: int) -> None:
        self._instance = instance
        self._on_instance(instance)

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
            self._take_given_instance()
            self._be_ready()
        self._send()

    def _on_not_kept(self, key: str, reason: str) -> None:
        log.warning("%s: %s is not kept, the settings service %s", self._config.ident, key, reason)
        self._queue.failed(key)
        self._on_failed(reason)


def checked_instance(class_and_instance: str) -> int:
    """The number in "battery:7". Raises Refused for another class, or beyond MAX_INSTANCE."""
    kind, _, number = class_and_instance.partition(":")
    is_number = number.isascii() and number.isdigit() and len(number) < 10
    if kind != "battery" or not is_number or int(number) > MAX_INSTANCE:
        raise Refused(f'not "battery:" and a number up to {MAX_INSTANCE}')
    return int(number)


def _cut(value: str) -> str:
    """A value that is too long for anything that is kept, cut: it is refused all the same."""
    return value[: LONGEST_RECORD + 1]


def _identity(text: str) -> dict[str, object]:
    """Name and instance of the configuration at the last start; empty where unknown."""
    try:
        content = parse(text)
    except NotJson:
        return {}
    return content if isinstance(content, dict) else {}
