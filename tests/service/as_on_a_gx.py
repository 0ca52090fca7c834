"""Runs a Python module without what the image of a GX (Venus OS v3.60) may lack.

python3 as_on_a_gx.py MODULE [ARGUMENT…]
"""

from __future__ import annotations

import importlib.machinery
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

# Parts of the standard library that the image splits off: nobody may count on them.
_PARTS = """
audioop bdb cProfile cgi cgitb compileall crypt curses dbm difflib distutils doctest ensurepip
ftplib idlelib imaplib lib2to3 mailbox mmap multiprocessing nis nntplib ossaudiodev pdb plistlib
poplib profile pstats py_compile pyclbr pydoc readline resource smtplib socketserver sqlite3
statistics syslog tabnanny telnetlib tkinter tomllib trace turtle unittest venv wave wsgiref
xmlrpc zoneinfo
"""
SPLIT_OFF = frozenset(_PARTS.split())
# What the image has of the libraries that others install in site-packages or dist-packages.
INSTALLED = frozenset({"dbus", "_dbus_bindings", "_dbus_glib_bindings", "gi"})
SITES = {"site-packages", "dist-packages"}


class Lacking:
    """A finder that comes first, and refuses what a GX lacks."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> None:
        top = name.partition(".")[0]
        if top in SPLIT_OFF:
            raise ModuleNotFoundError(f"a GX has no {name}", name=name)
        if top not in INSTALLED:
            spec = importlib.machinery.PathFinder.find_spec(name, path, target)
            if spec and spec.origin and SITES & set(Path(spec.origin).parts):
                raise ModuleNotFoundError(f"a GX has no {name}", name=name)


def main() -> None:
    loaded = {name.partition(".")[0] for name in sys.modules}
    assert not loaded & SPLIT_OFF, f"too late for {loaded & SPLIT_OFF}"
    sys.meta_path.insert(0, Lacking())  # type: ignore[arg-type]
    sys.argv[:] = sys.argv[1:]
    sys.path.pop(0)  # the folder of this file
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
