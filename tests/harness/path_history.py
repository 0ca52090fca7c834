"""What stood on the bus after each change: a busy test that looks late still sees all of it."""

from __future__ import annotations

from typing import Any

from tests.harness.bus_client import LIMITS, BusClient


class PathHistory:
    """Follows some paths of a service, or limits by their short names, from its construction."""

    def __init__(self, bus: BusClient, *paths: str) -> None:
        self._bus = bus
        self._paths = [LIMITS.get(path, path) for path in paths]
        bus.heard()
        self._now = {path: bus[path] for path in self._paths}
        self._entries = [tuple(self._now.values())]

    def entries(self) -> list[tuple[Any, ...]]:
        """The values of all paths at the beginning, and after each signal that changed one."""
        for changed in self._bus.changes():
            self._now.update({path: changed[path] for path in self._paths if path in changed})
            values = tuple(self._now.values())
            if values != self._entries[-1]:
                self._entries.append(values)
        return self._entries
