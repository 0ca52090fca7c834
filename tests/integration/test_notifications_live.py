"""N/ and R/ with a real bridge and a real broker, with and without a GX behind it."""

from __future__ import annotations

import json
from pathlib import Path

from pocket import PocketGx

from tests.integration.running import FULL, Client, bridge, wait_until

P = "c0ffee000001"
SERIAL = f"N/{P}/system/0/Serial"
BATTERY = f"N/{P}/battery/1/"
ECHO = {"keepalive-options": [{"full-publish-completed-echo": "mine"}]}
DONE = f"N/{P}/full_publish_completed"


def test_a_client_of_a_gx_finds_the_battery_follows_it_and_sees_it_leave(
    gx: PocketGx, tmp_path: Path
) -> None:
    with Client(gx.port) as client:
        with bridge(gx, tmp_path):
            wait_until(lambda: client.on(SERIAL), "the Serial by which clients find a portal")
            client.send(f"R/{P}/keepalive", ECHO)
            done = json.loads(wait_until(lambda: client.on(DONE), "the end of the full publish")[0])
            assert done["full-publish-completed-echo"] == "mine"
            assert json.loads(client.on(BATTERY + "Connected")[0]) == {"value": 1}
            assert json.loads(client.on(BATTERY + "Soc")[0]) == {"value": None}

            client.send(f"W/{P}/battery/1/Soc", {"value": 55.5})
            wait_until(lambda: client.on(BATTERY + "Soc")[-1] == b'{"value":55.5}', "the change")
            wait_until(lambda: client.on(f"N/{P}/heartbeat"), "a heartbeat")

            client.send(f"R/{P}/battery/1/ProductName")
            wait_until(lambda: len(client.on(BATTERY + "ProductName")) == 2, "the read")
        wait_until(lambda: client.on(SERIAL)[-1] == b"", "the Serial cleared")
        told = {heard.topic for heard in client.below(BATTERY)}
        assert len(told) > 150
        assert all(client.on(topic)[-1] == b"" for topic in told)


def test_nobody_asks_so_nothing_is_told(gx: PocketGx, tmp_path: Path) -> None:
    with Client(gx.port) as client, bridge(gx, tmp_path):
        wait_until(lambda: client.on(SERIAL), "the Serial")
        client.send("virtual-battery/virtual/set", FULL)
        wait_until(lambda: client.state().get("stage") == "fresh", "a fresh battery")
        assert not client.below(BATTERY)


def test_where_a_gx_publishes_we_do_not_even_after_a_restart_or_a_late_arrival(
    gx: PocketGx, tmp_path: Path
) -> None:
    with Client(gx.port) as client:
        with bridge(gx, tmp_path):
            wait_until(lambda: client.on(SERIAL), "our Serial")
            client.send(SERIAL, {"value": P}, retain=True)  # a GX is bridged to this broker now
            wait_until(lambda: "by a GX" in (tmp_path / "bridge.log").read_text(), "noticed")
        assert client.on(SERIAL)[-1] != b"", "a GX's Serial is not ours to clear"
        client.heard.clear()
        (tmp_path / "bridge.log").unlink()
        with bridge(gx, tmp_path):
            wait_until(lambda: "by a GX" in (tmp_path / "bridge.log").read_text(), "noticed again")
            client.send(f"R/{P}/keepalive", ECHO)
            client.send(f"R/{P}/battery/1/Soc")
            client.send("virtual-battery/virtual/set", FULL)
            wait_until(lambda: client.state().get("stage") == "fresh", "a fresh battery")
        assert not client.below("N/")


def test_our_serial_of_a_process_that_was_killed_does_not_look_like_a_gx(
    gx: PocketGx, tmp_path: Path
) -> None:
    with Client(gx.port) as client:
        with bridge(gx, tmp_path) as process:
            wait_until(lambda: client.on(SERIAL), "our Serial")
            process.kill()
            process.wait(10)
        client.heard.clear()
        with bridge(gx, tmp_path):
            wait_until(lambda: client.on(SERIAL), "claimed again")
            client.send(f"R/{P}/keepalive")
            wait_until(lambda: client.on(DONE), "the full publish")


def test_a_broker_that_was_restarted_is_served_again(gx: PocketGx, tmp_path: Path) -> None:
    with bridge(gx, tmp_path):
        with Client(gx.port) as client:
            wait_until(lambda: client.on(SERIAL), "our Serial")
        gx.stop_broker()
        gx.start_broker()
        with Client(gx.port) as client:
            wait_until(lambda: client.on(SERIAL), "our Serial on the new broker")
            client.send(f"R/{P}/keepalive", ECHO)
            wait_until(lambda: client.on(DONE), "the full publish")


ACCESS = """
topic readwrite virtual-battery/#
topic readwrite W/#
topic readwrite R/#
topic read N/#
"""


def test_a_broker_that_lets_nobody_publish_there_sees_one_attempt(tmp_path: Path) -> None:
    """As on a GX whose Serial has not been published yet."""
    with PocketGx(broker=False) as gx:
        rules, config = tmp_path / "access", tmp_path / "mosquitto.conf"
        rules.write_text(ACCESS)
        config.write_text(
            f"listener {gx.port} 127.0.0.1\nallow_anonymous true\nacl_file {rules}\nuser root\n"
            "log_dest stderr\nlog_type debug\n"
        )
        with (tmp_path / "broker.log").open("wb") as log:
            broker = gx.spawn(["mosquitto", "-c", str(config)], stderr=log)
        with bridge(gx, tmp_path):
            wait_until(lambda: b"Denied" in (tmp_path / "broker.log").read_bytes(), "the claim")
            with Client(gx.port) as client:
                client.send(f"R/{P}/keepalive", ECHO)
                client.send("virtual-battery/virtual/set", FULL)
                wait_until(lambda: client.state().get("stage") == "fresh", "a fresh battery")
                client.send(f"R/{P}/battery/1/Soc")
                client.send(f"R/{P}/battery/1/Soh")
                wait_until(lambda: client.on(f"R/{P}/battery/1/Soh"), "the reads")
        assert not client.below("N/")
        broker.terminate()
        broker.wait(5)
        denied = [
            line for line in (tmp_path / "broker.log").read_text().splitlines() if "Denied" in line
        ]
        assert len(denied) == 1 and "/system/0/Serial" in denied[0], denied
