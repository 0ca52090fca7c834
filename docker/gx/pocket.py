"""The pocket GX: the parts of a GX that a battery service needs, on any Linux machine.

A private D-Bus daemon, a settings service, a system service with a portal id, and an MQTT broker.
A development tool: nothing of it runs on a GX.

    python3 docker/gx/pocket.py -- COMMAND…

starts all of them, then COMMAND, and ends them when COMMAND ends. {port}, {portal} and {bus} in
COMMAND stand for the broker's port, the portal id and the D-Bus address.
"""

import argparse
import fcntl
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any

import children
import foreground
import private_broker
import private_bus
from part import Part, PartFailedError, PartMissingError

HERE = Path(__file__).resolve().parent
STAND_IN_VELIB = HERE / "velib"
REPOSITORY = HERE.parent.parent
PORTAL_ID = "c0ffee000001"

_ATTEMPTS = 5  # to start the broker on a free port; another program may take the port first
_LONGEST_SOCKET_PATH = 107  # bytes, says the kernel
_PLAIN = re.compile(r"[-A-Za-z0-9_/.]+")


class PocketGx:
    """The pocket GX as a context manager; it runs from its construction until close().

    VELIB_PYTHON and LOCALSETTINGS in the environment name folders with the real velib_python and
    the real localsettings, to be used instead of the stand-ins.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str] | None = None,
        port: int | None = None,
        portal_id: str = PORTAL_ID,
        broker: bool = True,
        settings: bool = True,
        system: bool = True,
        username: str | None = None,
        password: str | None = None,
        bind: str = "127.0.0.1",
    ) -> None:
        """
        directory: keeps the settings and the logs; None for a temporary one, removed at the end
        port: of the broker; None for a free one
        broker, settings, system: which parts to start; the first two can also be started later
        username, password: what the broker asks for; None for nothing
        bind: the address that the broker listens on

        Raises PartMissingError or PartFailedError.
        """
        self.portal_id = portal_id
        self.port = port or private_broker.free_port(bind)
        self._bind = bind
        self._access = private_broker.Access(username, password)
        self._temporary: list[Path] = []
        self._parts: dict[str, Part] = {}
        self._spawned: list[children.Process] = []
        self.directory = self._made(directory)
        self.run = self.directory / "run"  # stands for /run
        self._lock = _locked(self.directory)
        try:
            self._sockets = self._directory_for_sockets()
            self.bus_address = f"unix:path={self._sockets / 'bus'}"
            self.env = _environment(self.bus_address, self.run)
            self._start_bus()
            if broker:
                self._start_broker_somewhere(attempts=1 if port else _ATTEMPTS)
            if settings:
                self.start_settings()
            if system:
                self._start_system()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "PocketGx":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def start_broker(self) -> None:
        """Start the broker, on the same port as before. No effect if it runs."""
        if "broker" not in self._parts:
            self._parts["broker"] = self._broker_on(self.port)
        self._parts["broker"].start()

    def stop_broker(self) -> None:
        self._parts["broker"].stop()

    def kill_broker(self) -> None:
        self._parts["broker"].kill()

    def start_settings(self) -> None:
        """Start the settings service, with the settings that it kept. No effect if it runs."""
        if "settings" not in self._parts:
            self._parts["settings"] = self._service("settings", _settings_command(self.directory))
        self._parts["settings"].start()

    def stop_settings(self) -> None:
        self._parts["settings"].stop()

    def kill_settings(self) -> None:
        self._parts["settings"].kill()

    def frozen(self, part: str) -> AbstractContextManager[None]:
        """Let "bus", "broker", "settings" or "system" stand still within the context."""
        return self._parts[part].frozen()

    def spawn(self, argv: Sequence[str], **popen_kwargs: Any) -> children.Process:
        """Start a process on this GX, with .env as its environment; close() ends it.

        An `env` among the arguments is added to .env. Call it on the main thread: the process ends
        with the thread that started it.
        """
        env = {**self.env, **(popen_kwargs.pop("env", None) or {})}
        process = children.start(argv, env=env, **popen_kwargs)
        self._spawned.append(process)
        return process

    def close(self) -> None:
        """End everything that was started, the latest first. May be called twice."""
        while self._spawned:
            children.stop(self._spawned.pop())
        while self._parts:
            _, part = self._parts.popitem()
            part.stop()
        self._lock.close()
        while self._temporary:
            shutil.rmtree(self._temporary.pop(), ignore_errors=True)

    def _start_bus(self) -> None:
        argv = private_bus.command(self.directory / "dbus.conf", self._sockets / "bus")
        self._parts["bus"] = Part(
            "dbus-daemon",
            argv,
            self.directory / "dbus.log",
            lambda: private_bus.answers(self.bus_address),
        )
        self._parts["bus"].start()

    def _start_broker_somewhere(self, attempts: int) -> None:
        """Start the broker; where its port turns out to be taken, on another one."""
        while True:
            attempts -= 1
            try:
                self.start_broker()
                return
            except PartFailedError as failure:
                if attempts == 0 or private_broker.PORT_TAKEN not in str(failure):
                    raise
            del self._parts["broker"]
            self.port = private_broker.free_port(self._bind)

    def _broker_on(self, port: int) -> Part:
        own_socket = self._sockets / "broker"
        argv = private_broker.command(
            self.directory / "broker.conf", own_socket, self._bind, port, self._access
        )
        return Part(
            f"the broker on port {port}",
            argv,
            self.directory / "broker.log",
            lambda: private_broker.answers(own_socket, self._access),
        )

    def _start_system(self) -> None:
        script = HERE / "system_service.py"
        argv = [sys.executable, str(script), "--serial", self.portal_id]
        self._parts["system"] = self._service("system", argv)
        self._parts["system"].start()

    def _service(self, name: str, argv: Sequence[str]) -> Part:
        return Part(
            f"the {name} service",
            argv,
            self.directory / f"{name}.log",
            lambda: private_bus.has_name(self.bus_address, f"com.victronenergy.{name}"),
            self.env,
        )

    def _made(self, directory: str | os.PathLike[str] | None) -> Path:
        if directory is None:
            self._temporary.append(Path(tempfile.mkdtemp(prefix="pocket-gx-")))
            return self._temporary[-1]
        made = Path(directory).resolve()
        made.mkdir(parents=True, exist_ok=True)
        return made

    def _directory_for_sockets(self) -> Path:
        """The directory, or a temporary one where its path is too long for the kernel, or has
        characters that a D-Bus address would have to escape."""
        longest = self.directory / "broker"
        fits = len(os.fsencode(longest)) <= _LONGEST_SOCKET_PATH and _PLAIN.fullmatch(str(longest))
        return self.directory if fits else self._made(None)


def _locked(directory: Path) -> IO[bytes]:
    """Lock the directory: two settings services would overwrite each other's file."""
    lock = (directory / "lock").open("wb")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise PartFailedError(f"another pocket GX uses {directory}") from error
    return lock


def _environment(bus_address: str, run: Path) -> dict[str, str]:
    """What a child needs: the bus, velib_python, the repository, and what stands for /run."""
    velib = Path(os.environ.get("VELIB_PYTHON") or STAND_IN_VELIB).resolve()
    if not (velib / "vedbus.py").exists():
        raise PartMissingError(f"VELIB_PYTHON names a folder without vedbus.py: {velib}")
    paths = [str(velib), str(REPOSITORY), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "DBUS_SESSION_BUS_ADDRESS": bus_address,
        "RUNTIME_DIRECTORY": str(run),
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
    }


def _settings_command(directory: Path) -> list[str]:
    real = os.environ.get("LOCALSETTINGS")
    if real:
        return [sys.executable, str(Path(real) / "localsettings.py"), "--path", str(directory)]
    script, file = HERE / "settings_service.py", directory / "settings.json"
    return [sys.executable, str(script), "--file", str(file)]


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    arguments = _arguments(argv)
    foreground.hold_signals()
    try:
        with PocketGx(
            arguments.directory,
            port=arguments.port,
            broker=not arguments.no_broker,
            bind=arguments.bind,
        ) as gx:
            print(_introduction(gx, arguments), flush=True)
            if not arguments.command:
                return foreground.wait_for_signal()
            command = [_filled(word, gx) for word in arguments.command]
            return foreground.wait_for(gx.spawn(command))
    except (PartMissingError, PartFailedError, OSError) as failure:
        print(f"pocket GX: {failure}", file=sys.stderr)
        return 1


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--directory", help="where settings and logs are kept")
    parser.add_argument("--port", type=int, help="of the broker; default: a free one")
    parser.add_argument("--bind", default="127.0.0.1", help="the broker's address")
    parser.add_argument("--no-broker", action="store_true")
    parser.add_argument(
        "--print-env", action="store_true", help="print the environment for other terminals"
    )
    parser.add_argument(
        "command", nargs="*", metavar="-- COMMAND", help="without one: run until Ctrl-C"
    )
    return parser.parse_args(argv)


def _introduction(gx: PocketGx, arguments: argparse.Namespace) -> str:
    lines = [f"D-Bus:  {gx.bus_address}", f"logs:   {gx.directory}"]
    if not arguments.no_broker:
        lines.insert(0, f"broker: {arguments.bind}:{gx.port}, portal id {gx.portal_id}")
    if arguments.print_env:
        changed = {k: v for k, v in gx.env.items() if os.environ.get(k) != v}
        lines += [f"export {name}={shlex.quote(value)}" for name, value in changed.items()]
    return "\n".join(lines)


def _filled(word: str, gx: PocketGx) -> str:
    places = {"{port}": str(gx.port), "{portal}": gx.portal_id, "{bus}": gx.bus_address}
    for place, value in places.items():
        word = word.replace(place, value)
    return word


if __name__ == "__main__":
    sys.exit(main())
