"""The charge that was written to have flowed while every voltage and the SoC stood still."""

from __future__ import annotations

from tests.search.written import CURRENT, FORGET, SOC, VOLTAGE, Reading, Written, number_in

LONGEST = 60.0
"""s. What flows in a longer step is not counted: fewer looks, fewer doubts about the count."""


class Counted:
    """Charge in Ah since any voltage or the SoC was written otherwise than before; positive: in."""

    def __init__(self) -> None:
        self.charge = 0.0
        self._has_moved = self._is_new = True
        self._amps: Reading | None = None
        self._last: dict[str, float] = {}

    def write(self, path: str, raw: object, written: Written, now: float) -> None:
        """Something was written. Only another number, or forgetting, begins a new count."""
        if path == FORGET:
            self._has_moved = True
        number = number_in(raw, written.kinds[path]) if path in written.kinds else None
        if not isinstance(number, float):
            return
        if path == CURRENT:
            self._is_new = self._is_new or self._amps is None or self._amps[0] != number
            self._amps = number, now
        elif path in (*written.cell_paths, VOLTAGE, SOC):
            self._has_moved |= self._last.get(path) != number
            self._last[path] = number

    def go_on(self, passed: float, aging: float, now: float) -> None:
        """So many s went by. aging: s, for which a current is surely fresh.

        The bridge may see only at their end that a value has moved at their beginning, or that the
        current is another one.
        """
        is_new, self._is_new = self._is_new, False
        if self._has_moved:
            self.charge, self._has_moved = 0.0, False
        elif self._amps is not None and not is_new and passed <= LONGEST:
            amps, at = self._amps
            self.charge += amps * passed / 3600 if now - at <= aging else 0.0
