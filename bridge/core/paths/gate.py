"""What a path may hold, who decides it, and the gate that every value passes on its way there."""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from bridge.core.model import Group, Refused, Value
from bridge.core.paths.payloads import EXPIRES
from bridge.core.text import did_you_mean


class Role(str, enum.Enum):
    """Who decides what a path holds."""

    IDENTITY = "identity"  # fixed at the start
    NAME = "name"  # the one identity that clients may write
    MEASUREMENT = "measurement"  # written by clients, or derived while no client writes it
    ALARM = "alarm"  # the worse one of what clients write and of our own alarm
    REQUEST = "request"  # written by clients to tighten; shows the decision
    SETTING = "setting"  # written by clients, within the ceilings; first from the configuration
    CEILING = "ceiling"  # read-only: only the configuration sets it
    DECISION = "decision"  # read-only: what was decided, and the state of the service
    PAGE = "page"  # which page of cells the GUI shows
    COMMAND = "command"  # writing it does something; it shows nothing


WRITABLE = frozenset(
    {
        Role.NAME,
        Role.MEASUREMENT,
        Role.ALARM,
        Role.REQUEST,
        Role.SETTING,
        Role.PAGE,
        Role.COMMAND,
    }
)


@dataclass(frozen=True)
class Quantity:
    """A kind of number (or text) with its unit, how finely it is shown, and in what words.

    decimals: values are rounded to it before they reach the bus, so that noise below it costs no
    signal. `text` is the D-Bus text, with {} for the rounded value.
    """

    kind: type
    unit: str = ""
    decimals: int = 0
    text: str = "{}"
    low: float = 0.0
    high: float = 0.0


# Ranges are ours: what no battery on a GX exceeds, so that a wrong unit is caught. 1500 V is where
# low voltage ends (EU directive 2014/35); s stay below 2^31, as Int32 on D-Bus; codes are 16 bits
# on Modbus. Decimals: at least as fine as Modbus TCP (dbus_modbustcp, attributes.csv): 1/100 V,
# 1/10 of A, Ah, % and °C. Cells are measured to 1 mV.
VOLT = Quantity(float, "V", 2, "{:.2f}V", 0, 1500)
CELL_VOLT = Quantity(float, "V", 3, "{:.3f}V", 0, 5)
AMP = Quantity(float, "A", 2, "{:.1f}A", -5000, 5000)
LIMIT_AMP = Quantity(float, "A", 1, "{:.1f}A", 0, 5000)
WATT = Quantity(float, "W", 0, "{:.0f}W", -1_000_000, 1_000_000)
AMP_HOUR = Quantity(float, "Ah", 1, "{:.1f}Ah", -1_000_000, 1_000_000)
KILOWATT_HOUR = Quantity(float, "kWh", 2, "{:.2f}kWh", 0, 10_000_000)
PERCENT = Quantity(float, "%", 1, "{:.1f}%", 0, 100)
DEVIATION = Quantity(float, "%", 1, "{:.1f}%", -100, 100)
CELSIUS = Quantity(float, "°C", 1, "{:.1f}°C", -60, 150)
SECONDS = Quantity(int, "s", 0, "{}s", 0, 2_000_000_000)
COUNT = Quantity(int, "", 0, "{}", 0, 1_000_000)
FLAG = Quantity(int, "", 0, "{}", 0, 1)
BLOCKERS = Quantity(int, "", 0, "{}", 0, 1_000_000)
"""How many block something. A client that knows only whether one does may say true or false."""
LEVEL = Quantity(int, "", 0, "{}", 0, 2)
CODE = Quantity(int, "", 0, "{}", 0, 65535)
TEXT = Quantity(str, "", 0, "{}", 0, 64)

LONGEST_NAME = 32  # characters, as in the GUI's editor


@dataclass(frozen=True)
class PathSpec:
    """One path: what it holds, who decides it, and who reads it.

    consumers: who reads it outside, one letter each: S systemcalc, G GUI, M Modbus TCP, P
    notifications, C community tools. Numbers are finite and within low…high, both included; for
    text, high is the longest length in characters.
    """

    path: str
    quantity: Quantity
    role: Role
    group: Group | None = None
    low: float = 0.0
    high: float = 0.0
    consumers: str = ""
    doc: str = ""

    @property
    def writable(self) -> bool:
        """Whether clients may write it at all."""
        return self.role in WRITABLE

    def coerce(self, value: object) -> Value:
        """The one gate to the bus: the value in this path's own type, or Refused.

        None passes, it means "no value". Whole floats pass as int, numeric text as a number,
        true and false as 1 and 0 of a flag or of what blocks, and as "alarm" and "OK" of an alarm.
        """
        if value is None:
            return None
        if self.quantity.kind is str:
            return self._coerce_text(value)
        number = self._number(value)
        if not self.low <= number <= self.high:
            raise Refused(f"{_short(number)} is outside {self._range()}{self._unit_hint(number)}")
        return self._typed(number)

    def show(self, value: Value) -> Value:
        """The value as it goes to the bus, rounded to what the path shows."""
        if isinstance(value, float):
            return round(value, self.quantity.decimals) + 0.0  # + 0.0 makes -0.0 plain 0.0
        return value

    def show_limit(self, value: float) -> float:
        """A limit as it goes to the bus: rounded down, so that it never permits more."""
        scale = 10.0**self.quantity.decimals
        return math.floor(value * scale + 1e-6) / scale

    def text(self, value: Value) -> str:
        """The D-Bus text of a value that has passed the gate."""
        return self.quantity.text.format(value)

    def _coerce_text(self, value: object) -> str:
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise Refused(_is_not("text", value))
        if not isinstance(value, str) and not abs(value) < 1e15:  # NaN, or too long to be printed
            raise Refused(f"{_short(value)} is not text")
        text = str(value)
        if len(text) > self.high:
            raise Refused(f"{len(text)} characters are more than {self.high:g}")
        if not text.isprintable():
            raise Refused("the text holds characters that cannot be shown")
        return text

    def _number(self, value: object) -> int | float:
        if isinstance(value, bool):
            return self._switch(value)
        if isinstance(value, str):
            return self._number_in(value)
        if not isinstance(value, (int, float)):
            raise Refused(_is_not("a number", value))
        if isinstance(value, float) and not math.isfinite(value):
            raise Refused(f"{value} is not a number to work with")
        return value

    def _number_in(self, text: str) -> int | float:
        word = text.strip()
        if word.lower() in _SWITCHES:
            return self._switch(_SWITCHES[word.lower()])
        if word.lower() in _NO_VALUE:
            raise Refused(f"{_short(word)} is no value, the last one stays")
        if len(word) > _LONGEST_NUMBER or not _NUMERIC.fullmatch(word):
            raise Refused(f"{_short(text)} {self._is_no_number(word)}")
        number = float(word)
        if not math.isfinite(number):
            raise Refused(f"{_short(text)} is not a number to work with")
        return number

    def _is_no_number(self, word: str) -> str:
        if self.quantity not in _SWITCHED:
            return "is not a number"
        return f"is not a number; {_USE[self.quantity]}{did_you_mean(word, _SWITCHES)}"

    def _switch(self, on: bool) -> int:
        if self.quantity in _SWITCHED:
            return _SWITCHED[self.quantity] if on else 0
        raise Refused(f"{'true' if on else 'false'} is not a number, and one is needed here")

    def _typed(self, number: int | float) -> Value:
        if self.quantity.kind is float:
            return float(number) + 0.0  # + 0.0 makes -0.0 plain 0.0
        if number != int(number):
            raise Refused(f"{number:g} is not a whole number")
        return int(number)

    def _range(self) -> str:
        return f"{self.low:g} to {self.high:g} {self.quantity.unit}".rstrip()

    def _unit_hint(self, number: int | float) -> str:
        """Publishers that count in millivolts are the usual reason for a voltage out of range.

        A voltage of less than a tenth of the range is not meant: 12 for a cell is no 0.012 V.
        """
        if self.quantity.unit == "V" and self.high * 100 <= number <= self.high * 1000:
            return f", is it in mV? Send {number / 1000:g}"
        return ""


def coerce_beside(spec: PathSpec, value: object, word: str) -> Value:
    """The value in the path's type, where a word may stand instead. Raises Refused.

    The refusal says when the word may be meant.
    """
    try:
        return spec.coerce(value)
    except Refused as refusal:
        hint = did_you_mean(value, (word,)) if isinstance(value, str) else ""
        raise Refused(f"{refusal}{hint}") from None


_NUMERIC = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?", re.ASCII)
_LONGEST_NUMBER = 40  # characters; the pattern's work grows with the square of their number
_SWITCHES = {"true": True, "on": True, "yes": True, "false": False, "off": False, "no": False}
_SWITCHED = {FLAG: 1, BLOCKERS: 1, LEVEL: 2}
"""What takes the words of _SWITCHES, and which number "on" is there."""
_USE = {
    FLAG: "use 0 or 1, true or false, ON or OFF",
    BLOCKERS: "use a number, true or false, ON or OFF",
    LEVEL: "use 0, 1 or 2, true or false, ON or OFF",
}
_NO_VALUE = frozenset({"unknown", "unavailable", "none", "null", "nan", "undefined", ""})


def _is_not(kind: str, value: object) -> str:
    """Why a value is not of this kind."""
    if isinstance(value, Mapping) and EXPIRES in value:
        return f"{_short(value)} is not {kind}: {EXPIRES} belongs to requests, send the value alone"
    return f"{_short(value)} is not {kind}"


def _short(value: object) -> str:
    """A value for a message, shortened to 40 characters."""
    try:
        text = value if isinstance(value, str) else repr(value)
    except (ValueError, RecursionError):  # an int of thousands of digits, a list of lists of …
        return f"this {type(value).__name__}"
    shown = text if len(text) <= 40 else text[:37] + "…"
    return repr(shown) if isinstance(value, str) else shown
