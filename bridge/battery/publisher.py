"""What goes out: when a battery publishes, and what has changed since."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from bridge.battery.control import Assessment, Control
from bridge.battery.status import StatusPublisher
from bridge.core.model import Value
from bridge.core.outputs.alarms import Alarms
from bridge.core.outputs.bus_values import BusValues
from bridge.core.outputs.state_document import state_document
from bridge.core.paths.table import Paths
from bridge.ports import Bus, Timer

_BMS_CABLE = "/Alarms/BmsCable"

_SHORTEST = 0.001  # s; a timer with no time at all could come too early again and again


class Publisher:
    """Publishes one battery: a lone write and a tightening limit at once, many writes together.

    interval: s, for which writes that follow are gathered. constants: the values of the
    configuration, which a write may replace; `change_constant` changes one.
    """

    def __init__(
        self,
        control: Control,
        status: StatusPublisher,
        bus: Bus,
        timer: Timer,
        monotonic: Callable[[], float],
        paths: Paths,
        interval: float,
        constants: Mapping[str, Value],
        identity: Mapping[str, Value],
    ) -> None:
        self._control = control
        self._status = status
        self._bus, self._timer, self._monotonic = bus, timer, monotonic
        self._interval = interval
        self._identity = identity
        self._alarms = Alarms()
        self._values = BusValues(paths, control.config.cells)
        self._constants = dict(constants)
        self._written: dict[str, Value] = dict(constants)
        self._settings_shown: Mapping[str, Value] = {}
        self._has_writes = False
        self._may_tighten = False
        self._timer_set = self._frame_timer_set = False
        self._published_at = float("-inf")

    @property
    def values(self) -> Mapping[str, Value]:
        """What stands on the bus now; None or absent where a path is invalid."""
        return self._values.values

    def change_constant(self, path: str, value: Value) -> None:
        """Show another value on a path that has no measurement."""
        self._constants[path] = value
        if self._control.pack.on_display.get(path) is None:
            self._written[path] = value
        self._has_writes = True

    def on_write(self, *, may_tighten: bool) -> None:
        """Note a write. may_tighten: a limit depends on it."""
        self._has_writes = True
        self._may_tighten = self._may_tighten or may_tighten

    # --- when ----------------------------------------------------------------------------

    def settle(self, now: float) -> None:
        """After a burst of writes, publish what may not wait. now: monotonic s.

        A lone write and a tightening limit go out at once; other writes wait for the end of the
        interval.
        """
        if not self._has_writes:
            return
        since = max(0.0, now - self._published_at)
        if since >= self._interval:
            self._publish_writes(self._control.assess(now), now)
            return
        if self._may_tighten:
            self._may_tighten = False
            assessment = self._control.assess(now)
            if self._control.is_tighter(assessment):
                self._publish_writes(assessment, now)
                return
        if not self._timer_set:
            self._timer_set = True
            self._timer.call_in(self._interval - since, self._on_timer)

    def catch_up(self, now: float) -> None:
        """Publish at once what is still being gathered. now: monotonic s."""
        if self._has_writes:
            self._publish_writes(self._control.assess(now), now)

    def refresh(self, now: float) -> None:
        """Decide, and publish what has changed. now: monotonic s.

        This starts no interval: a lone write right after it is published at once.
        """
        self._publish(self._control.assess(now), now)

    def _on_timer(self) -> None:
        self._timer_set = False
        self.catch_up(self._monotonic())

    def _on_frame_timer(self) -> None:
        self._frame_timer_set = False
        self.refresh(self._monotonic())

    def _publish_writes(self, assessment: Assessment, now: float) -> None:
        self._publish(assessment, now)
        self._published_at = now

    # --- what ----------------------------------------------------------------------------

    def _publish(self, assessment: Assessment, now: float) -> None:
        """Commit this decision and publish what has changed, in at most one signal."""
        control, pack = self._control, assessment.pack
        freshness, decision = pack.freshness, assessment.decision
        self._status.transitions(control.last, assessment, now)
        control.commit(assessment)
        half_counts_at = pack.half_counts_at
        if half_counts_at is not None and not self._frame_timer_set:
            self._frame_timer_set = True
            self._timer.call_in(max(_SHORTEST, half_counts_at - now), self._on_frame_timer)
        config = control.config
        self._alarms.update(pack.measurements, config.alarms, config.cells, now)
        changes = self._values.update(
            self._newly_written(now),
            decision,
            freshness,
            {**self._alarms.levels, _BMS_CABLE: freshness.alarm},
            control.limiter,
            config.freshness.aging,
        )
        settings = control.settings.on_bus
        if settings is not self._settings_shown:
            self._settings_shown = settings
            changes.update(self._values.put(settings))
        if changes:
            self._bus.publish(changes)
        self._has_writes = self._may_tighten = False
        self._status.state(partial(self._state, assessment, now), now)
        self._status.settings(settings, control.settings.tree)

    def _newly_written(self, now: float) -> dict[str, Value]:
        """The written values that have changed since the last call.

        Where a measurement has gone, the constant of the configuration is shown again.
        """
        written, self._written = self._written, {}
        for path, value in self._control.pack.displayed(now).items():
            written[path] = self._constants.get(path) if value is None else value
        return written

    def _state(self, assessment: Assessment, now: float) -> dict[str, Any]:
        return state_document(
            self._values.values,
            assessment.decision,
            self._control.requests.in_force,
            assessment.pack.freshness,
            assessment.pack.measurements.doubt,
            self._control.limiter,
            self._identity,
            now,
        )
