"""One virtual battery: writes come in, the limiter decides, changes go out.

It knows ports, not libraries, and has no clock: whoever calls tells the time (monotonic seconds).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from bridge.battery.status import NO_SUCH_PATH, StatusPublisher
from bridge.core.limiter import (
    LimiterConfig,
    LimiterState,
    Outcome,
    Requests,
    decide,
    without_request,
)
from bridge.core.measurements.freshness import Freshness, FreshnessWatch
from bridge.core.measurements.plausibility import Plausibility
from bridge.core.measurements.store import MeasurementStore
from bridge.core.model import Date, Decision, Limit, Measurements, Refused, Request, Stage, Value
from bridge.core.outputs.alarms import Alarms
from bridge.core.outputs.bus_values import bus_values
from bridge.core.outputs.state_document import state_document
from bridge.core.paths.access import ALL_OPEN, Access, WriteAccess
from bridge.core.paths.gate import PathSpec, Role
from bridge.core.paths.payloads import NOTHING, decode_batch, decode_write
from bridge.core.paths.table import CCL_PATH, CVL_PATH, DCL_PATH, path_table
from bridge.core.settings.configuration import BatteryConfig
from bridge.core.settings.live import LiveSettings, RefusedSettings
from bridge.ports import Bus, Client, Store, Timer

log = logging.getLogger(__name__)

TAKEN, READ_ONLY, REFUSED = 0, 1, 2
"""SetValue's answers, as velib gives them."""

_REQUESTS = {CVL_PATH: "cvl", CCL_PATH: "ccl", DCL_PATH: "dcl"}
NAME_KEY, SETTINGS_KEY = "CustomName", "RemoteSettings"  # what the store is asked to keep
_BMS_CABLE = "/Alarms/BmsCable"


class Battery:
    """One virtual battery.

    `on_message`, `on_batch` and `on_write` take writes; after a burst of them call `settle`.
    Call `on_tick` once a second whether anything came or not.
    """

    def __init__(
        self,
        config: BatteryConfig,
        *,
        topic: str,
        publish_interval: float,
        bus: Bus,
        client: Client,
        timer: Timer,
        store: Store,
        monotonic: Callable[[], float],
        access: Access = ALL_OPEN,
        today: Callable[[], Date | None] = lambda: None,
    ) -> None:
        self._settings = LiveSettings(config)
        self._access = access
        self._interval = publish_interval
        self._bus, self._timer, self._store = bus, timer, store
        self._monotonic, self._today = monotonic, today
        started = monotonic()

        self.paths = path_table(config.cells)
        self.frame = _frame(config)
        self._status = StatusPublisher(config.ident, topic, client, self.paths)
        self._measurements = MeasurementStore(self.paths, config.cells)
        self._plausibility = Plausibility(config.cells)
        self._watch = FreshnessWatch(started)
        self._alarms = Alarms()
        self._requests = Requests()
        self._limiter_state = LimiterState()
        self._constants: dict[str, Value] = {
            "/CustomName": config.name,
            "/Battery/Request/Id": 1,
            "/InstalledCapacity": config.capacity,
            "/System/NrOfBatteries": 1,
            "/System/BatteriesParallel": 1,
            "/System/BatteriesSeries": 1,
            "/System/NrOfCellsPerBattery": config.cells,
            "/ErrorCode": 0,
        }
        self.identity: dict[str, Value] = {"ident": config.ident, "name": config.name}

        self._on_bus: dict[str, Value] = {}
        self._decision: Decision | None = None
        self._stage = Stage.WAITING
        self._pending = False
        self._pending_limits = False
        self._timer_set = False
        self._published_at = float("-inf")

    # --- writes --------------------------------------------------------------------------

    def on_message(self, path: str, payload: bytes, topic: str, now: float) -> None:
        """A write by MQTT to one path. An empty payload is nothing."""
        shown: object = payload[:60].decode("utf-8", "replace")
        try:
            value = decode_write(payload)
            if value is not NOTHING:
                shown = value
                self._take(path, value, self._access.mqtt, now)
        except Refused as refusal:
            self._status.refusal(topic, path, shown, str(refusal), now)

    def on_batch(self, payload: bytes, topic: str, now: float) -> None:
        """Many writes in one JSON object. What is wrong in it is refused, the rest is taken; but
        its settings are taken or refused together."""
        try:
            writes = decode_batch(payload)
        except Refused as refusal:
            shown = payload[:60].decode("utf-8", "replace")
            self._status.refusal(topic, "", shown, str(refusal), now)
            return
        settings: dict[str, object] = {}
        for path, value in writes if isinstance(writes, list) else []:
            try:
                spec = self._checked(path, self._access.mqtt)
                if spec.role is Role.SETTING:
                    settings[path] = value
                else:
                    self._admit(spec, value, now)
            except Refused as refusal:
                self._status.refusal(topic, path, value, str(refusal), now)
        try:
            if settings:
                self._change_settings(settings)
        except RefusedSettings as refused:
            for path, reason in refused.refusals:
                self._status.refusal(topic, path, settings[path], reason, now)

    def on_oversize(self, path: str, topic: str, size: int, now: float) -> None:
        """A message so large that it was not even kept."""
        self._status.refusal(topic, path, None, f"{size} bytes are too much", now)

    def on_write(self, path: str, value: object, now: float) -> int:
        """A write by D-Bus SetValue. Answers its return code: 0 taken, 1 read-only, 2 refused."""
        spec = self.paths.get(path)
        if spec is None or not spec.writable:
            return READ_ONLY
        try:
            self._take(path, value, self._access.dbus, now)
        except Refused as refusal:
            self._status.refusal("D-Bus", path, value, str(refusal), now)
            return REFUSED
        return TAKEN

    def _take(self, path: str, value: object, door: WriteAccess, now: float) -> None:
        """Check one write and store it. Raises Refused."""
        spec = self._checked(path, door)
        if spec.role is Role.SETTING:
            self._change_settings({path: value})
        else:
            self._admit(spec, value, now)

    def _checked(self, path: str, door: WriteAccess) -> PathSpec:
        """Whether this path may be written, and by this door. Raises Refused."""
        spec = self.paths.get(path)
        if spec is None:
            raise Refused(NO_SUCH_PATH)
        if not spec.writable:
            raise Refused("this path cannot be written")
        door.check(spec.role)
        return spec

    def _admit(self, spec: PathSpec, raw: object, now: float) -> None:
        """Store a value that passes the gate and can be believed. Raises Refused."""
        last = self._measurements.last(spec.path)
        try:
            value = spec.coerce(raw)
        except Refused:
            if last is not None:
                self._plausibility.doubt(spec.path, now)
            raise
        self._plausibility.check(spec.path, value, last, self._config.plausibility, now)
        self._store_value(spec, value, now)

    def _store_value(self, spec: PathSpec, value: Value, now: float) -> None:
        self._pending = True
        self._pending_limits = self._pending_limits or "L" in spec.consumers
        if spec.role is Role.REQUEST:
            self._request(spec.path, value, now)
        elif spec.role is Role.NAME:
            self._rename("" if value is None else str(value))
        elif spec.role is Role.PAGE:
            self._constants[spec.path] = value
        elif spec.role is Role.COMMAND:
            self._forget(value)
        else:
            self._measurements.write(spec, value, now)

    def _request(self, path: str, value: Value, now: float) -> None:
        name = _REQUESTS[path]
        request = Request(float(value), now) if isinstance(value, (int, float)) else None
        before: Request | None = getattr(self._requests, name)
        if before is not None and request is None:
            self._limiter_state = without_request(
                self._limiter_state, self.frame, name, before, now
            )
        self._requests = replace(self._requests, **{name: request})
        self._pending_limits = True

    def _forget(self, what: Value) -> None:
        """A sensor that is gone for good, or was written by mistake. Raises Refused."""
        forgotten = self._measurements.forget(str(what or ""))
        if not forgotten:
            raise Refused(f"nothing called {str(what or '')!r} was written: name a path or a group")
        log.info("%s: forgot %s", self._config.ident, ", ".join(forgotten))
        self._pending_limits = True

    def _rename(self, name: str) -> None:
        if name != self._constants["/CustomName"]:
            self.set_name(name)
            self._store.save(NAME_KEY, name)

    @property
    def name(self) -> str:
        """The user's name for it."""
        return str(self._constants["/CustomName"])

    def set_name(self, name: str) -> None:
        """The name as it was kept, or as it was changed in the settings."""
        self._constants["/CustomName"] = self.identity["name"] = name
        self._pending = True

    # --- settings ------------------------------------------------------------------------

    @property
    def _config(self) -> BatteryConfig:
        """The configuration with the settings in force."""
        return self._settings.in_force

    def _change_settings(self, writes: Mapping[str, object]) -> None:
        """Change settings together. Raises RefusedSettings, and then nothing has changed."""
        stale = self._config.freshness.stale
        news = self._settings.change(writes)
        if news:
            self._status.settings_changed(news, self._monotonic())
            self._apply_settings(stale)
            self._store.save(SETTINGS_KEY, self._settings.record())

    def load_settings(self, kept: str, *, newest: bool = False) -> None:
        """Take over the settings that were kept. `newest`: nothing decided here is newer."""
        stale = self._config.freshness.stale
        unusable = self._settings.load(kept, newest=newest)
        if unusable:
            words = "; ".join(unusable)
            log.warning("%s: not all kept settings are used: %s", self._config.ident, words)
        self._apply_settings(stale)
        if self._settings.record() != (kept or "{}"):
            self._store.save(SETTINGS_KEY, self._settings.record())

    def settings_record(self) -> str:
        """What must be kept of the settings."""
        return self._settings.record()

    def _apply_settings(self, stale: float) -> None:
        """stale: what it was. Longer times revive nothing that was stale already."""
        self._measurements.expire(self._monotonic(), stale)
        self.frame = _frame(self._config)
        self._pending = self._pending_limits = True

    # --- when to publish -----------------------------------------------------------------

    def settle(self, now: float) -> None:
        """After a burst of writes: a lone write and a tightening limit go out at once, the rest
        is gathered for the rest of the interval."""
        if not self._pending:
            return
        since = max(0.0, now - self._published_at)
        if since >= self._interval or self._would_tighten(now):
            self._publish_writes(now)
        elif not self._timer_set:
            self._timer_set = True
            self._timer.call_in(self._interval - since, self._on_timer)

    def _on_timer(self) -> None:
        self._timer_set = False
        self.catch_up(self._monotonic())

    def catch_up(self, now: float) -> None:
        """Publish at once what is still being gathered, because somebody is about to read."""
        if self._pending:
            self._publish_writes(now)

    def on_tick(self, now: float) -> None:
        """Once a second: ages, ramps, the failsafe, and the state topic. A lone write right after
        it need not wait: only writes make writes wait."""
        self.refresh(now)

    def _publish_writes(self, now: float) -> None:
        self.refresh(now)
        self._published_at = now

    def _would_tighten(self, now: float) -> bool:
        """Whether what has come since this was last asked tightens a limit."""
        if not self._pending_limits:
            return False
        self._pending_limits = False
        before = self._decision
        after = self._decide(self._assess(now), now).decision
        return (
            before is None
            or _is_tighter(after.cvl, before.cvl)
            or _is_tighter(after.ccl, before.ccl)
            or _is_tighter(after.dcl, before.dcl)
        )

    # --- deciding and publishing ---------------------------------------------------------

    def refresh(self, now: float) -> None:
        """Decide, and make known what has changed: at most one signal."""
        freshness = self._assess(now)
        outcome = self._decide(freshness, now)
        self._limiter_state = outcome.state
        self._status.transitions(self._stage, self._decision, freshness, outcome.decision, now)
        self._alarms.follow(
            self._measured(freshness, now), self._config.alarms, self._config.cells, now
        )
        self._decision, self._stage = outcome.decision, freshness.stage
        values = self._values(freshness, outcome.decision, now)
        values.update(self._settings.on_bus)
        before = self._on_bus
        changes = {path: value for path, value in values.items() if value != before.get(path)}
        gone = before.keys() - values.keys()
        changes.update((path, None) for path in gone if before[path] is not None)
        if changes:
            self._bus.publish(changes)
        self._on_bus = values
        self._pending = self._pending_limits = False
        self._status.state(lambda: self._report(values, freshness, now), now)
        self._status.settings(self._settings.on_bus, self._settings.tree)

    def values(self) -> dict[str, Value]:
        """What stands on the bus now."""
        return dict(self._on_bus)

    def _assess(self, now: float) -> Freshness:
        return self._watch.assess(self._measurements, self._config.freshness, now)

    def _decide(self, freshness: Freshness, now: float) -> Outcome:
        stale, silent = self._config.freshness.stale, freshness.silent
        instead = self._plausibility.counting(self._config.plausibility, now)
        measured = self._measured(freshness, now)
        return decide(
            measured,
            self.frame,
            self._requests,
            freshness.stage,
            self._limiter_state,
            now,
            self._today(),
            self._measurements.measurements(now, stale, silent, measured.doubt, instead)
            if instead
            else None,
        )

    def _measured(self, freshness: Freshness, now: float) -> Measurements:
        stale = self._config.freshness.stale
        doubt = self._plausibility.words(now, stale)
        return self._measurements.measurements(now, stale, freshness.silent, doubt)

    def _values(self, freshness: Freshness, decision: Decision, now: float) -> dict[str, Value]:
        settings = self._config.freshness
        written = dict(self._constants)
        written.update(self._measurements.shown(now, settings.stale, settings.keep))
        return bus_values(
            self.paths,
            written,
            {**self._alarms.levels, _BMS_CABLE: freshness.alarm},
            decision,
            freshness,
            self.frame,
            settings,
        )

    # --- telling -------------------------------------------------------------------------

    def _report(
        self, values: Mapping[str, Value], freshness: Freshness, now: float
    ) -> dict[str, Any]:
        assert self._decision is not None, "reported after a decision"
        return state_document(
            values, self._decision, self._requests, freshness, self.frame, self.identity, now
        )

    def tell_again(self) -> None:
        """The broker has just come, or come back."""
        self._status.again()


def _frame(config: BatteryConfig) -> LimiterConfig:
    return LimiterConfig(
        cells=config.cells,
        limiter=config.limiter,
        failsafe=config.failsafe,
        ceiling=config.ceiling,
        withdraw_when_lost=config.freshness.on_lost == "withdraw",
    )


def _is_tighter(new: Limit, old: Limit) -> bool:
    if new.value is None or old.value is None:
        return new.value is not old.value
    return new.value < old.value
