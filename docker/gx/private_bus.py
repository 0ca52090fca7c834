"""A private D-Bus daemon: its configuration, and checks that it runs."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

import dbus
import dbus.bus
import dbus.mainloop
from part import program

# As open as the bus of a GX, and with its limit of match rules per client.
_CONFIGURATION = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
  <limit name="max_match_rules_per_connection">1024</limit>
</busconfig>
"""


def command(configuration: Path, socket: Path) -> list[str]:
    """Write the configuration; returns the command line of the daemon."""
    configuration.write_text(_CONFIGURATION.format(socket=escape(str(socket))))
    daemon = program("dbus-daemon", "dbus")
    return [daemon, f"--config-file={configuration}", "--nofork", "--nopidfile", "--nosyslog"]


def answers(address: str) -> bool:
    try:
        with _connection(address):
            return True
    except dbus.DBusException:
        return False


def has_name(address: str, name: str) -> bool:
    with _connection(address) as bus:
        return bool(bus.name_has_owner(name))


@contextlib.contextmanager
def _connection(address: str) -> Iterator[dbus.bus.BusConnection]:
    bus = dbus.bus.BusConnection(address, mainloop=dbus.mainloop.NULL_MAIN_LOOP)
    # Else libdbus ends this process when the daemon ends.
    bus.set_exit_on_disconnect(False)
    try:
        yield bus
    finally:
        bus.close()
