"""A Node-RED without a face: flows are imported and buttons pressed over its admin API."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from pocket import PocketGx

from tests.harness.waiting import PATIENCE, wait_for

FLOWS = Path(__file__).parents[2] / "docker" / "node-red"
SETTINGS = """
module.exports = {{
    uiHost: "127.0.0.1", uiPort: {port}, flowFile: "flows.json", disableEditor: true,
    logging: {{ console: {{ level: "info" }} }},
}};
"""


class NodeRed:
    """Runs until close(); its log is node-red.log."""

    def __init__(self, program: str, gx: PocketGx, directory: Path) -> None:
        self._gx = gx
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._url = f"http://127.0.0.1:{free.getsockname()[1]}"
        settings = directory / "settings.js"
        settings.write_text(SETTINGS.format(port=self._url.rpartition(":")[2]))
        (directory / "flows.json").write_text("[]")
        self.log = directory / "node-red.log"
        with self.log.open("wb") as log:
            argv = [program, "--userDir", str(directory), "--settings", str(settings)]
            self._process = gx.spawn(argv, stdout=log, stderr=log)
        wait_for(self._has_started, "Node-RED", seconds=60)

    def import_flows(self, *files: str) -> None:
        """Only the flows of these files, as they are but for the broker's port."""
        nodes = {}
        for file in files:
            text = (FLOWS / file).read_text(encoding="utf-8")
            for node in json.loads(text.replace('"1883"', f'"{self._gx.port}"')):
                nodes[node["id"]] = node
        self._post("/flows", list(nodes.values()))

    def press(self, node: str) -> None:
        """The button of an inject node, which takes a moment to be there after an import."""
        wait_for(lambda: self._pressed(node), f"the button {node}")

    def _pressed(self, node: str) -> bool:
        try:
            self._post(f"/inject/{node}", {})
        except urllib.error.HTTPError as problem:
            if problem.code != 404:
                raise
            return False
        return True

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE)

    def _has_started(self) -> bool:
        return "Started flows" in self.log.read_text(errors="replace")

    def _post(self, path: str, content: Any) -> None:
        request = urllib.request.Request(
            self._url + path,
            json.dumps(content).encode(),
            {"Content-Type": "application/json", "Node-RED-Deployment-Type": "full"},
        )
        urllib.request.urlopen(request, timeout=PATIENCE).close()
