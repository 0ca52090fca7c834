"""One pack: a string of N cells in series.

It has its measurements, their freshness and plausibility, the latches of its protections, and what
these allow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from bridge.core.limiter.caps import PackCaps, PackState, caps_of, pack_latches
from bridge.core.limiter.protection import Latch
from bridge.core.limiter.situation import LatchState, LimiterConfig
from bridge.core.measurements.charge_count import Kind
from bridge.core.measurements.contradictions import Contradictions
from bridge.core.measurements.display import Display
from bridge.core.measurements.frame import Frame
from bridge.core.measurements.freshness import Freshness, FreshnessWatch
from bridge.core.measurements.frozen_watch import FrozenWatch
from bridge.core.measurements.inputs import (
    CELLS,
    PACK_VOLTAGE,
    Input,
    Measurements,
)
from bridge.core.measurements.kept_count import KeptCount
from bridge.core.measurements.plausibility import Plausibility
from bridge.core.measurements.refusals import Refusals, words_for
from bridge.core.measurements.source import CLIENTS, Counter, ShelfLife, Source
from bridge.core.measurements.store import MeasurementStore
from bridge.core.measurements.unheard import Unheard, Written
from bridge.core.model import Date, Refused, Stage, Value
from bridge.core.paths.gate import PathSpec
from bridge.core.paths.table import Paths
from bridge.core.settings.declarations import FreshnessSettings, PlausibilitySettings

S = TypeVar("S")


@dataclass(frozen=True)
class PackSettings:
    """What a pack needs of the settings in force."""

    freshness: FreshnessSettings
    plausibility: PlausibilitySettings
    limiter: LimiterConfig
    kind: Kind


@dataclass(frozen=True)
class PackView:
    """A pack at one moment: how fresh it is, what is measured, and what its protections allow.

    voltage_age: s since the newest voltage of a cell or of the pack; infinite if there was none.
    warning: what is wrong with its publishers, in words; "" for nothing. is_frame_coming: whether
    the rest of a frame of voltages is waited for. half_counts_at: when the half that is there
    begins to count (monotonic s); None if it does already, or if no frame is coming.
    """

    freshness: Freshness
    measurements: Measurements
    allowed: PackCaps
    voltage_age: float
    warning: str = ""
    is_frame_coming: bool = False
    half_counts_at: float | None = None


class Pack:
    """Takes in the values of one pack, and gives the caps of its protections.

    `assess` does not change the latches, so it can be called without a decision; `commit` stores
    the latches of a view as those of the pack. heard_at: the last moment of fresh data before this
    start, from which the grace counts (monotonic s); None: there is no grace. latches: their states
    then. count: the charge counted until then. written: which paths were written until then.
    """

    def __init__(
        self,
        paths: Paths,
        inputs: tuple[Input[Any], ...],
        settings: PackSettings,
        started: float,
        heard_at: float | None,
        latches: LatchState,
        count: KeptCount | None = None,
        written: Written = (),
    ) -> None:
        cells = settings.limiter.cells
        kept_at = None if count is None else count.counter_at
        moved_at = started if kept_at is None else min(kept_at, started)
        self.clients = Source(
            CLIENTS, shelf_life_of(settings.freshness), counter_of(settings.freshness, moved_at)
        )
        self._settings = settings
        self._store = MeasurementStore(paths, inputs, cells)
        self._unheard = Unheard(self._store, written)
        self._display = Display(self._store)
        self._plausibility = Plausibility(inputs, cells)
        self._refusals = Refusals(inputs, cells)
        self._contradictions = Contradictions(inputs, cells)
        self._watch = FreshnessWatch(self._store, started, heard_at)
        self._state = PackState(pack_latches(latches))
        self._frozen = FrozenWatch(self._store, cells, count)
        self._measurements = Measurements({})
        self._frame = Frame(CELLS.all_paths_of(cells), *PACK_VOLTAGE.all_paths_of(cells))
        self._before_frame = self._store.readings(started)
        self.limiter_paths = frozenset(
            path for input_ in inputs for path in input_.all_paths_of(cells)
        )

    # --- what comes in -------------------------------------------------------------------

    def admit(
        self,
        spec: PathSpec,
        raw: object,
        source: Source,
        now: float,
        waited_since: float | None = None,
    ) -> None:
        """Store a value that passes the gate and can be believed. Raises Refused.

        now: monotonic s; a clock that runs backwards stands still here, as in `assess`.
        waited_since: from when the value may be (monotonic s). It counts as so old, so it refreshes
        nothing; and it replaces none that came later.
        """
        now = max(now, self._state.at)
        path = spec.path
        try:
            value = spec.coerce(raw)
        except Refused:
            self.note_unreadable(path, now)
            raise
        self._contradictions.note(path, value, now)
        last, settings = self._store.last(path), self._settings.plausibility
        try:
            self._plausibility.check(path, value, last, settings, now)
        except Refused:
            is_possible = self._plausibility.is_possible(path, value)
            self._refusals.note(path, now, is_possible=is_possible)
            raise
        came = now if waited_since is None else min(now, waited_since)
        if waited_since is None:
            if path in self._refusals.troubles and value is not None:
                self._refusals.note_good(path, now)
        elif last is not None and last[1] > came:
            return
        self._store.write(spec, value, source, came)
        if value is not None:
            is_other = last is None or value != last[0]
            if self._frame.note(path, now, is_other=is_other):
                self._before_frame = self._measurements.readings
            if self._unheard.at:
                self._unheard.note(path)

    def note_unreadable(self, path: str, now: float) -> None:
        """Note a reading that could not be decoded. now: monotonic s."""
        self._refusals.note(path, now)
        if self._store.last(path) is not None:
            self._plausibility.doubt(path, now)

    def forget(self, what: str, now: float) -> list[str]:
        """Forget one path or a group, as if never written. Returns the forgotten paths.

        Raises Refused for a path of a protection that is not silent (now: monotonic s) or blocks. A
        required group can always be forgotten as a whole, because that only tightens.
        """
        if what not in self._settings.freshness.required:
            for path in self._store.named(what):
                if why := self._store.blocking(path, now):
                    raise Refused(why)
                if path in self._refusals.unclear:
                    raise Refused(f"the last value of {path} could not be read, write a valid one")
        before = self._unheard.named(what, self._settings.freshness.stale, now)
        forgotten = [*self._store.forget(what), *before]
        for path in forgotten:
            self._refusals.forget(path)
            self._unheard.note(path)
        self._frame.forget(forgotten)
        return forgotten

    def change_settings(self, settings: PackSettings, now: float) -> None:
        """Use other settings from now on (monotonic s). What is stale already stays stale."""
        self._store.expire(now)
        self._settings = settings
        self.clients.shelf_life = shelf_life_of(settings.freshness)
        self._store.look_at_all()
        self._display.look_at_all()

    def count_charge(self, now: float) -> None:
        """Once a tick: count what went by, and judge what stands still. now: monotonic s."""
        self._frozen.update(self.clients, self._settings.kind, now)

    def written(self) -> Written:
        """What a restart must know of the paths that were written."""
        return self._unheard.written(self._refusals.unclear)

    def keep_count(self) -> KeptCount | None:
        """What a restart must not lose of the charge counted; None before the first tick."""
        return self._frozen.keep(self.clients.counter)

    # --- what follows from it --------------------------------------------------------------

    def assess(self, now: float, date: Date | None) -> PackView:
        """The pack at this moment (monotonic s). date: for the seasons."""
        settings = self._settings
        refused = self._refused(now) if self._refusals.troubles else []
        freshness = self._watch.assess(settings.freshness, now, self._frozen.verdict)
        silent = freshness.silent
        refused_of: Mapping[Input[Any], str] = {}
        if refused and freshness.stage < Stage.STALE:
            refused_of = {self._refusals.input_of(path): path for path in refused}
            silent |= refused_of.keys()
        stale, single_cells = settings.freshness.stale, settings.freshness.single_cells
        warning = ""
        if self._unheard.at and freshness.stage < Stage.STALE:
            silent |= self._unheard.silent(stale, now)
            warning = self._unheard.words(stale, now)
        if refused or self._contradictions.other:
            self._contradictions.expire(now)
            warning = words_for(refused) or self._contradictions.words or warning
        readings = self._store.readings(now)
        for state in self._store.replaceable:
            if state.lacks:
                warning = warning or f"some of {state.input.name} are missing"
        doubt = warning or self._plausibility.words(now, stale, single_cells)
        if self._refusals.troubles:
            doubt = doubt or self._refusals.words
        is_coming, half_counts_at = self._frame.state(now)
        before_frame = self._before_frame if is_coming else None
        half_counts = is_coming and half_counts_at is None
        measurements = self._measured(
            readings,
            silent,
            doubt or self._frozen.verdict.suspects,
            before_frame,
            half_counts,
            refused_of,
        )
        suspected = None
        if doubt:
            suspects = self._plausibility.counting(settings.plausibility, now)
            counting = {**suspects, **self._contradictions.other}
            if counting:
                instead = self._store.readings_with(counting, now)
                suspected = replace(measurements, readings=instead, doubt=doubt)
        allowed = caps_of(
            measurements, suspected, settings.limiter, freshness.stage, self._state, now, date
        )
        inputs = self._store.inputs
        newest = max(inputs[CELLS].newest, inputs[PACK_VOLTAGE].newest)
        return PackView(
            freshness, measurements, allowed, now - newest, warning, is_coming, half_counts_at
        )

    def commit(self, view: PackView) -> None:
        """The latches of this view are the pack's from now on."""
        self._state = view.allowed.state
        self._frame.look(view.allowed.situation.now)
        if not view.is_frame_coming:
            self._before_frame = view.measurements.readings

    def latch_of(self, latch: Latch[S]) -> S:
        """The state of one latch."""
        return latch.of(self._state.latches)

    def set_latch(self, latch: Latch[S], state: S) -> None:
        """Give one latch a state that was kept."""
        self._state = PackState({**self._state.latches, latch.name: state})

    def displayed(self, now: float) -> dict[str, Value]:
        """The changes on display since the last call; None for a value that is gone."""
        return self._display.update(now, self._settings.freshness.keep)

    @property
    def on_display(self) -> Mapping[str, Value]:
        """All measurements on display, as they were at the last `displayed`."""
        return self._display.values

    def _refused(self, now: float) -> list[str]:
        """The paths that are refused again and again; their last values expire."""
        doubt, freshness = self._settings.plausibility.doubt, self._settings.freshness
        missing = self._refusals.missing(doubt, freshness.stale, freshness.single_cells, now)
        self._store.refuse(missing)
        return missing

    def _measured(
        self,
        readings: Mapping[Input[Any], Any],
        silent: frozenset[Input[Any]],
        doubt: str,
        before_frame: Mapping[Input[Any], Any] | None,
        half_counts: bool,
        refused: Mapping[Input[Any], str],
    ) -> Measurements:
        """The measurements; the same object while nothing has changed."""
        before = self._measurements
        if (
            readings is not before.readings
            or silent != before.silent
            or doubt != before.doubt
            or self._frozen.verdict is not before.frozen
            or before_frame is not before.before_frame
            or half_counts is not before.half_counts
            or refused != before.refused
        ):
            self._measurements = Measurements(
                readings,
                silent,
                doubt,
                self._frozen.verdict,
                before_frame,
                half_counts,
                refused,
            )
        return self._measurements


def counter_of(freshness: FreshnessSettings, moved_at: float) -> Counter | None:
    """The counter that clients must advance, if there is one. moved_at: monotonic s."""
    path, within = freshness.moves, freshness.frozen
    return None if path is None else Counter(path, within, moved_at)


def shelf_life_of(freshness: FreshnessSettings) -> ShelfLife:
    """The shelf life of the values that clients write."""
    return ShelfLife(freshness.aging, freshness.stale, freshness.lost, freshness.single_cells)
