"""Stand-in for velib_python's ve_utils: Python values to D-Bus values and back.

A development tool: on a GX device the real module is used instead.
"""

import os
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

import dbus

# How Venus writes "no value": an empty array of Int32, inside a variant.
VEDBUS_INVALID = dbus.Array([], signature=dbus.Signature("i"), variant_level=1)

_INTEGERS = (
    dbus.Byte, dbus.Int16, dbus.UInt16, dbus.Int32, dbus.UInt32, dbus.Int64, dbus.UInt64,
)  # fmt: skip
_INT32 = range(-(2**31), 2**31)


def wrap_dbus_value(value: Any) -> Any:
    """The D-Bus variant for a Python value. A D-Bus value is returned as it is."""
    if value is None:
        return VEDBUS_INVALID
    if isinstance(value, bool):  # before int: a bool is an int
        return dbus.Boolean(value, variant_level=1)
    if isinstance(value, float):
        return dbus.Double(value, variant_level=1)
    if isinstance(value, int):
        fitting = dbus.Int32 if value in _INT32 else dbus.Int64
        return fitting(value, variant_level=1)
    if isinstance(value, str):
        return dbus.String(value, variant_level=1)
    if isinstance(value, list):
        return _wrap_list(value)
    if isinstance(value, dict):
        items = {key: wrap_dbus_value(item) for key, item in value.items()}
        return dbus.Dictionary(items, signature="sv", variant_level=1)
    return value


def _wrap_list(values: list[Any]) -> dbus.Array:
    if not values:
        # An empty array of signed integers would read as "no value".
        return dbus.Array([], signature="u", variant_level=1)
    return dbus.Array([wrap_dbus_value(item) for item in values], variant_level=1)


def unwrap_dbus_value(value: Any) -> Any:
    """The plain Python value of a D-Bus value. Every empty array is None."""
    if isinstance(value, dbus.Boolean):
        return bool(value)
    if isinstance(value, _INTEGERS):
        return int(value)
    if isinstance(value, dbus.Double):
        return float(value)
    if isinstance(value, (dbus.String, dbus.Signature)):
        return str(value)
    if isinstance(value, dbus.Array):
        return [unwrap_dbus_value(item) for item in value] or None
    if isinstance(value, dict):
        return {key: unwrap_dbus_value(item) for key, item in value.items()}
    return value


def exit_on_error(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a function; on any exception print it and end the process with status 1.

    GLib goes on after an exception in one of its callbacks, and a service of which a part has
    failed is worse than one that is restarted.
    """
    try:
        return function(*args, **kwargs)
    except BaseException:
        _end_process()


def _end_process() -> NoReturn:
    traceback.print_exc()
    # Not sys.exit: that raises an exception, which dbus-python catches.
    os._exit(1)
