"""The examples for Node-RED and Home Assistant speak of paths and entities that exist."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from bridge.core.paths.table import path_table
from bridge.gateways.home_assistant.device import Device
from bridge.gateways.home_assistant.entities import entities, key_of

DOCKER = Path(__file__).parents[2] / "docker"
FLOWS = sorted((DOCKER / "node-red").glob("*.json"))
AUTOMATIONS = DOCKER / "home-assistant" / "automations.yaml"
PATHS = path_table(16)
DEVICE = Device("virtual", "Cellar", "virtual-battery", "1.0", {"CVL": 58, "CCL": 200, "DCL": 250})

PATH = re.compile(r"[\"'`]((?:Dc|Info|Io|System|Voltages|Settings|Soc|Soh)(?:/\w+)*)[\"'`]")
ENTITY = re.compile(r"\b(?:sensor|binary_sensor|number|select|switch|button)\.virtual_\w+")


def load(file: Path) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    return nodes


def name(file: Path) -> str:
    return file.name


@pytest.mark.parametrize("file", FLOWS, ids=name)
def test_a_flow_is_whole_and_talks_to_the_broker_beside_it(file: Path) -> None:
    nodes = {node["id"]: node for node in load(file)}
    [broker] = [node for node in nodes.values() if node["type"] == "mqtt-broker"]
    assert (broker["broker"], broker["port"]) == ("127.0.0.1", "1883")
    for node in nodes.values():
        assert all(target in nodes for output in node.get("wires", []) for target in output)
        if node["type"].startswith("mqtt "):
            assert nodes[node["broker"]] is broker
        if node["type"] == "mqtt out":
            assert node["retain"] == "false", "a retained write has no age"


@pytest.mark.parametrize("file", FLOWS, ids=name)
def test_the_paths_in_a_flow_exist(file: Path) -> None:
    for node in load(file):
        for path in PATH.findall(node.get("func", "")):
            assert any(known.startswith("/" + path) for known in PATHS), path
        if node["type"] == "inject" and node["payloadType"] == "json":
            for path in leaves(json.loads(node["payload"])):
                assert path in ("/value", "/Soc") or PATHS[path].writable, path


def test_ids_are_unique_over_all_flows_but_for_the_broker() -> None:
    ids = [node["id"] for file in FLOWS for node in load(file) if node["id"] != "vb_broker"]
    assert len(ids) == len(set(ids))


def test_the_automations_use_paths_and_entities_that_exist() -> None:
    text = AUTOMATIONS.read_text(encoding="utf-8")
    automations = yaml.safe_load(text)
    assert len(automations) == 3 and all(a["mode"] == "queued" for a in automations)
    for path in PATH.findall(text):
        assert any(known.startswith("/" + path) for known in PATHS), path
    found = entities(PATHS, DEVICE, map(key_of, PATHS))
    known = {entity["default_entity_id"] for entity in found.values()}
    named = set(ENTITY.findall(text))
    assert named and named <= known, named - known


def leaves(content: dict[str, Any], prefix: str = "") -> list[str]:
    found = []
    for key, value in content.items():
        path = f"{prefix}/{key}"
        found += leaves(value, path) if isinstance(value, dict) else [path]
    return found
