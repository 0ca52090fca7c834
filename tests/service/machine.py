"""A GX to install on, start, cut the power of and start again."""

from __future__ import annotations

import functools
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.harness.waiting import PATIENCE, wait_for

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
# The real one, where it is at hand.
VELIB = Path(os.environ.get("VELIB_PYTHON") or REPOSITORY / "docker" / "gx" / "velib")
# The distribution's own: a virtual environment would lend the GX libraries that it does not have.
PYTHON = sys._base_executable

WELL = "python3 /data/virtual-battery/current/service/healthcheck.py"
Result = subprocess.CompletedProcess[str]


class Machine:
    """A GX in namespaces of its own: kill its first process, and nothing of it is left but files.

    directory: a scratch folder; its `data` and `opt` are what a power cut leaves
    parts: "all" for D-Bus, settings and broker; "bus" for D-Bus alone
    """

    def __init__(self, directory: Path, parts: str = "all") -> None:
        self.directory = directory
        self.data = directory / "data"
        self.home = self.data / "virtual-battery"
        self.rc_local = self.data / "rc.local"
        self.log = self.data / "log" / "virtual-battery" / "current"
        self._parts = parts
        # Its own, for the broker's port; without a broker it is spared, the kernel is slow with it.
        self._network = ["--net"] if parts == "all" else []
        self._process: subprocess.Popen[bytes] | None = None
        for name in ("data/log", "opt", "shims"):
            (directory / name).mkdir(parents=True, exist_ok=True)
        if not (directory / "opt" / "service").exists():
            self.update_firmware("dbus-systemcalc-py")

    def update_firmware(self, carrier: str) -> None:
        """Replace everything but /data. `carrier` is the service that brings velib_python."""
        assert self._process is None, "a GX restarts for a firmware update"
        shutil.rmtree(self.directory / "opt")
        velib = self.directory / "opt" / carrier / "ext" / "velib_python"
        shutil.copytree(VELIB, velib, ignore=shutil.ignore_patterns("__pycache__"))
        other = self.directory / "opt" / "service" / "other"
        other.mkdir(parents=True)
        (other / "run").write_text("#!/bin/sh\nexec sleep 1000\n")
        (other / "run").chmod(0o755)

    def boot(self, svscan: str = "last") -> None:
        """Start. svscan: when it starts, which looks for services every 5 s.

        "first": before rc.local, as on a GX; "last": after it; "needed": when the service is there;
        "never".
        """
        argv = ["unshare", *_user_namespace(), *_mount_namespace(), "--pid", *self._network]
        argv += ["--fork", PYTHON, str(HERE / "init.py"), str(self.directory)]
        argv += ["--parts", self._parts, "--svscan", svscan]
        with (self.directory / "console").open("ab") as console:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,  # it ends when this is closed, by us or by our death
                stdout=subprocess.PIPE,
                stderr=console,
                env=_environment(),
            )
        assert self._process.stdout is not None
        started = self._process.stdout.read(7) == b"started"
        assert started, f"{self.console()}\nIt needs root, or user namespaces."

    def power_cut(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            _kill(_child_of(process))
            process.wait()
            process.stdin.close()

    def run(self, command: str, **environment: str) -> Result:
        """Run a shell command on the GX, as somebody who is logged in."""
        return subprocess.run(
            self.argv(command),
            env={**_environment(), **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def install(self, unpacked: Path, steady: float = 0.5, patience: float = PATIENCE) -> Result:
        """Copy an unpacked archive onto the GX, as over the network, and install it."""
        folder = self.data / "unpacked"
        subprocess.run(["rm", "-rf", folder], check=True)
        subprocess.run(["cp", "-R", unpacked, folder], check=True)
        return self.run(
            "sh /data/unpacked/service/install.sh", STEADY=str(steady), PATIENCE=str(patience)
        )

    def wait_until_well(self, when: str) -> None:
        waited = self.run(f"{WELL} --wait {PATIENCE}")
        assert waited.returncode == 0, f"not on D-Bus {when}: {waited.stderr} {self._last_words()}"

    def is_well(self) -> bool:
        return self.run(WELL).returncode == 0

    def process_id(self) -> int | None:
        """What supervise runs as the service."""
        return _number_after("(pid ", self.run("svstat /service/virtual-battery").stdout)

    def version(self) -> str:
        """The version that supervise starts; empty for none."""
        run = self.run("readlink /service/virtual-battery/run").stdout
        return run.removeprefix("/data/virtual-battery/releases/").partition("-")[0]

    def start(self, command: str, **popen_kwargs: Any) -> subprocess.Popen[bytes]:
        """Start a shell command on the GX, and do not wait for it."""
        return subprocess.Popen(self.argv(command), env=_environment(), **popen_kwargs)

    def argv(self, command: str) -> list[str]:
        assert self._process is not None, "the GX is off"
        target = _child_of(self._process)
        enter = ["--user", "--preserve-credentials"] if _user_namespace() else []
        enter += ["--mount", "--pid", *self._network, "--root", "--wd"]
        path = "PATH=/applets:/usr/bin:/usr/sbin:/bin:/sbin"
        return ["nsenter", "--target", str(target), *enter, "env", path, "sh", "-c", command]

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        def is_so() -> bool:
            assert self._process is not None and self._process.poll() is None, self.console()
            return condition()

        wait_for(is_so, what)

    def _last_words(self) -> str:
        return self.log.read_text()[-2000:] if self.log.exists() else self.console()

    def console(self) -> str:
        return (self.directory / "console").read_text()


MakeMachine = Callable[[Path], Machine]


def _user_namespace() -> list[str]:
    """Who is not root can still be root of a namespace, where the kernel allows it."""
    return [] if os.geteuid() == 0 else ["--user", "--map-root-user"]


@functools.cache
def _mount_namespace() -> list[str]:
    """In a chroot, unshare fails to cut the new mounts off from the old ones: init.py does it."""
    probe = ["unshare", *_user_namespace(), "--mount", "true"]
    cut_off = subprocess.run(probe, capture_output=True, check=False).returncode == 0
    return ["--mount"] if cut_off else ["--mount", "--propagation", "unchanged"]


def _environment() -> dict[str, str]:
    """As bare as a GX's own: nothing of the shell that runs the tests."""
    return {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C"}


def _number_after(mark: str, text: str) -> int | None:
    _, found, rest = text.partition(mark)
    return int(rest.partition(")")[0]) if found else None


def _child_of(process: subprocess.Popen[bytes]) -> int:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return int(children.read_text().split()[0])


def _kill(process_id: int) -> None:
    os.kill(process_id, signal.SIGKILL)
