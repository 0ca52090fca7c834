"""Plays scripts to a battery and its oracle side by side, and shortens those that fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tests.search.configurations import is_valid
from tests.search.generator import script_of
from tests.search.oracle import Broken, Oracle
from tests.search.script import Batch, Script, Wait
from tests.search.world import World

LENGTH = 200  # steps of a script


@dataclass(frozen=True)
class Found:
    """A law that was broken, by which script, after how many of its steps."""

    broken: Broken
    script: Script
    steps: int


def broken_by(script: Script) -> tuple[Broken, int] | None:
    """The first broken law of a script, and how many steps led to it."""
    world = World(script.config)
    oracle = Oracle(world.config, world.on_bus, world.now)
    for number, step in enumerate(script.steps, start=1):
        world.play(step)
        broken = oracle.follow(step, world.on_bus, world.now)
        if broken is not None:
            return broken, number
    return None


def search(
    seeds: Sequence[int],
    theme: str = "",
    watch: Callable[[Script], None] = lambda _script: None,
) -> Iterator[Found]:
    """What the scripts of these seeds break, unshortened.

    theme: of which more happens than of others; "": each script has its own. watch: sees each
    script.
    """
    for seed in seeds:
        script = script_of(seed, LENGTH, theme)
        watch(script)
        found = broken_by(script)
        if found is not None:
            broken, steps = found
            yield Found(broken, Script(script.config, script.steps[:steps]), steps)


def shortened(found: Found) -> Found:
    """The same law of the same limit, broken by as few steps and settings as are found."""
    script, wanted = found.script, found.broken
    for shorter_ones in (_with_fewer_steps, _with_longer_waits, _with_fewer_writes, _of_defaults):
        script = _shortest(script, wanted, shorter_ones)
    result = broken_by(script)
    assert result is not None, "each shorter script was played"
    broken, steps = result
    return Found(broken, Script(script.config, script.steps[:steps]), steps)


def _shortest(
    script: Script, wanted: Broken, shorter_ones: Callable[[Script], Iterator[Script]]
) -> Script:
    """The script after as many of these changes as leave the law broken."""
    while True:
        for shorter in shorter_ones(script):
            result = broken_by(shorter)
            if result and (result[0].law, result[0].limit) == (wanted.law, wanted.limit):
                script = Script(shorter.config, shorter.steps[: result[1]])
                break
        else:
            return script


def _with_fewer_steps(script: Script) -> Iterator[Script]:
    """Without half of the steps in a row, a quarter, and so on down to one."""
    steps, size = tuple(script.steps), len(script.steps) // 2
    while size:
        for end in range(len(steps), 0, -size):
            yield Script(script.config, (*steps[: max(0, end - size)], *steps[end:]))
        size //= 2


def _with_longer_waits(script: Script) -> Iterator[Script]:
    """With one wait instead of two in a row."""
    steps = tuple(script.steps)
    for at, (one, other) in enumerate(pairwise(steps)):
        if isinstance(one, Wait) and isinstance(other, Wait):
            whole = Wait(round(one.seconds + other.seconds, 2))
            yield Script(script.config, (*steps[:at], whole, *steps[at + 2 :]))


def _with_fewer_writes(script: Script) -> Iterator[Script]:
    """Without one write of a batch."""
    steps = tuple(script.steps)
    for at, step in enumerate(steps):
        if isinstance(step, Batch) and len(step.writes) > 1:
            for path in step.writes:
                fewer = {one: value for one, value in step.writes.items() if one != path}
                yield Script(script.config, (*steps[:at], Batch(fewer), *steps[at + 1 :]))


def _of_defaults(script: Script) -> Iterator[Script]:
    """Without one setting of the configuration, where its default will do."""
    for section, settings in script.config.items():
        if isinstance(settings, dict):
            for name in settings:
                fewer = {one: value for one, value in settings.items() if one != name}
                config = {**script.config, section: fewer}
                if is_valid(config):
                    yield Script(config, script.steps)


def report(found: Found) -> str:
    """A failure as words and as a script that can be pasted into a test."""
    return f"{found.broken}\nafter {found.steps} steps of\n{found.script}"
