"""Values that follow from others, each published only while no client writes it.

Each names the paths that it needs, so that a write renews only what depends on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bridge.core.model import Decision, Stage, Value
from bridge.core.paths.table import (
    CURRENT_PATH,
    MAX_CELL_PATH,
    MIN_CELL_PATH,
    VOLTAGE_PATH,
    cell_path,
)

# s, ten days: Victron's "for ever", as a Lynx Smart BMS says it (venus-docker, lynxbms0.csv).
LONGEST_TIME_TO_GO = 864_000
# A; ours: the BMV-702's manual calls -0.05 A noise, and sets the threshold to 0.1 A.
_IDLE = 0.05

# As the GUI reads them (gui-v2, PageBattery.qml): 0 to 8 initializing, 9 running, 10 error.
_STATE = {Stage.WAITING: 0, Stage.STALE: 10, Stage.LOST: 10}
_RUNNING = 9

_SOC, _INSTALLED = "/Soc", "/InstalledCapacity"

Known = Mapping[str, Value]
"""The values on display by path: V, A, %, Ah."""


@dataclass(frozen=True)
class Derived:
    """One or several values that follow from others.

    needs, gives: paths. of: the values by path, of what is known; what cannot be derived is left
    out.
    """

    needs: tuple[str, ...]
    gives: tuple[str, ...]
    of: Callable[[Known], dict[str, Value]]


def derived_values(cells: int) -> tuple[Derived, ...]:
    """Everything that is derived for a battery of so many cells (1 to 256)."""
    voltages = tuple(cell_path(cell) for cell in range(1, cells + 1))
    balances = tuple(f"/Balances/Cell{cell}" for cell in range(1, cells + 1))
    return (
        Derived((VOLTAGE_PATH, CURRENT_PATH), ("/Dc/0/Power",), _power),
        Derived((_SOC, _INSTALLED), ("/Capacity", "/ConsumedAmphours"), _charge),
        Derived((_SOC, _INSTALLED, CURRENT_PATH), ("/TimeToGo",), _time_to_go),
        Derived(
            (*voltages, MIN_CELL_PATH, MAX_CELL_PATH),
            _OF_CELLS,
            lambda known: _cells(known, voltages),
        ),
        Derived(balances, ("/Balancing",), lambda known: _balancing(known, balances)),
    )


def of_decision(decision: Decision, stage: Stage) -> dict[str, Value]:
    """What the decision says about permissions, and the stage about the battery's state."""
    online = int(stage in (Stage.FRESH, Stage.AGING))
    charge, discharge = decision.ccl.value, decision.dcl.value
    return {
        "/Io/AllowToCharge": None if charge is None else int(charge > 0),
        "/Io/AllowToDischarge": None if discharge is None else int(discharge > 0),
        "/State": _STATE.get(stage, _RUNNING),
        "/System/NrOfModulesOnline": online,
        "/System/NrOfModulesOffline": 1 - online,
    }


_OF_CELLS = (
    MIN_CELL_PATH,
    MAX_CELL_PATH,
    "/System/MinVoltageCellId",
    "/System/MaxVoltageCellId",
    "/Voltages/Sum",
    "/Voltages/Diff",
)


def _number(known: Known, path: str) -> float | None:
    value = known.get(path)
    return float(value) if isinstance(value, (int, float)) else None


def _power(known: Known) -> dict[str, Value]:
    """P = V times I, in W."""
    voltage, current = _number(known, VOLTAGE_PATH), _number(known, CURRENT_PATH)
    if voltage is None or current is None:
        return {}
    return {"/Dc/0/Power": voltage * current}


def _charge(known: Known) -> dict[str, Value]:
    """Ah left = SoC times installed Ah; consumed Ah is what is missing, as a negative number."""
    soc, installed = _number(known, _SOC), _number(known, _INSTALLED)
    if soc is None or installed is None:
        return {}
    left = installed * soc / 100
    return {"/Capacity": left, "/ConsumedAmphours": left - installed}


def _time_to_go(known: Known) -> dict[str, Value]:
    """Ah left divided by the discharge current, in s; whole minutes, so that it changes seldom."""
    soc, installed = _number(known, _SOC), _number(known, _INSTALLED)
    current = _number(known, CURRENT_PATH)
    if soc is None or installed is None or current is None or current >= -_IDLE:
        return {}
    minutes = round(installed * soc / 100 / -current * 60)
    return {"/TimeToGo": min(minutes * 60, LONGEST_TIME_TO_GO)}


def _cells(known: Known, paths: tuple[str, ...]) -> dict[str, Value]:
    """Extremes with their names, sum and spread (V), from a pack of which every cell is known.

    The spread also from extremes that a client writes.
    """
    voltages = [v for v in map(known.get, paths) if isinstance(v, float)]
    if len(voltages) == len(paths):
        lowest, highest = min(voltages), max(voltages)
        return {
            MIN_CELL_PATH: lowest,
            MAX_CELL_PATH: highest,
            "/System/MinVoltageCellId": f"C{voltages.index(lowest) + 1}",
            "/System/MaxVoltageCellId": f"C{voltages.index(highest) + 1}",
            "/Voltages/Sum": sum(voltages),
            "/Voltages/Diff": highest - lowest,
        }
    lowest_known, highest_known = _number(known, MIN_CELL_PATH), _number(known, MAX_CELL_PATH)
    if lowest_known is None or highest_known is None:
        return {}
    return {"/Voltages/Diff": max(0.0, highest_known - lowest_known)}


def _balancing(known: Known, paths: tuple[str, ...]) -> dict[str, Value]:
    """1 while any cell is balanced; no value until a client has written one."""
    flags = [value for value in map(known.get, paths) if value is not None]
    return {"/Balancing": int(any(flags))} if flags else {}
