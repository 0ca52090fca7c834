"""A Home Assistant without a face, for tests: runs inside Home Assistant's own Python.

    python hass.py CONFIG_DIR BROKER_PORT AUTOMATIONS_FILE

sets up the core, the MQTT integration and the automations, and nothing else, then obeys lines of
JSON: ["states"], ["registry"], ["set", entity, state] and ["call", domain, service, data]. Each is
answered by one line.
"""

import asyncio
import json
import sys
from typing import Any

from homeassistant import bootstrap, config_entries, loader
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import load_yaml


async def connect(hass: HomeAssistant, port: int) -> None:
    """What a user does in the integration's dialogue."""
    step = await hass.config_entries.flow.async_init("mqtt", context={"source": "user"})
    while step["type"] != "create_entry":
        if step["type"] == "menu":
            answer = {"next_step_id": "broker"}
        else:
            answer = {"broker": "127.0.0.1", "port": port}
        step = await hass.config_entries.flow.async_configure(step["flow_id"], answer)


async def obey(hass: HomeAssistant, order: list[Any]) -> Any:
    word, *rest = order
    if word == "states":
        return {
            state.entity_id: {"state": state.state, "attributes": dict(state.attributes)}
            for state in hass.states.async_all()
        }
    if word == "registry":
        return {
            entry.entity_id: [entry.disabled, entry.entity_category]
            for entry in entity_registry.async_get(hass).entities.values()
        }
    if word == "set":
        hass.states.async_set(*rest)
    elif word == "call":
        await hass.services.async_call(*rest, blocking=True)
    return "done"


async def main(directory: str, port: int, automations: str) -> None:
    hass = HomeAssistant(directory)
    hass.config.skip_pip = True
    loader.async_setup(hass)
    hass.config_entries = config_entries.ConfigEntries(hass, {})
    await bootstrap.async_load_base_functionality(hass)
    for face in ("http", "websocket_api", "file_upload"):
        hass.config.components.add(face)  # depended on, but there is nobody to look
    config = {"automation": load_yaml(automations)}
    for component in ("homeassistant", "automation"):
        assert await async_setup_component(hass, component, config), component
    await connect(hass, port)
    await hass.async_start()
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
    )
    print(json.dumps("ready"), flush=True)
    while line := await lines.readline():
        answer = await obey(hass, json.loads(line))
        print(json.dumps(answer, default=str), flush=True)
    await hass.async_stop(force=True)


asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
