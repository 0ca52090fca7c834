"""A program of bytes drives the limiter: each three bytes are a step in the life of a battery."""

from __future__ import annotations

from typing import NamedTuple

from doubles import battery_config
from measured import changed, measured

from bridge.battery.control import INPUTS
from bridge.core.limiter.decide import NO_REQUESTS, LimiterState, Outcome, Requests, decide
from bridge.core.limiter.situation import LimiterConfig
from bridge.core.measurements.frozen_verdict import NOT_FROZEN, Frozen
from bridge.core.measurements.inputs import Cells, Measurements
from bridge.core.model import LIMIT_NAMES, Date, Request, Stage

CELLS = 4

CURRENTS = {
    "max_charge_current": 100,
    "max_charge_current_above_cv1": 50,
    "max_charge_current_above_cv2": 10,
    "max_discharge_current": 150,
}
TAPERED = {
    "dv1": 3.1,
    "max_discharge_current_below_dv1": 75,
    "dv2": 3.0,
    "max_discharge_current_below_dv2": 20,
    "charge_soc": [[80, 1], [90, 0.5], [98, 0.1]],
    "discharge_soc": [[5, 0.1], [10, 0.2], [20, 1]],
    "mosfet_temperature": [[70, 1], [80, 0.25], [90, 0]],
    "imbalance": [[0.05, 1], [0.1, 0.3], [0.2, 0.02]],
}
SEASONAL = {
    "charge_voltage_by_month": [[3, 3.4], [11, 3.48]],
    "maintain_soc_by_month": [[3, 0], [11, 40]],
    "absorption_voltage": 3.5,
    "float_voltage": 3.37,
    "absorption_time": 120,
    "absorption_pause": 600,
    "block_release": 20,
    "voltage_offset": 0.3,
    "slide": "on",
}
WINDOWED = {
    "charge_to_soc": 80,
    "full_charge_every": 0.02,
    "balancing_voltage": 3.48,
    "balancing_time": 60,
    "absorption_pause": 300,
}


def config_of(cells: int = CELLS, failsafe: float = 0.0, **limiter: object) -> LimiterConfig:
    config = battery_config(
        cells=cells,
        limiter={**CURRENTS, **limiter},
        failsafe={"charge_current": failsafe, "discharge_current": 2 * failsafe},
    )
    return LimiterConfig.of(config)


CONFIGS = [
    config_of(),
    config_of(taper="linear"),
    config_of(**TAPERED),
    config_of(**TAPERED, taper="linear", failsafe=20.0),
    config_of(**SEASONAL),
    config_of(**WINDOWED, float_voltage=3.37, voltage_offset=-0.2),
    config_of(**{**SEASONAL, **WINDOWED}, full_charge_at="12:00", full_charge_hours=1),
    config_of(charge_to_soc=70, charge_to_soc_hysteresis=0, full_charge_every=0.01),
    config_of(**TAPERED, **SEASONAL, taper="linear", max_charge_current=60, current_hold=0),
]

VOLTS = [3.3, 3.25, 3.35, 3.39, 3.4, 3.41, 3.44, 3.45, 3.46, 3.49, 3.5, 3.51, 3.54, 3.55, 3.7, 5.0,
         3.2, 3.1, 3.05, 3.0, 2.95, 2.91, 2.9, 2.89, 2.81, 2.8, 2.79, 2.5, 2.05, 0.0]  # fmt: skip
DEGREES = [20.0, 25.0, 9.9, 10.0, 5.0, 2.0, 1.0, 0.0, -5.0, -10.0, -20.0, 40.0, 41.0, 45.0, 50.0,
           54.9, 55.0, 70.0, 85.0, 100.0]  # fmt: skip
SOCS = [50.0, 0.0, 4.0, 7.0, 10.0, 15.0, 39.9, 40.0, 44.9, 45.0, 80.0, 89.9, 90.0, 95.0, 98.0,
        100.0]  # fmt: skip
JUMPS = [1.0, 1.0, 1.0, 1.0, 0.0, 0.05, 5.0, 31.0, 61.0, 700.0, -1.0, -1000.0, 1.0, 1.0, 1.0, 1.0]
AMPS = [20.0, -20.0, 0.0, 5.0, 11.0, None]
DATES = [None, Date(1970, 1), Date(2026, 1), Date(2026, 7), Date(2026, 12), Date(2025, 3),
         Date(2026, 12, 20, 660), Date(2026, 12, 19, 725)]  # fmt: skip
VITAL = [source for source in INPUTS if not source.may_be_silent]
FROZEN = [
    NOT_FROZEN,
    Frozen(words="the cells stand", suspects="the cells"),
    Frozen(words="all stand", full="it is full", voltage=13.25),
    Frozen(words="the cells stand", full="it is full", empty="it is empty"),
    Frozen(words="all stand", empty="it is empty", voltage=11.9),
]
REQUESTS = [None, 0.0, 5.0, 40.0, 1000.0]


class Step(NamedTuple):
    """The arguments of one decision."""

    measurements: Measurements
    config: LimiterConfig
    requests: Requests
    stage: Stage
    now: float
    date: Date | None
    suspected: Measurements | None


class Machine:
    """Turns bytes into a life of a battery."""

    def __init__(self) -> None:
        self.voltages: list[float | None] = [3.3] * CELLS
        self.lowest: float | None = None
        self.highest: float | None = None
        self.pack: float | None = None  # None: the sum of the cells
        self.has_pack = True
        self.rest = measured(soc=50.0)
        self.config = CONFIGS[0]
        self.requests = NO_REQUESTS
        self.stage = Stage.FRESH
        self.now = 100.0
        self.date: Date | None = None
        self.odd: float | None = None

    def step(self, op: int, a: int, b: int) -> Step:
        """Change one thing, let time pass, and tell what is measured then."""
        self._change(op % 20, a, b)
        self.now += JUMPS[(op // 18 + a) % len(JUMPS)]
        doubt = "" if self.odd is None else "a cell is in doubt"
        told = changed(self._measurements(), doubt=doubt)
        suspected = None
        if self.odd is not None:
            suspected = changed(self._measurements(self.odd), doubt=doubt)
        return Step(
            told, self.config, self.requests, self.stage, self.now, self.date, suspected
        )

    def _measurements(self, odd: float | None = None) -> Measurements:
        voltages = list(self.voltages)
        if odd is not None:
            voltages[0] = odd
        cells = Cells(tuple(voltages), self.lowest, self.highest)
        pack = None
        if self.has_pack:
            pack = sum(v or 3.3 for v in self.voltages) if self.pack is None else self.pack
        return changed(self.rest, cells=cells, voltage=pack)

    def _change(self, op: int, a: int, b: int) -> None:
        if op <= 3:
            self.voltages[a % CELLS] = VOLTS[b % len(VOLTS)]
        elif op == 4:
            self.voltages = [VOLTS[b % len(VOLTS)]] * CELLS
        elif op == 5:
            self.has_pack = a % 4 != 0
            self.pack = None if a % 2 else VOLTS[b % len(VOLTS)] * CELLS
        elif op == 6:
            degrees = sorted((DEGREES[a % len(DEGREES)], DEGREES[b % len(DEGREES)]))
            known = (None, None) if a == 255 else degrees
            self.rest = changed(self.rest, coldest=known[0], hottest=known[1])
        elif op == 7:
            self.rest = changed(self.rest, soc=None if a == 255 else SOCS[b % len(SOCS)])
        elif op == 8:
            mosfet = None if a % 8 == 7 else DEGREES[b % len(DEGREES)]
            self.rest = changed(self.rest, mosfet=mosfet)
        elif op == 9:
            self.rest = changed(
                self.rest,
                charge_blocked_by="a BMS" if a % 4 == 1 else "",
                discharge_blocked_by="a BMS" if b % 4 == 1 else "",
            )
        elif op == 10:
            self.stage = Stage(b % 5) if a % 2 else Stage.FRESH
        elif op == 11:
            self.config = CONFIGS[b % len(CONFIGS)]
        elif op == 12:
            asked = REQUESTS[b % len(REQUESTS)]
            request = None if asked is None else Request(asked, self.now)
            self.requests = self.requests.with_(LIMIT_NAMES[a % 3], request)
        elif op == 13:
            self.voltages[a % CELLS] = None
        elif op == 14:
            extremes = sorted((VOLTS[a % len(VOLTS)], VOLTS[b % len(VOLTS)]))
            self.lowest, self.highest = (None, None) if a % 2 else extremes
        elif op == 15:
            sources = [source for bit, source in enumerate(VITAL) if b >> bit & 1]
            self.rest = changed(self.rest, silent=frozenset(sources if a % 2 else ()))
        elif op == 17:
            self.rest = changed(self.rest, current=AMPS[b % len(AMPS)])
        elif op == 18:
            self.rest = changed(self.rest, frozen=FROZEN[b % len(FROZEN)])
        elif op == 16:
            self.date = DATES[b % len(DATES)]
        else:
            self.odd = VOLTS[b % len(VOLTS)] if a % 2 else None


def run(step: Step, state: LimiterState) -> Outcome:
    return decide(
        step.measurements,
        step.config,
        step.requests,
        step.stage,
        state,
        step.now,
        step.date,
        step.suspected,
    )
