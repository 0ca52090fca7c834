"""What a configuration will do: the limits over cell voltage, temperature and SoC.

Each sweep changes one measurement of an otherwise well battery, without a past: what the rules
allow at once, before any recovery.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from bridge.core.limiter import LimiterConfig, LimiterState, Requests, decide
from bridge.core.model import Cells, Decision, Limit, Measurements, Stage
from bridge.core.panel import Curve, Panel
from bridge.core.settings.configuration import BatteryConfig

_UNHELD = {"charge voltage", "maximum"}  # rules that hold while nothing limits


@dataclass(frozen=True)
class Sweep:
    """One measurement over its range, and the decision at each point."""

    title: str
    unit: str
    decimals: int
    points: tuple[tuple[float, Decision], ...]


def sweeps(config: BatteryConfig) -> list[Sweep]:
    """All sweeps that say something about this configuration."""
    s = config.limiter
    lowest = int(s.min_cell_voltage * 100) - 10
    highest = int(s.cell_overvoltage * 100) + 5
    sensible = round((s.min_charge_voltage + s.min_cell_voltage) / 2, 3)
    well = _all_cells(Measurements(), s.min_charge_voltage, config.cells)

    def one_cell(x: float) -> Measurements:
        known = Cells((x, *well.known.voltages[1:]))
        return replace(well, known=known, cells=known, voltage=sum(v or 0 for v in known.voltages))

    def apart(x: float) -> Measurements:
        known = Cells((sensible + x, *[sensible] * (config.cells - 1)))
        voltage = sensible * config.cells + x
        return replace(well, known=known, cells=known, voltage=voltage)

    volts = [x / 100 for x in range(lowest, highest + 1)]
    degrees = [float(x) for x in range(-35, 71)]
    percents = [float(x) for x in range(101)]
    wanted: list[tuple[str, str, int, Sequence[float], Callable[[float], Measurements], bool]] = [
        ("every cell at", "V", 2, volts, lambda x: _all_cells(well, x, config.cells), True),
        ("one cell at", "V", 2, volts, one_cell, config.cells > 1),
        ("battery at", "°C", 0, degrees, lambda x: replace(well, coldest=x, hottest=x), True),
        ("SoC at", "%", 0, percents, lambda x: replace(well, soc=x),
         bool(s.charge_soc or s.discharge_soc)),
        ("MOSFETs at", "°C", 0, [float(x) for x in range(121)],
         lambda x: replace(well, mosfet=x), bool(s.mosfet_temperature)),
        ("cells apart by", "V", 2, [x / 100 for x in range(31)], apart, bool(s.imbalance)),
    ]  # fmt: skip
    frame = LimiterConfig(config.cells, s, config.failsafe, config.ceiling)
    return [
        Sweep(title, unit, decimals, tuple((x, _decision(measured(x), frame)) for x in xs))
        for title, unit, decimals, xs, measured, says_something in wanted
        if says_something
    ]


def explanation(config: BatteryConfig) -> str:
    """The sweeps as text: a line for each stretch over which the limits are the same."""
    lines = [
        f"battery {config.ident}: {config.cells} {config.chemistry} cells,"
        f" taper in {config.limiter.taper}",
    ]
    for sweep in sweeps(config):
        lines += ["", f"{sweep.title:>24}        CVL        CCL        DCL"]
        lines += list(_lines(sweep))
    return "\n".join(lines)


def panels(config: BatteryConfig) -> list[Panel]:
    """The sweeps as pictures of the currents, with CVL on an axis of its own."""
    return [
        Panel(
            x_label=f"{sweep.title} ({sweep.unit})",
            curves=(
                _curve("CCL", sweep, lambda d: d.ccl),
                _curve("DCL", sweep, lambda d: d.dcl),
            ),
            y_label="A",
            right=(_curve("CVL", sweep, lambda d: d.cvl),),
            right_label="V",
            stepped=config.limiter.taper == "steps",
        )
        for sweep in sweeps(config)
    ]


def _all_cells(measurements: Measurements, volts: float, count: int) -> Measurements:
    cells = Cells((volts,) * count)
    return replace(measurements, known=cells, cells=cells, voltage=volts * count)


def _decision(measurements: Measurements, frame: LimiterConfig) -> Decision:
    return decide(measurements, frame, Requests(), Stage.FRESH, LimiterState(), 0.0).decision


def _curve(label: str, sweep: Sweep, limit: Callable[[Decision], Limit]) -> Curve:
    return Curve(label, tuple((x, limit(decision).value) for x, decision in sweep.points))


def _lines(sweep: Sweep) -> Iterator[str]:
    start = previous = 0.0
    shown = ""
    for x, decision in sweep.points:
        text = _shown(decision)
        if shown and text != shown:
            yield _stretch(sweep, start, previous) + shown
        if text != shown:
            start, shown = x, text
        previous = x
    yield _stretch(sweep, start, previous) + shown


def _stretch(sweep: Sweep, start: float, end: float) -> str:
    ends = (
        f"{start:.{sweep.decimals}f}"
        if start == end
        else f"{start:.{sweep.decimals}f} … {end:.{sweep.decimals}f}"
    )
    return f"{ends:>21} {sweep.unit:<2}"


def _shown(decision: Decision) -> str:
    cvl, ccl, dcl = decision.cvl, decision.ccl, decision.dcl
    held = [
        f"{name}: {limit.rule}"
        for name, limit in (("CVL", cvl), ("CCL", ccl), ("DCL", dcl))
        if limit.rule not in _UNHELD
    ]
    values = f"{cvl.value or 0:9.2f} V{ccl.value or 0:9.1f} A{dcl.value or 0:9.1f} A"
    return f"{values}   {', '.join(held)}".rstrip()
