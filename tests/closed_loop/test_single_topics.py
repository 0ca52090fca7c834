"""A publisher of single topics steers the chargers as one that sends batches."""

from __future__ import annotations

import json

import pytest

from tests.closed_loop.loop import FRESHNESS, HOUR, Pace, live
from tests.pack.charger import Day, System
from tests.pack.model import Weakness, build
from tests.pack.simulation import Simulation
from tests.unit.doubles import Bench

MINUTES = 25.0


class ByTopics(Bench):
    """A bench whose frames come by single topics, with a pause after each."""

    pause = 0.01  # s

    def batch(self, content: object) -> None:
        assert isinstance(content, dict)
        for path, value in content.items():
            self.mqtt("/" + path, json.dumps(value))
            self.timer.run(self.pause)


class Slowly(ByTopics):
    pause = 0.1


class VerySlowly(ByTopics):
    """A frame takes longer than the time to the next one."""

    pause = 1.0


def _charge(kind: type[Bench]) -> tuple[float, list[float]]:
    """The highest cell (V) with a weak cell and quick clouds, and CVL (V) after each frame."""
    limiter = {"max_charge_current": 100, "max_discharge_current": 150}
    bench = kind(chemistry="lfp", freshness=FRESHNESS, limiter=limiter, ceiling={})
    given: list[float] = []

    def note(_simulation: Simulation, bench: Bench) -> None:
        assert isinstance(bench.cvl, float)
        given.append(bench.cvl)

    start = 11.5 * HOUR
    life = live(
        bench,
        build("lfp", soc=0.93, weak=Weakness(7, capacity=0.94)),
        system=System(feed_in=True),
        day=Day(solar_peak=20000, load_peak=14000, clouds=1.0, cloud_s=30),
        start=start,
        until=start + MINUTES * 60.0,
        pace=lambda _pack: Pace(15.0, 1.0),
        watch=note,
    )
    return life.highest, given


def test_single_topics_lower_cvl_no_further_than_batches() -> None:
    by_batch, of_batches = _charge(Bench)
    assert by_batch > 3.5, "the cell never reached its limit"
    for kind, least in ((ByTopics, 0.05), (Slowly, 0.05), (VerySlowly, 0.4)):
        by_topic, of_topics = _charge(kind)
        assert by_topic == pytest.approx(by_batch, abs=0.003)
        assert min(of_topics) >= min(of_batches) - least
        assert sum(of_topics) / len(of_topics) >= sum(of_batches) / len(of_batches) - 0.01
