"""What a configuration will do: the limits over cell voltage, temperature and SoC.

Each sweep varies one measurement of an otherwise normal battery. Each point is decided without a
past: it shows what the protections allow, before any recovery.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from bridge.core.limiter.decide import NO_REQUESTS, LimiterState, decide
from bridge.core.limiter.protections import PROTECTIONS
from bridge.core.limiter.situation import LimiterConfig
from bridge.core.limiter.sweeps import STANDARD_SWEEPS, Sweep, normal_measurements
from bridge.core.measurements.inputs import inputs_of
from bridge.core.model import Decision, Limit, Limits, Stage
from bridge.core.panel import Curve, Panel
from bridge.core.settings.configuration import BatteryConfig

_USUAL = {"charge voltage", "maximum"}  # protections that hold a limit while no other limits


@dataclass(frozen=True)
class Swept:
    """One sweep of this configuration: the decision at each point, in the sweep's unit.

    is_stepped: whether the limits jump from point to point, or move along a line.
    """

    sweep: Sweep
    points: tuple[tuple[float, Decision], ...]
    is_stepped: bool


def sweeps(config: BatteryConfig) -> list[Swept]:
    """All sweeps of the protections that make sense with this configuration."""
    limiter = LimiterConfig.of(config)
    known = dict.fromkeys((*STANDARD_SWEEPS, *(s for p in PROTECTIONS for s in p.sweeps)))
    return [
        Swept(sweep, _points(sweep, limiter), sweep.is_stepped(limiter))
        for sweep in known
        if sweep.is_shown(limiter)
    ]


def _points(sweep: Sweep, config: LimiterConfig) -> tuple[tuple[float, Decision], ...]:
    """Each point without a past; where x is a time, each point continues the one before."""
    inputs = inputs_of(p.inputs for p in PROTECTIONS)
    unknown = {input_: input_.read({}, input_.paths_of(config.cells)) for input_ in inputs}
    base, points, before = normal_measurements(unknown, config), [], LimiterState()
    for x in sweep.xs(config):
        measurements, date = sweep.at(base, config, x)
        now = x * sweep.seconds_per_unit
        outcome = decide(measurements, config, NO_REQUESTS, Stage.FRESH, before, now, date)
        points.append((x, outcome.decision))
        if sweep.seconds_per_unit:
            without_recovery = replace(outcome.state.battery, limits=Limits(None, None, None))
            before = replace(outcome.state, battery=without_recovery)
    return tuple(points)


def explanation(config: BatteryConfig) -> str:
    """The sweeps as text: a line for each stretch over which the limits are the same."""
    lines = [
        f"battery {config.ident}: {config.cells} {config.chemistry} cells,"
        f" taper in {config.limiter.taper}",
    ]
    for swept in sweeps(config):
        lines += ["", f"{swept.sweep.title:>24}        CVL        CCL        DCL"]
        lines += list(_lines(swept))
    return "\n".join(lines)


def panels(config: BatteryConfig) -> list[Panel]:
    """The sweeps as pictures of the currents, with CVL on an axis of its own."""
    return [
        Panel(
            x_label=f"{swept.sweep.title} ({swept.sweep.unit})".removesuffix(" ()"),
            curves=(
                _curve("CCL", swept, lambda d: d.ccl),
                _curve("DCL", swept, lambda d: d.dcl),
            ),
            y_label="A",
            right=(_curve("CVL", swept, lambda d: d.cvl),),
            right_label="V",
            stepped=swept.is_stepped,
        )
        for swept in sweeps(config)
    ]


def _curve(label: str, swept: Swept, limit: Callable[[Decision], Limit]) -> Curve:
    return Curve(label, tuple((x, limit(decision).value) for x, decision in swept.points))


def _lines(swept: Swept) -> Iterator[str]:
    start = previous = 0.0
    shown = ""
    for x, decision in swept.points:
        text = _shown(decision)
        if shown and text != shown:
            yield _stretch(swept.sweep, start, previous) + shown
        if text != shown:
            start, shown = x, text
        previous = x
    yield _stretch(swept.sweep, start, previous) + shown


def _stretch(sweep: Sweep, start: float, end: float) -> str:
    ends = (
        f"{start:.{sweep.decimals}f}"
        if start == end
        else f"{start:.{sweep.decimals}f} … {end:.{sweep.decimals}f}"
    )
    return f"{ends:>21} {sweep.unit:<2}"


def _shown(decision: Decision) -> str:
    held = [f"{name}: {limit.rule}" for name, limit in decision.items()
            if limit.rule not in _USUAL]  # fmt: skip
    cvl, ccl, dcl = (limit.value or 0 for limit in decision)
    values = f"{cvl:9.2f} V{ccl:9.1f} A{dcl:9.1f} A"
    return f"{values}   {', '.join(held)}".rstrip()
