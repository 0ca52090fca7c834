"""N/ and R/ with a real bridge and a real broker, with and without a GX behind it."""

from __future__ import annotations

from pathlib import Path

from pocket import PocketGx

from tests.harness.batteries import healthy
from tests.harness.bridge_process import STATUS, BridgeProcess
from tests.harness.mqtt_client import EVERYTHING, MqttClient
from tests.harness.waiting import PATIENCE, wait_for

P = "c0ffee000001"
SERIAL = f"N/{P}/system/0/Serial"
BATTERY = f"N/{P}/battery/1/"
ECHO = {"keepalive-options": [{"full-publish-completed-echo": "mine"}]}
DONE = f"N/{P}/full_publish_completed"


def test_a_client_of_a_gx_finds_the_battery_follows_it_and_sees_it_leave(
    gx: PocketGx, tmp_path: Path
) -> None:
    with MqttClient(gx.port, EVERYTHING) as client:
        with BridgeProcess(gx, tmp_path):
            wait_for(lambda: client.on(SERIAL), "the Serial by which clients find a portal")
            client.publish(f"R/{P}/keepalive", ECHO)
            done = wait_for(lambda: client.on(DONE), "the end of the full publish")[0]
            assert done["full-publish-completed-echo"] == "mine"
            assert client.on(BATTERY + "Connected")[0] == {"value": 1}
            assert client.on(BATTERY + "Soc")[0] == {"value": None}

            client.publish(f"W/{P}/battery/1/Soc", {"value": 55.5})
            wait_for(lambda: client.on(BATTERY + "Soc")[-1] == {"value": 55.5}, "the change")
            wait_for(lambda: client.on(f"N/{P}/heartbeat"), "a heartbeat")

            client.publish(f"R/{P}/battery/1/ProductName")
            wait_for(lambda: len(client.on(BATTERY + "ProductName")) == 2, "the read")
        wait_for(lambda: client.payloads(SERIAL)[-1] == b"", "the Serial cleared")
        told = {heard.topic for heard in client.below(BATTERY)}
        assert len(told) > 150
        wait_for(
            lambda: all(client.payloads(topic)[-1] == b"" for topic in told), "all of it cleared"
        )


def test_nobody_asks_so_nothing_is_told(gx: PocketGx, tmp_path: Path) -> None:
    with MqttClient(gx.port, EVERYTHING) as client, BridgeProcess(gx, tmp_path):
        wait_for(lambda: client.on(SERIAL), "the Serial")
        client.publish("virtual-battery/virtual/set", healthy())
        wait_for(lambda: client.state().get("stage") == "fresh", "a fresh battery")
        assert not client.below(BATTERY)


def test_where_a_gx_publishes_we_do_not_even_after_a_restart_or_a_late_arrival(
    gx: PocketGx, tmp_path: Path
) -> None:
    with MqttClient(gx.port, EVERYTHING) as client:
        with BridgeProcess(gx, tmp_path) as bridge:
            wait_for(lambda: client.on(SERIAL), "our Serial")
            client.publish(SERIAL, {"value": P}, retain=True)  # a GX is bridged to this broker now
            bridge.says("by a GX")
        wait_for(lambda: "offline" in client.on(STATUS), "the bridge has left")
        assert client.payloads(SERIAL)[-1] != b"", "a GX's Serial is not ours to clear"
        client.heard.clear()
        with BridgeProcess(gx, tmp_path) as bridge:
            bridge.says("by a GX", times=2)
            client.publish(f"R/{P}/keepalive", ECHO)
            client.publish(f"R/{P}/battery/1/Soc")
            client.publish("virtual-battery/virtual/set", healthy())
            wait_for(lambda: client.state().get("stage") == "fresh", "a fresh battery")
        assert not client.below("N/")


def test_our_serial_of_a_process_that_was_killed_does_not_look_like_a_gx(
    gx: PocketGx, tmp_path: Path
) -> None:
    with MqttClient(gx.port, EVERYTHING) as client:
        with BridgeProcess(gx, tmp_path) as bridge:
            wait_for(lambda: client.on(SERIAL), "our Serial")
            bridge.kill()
        client.heard.clear()
        with BridgeProcess(gx, tmp_path):
            wait_for(lambda: client.on(SERIAL), "claimed again")
            client.publish(f"R/{P}/keepalive")
            wait_for(lambda: client.on(DONE), "the full publish")


def test_a_broker_that_was_restarted_is_served_again(gx: PocketGx, tmp_path: Path) -> None:
    with BridgeProcess(gx, tmp_path):
        with MqttClient(gx.port, EVERYTHING) as client:
            wait_for(lambda: client.on(SERIAL), "our Serial")
        gx.stop_broker()
        gx.start_broker()
        with MqttClient(gx.port, EVERYTHING) as client:
            wait_for(lambda: client.on(SERIAL), "our Serial on the new broker")
            client.publish(f"R/{P}/keepalive", ECHO)
            wait_for(lambda: client.on(DONE), "the full publish")


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
        with BridgeProcess(gx, tmp_path):
            wait_for(lambda: b"Denied" in (tmp_path / "broker.log").read_bytes(), "the claim")
            with MqttClient(gx.port, EVERYTHING) as client:
                client.publish(f"R/{P}/keepalive", ECHO)
                client.publish("virtual-battery/virtual/set", healthy())
                wait_for(lambda: client.state().get("stage") == "fresh", "a fresh battery")
                client.publish(f"R/{P}/battery/1/Soc")
                client.publish(f"R/{P}/battery/1/Soh")
                wait_for(lambda: client.on(f"R/{P}/battery/1/Soh"), "the reads")
        assert not client.below("N/")
        broker.terminate()
        broker.wait(PATIENCE)
        denied = [
            line for line in (tmp_path / "broker.log").read_text().splitlines() if "Denied" in line
        ]
        assert len(denied) == 1 and "/system/0/Serial" in denied[0], denied
