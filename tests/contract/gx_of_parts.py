"""A pocket GX of chosen parts: our stand-ins, or the real thing where it is at hand."""

import pytest
from pocket import PocketGx


def started(velib: str = "", localsettings: str = "", **options: bool) -> PocketGx:
    """A pocket GX with the parts of these folders, whatever the environment says.

    An empty folder means our stand-in.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VELIB_PYTHON", velib)
        patch.setenv("LOCALSETTINGS", localsettings)
        return PocketGx(broker=False, **options)
