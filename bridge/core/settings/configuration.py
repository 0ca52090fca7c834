"""Checks the parsed configuration file, and reports all of its mistakes at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from bridge.core.model import Group
from bridge.core.paths.access import EVERYTHING, Access, Kind, WriteAccess
from bridge.core.settings import declarations as settings
from bridge.core.settings import presets
from bridge.core.settings.address import EXPECTED, joined_address, split_address
from bridge.core.settings.bounds import beyond_ceiling
from bridge.core.settings.checks import check_text
from bridge.core.settings.declarations import (
    AlarmSettings,
    Ceiling,
    FailsafeSettings,
    FreshnessSettings,
    LimiterSettings,
    PlausibilitySettings,
    RequestSettings,
)
from bridge.core.settings.envelope import default_ceiling
from bridge.core.settings.reader import REQUIRED, SectionReader
from bridge.core.settings.relations import SECTIONS

MAX_CELLS = 256
"""Ours: with 5 V each, the most of a cell's path, they stay below the 1500 V of the pack's."""
MAX_INSTANCE = 10_000
"""Ours: below it a GX has room for every device; Modbus TCP has 16 bits for an instance."""
PORTAL_ID = r"[^#+/\s]+"
"""The pattern of a portal id: what may be one level of a topic."""


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
    tls_cert: str = ""
    tls_key: str = ""
    tls_insecure: bool = False
    portal_id: str = "auto"
    base_topic: str = "virtual-battery"
    notifications: str = "auto"
    home_assistant: str = "off"
    accept: tuple[Kind, ...] = EVERYTHING

    @property
    def address(self) -> str:
        """Host and port, in the form that `split_address` takes."""
        return joined_address(self.host, self.port)


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
    requests: RequestSettings
    alarms: AlarmSettings


@dataclass(frozen=True, kw_only=True)
class Config:
    """The whole file. publish_interval in seconds. memory: a folder, "auto" or "off"."""

    mqtt: MqttConfig
    batteries: tuple[BatteryConfig, ...]
    dbus: DbusConfig = DbusConfig()
    publish_interval: float = 0.05
    log_level: str = "info"
    memory: str = "auto"

    @property
    def access(self) -> Access:
        """Which kinds of writes may come in by which way."""
        return Access(
            mqtt=WriteAccess("MQTT", "mqtt.accept", self.mqtt.accept),
            dbus=WriteAccess("D-Bus", "dbus.accept", self.dbus.accept),
        )


def parse(raw: object) -> Config:
    """Check a parsed configuration file as a whole.

    Raises BadConfiguration with every mistake, each with its place.
    """
    problems: list[str] = []
    config = _config(SectionReader(raw, "", problems))
    if problems or config is None:
        raise BadConfiguration(problems)
    return config


# --- the sections of the file -----------------------------------------------------------------


def _config(file: SectionReader) -> Config | None:
    mqtt = _mqtt(file.section("mqtt"))
    dbus = _dbus(file.section("dbus"))
    batteries = _batteries(file)
    interval = file.number("publish_interval", 0.01, 1.0, "s", Config.publish_interval)
    levels = ("debug", "info", "warning", "error")
    level = file.choice("log_level", levels, Config.log_level)
    memory = file.text("memory", Config.memory, r"auto|off|/.*", "auto, off or an absolute path")
    file.done()
    if None in batteries:
        return None
    return Config(
        mqtt=mqtt,
        dbus=dbus,
        batteries=tuple(b for b in batteries if b is not None),
        publish_interval=interval,
        log_level=level,
        memory=memory,
    )


def _mqtt(section: SectionReader) -> MqttConfig:
    tls = section.section("tls")
    host, port = _address(section)
    base_topic = r"[^#+/\x00]+(/[^#+/\x00]+)*"
    default = MqttConfig()
    config = MqttConfig(
        host=host,
        port=port,
        username=section.text("username", default.username),
        password_file=section.text("password_file", default.password_file),
        tls="tls" in section,
        tls_ca=tls.text("ca", default.tls_ca),
        tls_cert=tls.text("cert", default.tls_cert),
        tls_key=tls.text("key", default.tls_key),
        tls_insecure=tls.switch("insecure", default.tls_insecure),
        portal_id=section.text(
            "portal_id", default.portal_id, PORTAL_ID, "no spaces, no /, # or +"
        ),
        base_topic=section.text(
            "base_topic", default.base_topic, base_topic, "a topic without wildcards is needed"
        ),
        notifications=section.choice("notifications", ("auto", "on", "off"), default.notifications),
        home_assistant=section.choice(
            "home_assistant", ("off", "on", "entities"), default.home_assistant
        ),
        accept=section.kinds("accept"),
    )
    if config.base_topic.split("/")[0] in ("N", "R", "W", "P", "I", "homeassistant"):
        section.complain("base_topic", f"{config.base_topic!r} belongs to others on the broker")
    if section.is_empty("tls"):
        section.complain("tls", "is empty; {} is TLS with the usual settings, no tls: is no TLS")
    if config.tls_key and not config.tls_cert:
        tls.complain("key", "needs tls.cert, the certificate that it belongs to")
    if config.password_file and not config.username:
        section.complain("password_file", "needs mqtt.username: a password is sent with a name")
    if "password" in section:
        section.raw("password")
        words = "does not belong here: write it into a file that only its owner can read"
        section.complain("password", f"{words}, and name that file as mqtt.password_file")
    tls.done()
    section.done()
    return config


def _address(section: SectionReader) -> tuple[str, int]:
    """Host and port. The port may be a part of the host: [::1]:1883."""
    default = MqttConfig()
    host, port = section.checked("host", (default.host, None), _host_and_port)
    if port is not None and "port" in section:
        section.complain("port", f"is there twice: host has {port} already")
    return host, section.integer("port", 1, 65535, default.port if port is None else port)


def _host_and_port(value: object) -> tuple[str, int | None]:
    return split_address(check_text(value, "", EXPECTED))


def _dbus(section: SectionReader) -> DbusConfig:
    config = DbusConfig(accept=section.kinds("accept"))
    section.done()
    return config


def _batteries(file: SectionReader) -> list[BatteryConfig | None]:
    raw = file.raw("batteries")
    if not isinstance(raw, list) or not raw:
        file.complain("batteries", "must list at least one battery")
        return []
    sections = [file.section_of(one, f"batteries[{i}]") for i, one in enumerate(raw)]
    batteries = [_battery(section) for section in sections]
    for name in ("ident", "instance"):
        _check_unique(name, list(zip(sections, batteries, strict=True)))
    return batteries


def _check_unique(name: str, pairs: list[tuple[SectionReader, BatteryConfig | None]]) -> None:
    seen: dict[object, str] = {}
    for section, battery in pairs:
        if battery is None:
            continue
        value = getattr(battery, name)
        if value in seen:
            section.complain(name, f"{value!r} is taken by {seen[value]}")
        seen.setdefault(value, section.place)


def _battery(section: SectionReader) -> BatteryConfig | None:
    ident = section.text(
        "ident",
        REQUIRED,
        r"[A-Za-z][A-Za-z0-9_]{0,39}",
        "letters, digits and _ only, at most 40, a letter first",
    )
    name = section.text("name", "Virtual battery", r".{0,32}", "at most 32 characters")
    instance = section.integer("instance", 0, MAX_INSTANCE, 1)
    cells = section.integer("cells", 1, MAX_CELLS, REQUIRED)
    chemistry = section.choice("chemistry", tuple(presets.PRESETS), REQUIRED)
    capacity = section.number("capacity", 0.1, 100000, "Ah", REQUIRED)
    chemistry_known, capacity_known = chemistry or "lfp", capacity or 1.0
    limiter = _limiter(section.section("limiter"), chemistry_known, capacity_known)
    freshness = _settings(section.section("freshness"), FreshnessSettings)
    failsafe = _failsafe(section.section("failsafe"), chemistry_known, limiter)
    plausibility = _settings(section.section("plausibility"), PlausibilitySettings)
    from_file = default_ceiling(chemistry_known, limiter, freshness, failsafe, plausibility)
    ceiling = _ceiling(section.section("ceiling"), from_file)
    requests = _settings(section.section("requests"), RequestSettings)
    alarms = _alarms(section.section("alarms"), chemistry_known, ceiling)
    parts = {
        "limiter": limiter,
        "freshness": freshness,
        "failsafe": failsafe,
        "plausibility": plausibility,
        "requests": requests,
        "alarms": alarms,
    }
    for part, declared in SECTIONS.items():
        beyond = beyond_ceiling(part, parts[part], ceiling)
        for key, words in (*declared.problems(parts[part]), *beyond):
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
        requests=requests,
        alarms=alarms,
    )


SectionKind = TypeVar("SectionKind")


def _settings(
    section: SectionReader, kind: type[SectionKind], defaults: Mapping[str, Any] | None = None
) -> SectionKind:
    """A settings dataclass: each field from the file, else its default."""
    values = _values(section, kind, defaults or {})
    section.done()
    return kind(**values)


def _values(section: SectionReader, kind: type, defaults: Mapping[str, Any]) -> dict[str, Any]:
    values = {}
    for spec in settings.fields_of(kind):
        default = defaults.get(spec.name, spec.default)
        if spec.kind == settings.GROUPS:
            default = tuple(Group(name) for name in default)
        values[spec.name] = section.setting(spec, default)
    return values


def _limiter(section: SectionReader, chemistry: str, capacity: float) -> LimiterSettings:
    charge_rate, discharge_rate = presets.C_RATES[chemistry]
    defaults = dict(presets.PRESETS[chemistry])
    defaults["max_charge_current"] = round(capacity * charge_rate, 1)
    defaults["max_discharge_current"] = round(capacity * discharge_rate, 1)
    maximum = section.peek_number("max_charge_current", defaults["max_charge_current"])
    for name, share in presets.CURRENT_SHARES.items():
        defaults[name] = round(maximum * share, 1)
    return _settings(section, LimiterSettings, defaults)


def _failsafe(section: SectionReader, chemistry: str, limiter: LimiterSettings) -> FailsafeSettings:
    """The failsafe; its voltage is not above charge_voltage by default."""
    volts = min(presets.FAILSAFE_VOLTAGE[chemistry], limiter.charge_voltage)
    defaults = {"charge_voltage": max(volts, limiter.min_charge_voltage)}
    return _settings(section, FailsafeSettings, defaults)


def _ceiling(section: SectionReader, defaults: Ceiling) -> Ceiling:
    failsafe = _settings(section.section("failsafe"), FailsafeSettings, vars(defaults.failsafe))
    values = _values(section, Ceiling, vars(defaults))
    section.done()
    return Ceiling(failsafe=failsafe, **values)


def _alarms(section: SectionReader, chemistry: str, ceiling: Ceiling) -> AlarmSettings:
    defaults = dict(presets.ALARM_PRESETS[chemistry])
    for name in ("charge_current", "discharge_current"):
        most = getattr(ceiling, name)
        defaults[f"high_{name}"] = tuple(round(most * s, 1) for s in presets.CURRENT_ALARM)
    return _settings(section, AlarmSettings, defaults)
