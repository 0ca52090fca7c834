"""One virtual battery: writes come in, the limiter decides, changes go out.

It knows ports, not libraries, and has no clock: the caller passes the time (monotonic seconds).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from bridge.battery.control import Control
from bridge.battery.intake import Intake, WriteHandler, gated
from bridge.battery.kept_requests import KeptRequests
from bridge.battery.publisher import Publisher
from bridge.battery.status import StatusPublisher
from bridge.core.model import CCL, CVL, DCL, Date, Refused, Value
from bridge.core.paths.access import ALL_OPEN, Access
from bridge.core.paths.gate import PathSpec, Role
from bridge.core.paths.table import CCL_PATH, CVL_PATH, DCL_PATH, path_table
from bridge.core.settings.configuration import BatteryConfig
from bridge.ports import Bus, Client, Memory, Store, Timer
from bridge.topics import BatteryTopics

log = logging.getLogger(__name__)

# What the store is asked to keep.
NAME_KEY, SETTINGS_KEY, LAST_FULL_KEY = "CustomName", "RemoteSettings", "LastFull"
REQUESTS_KEY = "Requests"
_NAME_PATH = "/CustomName"
_LIMIT_AT = {CVL_PATH: CVL, CCL_PATH: CCL, DCL_PATH: DCL}


class Battery:
    """One virtual battery.

    `on_message`, `on_batch` and `on_write` take writes; after a burst of them call `settle`.
    Call `on_tick` once a second, also when nothing has come.
    waited_since: from when the next write may be, if it has waited (monotonic s); else None.
    """

    def __init__(
        self,
        config: BatteryConfig,
        *,
        topics: BatteryTopics,
        publish_interval: float,
        bus: Bus,
        client: Client,
        timer: Timer,
        store: Store,
        monotonic: Callable[[], float],
        memory: Memory | None = None,
        wall: Callable[[], float | None] = lambda: None,
        access: Access = ALL_OPEN,
        today: Callable[[], Date | None] = lambda: None,
    ) -> None:
        """topics: of this battery. publish_interval: s to gather writes. monotonic: in seconds.

        memory: what survives a restart of the process; None: nothing does. wall: the wall clock in
        s, None while it is not set.
        """
        self.paths = path_table(config.cells)
        self.identity: dict[str, Value] = {"ident": config.ident, "name": config.name}
        self.waited_since: float | None = None
        self._ident = config.ident
        self._name = config.name
        self._kept_full: str | None = None  # None before the store has said what it has kept
        self._store = store
        self._monotonic = monotonic
        self._wall = wall
        self._kept_requests = KeptRequests(config.ident)
        self._status = StatusPublisher(config.ident, topics, client, self.paths)
        self._control = Control(config, self.paths, monotonic(), today, memory)
        self._publisher = Publisher(
            self._control,
            self._status,
            bus,
            timer,
            monotonic,
            self.paths,
            publish_interval,
            _constants(config),
            self.identity,
        )
        self._intake = Intake(
            self.paths,
            access,
            self._status,
            self._handlers(),
            self._change_settings,
            self._control.pack.note_unreadable,
        )

    # --- what comes in, and when it goes out (now: monotonic s) ------------------------------

    def on_message(self, path: str, payload: bytes, topic: str, now: float) -> None:
        """A write by MQTT to one path."""
        self._intake.on_message(path, payload, topic, now)

    def on_batch(self, payload: bytes, topic: str, now: float) -> None:
        """Many writes by MQTT in one JSON object."""
        self._intake.on_batch(payload, topic, now)

    def on_oversize(self, path: str, topic: str, size: int, now: float) -> None:
        """A write by MQTT with a payload that was too large to keep. size: bytes."""
        self._intake.on_oversize(path, topic, size, now)

    def on_write(self, path: str, value: object, now: float) -> int:
        """A write by D-Bus SetValue. Returns its code: 0 taken, 1 read-only, 2 refused."""
        return self._intake.on_write(path, value, now)

    def settle(self, now: float) -> None:
        """After a burst of writes: publish what may not wait."""
        self._publisher.settle(now)

    def catch_up(self, now: float) -> None:
        """Publish at once what still waits, before the values are read."""
        self._publisher.catch_up(now)

    def on_tick(self, now: float) -> None:
        """Once a second: ages, ramps, the failsafe, and the state topic."""
        for limit, request in self._control.requests.expire(now).items():
            log.info("%s: the request of %g for %s has expired", self._ident, request.value, limit)
        requests = self._kept_requests.due(self._control.requests.in_force, now, self._wall())
        if requests is not None:
            self._store.save(REQUESTS_KEY, requests)
        self._control.count_charge(now)
        self._publisher.refresh(now)
        if self._kept_full is not None and self.last_full not in ("", self._kept_full):
            self._kept_full = self.last_full
            self._store.save(LAST_FULL_KEY, self._kept_full)

    def refresh(self, now: float) -> None:
        """Decide and publish now, before the battery enters the bus, and keep it over a restart."""
        self._control.keep()
        self._publisher.refresh(now)

    def publish_again(self) -> None:
        """Publish state and settings again, although they have not changed."""
        self._status.again()

    def values(self) -> dict[str, Value]:
        """What stands on the bus now."""
        return dict(self._publisher.values)

    # --- what handles each role ----------------------------------------------------------

    def _handlers(self) -> Mapping[Role, WriteHandler]:
        return {
            Role.MEASUREMENT: self._measure,
            Role.ALARM: self._measure,
            Role.REQUEST: self._request,
            Role.NAME: gated(self._rename),
            Role.PAGE: gated(self._turn_page),
            Role.COMMAND: gated(self._forget),
        }

    def _measure(self, spec: PathSpec, raw: object, now: float) -> None:
        pack = self._control.pack
        pack.admit(spec, raw, pack.clients, now, self.waited_since)
        self._publisher.on_write(may_tighten=spec.path in pack.limiter_paths)

    def _request(self, spec: PathSpec, raw: object, now: float) -> None:
        control = self._control
        control.requests.take(_LIMIT_AT[spec.path], spec, raw, control.config.requests.expire, now)
        self._publisher.on_write(may_tighten=True)

    def _turn_page(self, path: str, value: Value, _now: float) -> None:
        self._publisher.change_constant(path, value)

    def _forget(self, _path: str, what: Value, now: float) -> None:
        """Forget a path or a group: its sensor is gone, or it was written by mistake.

        Raises Refused.
        """
        forgotten = self._control.pack.forget(str(what or ""), now)
        if not forgotten:
            raise Refused(f"nothing called {str(what or '')!r} was written: name a path or a group")
        log.info("%s: forgot %s", self._ident, ", ".join(forgotten))
        self._publisher.on_write(may_tighten=True)

    def _rename(self, _path: str, value: Value, _now: float) -> None:
        name = "" if value is None else str(value)
        if name != self._name:
            self.set_name(name)
            self._store.save(NAME_KEY, name)
        self._publisher.on_write(may_tighten=False)

    # --- what is kept over a restart -------------------------------------------------------

    @property
    def name(self) -> str:
        """The user's name for the battery."""
        return self._name

    def set_name(self, name: str) -> None:
        """Use this name: it was kept, or was changed in the settings service. Raises Refused."""
        self._name = self.identity["name"] = name = str(self.paths[_NAME_PATH].coerce(name))
        self._publisher.change_constant(_NAME_PATH, name)

    def _change_settings(self, writes: Mapping[str, object]) -> None:
        """Change settings together. Raises RefusedSettings, and then nothing has changed."""
        now = self._monotonic()
        news = self._control.change_settings(writes, now)
        if news:
            self._announce(news, now)
            self._store.save(SETTINGS_KEY, self.settings_record())

    def replace_settings(self, text: str) -> None:
        """Take a text of `settings_record` in place of all changes: somebody has written it.

        Raises Refused, and then nothing has changed.
        """
        now = self._monotonic()
        self._announce(self._control.replace_settings(text, now), now)
        if self.settings_record() != text:  # as we write it
            self._store.save(SETTINGS_KEY, self.settings_record())

    def _announce(self, news: list[str], now: float) -> None:
        """Log and publish settings that have changed."""
        self._status.settings_changed(news, now)
        self._publisher.on_write(may_tighten=True)

    def refuse(self, way: str, key: str, value: str, reason: str) -> None:
        """Publish and log that something was not taken which did not come as a write to a path."""
        self._status.refusal(way, key, value, reason, self._monotonic())

    def load_settings(self, kept: str) -> None:
        """Take over the settings that were kept."""
        unusable = self._control.load_settings(kept, self._monotonic())
        if unusable:
            words = "; ".join(unusable)
            log.warning("%s: kept settings that are not used: %s", self._ident, words)
        self._publisher.on_write(may_tighten=True)
        if self.settings_record() != (kept or "{}"):
            self._store.save(SETTINGS_KEY, self.settings_record())

    @property
    def last_full(self) -> str:
        """The day on which the battery was last full, as text; empty while it is unknown."""
        return self._control.last_full

    def load_requests(self, kept: str) -> None:
        """Take over the requests that were kept over a boot."""
        now = self._monotonic()
        self._control.load_requests(self._kept_requests.load(kept, now, self._wall()))
        self._publisher.on_write(may_tighten=True)

    def load_last_full(self, kept: str) -> None:
        """Take over the day that was kept over a restart. From now on each new day is saved."""
        self._control.load_last_full(kept, self._monotonic())
        self._kept_full = kept

    def settings_record(self) -> str:
        """The settings that differ from the configuration, as one text."""
        return self._control.settings.record()


def _constants(config: BatteryConfig) -> dict[str, Value]:
    """The values on the bus while no client writes to their paths."""
    return {
        _NAME_PATH: config.name,
        "/Battery/Request/Id": 1,
        "/InstalledCapacity": config.capacity,
        "/System/NrOfBatteries": 1,
        "/System/BatteriesParallel": 1,
        "/System/BatteriesSeries": 1,
        "/System/NrOfCellsPerBattery": config.cells,
        "/ErrorCode": 0,
    }
