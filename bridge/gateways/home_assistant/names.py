"""The names of paths, for people."""

from __future__ import annotations

import re

_NAMES = {
    "/Dc/0/Voltage": "Voltage",
    "/Dc/0/Current": "Current",
    "/Dc/0/Power": "Power",
    "/Dc/0/Temperature": "Temperature",
    "/Dc/0/MidVoltage": "Midpoint voltage",
    "/Dc/0/MidVoltageDeviation": "Midpoint deviation",
    "/Dc/1/Voltage": "Auxiliary voltage",
    "/Soc": "State of charge",
    "/Soh": "State of health",
    "/Capacity": "Remaining capacity",
    "/ConsumedAmphours": "Consumed charge",
    "/State": "State",
    "/Io/AllowToCharge": "Charging allowed",
    "/Io/AllowToDischarge": "Discharging allowed",
    "/Io/AllowToBalance": "Balancing allowed",
    "/Io/AllowToHeat": "Heating allowed",
    "/Voltages/Sum": "Sum of cell voltages",
    "/Voltages/Diff": "Cell voltage difference",
    "/System/MOSTemperature": "MOSFET temperature",
    "/Alarms/Alarm": "Alarm",
    "/Info/BatteryLowVoltage": "Low voltage threshold",
    "/Freshness/Stage": "Freshness",
}

_SPELLED = {
    "Bms": "BMS",
    "Cv1": "CV1",
    "Cv2": "CV2",
    "Dv1": "DV1",
    "Dv2": "DV2",
    "Id": "ID",
    "Nr": "Number",
    "Soc": "SoC",
}

_PATTERNS = (
    (re.compile(r"/Voltages/Cell(\d+)"), r"Cell \1 voltage"),
    (re.compile(r"/Balances/Cell(\d+)"), r"Cell \1 balancing"),
)


def name_of(path: str) -> str:
    """The name of a path's entity: "State of charge", "Cell 7 voltage", "Low SoC alarm"."""
    if path in _NAMES:
        return _NAMES[path]
    for pattern, name in _PATTERNS:
        if pattern.fullmatch(path):
            return pattern.sub(name, path)
    _, first, *rest = path.split("/")
    words = _words(rest[-1] if rest else first)
    if first == "Alarms":
        return f"{words} alarm"
    if first == "History":
        return f"History {_lower(words)}"
    if first == "Settings":
        return f"{_words(rest[0])} {_lower(words)}"
    return words


def _words(camel: str) -> str:
    """MinCellVoltage → Min cell voltage; LowSoc → Low SoC; Cv1 → CV1."""
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z]*\d*|[a-z]+\d*|\d+", camel)
    parts = [_SPELLED.get(part, part.lower()) for part in parts]
    text = " ".join(parts)
    return text[:1].upper() + text[1:]


def _lower(words: str) -> str:
    """With a small first letter, unless the words begin with an abbreviation."""
    return words if words[1:2].isupper() else words[:1].lower() + words[1:]
