"""Finds the portal id of this device. It is part of every topic of a GX."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path

from bridge.core.settings.configuration import PORTAL_ID

log = logging.getLogger(__name__)

SYSTEM_SERVICE, SERIAL_PATH = "com.victronenergy.system", "/Serial"
UNIQUE_ID = Path("/data/venus/unique-id")
"""The file of a GX that holds the portal id."""

AUTO = "auto"

Answer = Callable[[object], None]


class PortalFinder:
    """Finds the portal id: in the configuration, else in a GX's file, else by the system service.

    Call `look` once a second. Once found, the portal id does not change.
    """

    def __init__(
        self,
        configured: str,
        ask: Callable[[Answer], None],
        on_found: Callable[[str], None],
        file: Path = UNIQUE_ID,
    ) -> None:
        """configured: a portal id, or "auto".

        ask(answer): ask the system service for the portal id, and call answer(portal id) later.
        on_found(portal): called once, unless the portal id is configured. file: where a GX has it.
        """
        self.portal = "" if configured == AUTO else configured
        self._ask = ask
        self._on_found = on_found
        self._file = file
        self._logged = False

    def look(self) -> None:
        """Look for the portal id, if it is not known yet."""
        if self.portal:
            return
        if self._file.is_file():
            self._take(self._file.read_text(encoding="ascii", errors="replace").strip())
            return
        self._ask(self._take)
        if not self._logged:
            self._logged = True
            log.info("asking %s for the portal id", SYSTEM_SERVICE)

    def _take(self, portal: object) -> None:
        if not self.portal and isinstance(portal, str) and re.fullmatch(PORTAL_ID, portal):
            self.portal = str(portal)
            self._on_found(self.portal)
