"""Who publishes the N/ topics of a portal on this broker: a GX, or we.

Two publishers on the same topics would contradict each other, so before the first word we listen
whether a GX is there: its retained Serial, or its answer to a read. Then we claim: we publish a
Serial of our own, with a mark, and wait until the broker hands it back to us. A GX's broker never
does, for it lets nobody else publish there. Whenever a GX's Serial turns up later, we fall silent.
"""

from __future__ import annotations

import enum

from bridge.gateways.victron_mqtt.messages import is_our_serial

LISTEN = 2.0  # s of listening before the claim; a retained message comes within milliseconds
CLAIM = 10.0  # s until it is worth telling that the broker keeps our claim to itself


class Owner(enum.Enum):
    """How far it is settled who publishes."""

    NOBODY = "nobody"  # not connected yet, or switched off
    LISTENING = "listening"
    CLAIMING = "claiming"
    WE = "we"
    A_GX = "a GX"


class Ownership:
    """Follows one portal on one broker. mode: auto, on or off. Time in monotonic seconds."""

    def __init__(self, mode: str) -> None:
        self._mode = mode
        self._since = 0.0
        self.owner = Owner.NOBODY

    def start(self, now: float) -> None:
        """At each connection, and when the portal becomes known."""
        if self._mode == "off":
            return
        self._become(Owner.WE if self._mode == "on" else Owner.LISTENING, now)

    def hear_serial(self, payload: bytes, retained: bool) -> None:
        """A Serial of our portal, anybody's. Only what is heard live can be our own claim."""
        if self._mode != "auto" or not payload:
            return
        if not is_our_serial(payload):
            self.owner = Owner.A_GX
        elif self.owner is Owner.CLAIMING and not retained:
            self.owner = Owner.WE

    def hear_answer(self) -> None:
        """Somebody answered a read of our battery while we did not."""
        if self._mode == "auto" and self.owner is Owner.LISTENING:
            self.owner = Owner.A_GX

    def tick(self, now: float) -> None:
        """Let time pass. A clock that jumps back starts the listening anew."""
        waited = now - self._since
        if waited < 0:
            self._since = now
        elif self.owner is Owner.LISTENING and waited >= LISTEN:
            self._become(Owner.CLAIMING, now)

    def is_held_back(self, now: float) -> bool:
        """Whether the broker keeps our claim to itself for so long that it seems to forbid it."""
        return self.owner is Owner.CLAIMING and now - self._since >= CLAIM

    def _become(self, owner: Owner, now: float) -> None:
        self.owner, self._since = owner, now
