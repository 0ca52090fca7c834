"""What stands on the bus: measurements, what follows from them, the decision, the alarms.

A value that was written comes before one that is derived. Levels of our own (alarms, the request
to be charged) are combined with what clients write: the worse one is shown. The limits and the
freshness always come from us.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from bridge.core.limiter.situation import LimiterConfig
from bridge.core.measurements.freshness import Freshness
from bridge.core.model import Decision, Group, Limit, Stage, Value
from bridge.core.outputs.derived import Derived, derived_values, of_decision
from bridge.core.paths.table import CCL_PATH, CVL_PATH, DCL_PATH, Paths, cell_path

# s; ages go to the bus in such steps, and only from `aging` on. Ours: no signal each second, and
# about as fast as anybody looks: systemcalc adjusts each 3 s (dvcc.py).
AGE_STEP = 5

_CHARGE_REQUEST = "/Info/ChargeRequest"
_LOW_VOLTAGE = "/Info/BatteryLowVoltage"
_AGE_PATHS = {group: f"/Freshness/{group.value.capitalize()}" for group in Group}
_NO_NEXT_STAGE: dict[str, Value] = {"/Freshness/NextStage": None, "/Freshness/NextStageIn": None}
_LIMIT_PATHS = (
    ("cvl", CVL_PATH, "/Info/ChargeVoltageLimitation"),
    ("ccl", CCL_PATH, "/Info/ChargeLimitation"),
    ("dcl", DCL_PATH, "/Info/DischargeLimitation"),
)
"""Where each limit stands, and the protection that holds it."""


class BusValues:
    """The values of all paths of one battery, kept up to date by what has changed.

    values: what stands on the bus, by path; None or absent where it is invalid.
    """

    def __init__(self, paths: Paths, cells: int) -> None:
        self.values: dict[str, Value] = {}
        self._paths = paths
        self._known: dict[str, Value] = {}
        self._derived: dict[str, Value] = {}
        self._own: Mapping[str, int] = {}
        self._decision: Decision | None = None
        self._config: LimiterConfig | None = None
        self._cell_page = {
            cell_path(cell): f"/Battery/1/Cell/{cell}/Voltage" for cell in range(1, cells + 1)
        }
        self._derived_from: dict[str, list[Derived]] = {}
        for one in derived_values(cells):
            for path in one.needs:
                self._derived_from.setdefault(path, []).append(one)

    def update(
        self,
        written: Mapping[str, Value],
        decision: Decision,
        freshness: Freshness,
        alarms: Mapping[str, int],
        config: LimiterConfig,
        aging: float,
    ) -> dict[str, Value]:
        """Take over what has changed. Returns the new values of the changed paths.

        written: the written values that have changed, None for one that is gone. alarms: the levels
        of our own alarms by path. aging: s; ages up to this are shown as 0.
        """
        touched = set(written)
        for path, value in written.items():
            if value is None:
                self._known.pop(path, None)
            else:
                self._known[path] = value
        derived = self._renewed(touched)
        derived.update(of_decision(decision, freshness.stage))
        for path, value in derived.items():
            if value != self._derived.get(path):
                self._derived[path] = value
                touched.add(path)
        touched.update(self._take_own(alarms, decision))
        news = self._resolved(touched)
        news.update(self._limits(decision, config))
        news.update(_freshness_values(freshness, aging))
        return self.put(news)

    def put(self, news: Mapping[str, Value]) -> dict[str, Value]:
        """Set these values. Returns those that have changed."""
        standing = self.values
        changes = {path: value for path, value in news.items() if value != standing.get(path)}
        standing.update(changes)
        return changes

    def _renewed(self, touched: set[str]) -> dict[str, Value]:
        """The values derived from these paths, rounded as shown; None if no longer derived."""
        renewed: dict[str, Value] = {}
        seen: list[Derived] = []
        for path in touched:
            for one in self._derived_from.get(path, ()):
                if one not in seen:
                    seen.append(one)
        for one in seen:
            found = one.of(self._known)
            for path in one.gives:
                value = found.get(path)
                renewed[path] = None if value is None else self._paths[path].show(value)
        return renewed

    def _take_own(self, alarms: Mapping[str, int], decision: Decision) -> Iterable[str]:
        """The paths of our own levels that have changed."""
        own = dict(alarms)
        if decision.charge_request is not None:
            own[_CHARGE_REQUEST] = decision.charge_request
        before, self._own = self._own, own
        return [path for path, _ in own.items() ^ before.items()]

    def _resolved(self, touched: Iterable[str]) -> dict[str, Value]:
        """The values of these paths by the order of precedence."""
        values: dict[str, Value] = {}
        for path in sorted(touched):  # the state topic lists them in this order
            value = self._known.get(path)
            if value is None:
                value = self._derived.get(path)
            if path in self._own:
                written = int(value) if isinstance(value, (int, float)) else 0
                value = max(self._own[path], written)
            values[path] = value
            if path in self._cell_page:
                values[self._cell_page[path]] = value
        return values

    def _limits(self, decision: Decision, config: LimiterConfig) -> dict[str, Value]:
        """The values of the decision; of the limits only those that have changed."""
        values: dict[str, Value] = {"/Info/ChargeMode": decision.charge_mode}
        before, self._decision = self._decision, decision
        for name, path, rule_path in _LIMIT_PATHS:
            limit: Limit = getattr(decision, name)
            last: Limit | None = getattr(before, name, None)
            if last is None or limit.value != last.value:
                shown = None if limit.value is None else self._paths[path].show_limit(limit.value)
                values[path] = shown
            values[rule_path] = limit.rule
        if config is not self._config:
            self._config = config
            low = config.limiter.discharge_voltage * config.cells
            values[_LOW_VOLTAGE] = self._paths[_LOW_VOLTAGE].show(low)
        return values


def _freshness_values(freshness: Freshness, aging: float) -> dict[str, Value]:
    """The stage, the ages (s) and the next stage; while fresh none, as each write would move it."""
    values: dict[str, Value] = {
        "/Freshness/Stage": freshness.stage.word,
        "/Freshness/Frozen": freshness.frozen or None,
        **_NO_NEXT_STAGE,
    }
    if (
        freshness.next_stage
        and freshness.next_in is not None
        and freshness.stage is not Stage.FRESH
    ):
        values["/Freshness/NextStage"] = freshness.next_stage.word
        values["/Freshness/NextStageIn"] = math.ceil(freshness.next_in / AGE_STEP) * AGE_STEP
    for group, path in _AGE_PATHS.items():
        age = freshness.ages.get(group, math.inf)
        if age <= aging:
            values[path] = 0  # a number that changes every second would cost a signal every second
        else:
            values[path] = None if math.isinf(age) else int(age // AGE_STEP) * AGE_STEP
    return values
