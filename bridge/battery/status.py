"""Publishes a battery's own topics and writes its log lines, both at a limited rate."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bridge.battery.control import Assessment
from bridge.core.model import LIMIT_NAMES, Stage, Value
from bridge.core.outputs.state_document import as_json, without_ages
from bridge.core.paths.table import Paths
from bridge.core.settings.live import NOTHING_TO_RESTORE, RESTORABLE
from bridge.core.text import did_you_mean, sanitize_for_log
from bridge.core.throttle import Throttle
from bridge.ports import Client
from bridge.topics import BatteryTopics

log = logging.getLogger(__name__)

NO_SUCH_PATH = "there is no such path"
STATE_INTERVAL = 0.9  # s between two messages on the state topic; ticks come a little early or late


class StatusPublisher:
    """Publishes the state, the settings and the refusals of one battery, and logs for it."""

    def __init__(self, ident: str, topics: BatteryTopics, client: Client, paths: Paths) -> None:
        self._ident = ident
        self._topics = topics
        self._client = client
        self._paths = paths
        self._state: dict[str, Any] | None = None
        self._state_at = float("-inf")
        self._settings: Mapping[str, Value] | None = None
        self._refusals = Throttle(per_second=2, burst=20)
        self._refusals_logged = Throttle(per_second=0.1, burst=10)
        self._hints = Throttle(per_second=0.1, burst=10)  # ours: enough for a person who tries
        self._changes_logged = Throttle(per_second=0.1, burst=100)
        self._transitions_logged = Throttle(per_second=0.1, burst=20)

    def again(self) -> None:
        """Publish state and settings at the next refresh, although they have not changed.

        A broker that we have just connected to may have neither.
        """
        self._state, self._state_at, self._settings = None, float("-inf"), None

    def state(self, content: Callable[[], dict[str, Any]], now: float) -> None:
        """Publish the state if it has changed and STATE_INTERVAL has passed. now: monotonic s."""
        if now - self._state_at < STATE_INTERVAL:
            return
        state = content()
        news = without_ages(state)
        if news != self._state:
            self._state, self._state_at = news, now
            self._client.publish(self._topics.state, as_json(state), retain=True)

    def settings(self, values: Mapping[str, Value], tree: Callable[[], dict[str, Any]]) -> None:
        """Publish all settings if one has changed, as a batch that restores them when sent."""
        if values is not self._settings:
            self._settings = values
            self._client.publish(self._topics.settings, as_json(tree()), retain=True)

    def refusal(self, topic: str, path: str, value: object, reason: str, now: float) -> None:
        """Publish and log a write that was not taken, and why. now: monotonic s."""
        published, logged = self._refusals.allows(now), self._refusals_logged.allows(now)
        if published or logged:
            reason += self._hint(path, value, reason, now)
        if published:
            answer = {
                "topic": sanitize_for_log(topic),
                "path": sanitize_for_log(path),
                "value": _printable(value),
                "reason": reason,
            }
            self._client.publish(self._topics.rejected, as_json(answer))
        if logged:
            withheld = self._refusals_logged.take_withheld()
            more = f" (and {withheld} more refusals before)" if withheld else ""
            where = sanitize_for_log(path or topic)
            log.warning("%s: refused %s: %s%s", self._ident, where, reason, more)

    def _hint(self, path: str, value: object, reason: str, now: float) -> str:
        """The known word that was perhaps meant. It is slow, so seldom."""
        if reason == NO_SUCH_PATH and self._hints.allows(now):
            stem = path.rstrip("0123456789")
            if f"{stem}1" in self._paths and stem != path and stem.endswith("/Cell"):
                return f"; the configuration has {self._count(stem)} cells"
            return did_you_mean(path, self._paths)
        if reason == NOTHING_TO_RESTORE and self._hints.allows(now):
            return did_you_mean(str(value), RESTORABLE)
        return ""

    def _count(self, stem: str) -> int:
        return sum(path.startswith(stem) for path in self._paths)

    def settings_changed(self, news: Iterable[str], now: float) -> None:
        """Log one line for each setting that has changed. now: monotonic s."""
        for line in news:
            if self._changes_logged.allows(now):
                log.info("%s: %s", self._ident, line)

    def transitions(self, before: Assessment | None, after: Assessment, now: float) -> None:
        """Log a stage or a doubt that has changed, and what now holds a limit.

        now: monotonic s.
        """
        freshness = after.pack.freshness
        stage = Stage.WAITING if before is None else before.pack.freshness.stage
        if freshness.stage is not stage:
            worst_group = f" ({freshness.worst_group.value})" if freshness.worst_group else ""
            self._transition(now, "measurements are %s%s", freshness.stage.word, worst_group)
        warning, suspects = after.pack.warning, after.pack.measurements.frozen.suspects
        old_warning = "" if before is None else before.pack.warning
        old_suspects = "" if before is None else before.pack.measurements.frozen.suspects
        if warning != old_warning:
            self._doubt(now, warning, old_warning)
        if suspects != old_suspects:
            self._doubt(now, freshness.frozen, old_suspects)
        new, old = after.decision, None if before is None else before.decision
        rules = (None, None, None) if old is None else (old.cvl.rule, old.ccl.rule, old.dcl.rule)
        limits = (new.cvl, new.ccl, new.dcl)
        for name, limit, rule in zip(LIMIT_NAMES, limits, rules, strict=True):
            if limit.rule != rule:
                value = "withdrawn" if limit.value is None else f"{limit.value:.1f}"
                self._transition(now, "%s %s: %s", name, value, limit.reason)

    def _doubt(self, now: float, words: str, before: str) -> None:
        """Log a doubt that has begun or changed, or the end of the one before."""
        if words:
            self._transition(now, "in doubt: %s", words, level=logging.WARNING)
        else:
            self._transition(now, "no longer in doubt: %s", before)

    def _transition(
        self, now: float, words: str, *parts: object, level: int = logging.INFO
    ) -> None:
        if self._transitions_logged.allows(now):
            withheld = self._transitions_logged.take_withheld()
            more = f" ({withheld} lines before this were left out)" if withheld else ""
            log.log(level, "%s: " + words + "%s", self._ident, *parts, more)


def _printable(value: object) -> object:
    """A refused value that JSON can hold, shortened to 60 characters."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (int, float)) and abs(value) < 1e15:
        return value
    try:
        return str(value)[:60]
    except (ValueError, RecursionError):
        return f"a {type(value).__name__} of great length"
