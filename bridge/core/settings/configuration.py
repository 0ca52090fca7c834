"""From the parsed configuration file to checked settings, or to all of its mistakes at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from bridge.core.model import Group
from bridge.core.paths.access import EVERYTHING, Access, Kind, WriteAccess
from bridge.core.settings import checks, presets
from bridge.core.settings import declarations as settings
from bridge.core.settings.declarations import (
    AlarmSettings,
    Ceiling,
    FailsafeSettings,
    FreshnessSettings,
    LimiterSettings,
    PlausibilitySettings,
    Spec,
)
from bridge.core.text import did_you_mean

MAX_CELLS = 256
PORTAL_ID = r"[^#+/\s]+"
"""What may stand in a topic."""


class BadConfiguration(Exception):
    """Every mistake of a configuration, each with its place."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, kw_only=True)
class MqttConfig:
    """How to reach the broker, and which topics are ours."""

    host: str = "127.0.0.1"
    port: int = 1883
    username: str = ""
    password_file: str = ""
    tls: bool = False
    tls_ca: str = ""
    tls_insecure: bool = False
    portal_id: str = "auto"
    base_topic: str = "virtual-battery"
    notifications: str = "auto"
    home_assistant: str = "off"
    accept: tuple[Kind, ...] = EVERYTHING


@dataclass(frozen=True, kw_only=True)
class DbusConfig:
    """What may be written over D-Bus."""

    accept: tuple[Kind, ...] = EVERYTHING


@dataclass(frozen=True, kw_only=True)
class BatteryConfig:
    """One virtual battery. Capacity in Ah."""

    ident: str
    name: str
    instance: int
    cells: int
    chemistry: str
    capacity: float
    ceiling: Ceiling
    limiter: LimiterSettings
    freshness: FreshnessSettings
    failsafe: FailsafeSettings
    plausibility: PlausibilitySettings
    alarms: AlarmSettings


@dataclass(frozen=True, kw_only=True)
class Config:
    """The whole file. publish_interval in seconds."""

    mqtt: MqttConfig
    batteries: tuple[BatteryConfig, ...]
    dbus: DbusConfig = DbusConfig()
    publish_interval: float = 0.05
    log_level: str = "info"

    @property
    def access(self) -> Access:
        return Access(
            mqtt=WriteAccess("MQTT", "mqtt.accept", self.mqtt.accept),
            dbus=WriteAccess("D-Bus", "dbus.accept", self.dbus.accept),
        )


def parse(raw: object) -> Config:
    """Check a parsed configuration file as a whole.

    Raises BadConfiguration with every mistake, each with its place.
    """
    problems: list[str] = []
    config = _config(_Section(raw, "", problems))
    if problems or config is None:
        raise BadConfiguration(problems)
    return config


class _Section:
    """One mapping of the file: hands out checked values and notes what is wrong.

    Every getter answers the default where the key is absent or wrong, so that checking goes on.
    `done` notes the keys that nobody asked for.
    """

    def __init__(self, raw: object, place: str, problems: list[str]) -> None:
        self.place = place
        self._problems = problems
        self._asked: list[str] = []
        self._raw: Mapping[str, Any] = {}
        if raw is None:
            return
        if isinstance(raw, Mapping):
            self._raw = {str(key): value for key, value in raw.items()}
        else:
            self.complain("", f"must be a mapping of keys to values, not {checks.kind_of(raw)}")

    def complain(self, key: str, words: str) -> None:
        place = ".".join(part for part in (self.place, key) if part) or "the file"
        self._problems.append(f"{place}: {words}")

    def __contains__(self, key: str) -> bool:
        return self._raw.get(key) is not None

    def raw(self, key: str) -> Any:
        self._asked.append(key)
        return self._raw.get(key)

    def section(self, key: str) -> _Section:
        return self.section_of(self.raw(key), f"{self.place}.{key}" if self.place else key)

    def section_of(self, raw: object, place: str) -> _Section:
        return _Section(raw, place, self._problems)

    def peek_number(self, key: str, default: float) -> float:
        """A number that another default depends on; whether it is right is checked elsewhere."""
        value = self._raw.get(key)
        try:
            return checks.check_number(value, -math.inf, math.inf, "")
        except ValueError:
            return default

    def _get(self, key: str, default: Any, check: Callable[[Any], Any]) -> Any:
        value = self.raw(key)
        if value is None:
            if default is _REQUIRED:
                self.complain(key, "is missing")
                return None
            return default
        try:
            return check(value)
        except ValueError as problem:
            self.complain(key, str(problem))
            return None if default is _REQUIRED else default

    def number(self, key: str, low: float, high: float, unit: str, default: Any) -> Any:
        return self._get(key, default, lambda value: checks.check_number(value, low, high, unit))

    def integer(self, key: str, low: int, high: int, default: Any) -> Any:
        return self._get(key, default, lambda value: checks.check_integer(value, low, high))

    def text(self, key: str, default: Any, pattern: str = "", expected: str = "") -> Any:
        return self._get(key, default, lambda value: checks.check_text(value, pattern, expected))

    def choice(self, key: str, choices: tuple[str, ...], default: Any) -> Any:
        return self._get(key, default, lambda value: checks.check_choice(value, choices))

    def kinds(self, key: str) -> tuple[Kind, ...]:
        """Which kinds of writes; all of them where nothing is said."""
        kinds = self._get(key, EVERYTHING, lambda value: checks.check_members(value, Kind))
        return tuple(kinds)

    def switch(self, key: str, default: bool) -> bool:
        return bool(self._get(key, default, checks.check_switch))

    def setting(self, spec: Spec, default: Any) -> Any:
        """One field of a settings dataclass, checked by its own declaration."""
        return self._get(spec.name, default, lambda value: checks.check_setting(spec, value))

    def done(self) -> None:
        for key in self._raw:
            if key not in self._asked:
                self.complain(key, "is not a known key" + did_you_mean(key, self._asked))


_REQUIRED = object()


# --- the sections of the file -----------------------------------------------------------------


def _config(file: _Section) -> Config | None:
    mqtt = _mqtt(file.section("mqtt"))
    dbus = _dbus(file.section("dbus"))
    batteries = _batteries(file)
    interval = file.number("publish_interval", 0.01, 1.0, "s", 0.05)
    level = file.choice("log_level", ("debug", "info", "warning", "error"), "info")
    file.done()
    if None in batteries:
        return None
    return Config(
        mqtt=mqtt,
        dbus=dbus,
        batteries=tuple(b for b in batteries if b is not None),
        publish_interval=interval,
        log_level=level,
    )


def _mqtt(section: _Section) -> MqttConfig:
    tls = section.section("tls")
    base_topic = r"[^#+/\x00]+(/[^#+/\x00]+)*"
    config = MqttConfig(
        host=section.text("host", "127.0.0.1", r"\S+", "a host name or an address is needed"),
        port=section.integer("port", 1, 65535, 1883),
        username=section.text("username", ""),
        password_file=section.text("password_file", ""),
        tls="tls" in section,
        tls_ca=tls.text("ca", ""),
        tls_insecure=tls.switch("insecure", False),
        portal_id=section.text("portal_id", "auto", PORTAL_ID, "no spaces, no /, # or +"),
        base_topic=section.text(
            "base_topic", "virtual-battery", base_topic, "a topic without wildcards is needed"
        ),
        notifications=section.choice("notifications", ("auto", "on", "off"), "auto"),
        home_assistant=section.choice("home_assistant", ("off", "on", "entities"), "off"),
        accept=section.kinds("accept"),
    )
    if config.base_topic.split("/")[0] in ("N", "R", "W", "P", "I", "homeassistant"):
        section.complain("base_topic", f"{config.base_topic!r} belongs to others on the broker")
    tls.done()
    section.done()
    return config


def _dbus(section: _Section) -> DbusConfig:
    config = DbusConfig(accept=section.kinds("accept"))
    section.done()
    return config


def _batteries(file: _Section) -> list[BatteryConfig | None]:
    raw = file.raw("batteries")
    if not isinstance(raw, list) or not raw:
        file.complain("batteries", "must list at least one battery")
        return []
    sections = [file.section_of(one, f"batteries[{i}]") for i, one in enumerate(raw)]
    batteries = [_battery(section) for section in sections]
    for name in ("ident", "instance"):
        _complain_about_twins(name, list(zip(sections, batteries, strict=True)))
    return batteries


def _complain_about_twins(name: str, pairs: list[tuple[_Section, BatteryConfig | None]]) -> None:
    seen: dict[object, str] = {}
    for section, battery in pairs:
        if battery is None:
            continue
        value = getattr(battery, name)
        if value in seen:
            section.complain(name, f"{value!r} is taken by {seen[value]}")
        seen.setdefault(value, section.place)


def _battery(section: _Section) -> BatteryConfig | None:
    ident = section.text(
        "ident",
        _REQUIRED,
        r"[A-Za-z][A-Za-z0-9_]{0,39}",
        "letters, digits and _ only, at most 40, a letter first",
    )
    name = section.text("name", "Virtual battery", r".{0,32}", "at most 32 characters")
    instance = section.integer("instance", 0, 10000, 1)
    cells = section.integer("cells", 1, MAX_CELLS, _REQUIRED)
    chemistry = section.choice("chemistry", tuple(presets.PRESETS), _REQUIRED)
    capacity = section.number("capacity", 0.1, 100000, "Ah", _REQUIRED)
    chemistry_known, capacity_known = chemistry or "lfp", capacity or 1.0
    limiter = _limiter(section.section("limiter"), chemistry_known, capacity_known)
    ceiling = _ceiling(section.section("ceiling"), chemistry_known, limiter)
    freshness = _settings(section.section("freshness"), FreshnessSettings)
    failsafe = _settings(section.section("failsafe"), FailsafeSettings)
    plausibility = _settings(section.section("plausibility"), PlausibilitySettings)
    alarms = _alarms(section.section("alarms"), chemistry_known, ceiling)
    parts = {
        "limiter": limiter,
        "freshness": freshness,
        "failsafe": failsafe,
        "plausibility": plausibility,
        "alarms": alarms,
    }
    for part, declared in settings.SECTIONS.items():
        for key, words in declared.problems(parts[part], ceiling):
            section.complain(f"{part}.{key}", words)
    section.done()
    if ident is None or cells is None or chemistry is None or capacity is None:
        return None
    return BatteryConfig(
        ident=ident,
        name=name,
        instance=instance,
        cells=cells,
        chemistry=chemistry,
        capacity=capacity,
        ceiling=ceiling,
        limiter=limiter,
        freshness=freshness,
        failsafe=failsafe,
        plausibility=plausibility,
        alarms=alarms,
    )


SectionKind = TypeVar("SectionKind")


def _settings(
    section: _Section, kind: type[SectionKind], defaults: Mapping[str, Any] | None = None
) -> SectionKind:
    """A settings dataclass: each field from the file, else its default."""
    values = {}
    for spec in settings.fields_of(kind):
        default = (defaults or {}).get(spec.name, spec.default)
        if spec.kind == settings.GROUPS:
            default = tuple(Group(name) for name in default)
        values[spec.name] = section.setting(spec, default)
    section.done()
    return kind(**values)


def _limiter(section: _Section, chemistry: str, capacity: float) -> LimiterSettings:
    charge_rate, discharge_rate = presets.C_RATES[chemistry]
    defaults = dict(presets.PRESETS[chemistry])
    defaults["max_charge_current"] = round(capacity * charge_rate, 1)
    defaults["max_discharge_current"] = round(capacity * discharge_rate, 1)
    maximum = section.peek_number("max_charge_current", defaults["max_charge_current"])
    for name, share in presets.CURRENT_SHARES.items():
        defaults[name] = round(maximum * share, 1)
    return _settings(section, LimiterSettings, defaults)


def _ceiling(section: _Section, chemistry: str, limiter: LimiterSettings) -> Ceiling:
    """Without a ceiling in the file, what the file itself sets is the ceiling."""
    defaults = {
        "charge_current": limiter.max_charge_current,
        "discharge_current": limiter.max_discharge_current,
        "cell_voltage": presets.CEILING_CELL_VOLTAGE[chemistry],
        "min_cell_voltage": presets.CEILING_MIN_CELL_VOLTAGE[chemistry],
    }
    return _settings(section, Ceiling, defaults)


def _alarms(section: _Section, chemistry: str, ceiling: Ceiling) -> AlarmSettings:
    defaults = dict(presets.ALARM_PRESETS[chemistry])
    for name in ("charge_current", "discharge_current"):
        most = getattr(ceiling, name)
        defaults[f"high_{name}"] = tuple(round(most * s, 1) for s in presets.CURRENT_ALARM)
    return _settings(section, AlarmSettings, defaults)
