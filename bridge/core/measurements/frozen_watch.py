"""Follows the charge that goes by, and with it what stands still, for one pack over time."""

from __future__ import annotations

import math
from collections.abc import Mapping

from bridge.core.measurements.charge_count import Count, Kind, Look, counted
from bridge.core.measurements.frozen import judged
from bridge.core.measurements.frozen_verdict import NOT_FROZEN, Frozen
from bridge.core.measurements.inputs import CELLS, PACK_CURRENT, PACK_VOLTAGE, SOC
from bridge.core.measurements.kept_count import KeptCount, kept_count, restored
from bridge.core.measurements.source import Counter, Source
from bridge.core.measurements.store import MeasurementStore
from bridge.core.measurements.voltages import volts_of
from bridge.core.paths.table import CURRENT_PATH


class FrozenWatch:
    """verdict: what stands still, as it was at the last `update`.

    cells: in series. kept: the charge that was counted before a restart.
    """

    def __init__(self, store: MeasurementStore, cells: int, kept: KeptCount | None) -> None:
        self.verdict: Frozen = NOT_FROZEN
        self._store = store
        self._cells = cells
        self._count = Count() if kept is None else restored(kept)
        self._paths = {
            input_: frozenset(input_.all_paths_of(cells))
            for input_ in (CELLS, PACK_VOLTAGE, PACK_CURRENT, SOC)
        }
        store.compare_with({} if kept is None else dict(kept.values))

    def update(self, source: Source, kind: Kind, now: float) -> None:
        """Once a tick: count what went by, and judge what stands still. now: monotonic s.

        source: of the values; its counter, if it has one, must advance.
        """
        moved, counter = self._store.take_moved(), source.counter
        self._count = counted(self._count, self._look(moved, source, now), kind, now)
        self.verdict = judged(self._count, kind)
        if counter is not None:
            counter.moved_at = moved.get(counter.path, counter.moved_at)
            self.verdict = self.verdict.with_counter(counter.words(now))

    def keep(self, counter: Counter | None) -> KeptCount | None:
        """What a restart must not lose; None before the first tick."""
        paths = [path for paths in self._paths.values() for path in paths]
        if counter is None:
            return kept_count(self._count, self._store.last_compared(paths))
        values = self._store.last_compared([*paths, counter.path])
        return kept_count(self._count, values, counter.moved_at)

    def _look(self, moved: Mapping[str, float], source: Source, now: float) -> Look:
        store = self._store
        readings = store.readings(now)
        cells, written = readings[CELLS], readings[PACK_VOLTAGE]
        volts = volts_of(cells, written, self._cells)
        came = store.last(CURRENT_PATH)
        return Look(
            moved=frozenset(one for one, paths in self._paths.items() if paths & moved.keys()),
            current=readings[PACK_CURRENT],
            lives_until=-math.inf if came is None else came[1] + source.shelf_life.stale,
            soc=readings[SOC],
            voltage=written,
            lowest=volts.lowest,
            highest=volts.highest,
            is_whole=cells.is_whole,
        )
