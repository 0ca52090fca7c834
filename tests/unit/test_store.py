"""What is known of the measurements, to the last bit: the store against a full look at its values.

Random writes by two sources of different shelf life, nulls, forgetting, other times, and moments
close to the edge of what is stale.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.battery.control import INPUTS
from bridge.core.measurements.display import Display
from bridge.core.measurements.source import ShelfLife, Source
from bridge.core.measurements.store import LONG_AGO, MeasurementStore
from bridge.core.model import Group, Value
from bridge.core.paths.table import path_table

CELLS = 2
PATHS = path_table(CELLS)
WRITTEN = (
    "/Voltages/Cell1",
    "/Voltages/Cell2",
    "/System/MinCellVoltage",
    "/System/MaxCellVoltage",
    "/Dc/0/Voltage",
    "/Dc/0/Temperature",
    "/System/MinCellTemperature",
    "/System/NrOfModulesBlockingCharge",
    "/History/ChargeCycles",
)
OWN, EXTREMES = WRITTEN[:2], WRITTEN[2:4]
KEEP = ((), (Group.CELLS,), (Group.DC, Group.FLAGS))
JUST = 0.0004  # s, less than the store looks early

write = st.tuples(st.just("write"), st.sampled_from(WRITTEN), st.sampled_from([0, 1, 3, None]))
passing = st.tuples(
    st.just("pass"), st.sampled_from([0.0, JUST, 1.0, 5.0 - JUST, 5.0, 5.0 + JUST, 8.0 + JUST])
)
forgetting = st.tuples(st.just("forget"), st.sampled_from(["cells", "dc", *WRITTEN]))
times = st.tuples(st.just("times"), st.sampled_from([2.0, 5.0, 10.0]))
keeping = st.tuples(st.just("keep"), st.sampled_from(KEEP))
steps = st.lists(st.one_of(write, write, passing, forgetting, times, keeping), max_size=40)


def stale_at(stale: float) -> ShelfLife:
    return ShelfLife(aging=1.0, stale=stale, lost=100.0, single_cells=12.0)


class Twin:
    """A store, and what it should know: the last value of each path, and until when."""

    def __init__(self) -> None:
        self.store = MeasurementStore(PATHS, INPUTS, CELLS)
        self.display = Display(self.store)
        self.sources = (Source("quick", stale_at(5.0)), Source("slow", stale_at(8.0)))
        self.last: dict[str, tuple[float, float, Source]] = {}  # value, when, by whom
        self.hidden: set[str] = set()  # withdrawn by a null
        self.keep: tuple[Group, ...] = ()
        self.now, self.count = 0.0, 0

    def do(self, kind: str, what: Any, value: int | None = None) -> None:
        if kind == "write":
            self._write(what, value)
        elif kind == "pass":
            self.now += what
        elif kind == "forget":
            for path in self.store.forget(what):
                del self.last[path]
        elif kind == "times":
            self._change_times(what)
        else:
            self.keep = what

    def _write(self, path: str, value: int | None) -> None:
        self.count += 1
        source = self.sources[self.count % 2]
        spec = PATHS[path]
        self.store.write(spec, spec.coerce(value), source, self.now)
        if value is None:
            self.hidden.add(path)
        else:
            self.last[path] = (float(value), self.now, source)
            self.hidden.discard(path)

    def _change_times(self, stale: float) -> None:
        self.store.expire(self.now)
        for path in self.last:
            if not self.is_known(path):
                self.last[path] = (*self.last[path][:1], LONG_AGO, self.last[path][2])
        self.sources[0].shelf_life = stale_at(stale)
        self.store.look_at_all()
        self.display.look_at_all()

    def age(self, path: str) -> float:
        return self.now - self.last[path][1]

    def is_known(self, path: str) -> bool:
        stale = self.last[path][2].shelf_life.stale
        return self.age(path) <= stale or (self.is_older_cell(path) and self.age(path) <= 12.0)

    def is_older_cell(self, path: str) -> bool:
        """Whether it is a cell for which fresher extremes stand in."""
        if path not in OWN or not all(extreme in self.last for extreme in EXTREMES):
            return False
        if any(self.age(e) > self.last[e][2].shelf_life.stale for e in EXTREMES):
            return False
        if not all(cell in self.last for cell in OWN):
            return True
        own, extremes = (
            LONG_AGO if self.hidden & set(way) else min(self.last[p][1] for p in way)
            for way in (OWN, EXTREMES)
        )
        return extremes > own

    def check(self) -> None:
        numbers = {path: self.last[path][0] for path in self.last if self.is_known(path)}
        readings = self.store.readings(self.now)
        for source in INPUTS:
            older = [p for p in numbers if self.is_older_cell(p) and self.age(p) > 1.0]
            young = {p: number for p, number in numbers.items() if p not in older}
            reading = source.read(young, source.paths_of(CELLS))
            if source.stand_ins and older:
                bounds = [numbers[p] for p in (*older, *EXTREMES)]
                reading = reading._replace(lowest=min(bounds), highest=max(bounds))
            assert readings[source] == reading, source
        self.display.update(self.now, self.keep)
        shown = {path: value for path, value in self.display.values.items() if value is not None}
        assert shown == self._to_be_shown()

    def _to_be_shown(self) -> dict[str, Value]:
        return {
            path: value
            for path, (value, _, _) in self.last.items()
            if path not in self.hidden
            and (self.is_known(path) or PATHS[path].group in (None, *self.keep))
        }


@given(steps)
def test_the_store_knows_what_was_written_and_is_not_stale(steps: list[Any]) -> None:
    twin = Twin()
    for step in steps:
        twin.do(*step)
        twin.check()


@pytest.mark.parametrize("late", [JUST, 1.0])
def test_a_value_is_known_until_it_is_stale_and_not_a_moment_longer(late: float) -> None:
    twin = Twin()
    twin.do("write", "/Dc/0/Voltage", 3)  # by the slow source, good for 8 s
    twin.do("pass", 8.0)
    twin.check()
    assert "/Dc/0/Voltage" in twin.display.values
    twin.do("pass", late)
    twin.check()
    assert twin.display.values["/Dc/0/Voltage"] is None
