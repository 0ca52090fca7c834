"""Who publishes the N/ topics of a portal on this broker: a GX, or we.

Two publishers on the same topics would contradict each other. So we first wait for signs of a GX:
its retained Serial, or its answer to a read. If there are none, we claim the topics: we publish our
own Serial, with a mark, and wait until the broker sends it back to us. The broker of a GX never
does, because it lets no client publish there. If a GX's Serial arrives later, we stop publishing.
"""

from __future__ import annotations

import enum

from bridge.gateways.victron_mqtt.messages import is_our_serial

LISTEN = 2.0  # s of listening before the claim; a retained message comes within milliseconds
CLAIM = 10.0  # s until the log says that the broker does not send our claim back


class Owner(enum.Enum):
    """Who publishes, as far as it is known."""

    NOBODY = "nobody"  # not connected yet, or switched off
    LISTENING = "listening"
    CLAIMING = "claiming"
    WE = "we"
    A_GX = "a GX"


class Ownership:
    """The owner of one portal on one broker, from what arrives. Time in monotonic seconds."""

    def __init__(self, mode: str) -> None:
        """mode: auto, on or off."""
        self._mode = mode
        self._since = 0.0
        self.owner = Owner.NOBODY

    def start(self, now: float) -> None:
        """Begin anew: at each connection, and when the portal id becomes known."""
        if self._mode == "off":
            return
        self._become(Owner.WE if self._mode == "on" else Owner.LISTENING, now)

    def on_serial(self, payload: bytes, retained: bool) -> None:
        """Take a Serial of our portal, ours or a GX's. A retained one confirms no claim."""
        if self._mode != "auto" or not payload:
            return
        if not is_our_serial(payload):
            self.owner = Owner.A_GX
        elif self.owner is Owner.CLAIMING and not retained:
            self.owner = Owner.WE

    def on_answer(self) -> None:
        """A read of our battery was answered, and not by us: so there is a GX."""
        if self._mode == "auto" and self.owner is Owner.LISTENING:
            self.owner = Owner.A_GX

    def tick(self, now: float) -> None:
        """Take the next step when it is due. If the clock jumps back, the wait starts anew."""
        waited = now - self._since
        if waited < 0:
            self._since = now
        elif self.owner is Owner.LISTENING and waited >= LISTEN:
            self._become(Owner.CLAIMING, now)

    def is_held_back(self, now: float) -> bool:
        """Whether the broker has not sent our claim back for so long that it seems forbidden."""
        return self.owner is Owner.CLAIMING and now - self._since >= CLAIM

    def _become(self, owner: Owner, now: float) -> None:
        self.owner, self._since = owner, now
