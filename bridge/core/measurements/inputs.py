"""What the protections and the alarms depend on: each input declared once.

From an input's declaration follow its freshness, the plausibility of its readings, and what the
limiter gets. The inputs in use are those that a protection or an alarm names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from bridge.core.measurements.frozen_verdict import NOT_FROZEN, Frozen
from bridge.core.model import Group
from bridge.core.paths.table import CELL, CURRENT_PATH, MAX_CELL_PATH, MIN_CELL_PATH, VOLTAGE_PATH

R = TypeVar("R", covariant=True)
"""What an input's values become: its reading."""

Numbers = Mapping[str, float]
"""The numbers that are known now, by path: valid and not stale."""


@dataclass(frozen=True)
class Plausible:
    """How fast a value can change, and in which range its first reading is believed.

    step: the setting that says how far it may jump at once; rate: units per s beyond that.
    low, high: the range of a first reading. of_pack: the value is the sum over all cells, so step,
    rate and range are multiplied by the number of cells.
    """

    step: str
    rate: float
    low: float
    high: float
    of_pack: bool = False


@dataclass(frozen=True, eq=False)
class Input(Generic[R]):
    """One thing that can be measured, by one path or by several.

    name: in words, for reasons. paths: "{cell}" stands for the number of each cell. Of several
    paths, each one that was ever written must stay fresh: a working sensor does not replace one
    that fails. stand_ins: paths that together replace `paths` while these are not as fresh. widen:
    what such older values of `paths` make of a reading; they only tighten.
    read: the reading made of the known numbers, given the paths for each cell.
    plausible: None where every value is believed. may_be_silent: its silence has no effect.
    is_permission: it is what a BMS allows; its reading says in words why something is not allowed.
    jump: values of one path that differ by so much again and again are from two writers; in the
    path's unit, of a pack per cell; None where that does not matter.
    """

    name: str
    group: Group
    paths: tuple[str, ...]
    read: Callable[[Numbers, tuple[str, ...]], R]
    plausible: Plausible | None = None
    stand_ins: tuple[str, ...] = ()
    may_be_silent: bool = False
    is_permission: bool = False
    jump: float | None = None
    widen: Callable[[Any, list[float]], R] | None = None

    def __repr__(self) -> str:
        return self.name

    def paths_of(self, cells: int) -> tuple[str, ...]:
        """Its own paths in a battery of so many cells (1 to 256), without the stand-ins."""
        return tuple(
            path.replace(CELL, str(cell))
            for path in self.paths
            for cell in (range(1, cells + 1) if CELL in path else (0,))
        )

    def all_paths_of(self, cells: int) -> tuple[str, ...]:
        """Its own paths in a battery of so many cells, and the stand-ins."""
        return (*self.paths_of(cells), *self.stand_ins)


class Cells(NamedTuple):
    """The cell voltages in V, in order, None where unknown, with the written extremes if any."""

    voltages: tuple[float | None, ...] = ()
    lowest: float | None = None
    highest: float | None = None

    @property
    def known(self) -> list[float]:
        """All voltages that are known, the extremes included, in V."""
        return [v for v in (*self.voltages, self.lowest, self.highest) if v is not None]

    @property
    def is_whole(self) -> bool:
        """Whether something is known of every cell: all voltages, or both extremes."""
        extremes = self.lowest is not None and self.highest is not None
        return extremes or (bool(self.voltages) and None not in self.voltages)


class Temperatures(NamedTuple):
    """The coldest and the hottest place of the battery, in °C."""

    coldest: float
    hottest: float


@dataclass(frozen=True)
class Measurements:
    """What the limiter decides on. None is an unknown value, and never allows more.

    readings: by input; values older than stale are unknown. silent: inputs that were written once
    and are stale while the failsafe does not apply: a protection gives its smallest cap for them.
    doubt: which reading cannot be believed yet, in words; then nothing may loosen. frozen: what
    stands still although charge has moved. before_frame: the readings before the frame that is
    coming, for what compares voltages with each other; None while no frame is coming.
    half_counts: whether what half a frame shows counts meanwhile, without a hold.
    refused: the silent inputs of which values come but are refused, each with such a path.
    """

    readings: Mapping[Input[Any], Any]
    silent: frozenset[Input[Any]] = frozenset()
    doubt: str = ""
    frozen: Frozen = NOT_FROZEN
    before_frame: Mapping[Input[Any], Any] | None = None
    half_counts: bool = False
    refused: Mapping[Input[Any], str] = field(default_factory=dict)

    def changed_since(self, before: Measurements) -> set[Input[Any]]:
        """The inputs whose reading or silence has changed, or their reading before the frame."""
        changed: set[Input[Any]] = set()
        pairs = [(self.readings, before.readings)]
        if self.before_frame is not None or before.before_frame is not None:
            pairs.append(
                (self.before_frame or self.readings, before.before_frame or before.readings)
            )
        for readings, earlier in pairs:
            if readings is not earlier:
                for input_, reading in readings.items():
                    if reading is not earlier[input_] and reading != earlier[input_]:
                        changed.add(input_)
        if self.silent != before.silent:
            changed |= self.silent ^ before.silent
        if self.refused != before.refused:
            changed |= {*self.refused, *before.refused}
        return changed


def inputs_of(users: Iterable[Iterable[Input[Any]]]) -> tuple[Input[Any], ...]:
    """The inputs that are in use, each once, in a fixed order."""
    found = dict.fromkeys(input_ for inputs in users for input_ in inputs)
    return tuple(sorted(found, key=lambda input_: (list(Group).index(input_.group), input_.name)))


# --- how readings are made ---------------------------------------------------------------------


def only(path: str) -> Callable[[Numbers, tuple[str, ...]], float | None]:
    """The reading of an input that is the number of one path, in the path's unit."""
    return lambda numbers, _paths: numbers.get(path)


def _cells(numbers: Numbers, paths: tuple[str, ...]) -> Cells:
    lowest, highest = numbers.get(MIN_CELL_PATH), numbers.get(MAX_CELL_PATH)
    return Cells(tuple(map(numbers.get, paths)), lowest, highest)


def _widened(cells: Cells, older: list[float]) -> Cells:
    """The cells with extremes that hold older voltages of single cells (V) too."""
    known = [v for v in (cells.lowest, cells.highest, *older) if v is not None]
    return Cells(cells.voltages, min(known), max(known))


def _temperatures(numbers: Numbers, paths: tuple[str, ...]) -> Temperatures | None:
    degrees = [numbers[path] for path in paths if path in numbers]
    return Temperatures(min(degrees), max(degrees)) if degrees else None


class Flag(NamedTuple):
    """One path of a permission: the value at which it blocks (least, most), and in what words."""

    path: str
    least: float
    most: float
    words: str


def _blocking(flags: tuple[Flag, ...]) -> Callable[[Numbers, tuple[str, ...]], str]:
    """A reading in words: which flags block, "" for none. One flag is enough to block."""

    def read(numbers: Numbers, _paths: tuple[str, ...]) -> str:
        return ", ".join(
            flag.words.format(int(numbers[flag.path]))
            for flag in flags
            if flag.path in numbers and flag.least <= numbers[flag.path] <= flag.most
        )

    return read


def _permission(name: str, flags: tuple[Flag, ...]) -> Input[str]:
    paths = tuple(flag.path for flag in flags)
    return Input(name, Group.FLAGS, paths, _blocking(flags), is_permission=True, jump=1.0)


_MANY = float("inf")
_MOSFET_PATH = "/System/MOSTemperature"

# --- the inputs --------------------------------------------------------------------------------

# The rates are our choice, each above what can be:
# 0.01 V/s   at 1 C the steepest end of an NMC cell moves by 0.004 V/s, of an LFP cell by 0.002 V/s
#            (open-circuit voltages of Libre Solar's bms-firmware); a load step is `step`'s business
# 0.1 %/s    3.6 C; at 1 C the SoC moves by 0.028 %/s
# 0.1 °C/s   a cell of 202 Ah at 1 C heats by 0.002 °C/s (Lishen LP54173207: 0.2 mOhm, 3.95 kg)
# 1 °C/s     a transistor has little mass
# So are the first readings that are believed: 1 to 4.5 V as in the settings, -40 to 80 °C for a
# cell, as data sheets end at -35 and 60 °C, and 120 °C for transistors that are full at 90 °C.
#
# The jumps are our choice too: more than a load that pulses, or two sensors of different quality,
# can do to one path. 0.1 V is a load of 2 C on a cell with some age (see cell_voltage_step).
CELLS: Input[Cells] = Input(
    "the cell voltages",
    Group.CELLS,
    (f"/Voltages/Cell{CELL}",),
    _cells,
    Plausible("cell_voltage_step", rate=0.01, low=1.0, high=4.5),
    stand_ins=(MIN_CELL_PATH, MAX_CELL_PATH),
    widen=_widened,
    jump=0.1,
)
PACK_VOLTAGE: Input[float | None] = Input(
    "the pack voltage",
    Group.DC,
    (VOLTAGE_PATH,),
    only(VOLTAGE_PATH),
    Plausible("cell_voltage_step", rate=0.01, low=1.0, high=4.5, of_pack=True),
    jump=0.1,
)
PACK_CURRENT: Input[float | None] = Input(
    "the current", Group.DC, (CURRENT_PATH,), only(CURRENT_PATH), may_be_silent=True
)
SOC: Input[float | None] = Input(
    "the SoC",
    Group.SOC,
    ("/Soc",),
    only("/Soc"),
    Plausible("soc_step", rate=0.1, low=0.0, high=100.0),
    jump=5.0,
)
TEMPERATURE: Input[Temperatures | None] = Input(
    "the temperature",
    Group.TEMPERATURE,
    ("/Dc/0/Temperature", "/System/MinCellTemperature", "/System/MaxCellTemperature"),
    _temperatures,
    Plausible("temperature_step", rate=0.1, low=-40.0, high=80.0),
    jump=5.0,
)
MOSFET: Input[float | None] = Input(
    "the MOSFETs' temperature",
    Group.TEMPERATURE,
    (_MOSFET_PATH,),
    only(_MOSFET_PATH),
    Plausible("temperature_step", rate=1.0, low=-40.0, high=120.0),
    jump=10.0,
)
CHARGE_PERMISSION = _permission(
    "the permission to charge",
    (
        Flag("/Io/AllowToCharge", 0, 0, "the BMS does not allow charging"),
        Flag("/System/NrOfModulesBlockingCharge", 1, _MANY, "modules blocking charge: {}"),
    ),
)
DISCHARGE_PERMISSION = _permission(
    "the permission to discharge",
    (
        Flag("/Io/AllowToDischarge", 0, 0, "the BMS does not allow discharging"),
        Flag("/System/NrOfModulesBlockingDischarge", 1, _MANY, "modules blocking discharge: {}"),
    ),
)
