"""Readings that are hard to believe wait until the next one agrees.

A reading that is too far from the last one, for the time between them, is in doubt: it is not
shown, does not make its group any fresher, and until it is settled nothing may loosen.

    the next reading is near the last good one    it was a glitch, and forgotten
    the next reading is near the one in doubt     it was real, and taken
    no reading comes for `doubt` seconds          as far as it tightens, it counts

So one glitch of a BMS that speaks every second neither loosens a limit nor stops an inverter, and
a real jump is never ignored for longer than `doubt`. A reading that the gate refused (a cell at
12 V) has no value to count, but it leaves doubt about its path too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bridge.core.model import Refused, Value
from bridge.core.paths.table import MAX_CELL, MIN_CELL, VOLTAGE, cell_path
from bridge.core.settings.declarations import PlausibilitySettings

COPY = 0.5
"""Seconds. On a GX each write comes twice, by D-Bus and by MQTT; a copy confirms nothing."""


@dataclass(frozen=True)
class Kind:
    """How fast one kind of value really changes, and where its first reading is believed.

    step: the setting that says how far it may jump at once; rate: units per second beyond that.
    scale: how many cells it is the sum of.
    """

    step: str
    rate: float
    low: float
    high: float
    scale: int = 1


@dataclass(frozen=True)
class Doubt:
    """A reading in doubt, and when it came; None for one that the gate refused."""

    value: float | None
    at: float


# A load step moves a cell by its resistance at once; beyond that only a full or an empty one moves
# by millivolts per second. Sensors of temperature are slow, transistors are not.
_CELL = Kind("cell_voltage_step", rate=0.01, low=1.0, high=4.5)
_TEMPERATURE = Kind("temperature_step", rate=0.1, low=-40.0, high=80.0)
_MOSFET = Kind("temperature_step", rate=1.0, low=-40.0, high=120.0)
_SOC = Kind("soc_step", rate=0.1, low=0.0, high=100.0)


def kinds_of(cells: int) -> dict[str, Kind]:
    """What is looked at, by path: the numbers that the limiter's rules rest on."""
    pack = Kind(_CELL.step, _CELL.rate * cells, _CELL.low * cells, _CELL.high * cells, cells)
    return {
        **{cell_path(cell): _CELL for cell in range(1, cells + 1)},
        MIN_CELL: _CELL,
        MAX_CELL: _CELL,
        VOLTAGE: pack,
        "/Dc/0/Temperature": _TEMPERATURE,
        "/System/MinCellTemperature": _TEMPERATURE,
        "/System/MaxCellTemperature": _TEMPERATURE,
        "/System/MOSTemperature": _MOSFET,
        "/Soc": _SOC,
    }


class Plausibility:
    """The readings in doubt of one battery."""

    def __init__(self, cells: int) -> None:
        self._kinds = kinds_of(cells)
        self._doubts: dict[str, Doubt] = {}

    def check(
        self,
        path: str,
        value: Value,
        last: tuple[Value, float] | None,
        settings: PlausibilitySettings,
        now: float,
    ) -> None:
        """Let a reading pass that can be believed. Raises Refused for one that cannot yet.

        last: the last reading that was taken, and when; None if there was none.
        """
        kind = self._kinds.get(path)
        if kind is None or not isinstance(value, (int, float)):
            return
        if not self._is_sudden(kind, value, last, settings, now):
            self._doubts.pop(path, None)
            return
        before = self._doubts.get(path)
        agrees = (
            before is not None
            and before.value is not None
            and not self._is_sudden(kind, value, (before.value, before.at), settings, now)
        )
        if agrees and before is not None and now - before.at >= COPY:
            del self._doubts[path]
            return
        if not agrees:
            self._doubts[path] = Doubt(float(value), now)
        raise Refused(_why(value, last))

    def doubt(self, path: str, now: float) -> None:
        """A reading of this path was refused: what it really is, nobody knows."""
        if path in self._kinds:
            self._doubts.setdefault(path, Doubt(None, now))

    def words(self, now: float, forget: float) -> str:
        """What is in doubt, "" for nothing. Doubts older than `forget` s end by themselves: by
        then the reading that they are about is stale."""
        for path in [path for path, doubt in self._doubts.items() if now - doubt.at > forget]:
            del self._doubts[path]
        if not self._doubts:
            return ""
        first, others = next(iter(self._doubts))[1:], len(self._doubts) - 1
        return f"{first} is in doubt" + (f", and {others} more" if others else "")

    def counting(self, settings: PlausibilitySettings, now: float) -> Mapping[str, float]:
        """The readings in doubt that nobody has contradicted for long enough to count."""
        return {
            path: doubt.value
            for path, doubt in self._doubts.items()
            if doubt.value is not None and now - doubt.at >= settings.doubt
        }

    def _is_sudden(
        self,
        kind: Kind,
        value: float,
        last: tuple[Value, float] | None,
        settings: PlausibilitySettings,
        now: float,
    ) -> bool:
        step: float = getattr(settings, kind.step)
        if step == 0:
            return False
        if last is None or not isinstance(last[0], (int, float)):
            return not kind.low <= value <= kind.high
        allowed = step * kind.scale + kind.rate * max(0.0, now - last[1])
        return abs(value - last[0]) > allowed


def _why(value: float, last: tuple[Value, float] | None) -> str:
    after = "as a first reading" if last is None else f"after {last[0]:g}"
    return f"{value:g} {after} is hard to believe, it is taken when the next reading agrees"
