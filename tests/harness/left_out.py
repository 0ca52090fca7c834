"""The last words of a test run: what was left out, and what would run it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

OPTIONAL = {
    "VELIB_PYTHON": "the contract of velib_python, with the real one and not only our stand-in: "
    "set VELIB_PYTHON to its folder",
    "LOCALSETTINGS": "the tests of the settings service, with the real localsettings and not only "
    "our stand-in: set LOCALSETTINGS to its folder",
}
"""What is not even collected without a variable of the environment, by that variable."""

CLIENTS = (
    "tests/clients, the bridge with real clients: ./run test-clients, with NODE_RED, "
    "HOME_ASSISTANT and VICTRON_MQTT set as tests/clients/conftest.py says"
)


def left_out(
    skipped: Iterable[str], environment: Mapping[str, str], is_whole_suite: bool
) -> list[str]:
    """Lines in plain words; none where nothing was left out.

    skipped: the reason of each skipped test
    is_whole_suite: whether everything was asked for, so that the rest is worth naming
    """
    lines = [_of_skipped(reason, times) for reason, times in Counter(skipped).items()]
    if is_whole_suite:
        missing = [what for name, what in OPTIONAL.items() if not environment.get(name)]
        lines += [f"not run: {what}" for what in (*missing, CLIENTS)]
    return lines


def _of_skipped(reason: str, times: int) -> str:
    return f"{times} test{' was' if times == 1 else 's were'} skipped: {reason}"
