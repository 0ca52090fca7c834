"""What stands around the pack: sun, loads, chargers and an inverter that obey three limits.

This is what a Venus system with DVCC makes of CVL, CCL and DCL, seen from the battery. It reacts
at once unless `System.late` says otherwise. The meaning of a missing limit is the real one and
not the careful one: a bridge that withdraws a limit without thought has to show here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

from tests.pack.curve import Curve
from tests.pack.model import SECONDS_PER_HOUR, Pack

HOURS_PER_DAY = 24

# Share of the peak power, and degrees around the day's mean, over the hour of the day.
SOLAR = Curve(
    ((5.5, 0.0), (7, 0.1), (9, 0.45), (11, 0.85), (12.5, 1.0), (14, 0.9), (16, 0.55), (18, 0.15),
     (19.5, 0.0))
)  # fmt: skip
LOAD = Curve(
    ((0, 0.2), (6, 0.2), (7, 0.7), (9, 0.35), (12, 0.55), (14, 0.3), (17, 0.5), (19, 1.0),
     (21, 0.8), (23, 0.3), (24, 0.2))
)  # fmt: skip
AMBIENT = Curve(((0, -3.0), (6, -6.0), (15, 6.0), (24, -3.0)))


@dataclass(frozen=True)
class Limits:
    """The limits of a battery: CVL in V, CCL and DCL in A, None where one is withdrawn."""

    cvl: float | None = None
    ccl: float | None = None
    dcl: float | None = None


@dataclass(frozen=True)
class Day:
    """The same day again and again, with other clouds: powers in W, temperature in °C.

    clouds: how much of the sun a cloud can take, 0 (clear sky) to 1. cloud_s: how long it stays, s.
    """

    solar_peak: float = 6000.0
    load_peak: float = 2500.0
    mean_ambient: float = 18.0
    clouds: float = 0.35
    cloud_s: float = 600.0
    seed: int = 1

    def solar(self, t: float) -> float:
        """Power the chargers could give, t seconds after the first midnight."""
        sky = Random(f"{self.seed}:{int(t // self.cloud_s)}").random()
        return self.solar_peak * SOLAR.at(_hour(t)) * (1 - self.clouds * sky)

    def load(self, t: float) -> float:
        """Power the loads ask for."""
        return self.load_peak * LOAD.at(_hour(t))

    def ambient(self, t: float) -> float:
        """Temperature around the pack."""
        return self.mean_ambient + AMBIENT.at(_hour(t))


@dataclass(frozen=True)
class System:
    """Chargers and an inverter at one battery.

    charger, inverter: their ratings in A.
    own_voltage: what the chargers go to when no BMS leads them, in V. None: they were led by a
        BMS before, so without one they stop (error 67 on a solar charger).
    feed_in: surplus goes to the grid. Solar chargers then ignore CCL, and the inverter takes the
        battery down to CVL whatever the loads ask for.
    overshoot: the share by which the chargers hold a higher voltage than CVL.
    late: they act on the limits of so many seconds ago; `Simulation` delays them.
    """

    charger: float = 300.0
    inverter: float = 300.0
    own_voltage: float | None = None
    feed_in: bool = False
    overshoot: float = 0.0
    late: float = 0.0

    def current(self, pack: Pack, limits: Limits, solar_w: float, load_w: float) -> float:
        """The battery current in A that settles, charging positive."""
        solar = solar_w / pack.voltage
        load = load_w / pack.voltage
        charge = min(
            min(solar, self.charger) - load,
            self._current_at(pack, limits.cvl),
            self._charge_limit(limits),
        )
        feeding = self.feed_in and limits.cvl is not None
        discharge = min(
            math.inf if feeding else load,
            self.inverter,
            math.inf if limits.dcl is None else limits.dcl,
        )
        # The chargers can stop, but only the inverter takes current out of the battery.
        return max(charge, -discharge)

    def _current_at(self, pack: Pack, cvl: float | None) -> float:
        """The current at which the pack stands at CVL; negative when it rests above it."""
        voltage = self.own_voltage if cvl is None else cvl * (1 + self.overshoot)
        if voltage is None:
            return -math.inf
        return (voltage - pack.ocv) / pack.resistance

    def _charge_limit(self, limits: Limits) -> float:
        # Without CVL there is no BMS, and then nobody reads a CCL either.
        if limits.ccl is None or limits.cvl is None or self.feed_in:
            return math.inf
        return limits.ccl


def _hour(t: float) -> float:
    return (t / SECONDS_PER_HOUR) % HOURS_PER_DAY
