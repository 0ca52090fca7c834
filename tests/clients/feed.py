"""The battery that the real clients meet, and what it is fed with."""

from typing import Any

from tests.harness.batteries import battery, healthy

FULL = {**healthy(cell=3.31), "Soc": 55, "Dc/0/Voltage": 53.1, "Dc/0/Current": 10}


def usual_battery(**limiter: Any) -> dict[str, Any]:
    """One battery for a configuration file; keywords are added to its limiter."""
    limits = {"max_charge_current": 100, "max_discharge_current": 150}
    return battery(limiter={**limits, **limiter})
