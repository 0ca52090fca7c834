"""The files for Docker, read: what a builder and a composer know, and what a closed set-up needs.

Each rule is a function that names what breaks it. No container engine is asked: what the containers
do is tested by tests/integration/test_containers.py.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
DOCKERFILE = (DOCKER / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = (DOCKER / "compose.yaml").read_text(encoding="utf-8")
NODE_RED = (DOCKER / "node-red" / "compose.yaml").read_text(encoding="utf-8")

# --- Dockerfiles ------------------------------------------------------------------------------

Instruction = tuple[str, str]  # its word in capitals, and the rest as one line

KNOWN = {"ARG", "FROM", "WORKDIR", "COPY", "RUN", "USER", "ENTRYPOINT", "CMD", "HEALTHCHECK",
         "ENV", "EXPOSE", "LABEL", "VOLUME"}  # fmt: skip  not ADD, MAINTAINER, ONBUILD, SHELL
A_SECRET = re.compile("passw|secret|token|credential|private|_key", re.IGNORECASE)
A_PINNED_IMAGE = re.compile(r"[a-z0-9/.-]+:([a-z]+-20\d{6}(-[a-z]+)?|\d+\.\d+\.\d+[-0-9a-z]*)")
ROUGH = re.compile(r"\b(sudo|curl|wget|apt (install|update)|apt-get (dist-)?upgrade)\b")


def instructions(text: str) -> list[Instruction]:
    lines = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    split = (line.split(None, 1) for line in lines.splitlines() if line.strip())
    return [(word, " ".join(rest.split())) for word, rest in split]


def all_of(text: str, word: str) -> Iterator[str]:
    return (rest for found, rest in instructions(text) if found == word)


def unknown_instructions(text: str) -> Iterator[str]:
    return (word for word, _ in instructions(text) if word not in KNOWN)


def images_without_a_date(text: str) -> Iterator[str]:
    defaults = dict(arg.split("=", 1) for arg in all_of(text, "ARG") if "=" in arg)
    for image in all_of(text, "FROM"):
        name = re.sub(r"\$\{(\w+)\}", lambda match: defaults.get(match[1], ""), image)
        if not A_PINNED_IMAGE.fullmatch(name):
            yield name


def images_that_no_argument_changes(text: str) -> Iterator[str]:
    return (image for image in all_of(text, "FROM") if not re.fullmatch(r"\$\{\w+\}", image))


def users_with_rights(text: str) -> Iterator[str]:
    last = ["root", *all_of(text, "USER")][-1]
    if last.split(":")[0] in ("root", "0"):
        yield last


def folders_that_are_relative(text: str) -> Iterator[str]:
    return (folder for folder in all_of(text, "WORKDIR") if not folder.startswith("/"))


def commands_for_a_shell(text: str) -> Iterator[str]:
    for word, rest in instructions(text):
        command = re.sub(r"^(--\S+ )*(CMD )?", "", rest) if word == "HEALTHCHECK" else rest
        if word in ("ENTRYPOINT", "CMD", "HEALTHCHECK") and not _is_list(command):
            yield rest


def _is_list(text: str) -> bool:
    try:
        return isinstance(json.loads(text), list)
    except ValueError:
        return False


def secrets(text: str) -> Iterator[str]:
    return (rest for word in ("ENV", "ARG") for rest in all_of(text, word) if A_SECRET.search(rest))


def rough_commands(text: str) -> Iterator[str]:
    """Packages without a version or with more than they need, lists that stay, downloads, sudo."""
    for run in all_of(text, "RUN"):
        installs = re.search(r"apt-get install|apt\.sh|run setup", run)
        if (
            ROUGH.search(run)
            or ("apt-get install" in run and "--no-install-recommends" not in run)
            or (installs and "rm -rf /var/lib/apt/lists/*" not in run)
            or ("pip install" in run and "--require-hashes" not in run)
        ):
            yield run


RULES: dict[Callable[[str], Iterator[str]], str] = {  # rule -> an instruction that breaks it
    unknown_instructions: "ADD https://example.org/x /x",
    images_without_a_date: "FROM debian:latest",
    images_that_no_argument_changes: "FROM debian:bookworm-20251229-slim",
    users_with_rights: "USER 0",
    folders_that_are_relative: "WORKDIR opt",
    commands_for_a_shell: "ENTRYPOINT docker/entrypoint.sh",
    secrets: "ENV MQTT_PASSWORD=open-sesame",
    rough_commands: "RUN apt-get update && apt-get install -y mosquitto",
}
BROKEN = [
    *((rule, line) for rule, line in RULES.items()),
    (images_without_a_date, "FROM debian"),
    (images_without_a_date, "FROM debian:bookworm-slim"),
    (users_with_rights, "USER root:root"),
    (commands_for_a_shell, "HEALTHCHECK --interval=5s CMD docker/entrypoint.sh health"),
    (secrets, "ARG TOKEN"),
    (rough_commands, "RUN pip install paho-mqtt"),
    (rough_commands, "RUN sudo true"),
    (rough_commands, "RUN ./run setup"),
    (rough_commands, "RUN apt-get install mosquitto && rm -rf /var/lib/apt/lists/*"),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_dockerfile_has_no(rule: Callable[[str], Iterator[str]]) -> None:
    assert list(rule(DOCKERFILE)) == []


@pytest.mark.parametrize(("rule", "line"), BROKEN)
def test_a_rule_sees_what_breaks_it(rule: Callable[[str], Iterator[str]], line: str) -> None:
    assert list(rule(f"{DOCKERFILE}\n{line}\n"))


def test_a_dockerfile_without_a_user_has_the_rights_of_root() -> None:
    assert list(users_with_rights("ARG BASE=a:b\nFROM ${BASE}\n")) == ["root"]


def test_what_an_image_installs_is_pinned_by_our_lists() -> None:
    """./run setup installs from requirements.txt, by the checksums in it."""
    assert any("./run setup" in run for run in all_of(DOCKERFILE, "RUN"))
    assert "--require-hashes" in (DOCKER / "gx" / "setup.sh").read_text(encoding="utf-8")
    assert "--no-install-recommends" in (DOCKER / "gx" / "apt.sh").read_text(encoding="utf-8")


def test_the_builder_gets_what_is_copied_and_nothing_else() -> None:
    lines = (DOCKER / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    assert patterns[0] == "*"
    kept = {line[1:] for line in patterns if line.startswith("!")}
    sources = [source for rest in all_of(DOCKERFILE, "COPY") for source in rest.split()[:-1]]
    assert kept == {source.split("/")[0] for source in sources}
    assert all((ROOT / source).exists() for source in sources)


# --- compose files ----------------------------------------------------------------------------
# The words of the Compose specification that our files use, with the form of what follows. A table
# of our own: the validators on PyPI bring fifteen packages for these two files.


def _is(*kinds: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, kinds)


def _each(form: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(form, value))


def _map(forms: dict[str, Callable[[Any], bool]]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and all(
        key in forms and forms[key](item) for key, item in value.items()
    )


def _named(form: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and all(map(form, value.values()))


def _matches(pattern: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


A_VARIABLE = r"\$\{[A-Z_]+:-[^}]*\}"  # always with a default
A_PORT = _matches(rf"({A_VARIABLE}|[0-9.]+):({A_VARIABLE}|\d+):\d+")
A_TIME = _matches(r"\d+(ms|s|m)")
SERVICE = {
    "image": _matches(r"[a-z0-9/.-]+(:[\w.-]+)?"),
    "build": _map({"context": _is(str), "dockerfile": _is(str)}),
    "command": _each(_is(str)),
    "init": _is(bool),
    "restart": lambda value: value in ("no", "always", "on-failure", "unless-stopped"),
    "read_only": _is(bool),
    "tmpfs": _each(_matches("/.*")),
    "cap_drop": _each(_matches("[A-Z_]+")),
    "security_opt": _each(_matches("[a-z-]+:[a-z]+")),
    "mem_limit": _matches(r"\d+[kmg]"),
    "pids_limit": _is(int),
    "logging": _map({"driver": _is(str), "options": _named(_is(str))}),
    "environment": _named(_is(str)),
    "ports": _each(A_PORT),
    "networks": _named(_map({"aliases": _each(_is(str))})),
    "network_mode": _matches(r"service:\w+"),
    "volumes": _each(_matches(rf"({A_VARIABLE}|[\w./-]+):/[\w./-]+(:ro)?")),
    "depends_on": _each(_is(str)),
    "healthcheck": _map({"test": _each(_is(str)), "interval": A_TIME, "timeout": A_TIME,
                         "start_period": A_TIME, "retries": _is(int)}),
}  # fmt: skip
FILE = {"name": _is(str), "services": _named(_map(SERVICE)), "volumes": _named(_is(type(None)))}


def composed(text: str) -> dict[str, Any]:
    content = yaml.safe_load(text)
    return {key: value for key, value in content.items() if not key.startswith("x-")}


def unknown_words(text: str) -> Iterator[str]:
    content = composed(text)
    for key, value in content.items():
        if key == "services":
            for name, service in value.items():
                for word, what in service.items():
                    if word not in SERVICE or not SERVICE[word](what):
                        yield f"{name}: {word}: {what!r}"
        elif key not in FILE or not FILE[key](value):
            yield f"{key}: {value!r}"


def services_that_are_open(text: str) -> Iterator[str]:
    """Rights that they do not need, and a file system that they can write to."""
    for name, service in composed(text)["services"].items():
        if "image" not in service:
            continue  # adds to a service of another file
        hardened = {
            "read_only": True,
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges:true"],
        }
        yield from (f"{name}: {key}" for key in hardened if service.get(key) != hardened[key])
        yield from (f"{name}: {key}" for key in ("mem_limit", "pids_limit") if key not in service)
        yield from (f"{name}: {key}" for key in ("privileged", "cap_add", "devices", "pid", "ipc")
                    if key in service)  # fmt: skip


def ports_that_the_network_sees(text: str) -> Iterator[str]:
    for service in composed(text)["services"].values():
        for port in service.get("ports", []):
            address = re.sub(r"\$\{\w+:-(.*?)\}", r"\1", port).rsplit(":", 2)[0]
            if address != "127.0.0.1":
                yield port


def secrets_in_plain(text: str) -> Iterator[str]:
    for service in composed(text)["services"].values():
        yield from filter(A_SECRET.search, service.get("environment", {}))


def images_that_may_change(text: str) -> Iterator[str]:
    for service in composed(text)["services"].values():
        image = service.get("image")
        if image and "build" not in service and not A_PINNED_IMAGE.fullmatch(image):
            yield image


COMPOSE_RULES: dict[Callable[[str], Iterator[str]], tuple[str, str]] = {
    # rule -> a text, and what in its place breaks the rule
    unknown_words: ("read_only: true", "readonly: true"),
    services_that_are_open: ("cap_drop: [ALL]", "cap_drop: [NET_RAW]"),
    ports_that_the_network_sees: ("${MQTT_ADDRESS:-127.0.0.1}:${", "${MQTT_ADDRESS:-0.0.0.0}:${"),
    secrets_in_plain: ("LOGIN: /login", "PASSWORD: open-sesame"),
    images_that_may_change: ("  image: virtual-battery\n  build:", "  image: debian\n  labels:"),
}


@pytest.mark.parametrize("text", [COMPOSE, NODE_RED], ids=["compose", "node-red"])
@pytest.mark.parametrize("rule", COMPOSE_RULES, ids=lambda rule: rule.__name__)
def test_a_compose_file_has_no(rule: Callable[[str], Iterator[str]], text: str) -> None:
    assert list(rule(text)) == []


@pytest.mark.parametrize(("rule", "change"), COMPOSE_RULES.items())
def test_a_rule_for_compose_files_sees_what_breaks_it(
    rule: Callable[[str], Iterator[str]], change: tuple[str, str]
) -> None:
    assert change[0] in COMPOSE
    assert list(rule(COMPOSE.replace(*change)))


def test_compose_starts_and_asks_what_the_entry_point_knows() -> None:
    known = (DOCKER / "entrypoint.sh").read_text(encoding="utf-8")
    entrypoint = json.loads(next(all_of(DOCKERFILE, "ENTRYPOINT")))
    for name, service in composed(COMPOSE)["services"].items():
        assert service["command"] == [name]
        assert f"\n    {name}) " in known
        health = json.loads(next(all_of(DOCKERFILE, "HEALTHCHECK")).partition(" CMD ")[2])
        words = service.get("healthcheck", {"test": ["CMD", *health]})["test"]
        assert words == ["CMD", *entrypoint, "health", name]


def test_compose_builds_and_mounts_what_is_there() -> None:
    content = composed(COMPOSE)
    folders = next(run for run in all_of(DOCKERFILE, "RUN") if "install --directory" in run)
    for service in content["services"].values():
        context = DOCKER / service["build"]["context"]
        assert (context / service["build"]["dockerfile"]).is_file()
        for volume in service["volumes"]:
            source, target = re.sub(r"\$\{\w+:-(\w+)\}", r"\1", volume).split(":")[:2]
            if source in content["volumes"]:
                assert target in folders.split(), f"{target} is not the user's"
            else:
                assert (DOCKER / source).exists()


def test_only_the_broker_has_its_keys_and_the_bridge_cannot_write_its_login() -> None:
    broker, bridge = (composed(COMPOSE)["services"][name] for name in ("broker", "bridge"))
    assert "login:/login:ro" in bridge["volumes"]
    assert "login:/login" in broker["volumes"]
    sources = [{v.split(":")[0] for v in service["volumes"]} for service in (broker, bridge)]
    assert set.intersection(*sources) == {"login"}


def test_the_bridge_calls_the_broker_by_a_name_that_it_has() -> None:
    broker, bridge = (composed(COMPOSE)["services"][name] for name in ("broker", "bridge"))
    name, _, port = bridge["environment"]["BROKER"].rpartition(":")
    assert [name] == broker["networks"]["default"]["aliases"]
    assert broker["ports"][0].endswith(f":{port}")
    assert broker["environment"]["BROKER"] == bridge["environment"]["BROKER"]


def test_the_page_has_every_variable_with_its_default() -> None:
    page = (ROOT / "docs" / "docker.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| (.*?) \|", page, re.MULTILINE))
    variables = dict(re.findall(r"\$\{([A-Z_]+):-(.*?)\}", COMPOSE))
    assert rows == {**variables, "TLS_FILES": "a volume"}


def test_every_word_of_the_environment_is_read_by_a_script() -> None:
    scripts = [DOCKER / "entrypoint.sh", DOCKER / "health.py", *(DOCKER / "broker").glob("*.py")]
    text = "".join(script.read_text(encoding="utf-8") for script in scripts)
    for service in composed(COMPOSE)["services"].values():
        for name in service["environment"]:
            assert name in text, name


def test_node_red_shares_the_brokers_network() -> None:
    services = composed(NODE_RED)["services"]
    assert set(services) - set(composed(COMPOSE)["services"]) == {"node-red"}
    assert services["node-red"]["network_mode"] == "service:broker"


# --- the broker's configuration ---------------------------------------------------------------


def test_the_passwords_of_people_are_in_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not even for a moment: a kill at that moment would leave them."""
    monkeypatch.syspath_prepend(DOCKER / "broker")
    users = importlib.import_module("users")
    texts: list[str] = []
    write = users.written

    def written(file: Path, text: str) -> Path:
        texts.append(text)
        return write(file, text)

    monkeypatch.setattr(users, "written", written)
    users.prepared(tmp_path / "passwords", tmp_path / "login")
    shown = re.findall(r"password (\w{20})", capsys.readouterr().out)
    assert len(shown) == 2
    assert not [text for text in texts for word in shown if word in text]


def test_nobody_is_let_in_unless_a_file_says_so() -> None:
    lines = (DOCKER / "broker" / "mosquitto.conf").read_text(encoding="utf-8").splitlines()
    options = dict(line.split(" ", 1) for line in lines if line and not line.startswith("#"))
    assert options["allow_anonymous"] == "false"
    assert set(options) >= {
        "max_packet_size", "max_queued_messages", "max_queued_bytes", "memory_limit"
    }  # fmt: skip
    assert not any(option.startswith("listener") for option in options)


def test_no_user_may_write_everything() -> None:
    lines = (DOCKER / "broker" / "acl").read_text(encoding="utf-8").splitlines()
    users = [line for line in lines if line and not line.startswith("#")]
    assert users[0].startswith("user "), "a line before the first user is for anonymous clients"
    assert not [line for line in users if line.startswith("pattern")]
    assert not [line for line in users if re.fullmatch(r"topic (write|readwrite) (\+/)*#", line)]
