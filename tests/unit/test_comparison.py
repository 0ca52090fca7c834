"""The comparison's page: its form is that of the scenarios, its numbers are those of a new run."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from tests.comparison.__main__ import BY_NAME, PAGE, PICTURED, picture_of
from tests.comparison.contestants import CONTESTANTS, Bridge, Fixed
from tests.comparison.day import Outcome, live
from tests.comparison.picture import BOTTOM, HEIGHT, LEFT, TOP, svg
from tests.comparison.scenarios import Scenario
from tests.comparison.table import HEAD, row
from tests.docs import table_in
from tests.pack.charger import Limits
from tests.pack.meters import dies
from tests.pack.model import build
from tests.pack.reversals import Reversals

SVG = "{http://www.w3.org/2000/svg}"
RESULTS = table_in(PAGE.read_text(encoding="utf-8"), "results")


def test_the_page_has_a_row_for_each_scenario_and_contestant() -> None:
    wanted = [(scenario, contestant) for scenario in BY_NAME for contestant in CONTESTANTS]
    assert [line[:2] for line in RESULTS] == wanted, "./run compare"
    assert {len(line) for line in RESULTS} == {len(HEAD)}


@pytest.mark.parametrize(
    "contestant",
    ["aggregate", pytest.param("this bridge", marks=pytest.mark.slow)],
)
def test_a_new_run_gives_the_numbers_of_the_page(contestant: str) -> None:
    name = "frozen, discharging"
    outcome = live(BY_NAME[name], CONTESTANTS[contestant].make())
    assert row(name, contestant, outcome) in RESULTS, "./run compare"


def test_the_bridge_hears_and_limits() -> None:
    """Two minutes of charging, and two without data: then it stops, and has lost no limit."""
    dying = Scenario("dying", "", hours=4 / 60, meters=lambda: (dies(8 * 3600.0 + 120),))
    bridge = Bridge()
    outcome = live(dying, bridge)
    assert bridge.limits().ccl == 0
    assert outcome.lost_after is None
    assert 3.2 < outcome.lowest < outcome.highest < 3.4


def test_a_pack_that_is_not_full_is_not_full() -> None:
    assert live(Scenario("short", "", hours=0.01), Fixed()).full_after is None


def test_an_outcome_notes_the_worst() -> None:
    outcome = Outcome()
    pack = build(soc=0.5)
    outcome.note(pack, Limits(55.2, 100.0, 150.0), 0.1)
    assert (outcome.too_high, outcome.full_after, outcome.lost_after) == (0.0, None, None)
    pack.cells[3].charge = pack.cells[3].capacity * 1.005
    pack.step(0, 0, 20)
    outcome.note(pack, Limits(55.2, None, 150.0), 0.2)
    pack.cells[3].charge = 0.0
    pack.step(0, 0, 20)
    outcome.note(pack, Limits(55.2, 100.0, 150.0), 0.3)
    assert outcome.highest == pytest.approx(3.565)
    assert outcome.lowest == pytest.approx(2.5)
    assert (outcome.too_high, outcome.full_after, outcome.lost_after) == (1.0, 0.2, 0.2)


@pytest.mark.parametrize(
    ("values", "count"),
    [
        ((), 0),
        ((100, 100), 0),
        ((100, 50, 0), 0),
        ((0, 100, 0), 1),
        ((0, 100, 95), 0),
        ((0, 100, 94.9), 1),
        ((0, 100, 97, 99, 96, 94), 1),
        ((0, 3, 6, 9, 6, 3), 1),
        ((50, 0, 50, 0, 50), 3),
    ],
)
def test_reversals_are_counted_beyond_five_ampere(values: tuple[float, ...], count: int) -> None:
    reversals = Reversals()
    for value in values:
        reversals.follow(value)
    assert reversals.count == count


def test_a_picture_has_a_line_and_a_name_for_each_contestant() -> None:
    lines = {name: [(0.0, 3.2), (1.0, 3.4), (2.0, 3.9)] for name in CONTESTANTS}
    root = ElementTree.fromstring(svg("a < b", lines))
    drawn = [line.get("points", "") for line in root.iter(f"{SVG}polyline")]
    assert len(drawn) == len(CONTESTANTS)
    bottom, top = HEIGHT - BOTTOM, TOP
    assert {points.split()[0] for points in drawn} == {f"{LEFT},{bottom:.1f}"}, "below the frame"
    assert {points.split()[-1].split(",")[1] for points in drawn} == {f"{top:.1f}"}, "above it"
    assert {"a < b", *CONTESTANTS} <= {text.text for text in root.iter(f"{SVG}text")}


@pytest.mark.parametrize("scenario", PICTURED)
def test_the_page_shows_its_pictures(scenario: str) -> None:
    picture = picture_of(scenario)
    assert f"({picture.name})" in PAGE.read_text(encoding="utf-8")
    assert picture.exists(), "./run compare"
