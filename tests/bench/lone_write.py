"""Latency of a lone write: from publish to the D-Bus signal that shows it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator

from tests.bench.stage import Stage, Subject, Witness
from tests.bench.table import Row, median, quantile, times_echo

_PAUSE = 0.03  # s, twice between two writes to one subject: each is a lone one

_WRITES: dict[str, tuple[str, Callable[[int], float]]] = {
    "a temperature": ("/Dc/0/Temperature", lambda n: (250 + n % 50) / 10),
    "a cell voltage": ("/Voltages/Cell7", lambda n: (3310 + n % 50) / 1000),
}
"""One that only the limiter looks at, and one from which five other values follow."""


def measure(stage: Stage, times: int) -> Iterator[Row]:
    for name, (path, value) in _WRITES.items():
        latencies = _latencies(stage, times, path, value)
        bridge, echo = latencies[stage.bridge], latencies[stage.echo]
        for words, of in (("median", median), ("p99", lambda them: quantile(them, 0.99))):
            what = f"lone write of {name}, {words}"
            yield Row(what, of(bridge), "ms", of(echo), times_echo(1.3))


def _latencies(
    stage: Stage, times: int, path: str, value: Callable[[int], float]
) -> dict[Subject, list[float]]:
    """In ms, by subject; they take turns."""
    latencies: dict[Subject, list[float]] = {subject: [] for subject in stage.subjects}
    with Witness(stage.bridge) as at_bridge, Witness(stage.echo) as at_echo:
        for number in range(times):
            for subject, witness in ((stage.bridge, at_bridge), (stage.echo, at_echo)):
                time.sleep(_PAUSE * random.uniform(0.9, 1.1))  # out of step with any tick
                witness.catch_up()
                sent = stage.publisher.publish(subject, path, value(number))
                shown = witness.wait({path: value(number)})
                assert shown is not None, f"{subject.service} did not show {path}"
                latencies[subject].append((shown - sent) * 1000)
    return latencies
