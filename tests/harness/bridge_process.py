"""The bridge as a process of its own, on a pocket GX."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pocket import PocketGx

from tests.harness.batteries import battery
from tests.harness.bus_client import BusClient
from tests.harness.mqtt_client import MqttClient
from tests.harness.waiting import PATIENCE, wait_for

STATUS = "virtual-battery/status"


class BridgeProcess:
    """`python3 -m bridge`, started by the construction and on the bus after it.

    As a context manager it ends with the context, else with its pocket GX. Its configuration is
    `config` and its log `log_file`, both in `directory`; a second start appends to the log.

    batteries: as `battery` makes them; none for one usual battery
    mqtt, top: keys of the configuration's `mqtt:`, and of its top level
    env: added to the environment of the process
    output: a file descriptor for what it writes, in place of `log_file`
    program: a module to run in place of `bridge`, which takes the same arguments
    through: a command that starts the words behind it, such as a shell
    """

    def __init__(
        self,
        gx: PocketGx,
        directory: Path,
        *batteries: dict[str, Any],
        mqtt: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
        output: int | None = None,
        program: str = "bridge",
        through: Sequence[str] = (),
        **top: Any,
    ) -> None:
        self.gx = gx
        self.batteries = batteries or (battery(),)
        self.config = directory / "config.yaml"
        self.log_file = directory / "bridge.log"
        self._env = dict(env or {})
        self._output = output
        self._program = program
        self._through = through
        content = {
            "mqtt": {"port": gx.port, **(mqtt or {})},
            "batteries": list(self.batteries),
            **top,
        }
        self.config.write_text(json.dumps(content), encoding="utf-8")
        self.process = self.start()

    def __enter__(self) -> BridgeProcess:
        return self

    def __exit__(self, *_problem: object) -> None:
        self.stop()

    def start(self) -> subprocess.Popen[bytes]:
        """Start the process; wait until all its batteries are on the bus, or it has ended."""
        with self.log_file.open("ab") as log:
            self.process = self.gx.spawn(
                [*self._through, sys.executable, "-m", self._program, "--config", str(self.config)],
                env=self._env,
                stdout=log if self._output is None else self._output,
                stderr=subprocess.STDOUT,
            )
        for one in self.batteries:
            with self.bus(one["ident"]) as bus:
                wait_for(lambda bus=bus: not self.is_running() or bus.is_there(), self.log)
        return self.process

    def stop(self) -> int:
        """End it as a supervisor does, and answer its exit status."""
        self.process.terminate()
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        """End it as a power cut does."""
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        """Let it stand still until `thaw`."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def is_running(self) -> bool:
        return self.process.poll() is None

    def connected(self) -> BridgeProcess:
        """Wait until the broker has it and knows the topics it wants."""
        with MqttClient(self.gx.port, STATUS) as client:
            wait_for(lambda: "online" in client.on(STATUS), self.log)
        return self

    def bus(self, ident: str = "virtual") -> BusClient:
        """A client of one of its batteries."""
        return BusClient(self.gx, f"com.victronenergy.battery.{ident}")

    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8")

    def says(self, words: str, times: int = 1) -> str:
        """Wait for words in the log, and answer all of it."""
        wait_for(lambda: self.log().count(words) >= times, self.log)
        return self.log()
