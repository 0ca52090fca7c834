"""The last valid value of every measurement, and how old it is.

Ages count from the last valid write, on the monotonic clock; a repeated equal value is a write.
A null takes the value off the display but is otherwise silence said aloud: the age runs on from
the last valid write, and nothing may loosen meanwhile.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

from bridge.core.model import Cells, Group, Input, Measurements, Value
from bridge.core.paths.gate import PathSpec
from bridge.core.paths.table import MAX_CELL, MIN_CELL, VOLTAGE, Paths, cell_path

NEVER = math.inf
_LONG_AGO = -math.inf
NO_VALUES: Mapping[str, float] = {}

_EXTREMES = (MIN_CELL, MAX_CELL)
_TEMPERATURES = ("/Dc/0/Temperature", "/System/MinCellTemperature", "/System/MaxCellTemperature")
_MOSFET = "/System/MOSTemperature"
_SOC = "/Soc"

Flag = tuple[str, Callable[[float], bool], str]

_CHARGE_FLAGS: tuple[Flag, ...] = (
    ("/Io/AllowToCharge", lambda value: value == 0, "the BMS does not allow charging"),
    ("/System/NrOfModulesBlockingCharge", lambda value: value > 0, "modules blocking charge: {}"),
)
_DISCHARGE_FLAGS: tuple[Flag, ...] = (
    ("/Io/AllowToDischarge", lambda value: value == 0, "the BMS does not allow discharging"),
    (
        "/System/NrOfModulesBlockingDischarge",
        lambda value: value > 0,
        "modules blocking discharge: {}",
    ),
)

_SOURCES: dict[Input, tuple[str, ...]] = {
    Input.VOLTAGE: (VOLTAGE,),
    Input.SOC: (_SOC,),
    Input.TEMPERATURE: _TEMPERATURES,
    Input.MOSFET: (_MOSFET,),
    Input.CHARGE_FLAGS: tuple(flag[0] for flag in _CHARGE_FLAGS),
    Input.DISCHARGE_FLAGS: tuple(flag[0] for flag in _DISCHARGE_FLAGS),
}
"""Where the limiter's inputs come from (the cells apart). Of several paths every one that was
ever written counts: a second sensor that died is not made good by the first."""

INPUTS: dict[Group, tuple[Input, ...]] = {
    Group.CELLS: (Input.CELLS,),
    Group.DC: (Input.VOLTAGE,),
    Group.SOC: (Input.SOC,),
    Group.TEMPERATURE: (Input.TEMPERATURE, Input.MOSFET),
    Group.FLAGS: (Input.CHARGE_FLAGS, Input.DISCHARGE_FLAGS),
}
"""The limiter's inputs by freshness group."""


class MeasurementStore:
    """Values in and values out. Every method takes the time; there is no clock here."""

    def __init__(self, paths: Paths, cells: int) -> None:
        self._values: dict[str, Value] = {}
        self._shown: dict[str, Value] = {}
        self._at: dict[str, float] = {}
        self._withdrawn: set[str] = set()
        self._resting: dict[Input, tuple[str, ...]] = {}
        self._cell_paths = tuple(cell_path(cell) for cell in range(1, cells + 1))
        self._groups = {path: spec.group for path, spec in paths.items()}

    def write(self, spec: PathSpec, value: Value, now: float) -> None:
        """Store a value that has passed the gate. None withdraws it from the display."""
        path = spec.path
        if value is None:
            if self._shown.pop(path, None) is not None:
                self._withdrawn.add(path)
            return
        is_first = path not in self._at
        self._values[path] = value
        self._shown[path] = spec.show(value)
        self._at[path] = now
        self._withdrawn.discard(path)
        if is_first:
            self._resting = {s: self._rests_on(s) for s in Input if self._is_written(s)}

    def last(self, path: str) -> tuple[Value, float] | None:
        """The last valid value and when it came; None if there was none."""
        at = self._at.get(path, _LONG_AGO)
        return None if at == _LONG_AGO else (self._values[path], at)

    def expire(self, now: float, stale: float) -> None:
        """Let what is older than `stale` never count again: only a new write makes it young."""
        for path, at in self._at.items():
            if now - at > stale:
                self._at[path] = _LONG_AGO

    def forget(self, what: str) -> list[str]:
        """As if it had never been written: one path, or all of a group. Answers which."""
        gone = [path for path in self._at if what in (path, path[1:], _name(self._groups[path]))]
        for path in gone:
            for known in (self._values, self._shown, self._at):
                known.pop(path, None)
            self._withdrawn.discard(path)
        self._resting = {s: self._rests_on(s) for s in Input if self._is_written(s)}
        return gone

    def age(self, path: str, now: float) -> float:
        """Seconds since the last valid write; infinite if there was none. Never negative."""
        at = self._at.get(path)
        return NEVER if at is None else max(0.0, now - at)

    def seen(self, source: Input) -> bool:
        """Whether anything of the input was ever written."""
        return source in self._resting

    def withdrawn(self, source: Input) -> bool:
        """Whether a value that the input rests on was taken back by a null."""
        return not self._withdrawn.isdisjoint(self._resting.get(source, ()))

    def input_age(self, source: Input, now: float) -> float:
        """The age of the oldest value that the limiter needs of the input; infinite while one is
        missing. So one dead BMS of two is noticed although the other one speaks, and a dead cell
        although somebody still tells the extremes."""
        return self._oldest(self._resting.get(source, ()), now)

    def shown(
        self, now: float, stale: float, keep: tuple[Group, ...]
    ) -> Iterator[tuple[str, Value]]:
        """What goes on display: values not older than stale, or of a group to keep, or of none."""
        for path, value in self._shown.items():
            group = self._groups[path]
            if group is None or now - self._at[path] <= stale or group in keep:
                yield path, value

    def fresh_value(self, path: str, now: float, stale: float) -> Value:
        """The value, or None where it is unknown or older than stale."""
        return self._values[path] if self.age(path, now) <= stale else None

    def measurements(
        self,
        now: float,
        stale: float,
        silent: frozenset[Input],
        doubt: str = "",
        instead: Mapping[str, float] = NO_VALUES,
    ) -> Measurements:
        """What the limiter may know now. Nothing older than stale is in it.

        doubt: which reading is in doubt; instead: values that stand in for the last valid ones.
        """

        def known(path: str) -> float | None:
            if path in instead:
                return instead[path]
            value = self.fresh_value(path, now, stale)
            return float(value) if isinstance(value, (int, float)) else None

        voltages = tuple(known(path) for path in self._cell_paths)
        cells = Cells(voltages, known(MIN_CELL), known(MAX_CELL))
        whole = None not in voltages or (cells.lowest is not None and cells.highest is not None)
        temperatures = [t for t in map(known, _TEMPERATURES) if t is not None]
        return Measurements(
            known=cells,
            cells=cells if whole else None,
            voltage=known(VOLTAGE),
            current=known("/Dc/0/Current"),
            soc=known(_SOC),
            coldest=min(temperatures, default=None),
            hottest=max(temperatures, default=None),
            mosfet=known(_MOSFET),
            charge_blocked_by=_blocked_by(_CHARGE_FLAGS, known),
            discharge_blocked_by=_blocked_by(_DISCHARGE_FLAGS, known),
            silent=silent,
            doubt=doubt,
        )

    def _oldest(self, paths: tuple[str, ...], now: float) -> float:
        """The greatest age of these; infinite without any, and where one is missing."""
        moments = [self._at[path] for path in paths if path in self._at]
        return max(0.0, now - min(moments)) if paths and len(moments) == len(paths) else NEVER

    def _is_written(self, source: Input) -> bool:
        return any(path in self._at for path in self._all_paths(source))

    def _rests_on(self, source: Input) -> tuple[str, ...]:
        """The paths whose ages make the input's age."""
        if source is not Input.CELLS:
            return tuple(path for path in _SOURCES[source] if path in self._at)
        by_extremes = all(path in self._at for path in _EXTREMES)
        by_cells = all(path in self._at for path in self._cell_paths)
        return self._cell_paths if by_cells or not by_extremes else _EXTREMES

    def _all_paths(self, source: Input) -> tuple[str, ...]:
        return (*self._cell_paths, *_EXTREMES) if source is Input.CELLS else _SOURCES[source]


def _name(group: Group | None) -> str:
    return "" if group is None else group.value


def _blocked_by(flags: tuple[Flag, ...], known: Callable[[str], float | None]) -> str:
    """What blocks, in words; several flags are combined by "or", each is named."""
    reasons = []
    for path, blocks, words in flags:
        value = known(path)
        if value is not None and blocks(value):
            reasons.append(words.format(int(value)))
    return ", ".join(reasons)
