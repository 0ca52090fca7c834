"""Values that follow from others, each published only while nobody writes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bridge.core.model import Decision, Stage, Value
from bridge.core.paths.table import CURRENT, MAX_CELL, MIN_CELL, VOLTAGE, cell_path

LONGEST_TIME_TO_GO = 864_000  # s, ten days, as real batteries say "for ever"
_IDLE = 0.05  # A; below it nobody discharges

_STATE = {Stage.WAITING: 0, Stage.STALE: 10, Stage.LOST: 10}
_RUNNING = 9


def derive(known: Mapping[str, Value], cells: int) -> dict[str, Value]:
    """All that follows from the values on display. What cannot be derived is left out.

    known: the fresh values by path. Power in W, capacities in Ah, times in s, voltages in V.
    """
    derived: dict[str, Value] = {}
    _power(known, derived)
    _charge(known, derived)
    _cells(known, derived, cells)
    _balancing(known, derived, cells)
    return derived


def derive_from_decision(decision: Decision, stage: Stage) -> dict[str, Value]:
    """What the decision says about permissions, and the stage about the battery's state."""
    online = int(stage in (Stage.FRESH, Stage.AGING))
    return {
        "/Io/AllowToCharge": _allows(decision.ccl.value),
        "/Io/AllowToDischarge": _allows(decision.dcl.value),
        "/State": _STATE.get(stage, _RUNNING),
        "/System/NrOfModulesOnline": online,
        "/System/NrOfModulesOffline": 1 - online,
    }


def _allows(limit: float | None) -> Value:
    return None if limit is None else int(limit > 0)


def _number(known: Mapping[str, Value], path: str) -> float | None:
    value = known.get(path)
    return float(value) if isinstance(value, (int, float)) else None


def _power(known: Mapping[str, Value], derived: dict[str, Value]) -> None:
    """P = V times I."""
    voltage, current = _number(known, VOLTAGE), _number(known, CURRENT)
    if voltage is not None and current is not None:
        derived["/Dc/0/Power"] = voltage * current


def _charge(known: Mapping[str, Value], derived: dict[str, Value]) -> None:
    """Ah left = SoC times installed Ah; consumed Ah is what is missing, as a negative number;
    time to go = Ah left over the discharge current, to the minute so that it does not flicker."""
    soc, installed = _number(known, "/Soc"), _number(known, "/InstalledCapacity")
    if soc is None or installed is None:
        return
    left = installed * soc / 100
    derived["/Capacity"] = left
    derived["/ConsumedAmphours"] = left - installed
    current = _number(known, CURRENT)
    if current is not None and current < -_IDLE:
        minutes = round(left / -current * 60)
        derived["/TimeToGo"] = min(minutes * 60, LONGEST_TIME_TO_GO)


def _cells(known: Mapping[str, Value], derived: dict[str, Value], cells: int) -> None:
    """Extremes with their names, sum and spread, from a pack of which every cell is known."""
    voltages = [_number(known, cell_path(cell)) for cell in range(1, cells + 1)]
    whole = [v for v in voltages if v is not None]
    if len(whole) == cells:
        lowest, highest = min(whole), max(whole)
        derived[MIN_CELL], derived[MAX_CELL] = lowest, highest
        derived["/System/MinVoltageCellId"] = f"C{whole.index(lowest) + 1}"
        derived["/System/MaxVoltageCellId"] = f"C{whole.index(highest) + 1}"
        derived["/Voltages/Sum"] = sum(whole)
        derived["/Voltages/Diff"] = highest - lowest
        return
    lowest_known, highest_known = _number(known, MIN_CELL), _number(known, MAX_CELL)
    if lowest_known is not None and highest_known is not None:
        derived["/Voltages/Diff"] = max(0.0, highest_known - lowest_known)


def _balancing(known: Mapping[str, Value], derived: dict[str, Value], cells: int) -> None:
    """1 while any cell is balanced, once anybody tells."""
    told = _told(known, (f"/Balances/Cell{cell}" for cell in range(1, cells + 1)))
    if told:
        derived["/Balancing"] = int(any(told))


def _told(known: Mapping[str, Value], paths: Iterable[str]) -> list[Value]:
    return [known[path] for path in paths if known.get(path) is not None]
