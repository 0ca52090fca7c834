"""The first process of a test GX: builds its file system, starts it, and then only waits.

    unshare --mount --pid --net --fork python3 init.py SCRATCH [--parts …] [--svscan …]

It says "started" on its standard output when it is, and ends when its standard input does, so that
nothing is left of a test run that was killed. It sees the programs and libraries of this
machine, read-only, and as its own what a GX has: /data, which is SCRATCH/data; /opt/victronenergy,
which is SCRATCH/opt; /service, /run and /tmp on RAM disks; busybox as its shell and its commands;
D-Bus's system bus, and a broker on port 1883.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent
RAM_DISKS = ("run", "tmp", "service", "var/volatile")
# A GX has daemontools proper; busybox brings look-alikes of two of its programs.
NOT_BUSYBOX = {"svc", "svok", "busybox", "sync"}


def main() -> None:
    arguments = _arguments()
    threading.Thread(target=end_with, args=(os.dup(sys.stdin.fileno()),), daemon=True).start()
    os.dup2(os.open(os.devnull, os.O_RDONLY), sys.stdin.fileno())
    told = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    build_root(Path(arguments.scratch))
    # As overlays.sh of the GX does it: what is in the image, on a RAM disk.
    shutil.copytree("/opt/victronenergy/service", "/service", dirs_exist_ok=True)
    _pocket = start_parts(everything=arguments.parts == "all")
    for step in ORDERS[arguments.svscan]:
        step()
    os.write(told, b"started")
    os.close(told)
    while True:
        try:
            os.wait()
        except ChildProcessError:
            signal.pause()


def end_with(pipe: int) -> None:
    """The first process takes all others of its namespace along."""
    while os.read(pipe, 1):
        pass
    os._exit(0)


def build_root(scratch: Path) -> None:
    root = scratch / "root"
    root.mkdir(exist_ok=True)
    bind(root, root)
    mount("--make-private", root)  # in a chroot, unshare could not do that for all
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", root)
    for name in ("usr", "etc", "bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        source = Path("/") / name
        if source.is_symlink():
            (root / name).symlink_to(source.readlink())
        elif source.is_dir():
            bind(source, root / name, read_only=True)
    bind(Path("/dev"), root / "dev")
    bind(scratch / "data", root / "data")
    bind(scratch / "opt", root / "opt/victronenergy", read_only=True)
    bind(REPOSITORY, root / "repository", read_only=True)
    bind(scratch / "shims", root / "shims", read_only=True)
    for name in RAM_DISKS:
        (root / name).mkdir(parents=True)
        mount("-t", "tmpfs", "tmpfs", root / name)
    (root / "var/log").symlink_to("/data/log")
    (root / "var/run").symlink_to("/run")
    (root / "proc").mkdir()
    mount("-t", "proc", "proc", root / "proc")
    use_busybox(root)
    mount("-o", "remount,bind,ro", root)
    os.chroot(root)
    os.chdir("/")
    os.environ["PATH"] = "/applets:/usr/bin:/usr/sbin:/bin:/sbin"


def use_busybox(root: Path) -> None:
    busybox = shutil.which("busybox")
    assert busybox, "busybox is missing"
    shell = Path("/bin/sh").resolve()
    mount("--bind", busybox, root / shell.relative_to("/"))
    applets = root / "applets"
    applets.mkdir()
    listed = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True)
    for name in set(listed.stdout.split()) - NOT_BUSYBOX:
        (applets / name).symlink_to(busybox)
    (applets / "python3").symlink_to(sys.executable)
    # It would wait for all that this machine writes; and no power is really cut.
    (applets / "sync").symlink_to(shutil.which("true") or "/bin/true")


def bind(source: Path, target: Path, read_only: bool = False) -> None:
    target.mkdir(parents=True, exist_ok=True)
    mount("--rbind", source, target)
    if read_only:
        mount("-o", "remount,bind,ro", target)


def mount(*words: str | Path) -> None:
    subprocess.run(["mount", *map(str, words)], check=True)


def start_parts(everything: bool):
    sys.path.insert(0, "/repository/docker/gx")
    from pocket import PocketGx

    if everything:  # then the network is our own, and empty
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    pocket = PocketGx(
        "/data/pocket", port=1883, broker=everything, settings=everything, system=everything
    )
    Path("/run/dbus").mkdir()
    Path("/run/dbus/system_bus_socket").symlink_to(pocket.bus_address.partition("=")[2])
    return pocket


def start_svscan() -> None:
    subprocess.Popen(["svscan", "/service"])


def start_svscan_when_needed() -> None:
    wait = "until [ -d /service/virtual-battery ]; do sleep 0.1; done"
    subprocess.Popen(["sh", "-c", f"{wait}; exec svscan /service"])


def run_rc_local() -> None:
    if os.access("/data/rc.local", os.X_OK):
        subprocess.run(["/data/rc.local"], check=False)


# svscan looks once, and then every 5 s: where that is not what matters, nobody waits for it.
ORDERS = {
    "first": (start_svscan, run_rc_local),  # as on a GX
    "last": (run_rc_local, start_svscan),
    "needed": (run_rc_local, start_svscan_when_needed),
    "never": (run_rc_local,),
}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("scratch")
    parser.add_argument("--parts", choices=("bus", "all"), default="all")
    parser.add_argument("--svscan", choices=ORDERS, default="last")
    return parser.parse_args()


if __name__ == "__main__":
    main()
