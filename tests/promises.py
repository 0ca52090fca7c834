"""What is promised to whoever owns a battery, and which tests hold it.

A test says by `@pytest.mark.promise("ceilings")` that it holds a promise. The tests are read as
text, so that the list needs none of the programs that some of them start. `./run docs` writes the
table in docs/promises.md.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

TESTS = Path(__file__).resolve().parent
NOT_RUN_BY_ALL = TESTS / "clients"  # needs programs that few have installed
MARKER = "pytest.mark.promise"
LEFT_OUT = ("pytest.mark.skip", "pytest.mark.skipif", "pytest.mark.xfail")

# In the order of the table. A promise is a whole sentence about what an owner can see.
PROMISES = {
    # Limits
    "ceilings": "No write, in any order and by any way in, gives a limit above the ceilings of the "
    "configuration file.",
    "bounds": "No client can change a setting so that a protection is disarmed beyond what the "
    "file allows.",
    "rules": "No limit is above what any protection allows.",
    "tighten": "A limit falls at once. It is kept for a restart before it is on the bus.",
    "loosen": "A limit rises slowly, and only with fresh values that are not in doubt.",
    "requests": "A request of a client can only lower a limit.",
    # Measurements
    "unknown": "A value that is unknown or gone never allows more.",
    "silence": "When no values come, the failsafe limits hold after 60 s, and stay until there are "
    "new values.",
    "permission": "A BMS's block holds until the BMS ends it: also when it is silent or "
    "unreadable, and over a restart.",
    "frozen": "A BMS that repeats its last values for ever neither overcharges nor overdischarges "
    "the battery.",
    "doubt": "One reading that is hard to believe allows nothing more.",
    "witnesses": "Of two values for the same thing, the more careful one counts.",
    "clients": "Of two clients that write one path in turns, the more careful one counts.",
    "retained": "A retained message that the broker has kept, whose age is unknown, is not taken.",
    # Restarts
    "restart": "A restart gives no permission: limits, stops and requests are as they were.",
    "kill": "What was lowered still holds when the process is killed right after it.",
    "boot": "Requests survive a boot, as far as they were stored.",
    "memory": "A memory that is damaged, full or read-only permits nothing, and ends nothing.",
    # Ways in
    "garbage": "No payload and no value over D-Bus ends or confuses the process: it is taken or "
    "refused.",
    "sizes": "What is too large is refused before it costs time or memory.",
    "flood": "A flood of writes costs bounded memory and work, and the newest values count.",
    "standstill": "What was queued while the process stood still counts as old.",
    "settings": "What is changed in the GX's settings service passes the same checks as a write.",
    "accept": "A way in that the configuration closes stays closed.",
    "name": "A second service with the same name does not replace the first.",
    # The process
    "broker": "Whatever the broker does, D-Bus answers and limits fall.",
    "log": "Whether or not anybody reads the log, limits fall.",
    "leaving": "Asked to end, the process leaves the bus within two seconds, whatever it waits "
    "for.",
    "hang": "A process that hangs or has an error of its own ends, and is started again.",
    "configuration": "A mistake in the configuration is said in words before anything starts.",
    # The login
    "tls": "With TLS, only a broker with a valid certificate for its name is believed.",
    "files": "A password file or key that others can read or change is refused.",
    "secret": "A password is in no log, no process list and no status.",
    "docker": "The broker of Docker lets nobody in without a password, and nobody do more than is "
    "written down.",
    # The installation
    "archive": "An archive is not installed if it has anything in it that its list does not name.",
    "platform": "Nothing is changed where the installation finds what it does not know.",
    "modes": "Only root can change what root runs.",
    "power cut": "After a power cut at any moment of an installation, the GX starts the old "
    "version or the new one.",
    "way back": "A new version that does not work gives way to the old one.",
    "crash loop": "A service that cannot work does not load the GX, and its log stays small.",
    "uninstall": "An uninstallation leaves nothing running, and the way to remove the rest.",
}


class Holder(NamedTuple):
    """A test with a marker; promise is None where it is not one text."""

    file: Path
    test: str
    promise: str | None
    runs: bool  # it is a test, and nothing leaves it out


def holders() -> Iterator[Holder]:
    """All marked tests, in the order of their files."""
    for file in sorted(TESTS.rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        if "mark.promise" in text and file != Path(__file__).resolve():
            yield from holders_in(file, text)


def holders_in(file: Path, text: str) -> Iterator[Holder]:
    """The marked tests of a file."""
    is_test_file = file.name.startswith("test_") and NOT_RUN_BY_ALL not in file.parents
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        names = [ast.unparse(each).partition("(")[0] for each in node.decorator_list]
        is_test = node.name.startswith(("test_", "Test")) and not set(names) & set(LEFT_OUT)
        for name, decorator in zip(names, node.decorator_list, strict=True):
            if name == MARKER:
                yield Holder(file, node.name, _promise(decorator), is_test_file and is_test)


def _promise(decorator: ast.expr) -> str | None:
    """The only argument of the marker, a text."""
    match decorator:
        case ast.Call(args=[ast.Constant(value=str(promise))], keywords=[]):
            return promise
    return None
