"""Random scripts against a whole battery: no limit above what its writes and the clock allow.

A failure prints the shortest script that was found; paste it into a test. `./run search 1000000`
searches longer, from a seed that is new each time.
"""

from __future__ import annotations

import pytest

from tests.search.search import LENGTH, report, search, shortened

STEPS = 80_000
PARTS = 10  # so that the workers of pytest share them


@pytest.mark.promise("rules")
@pytest.mark.promise("ceilings")
@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_no_limit_is_above_what_its_writes_allow(part: int) -> None:
    scripts = STEPS // LENGTH // PARTS
    found = next(search(range(part * scripts, (part + 1) * scripts)), None)
    assert found is None, report(shortened(found))
