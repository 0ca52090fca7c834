"""A lone write touches only what depends on it: the budget of its Python calls."""

from __future__ import annotations

import pytest
from calls import calls_of_lone_write

MOST_CALLS = 200
MOST_GROWTH = 1.5  # times the calls at 16 cells, at 256

WRITES = {
    "/Voltages/Cell7": b'{"value": 3.311}',
    "/Dc/0/Voltage": b"%f",
    "/Dc/0/Current": b"-11",
    "/Dc/0/Temperature": b"21.5",
    "/Soc": b"51",
    "/System/MOSTemperature": b"30",
    "/Io/AllowToCharge": b"1",
    "/Soh": b"99",
}


@pytest.mark.parametrize("path", WRITES)
def test_a_lone_write_touches_only_what_depends_on_it(path: str) -> None:
    few, many = (
        calls_of_lone_write(cells, path, WRITES[path].replace(b"%f", b"%d" % (3.4 * cells)))
        for cells in (16, 256)
    )
    assert few <= MOST_CALLS
    assert many <= MOST_GROWTH * few
