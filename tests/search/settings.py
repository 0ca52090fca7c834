"""The settings in force, as the bus shows them, and the ceilings of the file."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from bridge.core.model import Value
from bridge.core.settings.configuration import BatteryConfig
from bridge.core.settings.setting_paths import SETTINGS


class InForce:
    """By section and name as in the configuration: `limiter.cv1`, `freshness.stale`."""

    def __init__(self, config: BatteryConfig) -> None:
        self.cells = config.cells
        self.ceiling: Any = config.ceiling
        self.file = config
        self.limiter: Any = None
        self.freshness: Any = None
        self.failsafe: Any = None
        self.plausibility: Any = None
        self.alarms: Any = None
        self._sections: dict[str, SimpleNamespace] = {}
        self._shown: dict[str, Value] = {}
        for section in dict.fromkeys(setting.section for setting in SETTINGS.values()):
            self._sections[section] = SimpleNamespace()
            setattr(self, section, self._sections[section])

    def read(self, on_bus: Mapping[str, Value]) -> None:
        """Read them again; only what is shown otherwise costs time."""
        for path, setting in SETTINGS.items():
            shown = on_bus.get(path)
            if path in self._shown and self._shown[path] == shown:
                continue
            self._shown[path] = shown
            value = None if shown is None else setting.read(shown)
            setattr(self._sections[setting.section], setting.spec.name, value)
        self._stay_below_ceilings()

    def _stay_below_ceilings(self) -> None:
        """A setting that is shown beyond its ceiling must have no effect beyond it."""
        ceiling, file = self.ceiling, self.file
        freshness, failsafe = self.freshness, self.failsafe
        freshness.stale = min(freshness.stale, max(ceiling.silence, file.freshness.stale))
        freshness.grace = min(freshness.grace, max(ceiling.grace, file.freshness.grace))
        for name in ("charge_voltage", "charge_current", "discharge_current"):
            most = getattr(ceiling.failsafe, name)
            setattr(failsafe, name, min(getattr(failsafe, name), most))
