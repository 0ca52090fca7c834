"""Plays random inputs to a target, and says which of them it cannot take.

A finding is an exception that escapes, more work than an input is worth, or memory that grows.
"""

from __future__ import annotations

import gc
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from tests.fuzz.targets import TARGETS
from tests.harness.calls import count_calls

COUNTED = 10
"""Each tenth input's calls are counted, as that slows it down."""

MOST_SECONDS = 0.5
"""s of CPU for one input. Ours: for loops in C, whose calls nobody counts; usual is 1 ms."""

MOST_BLOCKS = 2000
"""Blocks of memory more at the end of a life than in its middle. Ours: Python's own lists."""

LONGEST_SHOWN = 2000  # characters of an input


@dataclass(frozen=True)
class Finding:
    """What is wrong, with the input and how to play it again."""

    target: str
    seed: int
    number: int
    problem: str
    made: object

    def __str__(self) -> str:
        shown = repr(self.made)
        if len(shown) > LONGEST_SHOWN:
            shown = f"{shown[:LONGEST_SHOWN]}… ({len(shown)} characters)"
        return (
            f"{self.target}: {self.problem}\ninput {self.number}: {shown}\n"
            f"again: ./run fuzz --target '{self.target}' --seed {self.seed}"
        )


@dataclass
class Tried:
    """How much was played, and the most that an input has cost, by target."""

    inputs: int = 0
    calls: int = 0
    growth: int = 0


def live(target: str, seed: int, tried: Tried) -> Finding | None:
    """Play one life of a target; what its first bad input shows, if any is bad."""
    kind, random = TARGETS[target], Random(seed)
    subject = kind.start()
    blocks, made = 0, None
    try:
        for number in range(kind.life):
            made = subject.make(random)
            tried.inputs += 1
            problem = _problem_of(
                lambda made=made: subject.play(made),  # type: ignore[misc]
                kind.most.base + kind.most.per_byte * len(repr(made)),
                tried if number % COUNTED == 0 else None,
            )
            problem = problem or _problem_of(lambda: subject.rest(random))
            if problem:
                return Finding(target, seed, number, problem, made)
            if number == kind.life // 2:
                blocks = _blocks()
        growth = _blocks() - blocks
        tried.growth = max(tried.growth, growth)
        if growth > MOST_BLOCKS:
            problem = f"memory grows by {growth} blocks in {kind.life // 2} inputs"
            return Finding(target, seed, kind.life, problem, made)
    finally:
        subject.close()
    return None


def fuzz(
    targets: list[str], seed: int, until: Callable[[], bool], tried: dict[str, Tried]
) -> Iterator[Finding]:
    """The findings of all targets in turns, from this seed on, until it is time."""
    while not until():
        for target in targets:
            found = live(target, seed, tried.setdefault(target, Tried()))
            if found:
                yield found
        seed += 1


def _problem_of(play: Callable[[], object], most: float = 0.0, counted: Tried | None = None) -> str:
    """Play an input; what is wrong with that, in words, and "" for nothing.

    counted: notes the calls, which must be no more than `most`; None: they are not counted.
    """
    began = time.process_time()
    try:
        if counted:
            calls = count_calls(play)
            counted.calls = max(counted.calls, calls)
            if calls > most:
                return f"{calls} Python calls, at most {most:.0f} are right"
        else:
            play()
    except Exception as problem:
        where = traceback.extract_tb(sys.exc_info()[2])[-1]
        return f"{type(problem).__name__}: {str(problem)[:300]} ({where.name}, line {where.lineno})"
    spent = time.process_time() - began
    if spent > MOST_SECONDS and not counted:
        return f"{spent:.1f} s of CPU, at most {MOST_SECONDS:g} are right"
    return ""


def _blocks() -> int:
    gc.collect()
    return sys.getallocatedblocks()
