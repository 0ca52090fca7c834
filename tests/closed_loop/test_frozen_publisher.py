"""A publisher that repeats itself for ever, while chargers and loads go on.

The pack lives under the limits of a battery that it feeds. From some moment on, some of what it
publishes no longer changes. Then its true charge may not leave full and empty by more than 2 % of
its capacity.
"""

from __future__ import annotations

import pytest

from tests.closed_loop.repeating import World

SPARE = 0.02  # share of the capacity
SUN, LOAD = 95.0, 95.0  # A
FROZEN = [("cells", "dc", "soc"), ("cells",), ("dc",), ("soc",)]


@pytest.mark.promise("frozen")
@pytest.mark.parametrize("without", [(), ("soc",)], ids=["with SoC", "without SoC"])
@pytest.mark.parametrize("frozen", FROZEN, ids="+".join)
@pytest.mark.parametrize("soc", [0.15, 0.6, 0.94])
@pytest.mark.parametrize("feed_in", [False, True], ids=["CCL", "feed-in"])
def test_no_frozen_publisher_has_the_pack_overcharged(
    feed_in: bool, soc: float, frozen: tuple[str, ...], without: tuple[str, ...]
) -> None:
    world = World(soc, feed_in=feed_in, without=without)
    world.live(0.1, sun=SUN)
    world.publisher.frozen = frozen
    world.live(4 if soc < 0.5 else 2, sun=SUN)
    assert world.most <= 1 + SPARE


@pytest.mark.promise("frozen")
@pytest.mark.parametrize("without", [(), ("soc",)], ids=["with SoC", "without SoC"])
@pytest.mark.parametrize("frozen", FROZEN, ids="+".join)
@pytest.mark.parametrize("soc", [0.85, 0.4, 0.08])
def test_no_frozen_publisher_has_the_pack_overdischarged(
    soc: float, frozen: tuple[str, ...], without: tuple[str, ...]
) -> None:
    world = World(soc, without=without)
    world.live(0.1, load=LOAD)
    world.publisher.frozen = frozen
    world.live(3.5 if soc > 0.5 else 2, load=LOAD)
    assert world.least >= -SPARE


@pytest.mark.promise("restart")
@pytest.mark.parametrize("without", [(), ("soc",)], ids=["with SoC", "without SoC"])
@pytest.mark.parametrize(("soc", "sun", "load"), [(0.8, SUN, 0.0), (0.2, 0.0, LOAD)])
def test_restarts_of_the_bridge_forget_no_charge(
    soc: float, sun: float, load: float, without: tuple[str, ...]
) -> None:
    world = World(soc, without=without)
    world.live(0.1, sun=sun, load=load)
    world.publisher.frozen = ("cells", "dc", "soc")
    for _ in range(15):
        world.live(0.1, sun=sun, load=load)
        world.restart()
    assert world.least >= -SPARE and world.most <= 1 + SPARE


def test_it_is_said_on_the_bus_in_the_state_and_by_an_alarm() -> None:
    world = World(0.5)
    world.live(0.2)
    assert world.bench["/Freshness/Frozen"] is None
    world.publisher.frozen = ("cells",)
    world.live(0.1, load=LOAD)
    world.bench.pass_time(1)
    words = str(world.bench["/Freshness/Frozen"])
    assert words.startswith("the cell voltages have not changed for 18 min while 8.")
    assert world.bench.state["frozen"] == words
    assert world.bench["/Alarms/BmsCable"] == 1
    assert world.bench["/Freshness/Stage"] == "fresh", "not yet more than suspect"
    world.publisher.frozen = ()
    world.live(0.1)
    world.bench.pass_time(1)
    assert world.bench["/Freshness/Frozen"] is None
    assert world.bench.state["frozen"] is None
