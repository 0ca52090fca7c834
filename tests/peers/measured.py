"""What a BMS has measured, as the laws read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Measured:
    """One set of measurements.

    cells: V of each cell. voltage: V of the pack by its own meter. soc: %. coldest, hottest: °C.
    may_charge, may_discharge: whether the BMS allows it.
    """

    cells: tuple[float, ...]
    voltage: float
    soc: float
    coldest: float
    hottest: float
    may_charge: bool = True
    may_discharge: bool = True

    @property
    def lowest(self) -> float:
        return min(self.cells)

    @property
    def highest(self) -> float:
        return max(self.cells)

    @property
    def sum(self) -> float:
        return sum(self.cells)

    @property
    def spread(self) -> float:
        return self.highest - self.lowest


def measured_from(readings: Mapping[str, float]) -> Measured:
    """From the values of a BMS by D-Bus path, as tests/pack/client.py has them."""
    return Measured(
        cells=tuple(v for path, v in readings.items() if path.startswith("Voltages/Cell")),
        voltage=readings["Dc/0/Voltage"],
        soc=readings["Soc"],
        coldest=readings["System/MinCellTemperature"],
        hottest=readings["System/MaxCellTemperature"],
        may_charge=bool(readings["Io/AllowToCharge"]),
        may_discharge=bool(readings["Io/AllowToDischarge"]),
    )
