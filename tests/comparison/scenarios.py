"""What is simulated: one day each, with one thing that goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.pack.charger import Day, System
from tests.pack.meters import CELL, PACK_VOLTAGE, Part, dies, glitches, lag, offset, repeats_itself
from tests.pack.model import Balancing, Pack, Weakness, build

HOUR = 3600.0


def weak_cell_pack(soc: float) -> Pack:
    """16 LFP cells of 280 Ah. One has 6 % less capacity and 60 % more resistance."""
    return build(weak=Weakness(7), balancing=Balancing(1.0), soc=soc)


@dataclass(frozen=True)
class Scenario:
    """A part of a day: from `begin` (hour of the day) for so many `hours`.

    soc: 0 to 1 at the beginning. meters: makes what the BMS gets wrong, anew for each run.
    """

    name: str
    what: str
    system: System = field(default_factory=System)
    day: Day = field(default_factory=Day)
    begin: float = 8.0
    hours: float = 10.0
    soc: float = 0.5
    meters: Callable[[], tuple[Part, ...]] = tuple


LATE = System(late=3.0)
FEED_IN = System(feed_in=True, late=3.0)
CHARGES_TOO_HIGH = System(feed_in=True, late=3.0, overshoot=0.01)
NIGHT = Day(solar_peak=0.0, load_peak=8000.0)

SCENARIOS = (
    Scenario("normal", "a sunny day with some clouds", LATE),
    Scenario(
        "clouds",
        "clouds that take most of the sun for two minutes",
        LATE,
        Day(clouds=0.9, cloud_s=120.0, solar_peak=9000.0),
    ),
    Scenario(
        "feed-in",
        "the surplus goes to the grid: the solar chargers ignore CCL, and hold 1 % more than CVL",
        CHARGES_TOO_HIGH,
    ),
    Scenario("lag", "feed-in; the cells are 5 s old", FEED_IN, meters=lambda: (lag(5.0),)),
    Scenario(
        "offset +1 %",
        "feed-in; the BMS reads 1 % too much pack voltage",
        FEED_IN,
        meters=lambda: (offset(PACK_VOLTAGE, 0.01),),
    ),
    Scenario(
        "offset -1 %",
        "feed-in; the BMS reads 1 % too little pack voltage",
        FEED_IN,
        meters=lambda: (offset(PACK_VOLTAGE, -0.01),),
    ),
    Scenario(
        "glitches",
        "one message in a hundred has a cell of 0 V or 5 V, and another one -40 °C",
        LATE,
        meters=lambda: (
            glitches(0.01, 1, CELL, (0.0, 5.0)),
            glitches(0.01, 2, "System/MinCellTemperature", (-40.0,)),
        ),
    ),
    Scenario(
        "dead data",
        "feed-in; the BMS says nothing more from 10:30",
        FEED_IN,
        meters=lambda: (dies(10.5 * HOUR),),
    ),
    Scenario(
        "frozen, charging",
        "feed-in; from 10:30 the BMS repeats its last values for ever",
        FEED_IN,
        meters=lambda: (repeats_itself(10.5 * HOUR),),
    ),
    Scenario(
        "frozen, discharging",
        "a night with heavy loads; from 21:30 the BMS repeats its last values for ever",
        LATE,
        NIGHT,
        begin=21.0,
        hours=4.0,
        meters=lambda: (repeats_itself(21.5 * HOUR),),
    ),
)
