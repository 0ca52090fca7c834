"""The verdict on what stands still, for those who act on it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bridge.core.model import Group


@dataclass(frozen=True)
class Frozen:
    """The verdict.

    words: what stands still, with time and charge; "" for nothing. suspects: the same without
    numbers. stale: the groups that count as stale. full, empty: why charging or discharging must
    end; "" while it need not.
    voltage: of the pack, in V, if it is among what stands; None if it moves or is unknown.
    """

    words: str = ""
    suspects: str = ""
    stale: frozenset[Group] = frozenset()
    full: str = ""
    empty: str = ""
    voltage: float | None = None

    def with_counter(self, words: str) -> Frozen:
        """The same with a counter of the publisher that stands still: everything is stale.

        words: that it stands still; "" if it does not.
        """
        if not words:
            return self
        told = f"{self.words}; {words}" if self.words else words
        suspects = self.suspects or "no change of the counter"
        return replace(self, words=told, suspects=suspects, stale=frozenset(Group))


NOT_FROZEN = Frozen()
