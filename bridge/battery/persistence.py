"""What one battery keeps over a restart: its name, its instance, and what clients have set.

The settings service keeps it. It may be absent, late, silent, or killed before it has written what
it was told: the battery runs all the same, and tells it again. Who decided last is right:

- What clients decide while the battery runs is newer than what the service has, until it has it.
- A name or instance that the configuration says anew is newer than what was kept. For this the
  configuration's own name and instance are kept too.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable

from bridge.adapters.loop import guarded, monotonic
from bridge.adapters.settings import Connection, DeviceSettings, instance_of
from bridge.battery.battery import NAME_KEY, SETTINGS_KEY, Battery
from bridge.core.model import Value
from bridge.core.settings.configuration import BatteryConfig
from bridge.core.settings.save_queue import SaveQueue

log = logging.getLogger(__name__)

INSTANCE_KEY = "ClassAndVrmInstance"
FILE_KEY = "ConfiguredIdentity"
RETRY = 30.0  # seconds until a service that did not answer is asked again


class SettingsPersistence:
    """One battery's part of the settings service.

    ready() is called once, when it has answered or when it is known that it will not; then the
    battery may enter the bus. on_instance(number) is called whenever the instance is told.
    """

    def __init__(
        self,
        bus: Connection,
        config: BatteryConfig,
        battery: Battery,
        on_instance: Callable[[int], None],
        ready: Callable[[], None],
    ) -> None:
        self._config = config
        self._battery = battery
        self._on_instance = on_instance
        self._ready: Callable[[], None] | None = ready
        self._device = DeviceSettings(bus, config.ident, guarded(self._changed))
        self._queue = SaveQueue()
        self._values: dict[str, str] = {}
        self._is_open = False
        self._was_open = False
        self._is_asking = False
        self._ask_again_at = float("inf")

    def open(self) -> None:
        """Ask the service what it has kept: at the start, and each time that it appears."""
        if self._is_asking:
            return
        self._is_asking = True
        self._device.open(
            {
                NAME_KEY: self._config.name,
                INSTANCE_KEY: f"battery:{self._config.instance}",
                SETTINGS_KEY: "{}",
                FILE_KEY: "",
            },
            guarded(self._opened),
            guarded(self._absent),
        )

    def save(self, key: str, value: Value) -> None:
        """Keep a value, now or as soon as the service is there. Never waits."""
        self._queue.decide(key, str(value))
        self._send()

    def on_tick(self, now: float) -> None:
        """Once a second: what has waited, and a service that did not answer."""
        if now >= self._ask_again_at:
            self.open()
        self._send()

    # --- what the service says ---------------------------------------------------------------

    def _opened(self, values: dict[str, str]) -> None:
        self._values = values
        self._is_open, self._is_asking = True, False
        self._ask_again_at = float("inf")
        if self._was_open:
            self._tell_again()
        else:
            self._was_open = True
            self._load()
        self._send()
        if not self._queue.is_on_its_way(INSTANCE_KEY):
            self._take_instance()

    def _absent(self, why: str) -> None:
        if not self._is_open and not self._was_open:
            log.warning("%s: the settings service %s yet", self._config.ident, why)
        self._is_open = self._is_asking = False
        self._ask_again_at = monotonic() + RETRY
        self._be_ready()

    def _changed(self, key: str, value: str) -> None:
        """A signal: our own write, or somebody else's decision. While we ask it may also be a
        default that a service without memory falls back to; then only the answer counts."""
        is_news = self._values.get(key) != value
        self._values[key] = value
        if not is_news or not self._was_open or self._is_asking:
            return
        if key == INSTANCE_KEY:
            self._take_instance()
        elif self._queue.is_on_its_way(key):
            return
        elif key == NAME_KEY:
            self._battery.set_name(value)
        elif key == SETTINGS_KEY:
            self._battery.load_settings(value, newest=True)
        self._battery.settle(monotonic())

    def _load(self) -> None:
        """The first answer since our start."""
        before = _identity(self._values.get(FILE_KEY, ""))
        if before.get("name", self._config.name) != self._config.name:
            self._decide_first(NAME_KEY, self._config.name)
        elif NAME_KEY in self._values and not self._queue.is_on_its_way(NAME_KEY):
            self._battery.set_name(self._values[NAME_KEY])
        if before.get("instance", self._config.instance) != self._config.instance:
            self._decide_first(INSTANCE_KEY, f"battery:{self._config.instance}")
        self._decide_first(FILE_KEY, self._identity_in_file())
        self._battery.load_settings(self._values.get(SETTINGS_KEY, "{}"))
        if self._queue.is_on_its_way(SETTINGS_KEY):  # decided before the service came
            self._queue.decide(SETTINGS_KEY, self._battery.settings_record())
        self._battery.settle(monotonic())

    def _tell_again(self) -> None:
        """The service has come back, perhaps without what it was told last."""
        for key, value in self._known_here().items():
            self._decide_first(key, value)

    def _known_here(self) -> dict[str, str]:
        return {
            NAME_KEY: self._battery.name,
            SETTINGS_KEY: self._battery.settings_record(),
            FILE_KEY: self._identity_in_file(),
        }

    def _identity_in_file(self) -> str:
        in_file = {"name": self._config.name, "instance": self._config.instance}
        return json.dumps(in_file, separators=(",", ":"), ensure_ascii=False)

    def _decide_first(self, key: str, value: str) -> None:
        """Have this kept, unless the service has it, or a client has decided already."""
        if self._values.get(key) != value and not self._queue.is_on_its_way(key):
            self._queue.decide(key, value)

    def _take_instance(self) -> None:
        instance = instance_of(self._values.get(INSTANCE_KEY, ""))
        if instance is not None:
            self._on_instance(instance)
        self._be_ready()

    def _be_ready(self) -> None:
        if self._ready:
            ready, self._ready = self._ready, None
            ready()

    # --- what the service is told ------------------------------------------------------------

    def _send(self) -> None:
        if not self._is_open:
            return
        for key, value in self._queue.due(monotonic()).items():
            self._device.save(
                key, value, guarded(lambda key=key: self._kept(key)), guarded(self._fail(key))
            )

    def _kept(self, key: str) -> None:
        self._queue.kept(key)
        if key == INSTANCE_KEY:
            self._take_instance()
        self._send()

    def _fail(self, key: str) -> Callable[[str], None]:
        def failed(why: str) -> None:
            log.warning("%s: %s is not kept, the settings service %s", self._config.ident, key, why)
            self._queue.failed(key)
            self._absent(why)

        return failed


def _identity(text: str) -> dict[str, object]:
    """The configuration's identity at the last start; empty where nobody knows."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
