"""Takes writes in: decodes the payload, checks the access, and calls the taker of the role."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bridge.battery.status import NO_SUCH_PATH, StatusPublisher
from bridge.core.model import Refused, Value
from bridge.core.paths.access import Access, WriteAccess
from bridge.core.paths.gate import PathSpec, Role
from bridge.core.paths.payloads import NOTHING, decode_batch, decode_write
from bridge.core.paths.table import Paths
from bridge.core.settings.live import RefusedSettings

TAKEN, READ_ONLY, REFUSED = 0, 1, 2
"""SetValue's return codes, as in velib."""

_MOST_PARTS = 7  # of a path that a batch names; the longest path has five
_SHOWN = 60  # bytes that a refusal shows of a payload that could not be read

WriteHandler = Callable[[PathSpec, object, float], None]
"""Takes an allowed write: its path, value and time (monotonic s). Raises Refused."""


class Intake:
    """Takes in the writes to one battery.

    handlers: by the role of a path. take_settings: takes settings that were written together, by
    path; raises RefusedSettings. note_unreadable: told of a measurement that cannot be decoded, by
    its path and time (monotonic s).
    """

    def __init__(
        self,
        paths: Paths,
        access: Access,
        status: StatusPublisher,
        handlers: Mapping[Role, WriteHandler],
        take_settings: Callable[[Mapping[str, object]], None],
        note_unreadable: Callable[[str, float], None],
    ) -> None:
        self._paths = paths
        self._access = access
        self._status = status
        self._handlers = handlers
        self._take_settings = take_settings
        self._note_unreadable = note_unreadable

    def on_message(self, path: str, payload: bytes, topic: str, now: float) -> None:
        """A write by MQTT to one path. An empty payload is ignored."""
        value: object = NOTHING
        try:
            value = decode_write(payload)
            if value is not NOTHING:
                self._take(path, value, self._access.mqtt, now)
        except Refused as refusal:
            shown = value
            if value is NOTHING:
                shown = _beginning(payload)
                self._on_unreadable(path, now)
            self._status.refusal(topic, path, shown, str(refusal), now)

    def on_batch(self, payload: bytes, topic: str, now: float) -> None:
        """Many writes in one JSON object.

        A wrong write is refused, the others are taken. Settings are taken or refused together.
        """
        try:
            writes = decode_batch(payload)
        except Refused as refusal:
            self._status.refusal(topic, "", _beginning(payload), str(refusal), now)
            return
        settings: dict[str, object] = {}
        for path, value in writes if isinstance(writes, list) else []:
            try:
                spec = self._checked(path, self._access.mqtt)
                if spec.role is Role.SETTING:
                    settings[path] = value
                else:
                    self._handlers[spec.role](spec, value, now)
            except Refused as refusal:
                self._on_unreadable_part(path, now)
                self._status.refusal(topic, path, value, str(refusal), now)
        try:
            if settings:
                self._take_settings(settings)
        except RefusedSettings as refused:
            for path, reason in refused.refusals:
                self._status.refusal(topic, path, settings[path], reason, now)

    def on_oversize(self, path: str, topic: str, size: int, now: float) -> None:
        """Refuse a message whose payload was too large to keep. size: bytes."""
        self._on_unreadable(path, now)
        self._status.refusal(topic, path, None, f"{size} bytes are too much", now)

    def _on_unreadable(self, path: str, now: float) -> None:
        spec = self._paths.get(path)
        is_measurement = spec is not None and spec.role is Role.MEASUREMENT
        if is_measurement and self._access.mqtt.takes(Role.MEASUREMENT):
            self._note_unreadable(path, now)

    def _on_unreadable_part(self, path: str, now: float) -> None:
        """A part of a batch below a path that has no parts is that path's value, unreadable."""
        parts = path.split("/", _MOST_PARTS)
        for last in range(2, len(parts)):
            self._on_unreadable("/".join(parts[:last]), now)

    def on_write(self, path: str, value: object, now: float) -> int:
        """A write by D-Bus SetValue. Returns its code: 0 taken, 1 read-only, 2 refused."""
        spec = self._paths.get(path)
        if spec is None or not spec.writable:
            return READ_ONLY
        try:
            self._take(path, value, self._access.dbus, now)
        except Refused as refusal:
            self._status.refusal("D-Bus", path, value, str(refusal), now)
            return REFUSED
        return TAKEN

    def _take(self, path: str, value: object, access: WriteAccess, now: float) -> None:
        spec = self._checked(path, access)
        if spec.role is Role.SETTING:
            self._take_settings({path: value})
        else:
            self._handlers[spec.role](spec, value, now)

    def _checked(self, path: str, access: WriteAccess) -> PathSpec:
        """The path's declaration, if it may be written by this way in. Raises Refused."""
        spec = self._paths.get(path)
        if spec is None:
            raise Refused(NO_SUCH_PATH)
        if not spec.writable:
            raise Refused("this path cannot be written")
        access.check(spec.role)
        return spec


def _beginning(payload: bytes) -> str:
    return payload[:_SHOWN].decode("utf-8", "replace")


def gated(take: Callable[[str, Value, float], None]) -> WriteHandler:
    """A taker that first passes the value through the gate."""

    def take_gated(spec: PathSpec, raw: object, now: float) -> None:
        take(spec.path, spec.coerce(raw), now)

    return take_gated
