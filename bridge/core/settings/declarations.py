"""Every number that can be set, declared once: its unit, its range, its default, its meaning.

The configuration file, the runtime settings and the documentation are all made from these
dataclasses. A `Spec` stands in the metadata of each field; `fields_of` gives them back.

Where a default comes from stands above it. Sources are named as in presets.py; "ours" is our own
choice, and says why. Ranges are ours where nothing is said: wide, as the owner of the battery
writes the file, and only narrow enough to catch a wrong unit.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cache
from typing import Any

from bridge.core.model import Group

Table = tuple[tuple[float, float], ...]
"""Points (x, y), x rising. A taper's y is the share of the maximum, 0 to 1. Empty means off."""

NUMBER, CHOICE, TABLE, GROUPS, LEVELS, TIME, PATH, WINDOW = (
    "number", "choice", "table", "groups", "levels", "time", "path", "window"
)  # fmt: skip

Levels = tuple[float, float] | tuple[()]
"""Where a warning begins, and where an alarm does. Empty means off."""

Window = tuple[float, float]
"""The lowest and the highest value of a range, both included."""

FROM_PRESET = object()
"""Default of a setting that the chemistry preset supplies."""


@dataclass(frozen=True)
class Spec:
    """What may be written into one setting.

    unit: of the number, of a table's first column, or of levels; low, high: its range, both
    included. y_unit, y_low, y_high: the same for a table's second column. file_only: no client may
    change it, because a change could disarm a protection.
    """

    name: str
    kind: str
    doc: str
    unit: str = ""
    low: float = 0.0
    high: float = 0.0
    y_low: float = 0.0  # of a table's second column
    y_high: float = 1.0
    y_unit: str = ""
    falling: bool = False  # of levels: the alarm is below the warning
    choices: tuple[str, ...] = ()
    default: Any = FROM_PRESET
    file_only: bool = False


def _field(kind: str, doc: str, **more: Any) -> Any:
    return dataclasses.field(metadata={"kind": kind, "doc": doc, **more})


def _number(unit: str, low: float, high: float, doc: str, default: Any = FROM_PRESET) -> Any:
    return _field(NUMBER, doc, unit=unit, low=low, high=high, default=default)


def _cell(doc: str, default: Any = FROM_PRESET) -> Any:
    """A cell voltage in V.

    No lithium cell works below 1 V or above 4.5 V: Toshiba begins at 1.5, and Libre Solar's
    NMC of high voltage ends at 4.35.
    """
    return _number("V", 1.0, 4.5, doc, default)


def _amps(doc: str, default: Any = FROM_PRESET) -> Any:
    """A limit in A, 0 to 5000: ours, more than any battery on a GX."""
    return _number("A", 0.0, 5000.0, doc, default)


def _seconds(high: float, doc: str, default: float) -> Any:
    """A time in s, 0 to high."""
    return _number("s", 0.0, high, doc, default)


def _table(unit: str, low: float, high: float, doc: str, default: Any = FROM_PRESET) -> Any:
    """Points (x, share of the maximum from 0 to 1), x in the unit, low to high."""
    return _field(TABLE, doc, unit=unit, low=low, high=high, default=default)


def _months(unit: str, low: float, high: float, doc: str) -> Any:
    """Points (month from 1 to 12, value); each value holds until the next point."""
    more = {"y_low": low, "y_high": high, "y_unit": unit}
    return _field(TABLE, doc, unit="month", low=1, high=12, default=(), **more)


@dataclass(frozen=True, kw_only=True)
class LimiterSettings:
    """The settings of the limiter. Voltages are per cell."""

    charge_voltage: float = _cell("CVL per cell")
    min_charge_voltage: float = _cell("CVL never goes below this")
    max_cell_voltage: float = _cell("from the first cell here, CVL follows the pack voltage")
    cell_overvoltage: float = _cell("CCL is 0 A from the first cell here")
    cv1: float = _cell("from the first cell here, CCL is max_charge_current_above_cv1")
    cv2: float = _cell("from the first cell here, CCL is max_charge_current_above_cv2")
    max_charge_current: float = _amps("CCL when nothing limits")
    max_charge_current_above_cv1: float = _amps("CCL from cv1")
    max_charge_current_above_cv2: float = _amps("CCL from cv2")
    taper: str = _field(
        CHOICE,
        "CCL between cv1, cv2 and cell_overvoltage, DCL between dv1, dv2 and min_cell_voltage:"
        " in steps, or along straight lines",
        choices=("steps", "linear"),
        default="steps",
    )

    discharge_voltage: float = _cell("DCL is 0 A while the pack is at or below this, per cell")
    min_cell_voltage: float = _cell("DCL is 0 A from the first cell at or below this")
    # aggregate LFP: 0.1 V (MIN_CELL_HYSTERESIS); its example for LTO has 0.3 V.
    discharge_hysteresis: float = _number(
        "V", 0.0, 1.0, "DCL stays 0 A until the voltages are this much above their threshold", 0.1
    )
    max_discharge_current: float = _amps("DCL when nothing limits")
    dv1: float | None = _cell(
        "from the first cell here on downwards, DCL is max_discharge_current_below_dv1", None
    )
    dv2: float | None = _cell(
        "from the first cell here on downwards, DCL is max_discharge_current_below_dv2", None
    )
    max_discharge_current_below_dv1: float | None = _amps("DCL below dv1", None)
    max_discharge_current_below_dv2: float | None = _amps("DCL below dv2", None)

    charge_temperature: Table = _table("°C", -60, 120, "CCL over the coldest and the hottest place")
    discharge_temperature: Table = _table("°C", -60, 120, "DCL over the same places")
    mosfet_temperature: Table = _table(
        "°C", -60, 200, "CCL and DCL over the MOSFETs' temperature", ()
    )
    charge_soc: Table = _table("%", 0, 100, "CCL over SoC", ())
    discharge_soc: Table = _table("%", 0, 100, "DCL over SoC", ())
    imbalance: Table = _table("V", 0, 2, "CCL over the spread: highest less lowest cell", ())
    low_cell_charge: Table = _table("V", 0, 4.5, "CCL over the lowest cell")

    # serialbattery: CCL and DCL are held for 30 s.
    current_hold: float = _seconds(3600, "CCL and DCL wait this long before they rise", 30.0)
    # ours: 20 s from 0 to the maximum. serialbattery: 5 A/s, by its defaults 10 s.
    current_rise: float = _number(
        "1/s", 0.001, 1.0, "then they rise by this share of their maximum per second", 0.05
    )
    # serialbattery: 1.5 % of the maximum.
    current_release: float = _number(
        "", 0.0, 0.5, "from 0 A they rise only to at least this share of their maximum", 0.015
    )
    # serialbattery: CVL is held for 60 s.
    voltage_hold: float = _seconds(3600, "CVL waits this long before it rises", 60.0)
    # ours: 1 V in less than two minutes. serialbattery is ten times slower, 0.001 V/s. But CVL also
    # falls at this pace, to the failsafe voltage and in the SoC window: the 1.5 V from 3 % below
    # 3.45 V per cell to 3.25 V take 2.5 min. At 0.001 V/s, chargers that ignore CCL had 25 min.
    voltage_rise: float = _number(
        "V/s", 0.001, 1.0, "then CVL rises this fast, in V of the pack", 0.01
    )
    # ours: a BMS that blocks has a hysteresis of its own.
    block_release: float = _seconds(
        3600, "a block still holds this long after the BMS has ended it", 0.0
    )

    charge_voltage_by_month: Table = _months(
        "V", 1.0, 4.5, "charge_voltage by season: from this month until the next entry"
    )
    maintain_soc_by_month: Table = _months(
        "%", 0, 100, "by season, the SoC below which DCL is 0 A and a charge is requested"
    )
    # Cerbo GX manual, DVCC with ESS: a recharge begins 5 % below the minimum SoC.
    maintain_soc_hysteresis: float = _number(
        "%", 0, 50, "that ends when the SoC is this much higher", 5.0
    )

    absorption_voltage: float | None = _cell("CVL per cell in absorption; off: no absorption", None)
    # ours: there an LFP cell leaves its plateau (Libre Solar: 3.31 V at 95 %, 3.39 V at 100 %).
    absorption_soc: float = _number("%", 0, 100, "absorption begins at this SoC", 95.0)
    # dbus-aggregate-batteries (703864e): 30 min.
    absorption_time: float = _seconds(86400, "duration of absorption", 1800.0)
    # ours: once a day, whatever the clouds do. dbus-aggregate-batteries (703864e) waits for 6 h.
    absorption_pause: float = _seconds(
        90 * 86400, "absorption and balancing begin again after this time at the earliest", 43200.0
    )
    float_voltage: float | None = _cell("CVL per cell after absorption; off: charge_voltage", None)
    # ours: 5 % below absorption_soc, or a cloud would begin it again. serialbattery: 80 %.
    rebulk_soc: float = _number("%", 0, 100, "absorption and float end below this SoC", 90.0)

    charge_to_soc: float | None = _number("%", 20, 100, "charging ends at this SoC", None)
    # Cerbo GX manual, DVCC with ESS: a recharge begins 5 % below the minimum SoC.
    charge_to_soc_hysteresis: float = _number(
        "%", 0, 50, "charging goes on when the SoC is this much lower", 5.0
    )
    # ours: the same weekday. dbus-aggregate-batteries (703864e) balances every 10 days.
    full_charge_every: float = _number(
        "d", 0, 365, "days from one charge to full to the next, past charge_to_soc; 0: never", 14.0
    )
    full_charge_at: str | None = _field(
        TIME, "the time of day at which the full charge should be complete", default=None
    )
    # ours: the last 20 % at 0.1 C take two hours, and clouds double that.
    full_charge_hours: float = _number(
        "h", 0, 24, "the full charge begins this long before full_charge_at", 4.0
    )

    balancing_voltage: float | None = _cell("CVL per cell while balancing; off: no balancing", None)
    # ours: cells this far apart at the top differ by some percent of their charge.
    balancing_start: float = _number(
        "V", 0, 2, "balancing begins with this spread of the cells at the top of a charge", 0.05
    )
    # serialbattery: absorption ends when the cells are within 10 mV.
    balancing_spread: float = _number("V", 0, 2, "balancing ends with this spread", 0.01)
    # ours: a balancer of 0.1 A moves 0.2 Ah meanwhile. The rest waits for the next time.
    balancing_time: float = _seconds(86400, "or it ends after this time", 7200.0)

    # ours: what a thick cable loses at some hundred A. A wrong unit, such as mV, is refused.
    voltage_offset: float = _number(
        "V", -1, 1, "added to CVL (V of the pack), for the drop between charger and battery", 0.0
    )

    slide: str = _field(
        CHOICE,
        "on: while CCL is near 0 A and the battery is still charged, CVL falls slowly to the pack"
        " voltage",
        choices=("off", "on"),
        default="off",
    )


@dataclass(frozen=True, kw_only=True)
class FreshnessSettings:
    """When silence has effects. Seconds since the last valid write, on the monotonic clock."""

    required: tuple[Group, ...] = _field(
        GROUPS,
        "groups that must be fresh; without them the failsafe limits hold",
        default=("cells", "dc"),
    )
    # ours: as long as stale; the limits are 0 A meanwhile.
    grace: float = _seconds(3600, "after a start the battery waits for data this long", 60.0)
    # ours: a dozen readings of a BMS (serialbattery: most work well with 1 s) may be missed.
    aging: float = _seconds(86400, "older than this: no limit may rise", 15.0)
    # serialbattery: after 60 s without its BMS it blocks.
    stale: float = _seconds(86400, "older than this: the failsafe limits hold", 60.0)
    # Battery-Emulator sends its cells each 60 s; ours: two of three readings may be missed.
    single_cells: float = _seconds(
        86400, "single cells may be this old while both extremes are fresh", 180.0
    )
    # ours: a restart of a GX or of a broker should be over by then.
    lost: float = _seconds(86400, "older than this: on_lost decides", 600.0)
    on_lost: str = _field(
        CHOICE,
        "hold the failsafe limits; or withdraw all limits, and the GX reports a lost BMS",
        choices=("hold", "withdraw"),
        default="hold",
    )
    # ours: on a GX each change of an alarm is a notification and a beep.
    clear: float = _seconds(3600, "the alarm ends after this time with fresh data", 60.0)
    moves: str | None = _field(
        PATH, "a counter that must change, or the measurements are stale", default=None,
        file_only=True,
    )  # fmt: skip
    # ours: as long as stale.
    frozen: float = _field(
        NUMBER, "the counter may stay the same this long", unit="s", low=1.0, high=86400.0,
        default=60.0, file_only=True,
    )  # fmt: skip
    keep: tuple[Group, ...] = _field(
        GROUPS, "groups whose last values are still shown when they are stale", default=()
    )


@dataclass(frozen=True, kw_only=True)
class FailsafeSettings:
    """The limits while required measurements are stale. 0 A: unknown is never permission."""

    charge_voltage: float = _cell("CVL per cell while stale, or while waiting for data")
    charge_current: float = _amps("CCL while stale", 0.0)
    discharge_current: float = _amps("DCL while stale", 0.0)


LONGEST_EXPIRY = 7 * 86400.0  # s; ours: a client that is alive writes it again within a week


@dataclass(frozen=True, kw_only=True)
class RequestSettings:
    """What holds for all requests of clients."""

    # ours: a client that wants its requests to end says so.
    expire: float = _seconds(
        LONGEST_EXPIRY, "a request without an expiry of its own ends after this time; 0: never", 0.0
    )


@dataclass(frozen=True, kw_only=True)
class PlausibilitySettings:
    """How far a reading may be from the last one to be believed at once; 0: any distance."""

    # ours: a load of 2 C moves a cell of 0.2 mOhm (Lishen) by 0.08 V; old and cold ones by more.
    cell_voltage_step: float = _number(
        "V", 0, 5, "largest jump of a cell that is believed; of the pack: times the cells", 0.5
    )
    # ours: no cell heats by that between two readings, but a sensor with a bad contact jumps.
    temperature_step: float = _number("°C", 0, 200, "largest jump of a temperature", 30.0)
    # ours: a BMS that corrects its SoC at full or empty jumps by less, unless it was far off.
    soc_step: float = _number("%", 0, 100, "largest jump of the SoC", 30.0)
    # systemcalc corrects chargers each 3 s: no reading is left out for longer than one round.
    doubt: float = _seconds(
        60, "after this time without another reading, one in doubt counts where it tightens", 3.0
    )


def _levels(
    unit: str, low: float, high: float, doc: str, default: Any = FROM_PRESET, falling: bool = False
) -> Any:
    """[warning, alarm] in the unit, low to high."""
    more = {"unit": unit, "low": low, "high": high, "falling": falling, "default": default}
    return _field(LEVELS, doc, **more)


@dataclass(frozen=True, kw_only=True)
class AlarmSettings:
    """Where our own alarms begin, each [warning, alarm]. Voltages per cell."""

    high_cell_voltage: Levels = _levels("V", 1, 5, "the highest cell")
    low_cell_voltage: Levels = _levels("V", 0, 4.5, "the lowest cell", falling=True)
    high_voltage: Levels = _levels("V", 1, 5, "the pack, per cell")
    low_voltage: Levels = _levels("V", 0, 4.5, "the pack, per cell", falling=True)
    # ours: half of serialbattery's 20 and 10, so that a nearly empty battery beeps, not each night.
    low_soc: Levels = _levels("%", 0, 100, "the SoC", (10.0, 5.0), falling=True)
    high_charge_current: Levels = _levels("A", 0, 10000, "the current that charges")
    high_discharge_current: Levels = _levels("A", 0, 10000, "the current that discharges")
    low_charge_temperature: Levels = _levels("°C", -60, 120, "too cold to charge", falling=True)
    high_charge_temperature: Levels = _levels("°C", -60, 120, "too hot to charge")
    low_temperature: Levels = _levels("°C", -60, 120, "too cold to discharge", falling=True)
    # Victron: no discharge above 50 °C; and the end of our curves.
    high_temperature: Levels = _levels("°C", -60, 120, "too hot to discharge", (50.0, 55.0))
    # serialbattery: MOSFETs carry a quarter at 80 °C, and nothing at 90 °C.
    high_internal_temperature: Levels = _levels("°C", -60, 200, "the MOSFETs", (80.0, 90.0))
    # ours: about twice and three times what serialbattery calls imbalanced, 5 % of 3.2 V.
    cell_imbalance: Levels = _levels("V", 0, 5, "the spread of the cells", (0.3, 0.5))
    # ours: one cell of 16 left out is 6 %, one of 5 is 20 %.
    voltage_mismatch: Levels = _levels(
        "%", 0, 1000, "pack voltage against the sum of the cells", (5.0, 20.0)
    )
    # ours: a load that starts, or one wrong reading, is no alarm.
    delay: float = _seconds(3600, "a level counts when it has been reached for this long", 5.0)
    # ours: as for the alarm of freshness.
    clear: float = _seconds(86400, "and it ends when it has been left for this long", 60.0)


def _window(unit: str, low: float, high: float, doc: str) -> Any:
    """[lowest, highest] in the unit, low to high."""
    return _field(WINDOW, doc, unit=unit, low=low, high=high)


@dataclass(frozen=True, kw_only=True)
class Ceiling:
    """Ceilings: no write, setting or request gets past them. Only the file sets them."""

    charge_current: float = _amps("highest CCL ever")
    discharge_current: float = _amps("highest DCL ever")
    cell_voltage: float = _cell(
        "highest CVL ever, per cell; CCL is 0 A while a cell or V / N is here or above"
    )
    min_cell_voltage: float = _cell(
        "DCL is 0 A while a cell or V / N is here or below; no setting for the end of discharge is"
        " below this"
    )
    # From 0 V on, not from 1 V as other cell voltages: a cell may be at 0 V.
    dead_cell: float = _number("V", 0, 4.5, "CCL is 0 A while a cell or V / N is here or below")
    charge_temperature: Window = _window("°C", -60, 120, "CCL is 0 A outside")
    discharge_temperature: Window = _window("°C", -60, 120, "DCL is 0 A outside")
    # ours: five times the default of freshness.stale. A client may want more patience, but a
    # charger at 0.3 C fills a battery by only 2.5 % in that time.
    silence: float = _seconds(
        86400,
        "without a voltage younger than this, CCL is at most ceiling.failsafe.charge_current",
        300.0,
    )
    # ours: twice the default of freshness.grace, while DCL is not limited for lack of data.
    grace: float = _seconds(3600, "the longest freshness.grace that a client may set", 120.0)
    # ours: each of the two shows a full or an empty battery.
    required: tuple[Group, ...] = _field(
        GROUPS, "of these groups, clients must leave at least one required", default=("cells", "dc")
    )
    min_charge_voltage: float = _cell("the lowest min_charge_voltage that a client may set")
    # ours: three rounds of systemcalc, which corrects chargers each 3 s.
    doubt: float = _seconds(60, "the longest plausibility.doubt that a client may set", 10.0)
    failsafe: FailsafeSettings
    """The highest failsafe limits that a client may set."""


def minutes_of(time: str) -> int:
    """A time of day as minutes, 0 to 1439. time: in the form HH:MM."""
    hours, minutes = time.split(":")
    return int(hours) * 60 + int(minutes)


def fields_of(kind: type) -> tuple[Spec, ...]:
    """The specs of a settings dataclass, in order, without fields that are dataclasses."""
    return _specs(kind)


@cache
def _specs(kind: Any) -> tuple[Spec, ...]:
    return tuple(Spec(name=f.name, **f.metadata) for f in dataclasses.fields(kind) if f.metadata)
