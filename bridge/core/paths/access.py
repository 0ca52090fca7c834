"""Who may write what: each way in can be closed to a kind of write."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from bridge.core.model import Refused
from bridge.core.paths.gate import Role


class Kind(str, enum.Enum):
    """What a write is, as the configuration names it."""

    MEASUREMENTS = "measurements"
    REQUESTS = "requests"
    SETTINGS = "settings"


EVERYTHING = tuple(Kind)

_KIND_OF: Mapping[Role, Kind] = {
    Role.MEASUREMENT: Kind.MEASUREMENTS,
    Role.ALARM: Kind.MEASUREMENTS,
    Role.PAGE: Kind.MEASUREMENTS,
    Role.REQUEST: Kind.REQUESTS,
    Role.SETTING: Kind.SETTINGS,
    Role.NAME: Kind.SETTINGS,
    Role.COMMAND: Kind.SETTINGS,
}


@dataclass(frozen=True)
class WriteAccess:
    """One way in: its name, its key in the configuration, and the kinds of writes it accepts."""

    name: str
    key: str
    accept: tuple[Kind, ...] = EVERYTHING

    def takes(self, role: Role) -> bool:
        """Whether this way in accepts writes to paths of this role."""
        return _KIND_OF[role] in self.accept

    def check(self, role: Role) -> None:
        """Raise Refused if this way in does not accept writes to paths of this role."""
        kind = _KIND_OF[role]
        if kind not in self.accept:
            raise Refused(f"{kind.value} are not taken over {self.name}, says {self.key}")


@dataclass(frozen=True)
class Access:
    """Both ways in.

    On a GX a write to a W/ topic comes by both, as its broker sets the value on D-Bus as well. So
    restrict both there, or none. Whoever changes our settings in the settings service does it over
    D-Bus.
    """

    mqtt: WriteAccess
    dbus: WriteAccess

    def check_kept(self, role: Role) -> None:
        """Raise Refused if no way in accepts writes to paths of this role.

        What was kept over a restart has come by one of them, nobody knows by which.
        """
        if not (self.mqtt.takes(role) or self.dbus.takes(role)):
            kind = _KIND_OF[role].value
            raise Refused(f"{kind} are not taken at all, say {self.mqtt.key} and {self.dbus.key}")


ALL_OPEN = Access(mqtt=WriteAccess("MQTT", "mqtt.accept"), dbus=WriteAccess("D-Bus", "dbus.accept"))
