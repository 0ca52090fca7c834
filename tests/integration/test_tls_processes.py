"""The service, record and watch through TLS, with a certificate of their own over IPv6."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pocket import PocketGx

from tests.conftest import ROOT
from tests.harness.bridge_process import BridgeProcess
from tests.harness.certificates import Authority
from tests.harness.tls_broker import TlsBroker
from tests.harness.waiting import PATIENCE, wait_for


def test_all_that_connect_use_the_same_certificates(tmp_path: Path) -> None:
    ca = Authority(tmp_path / "ca")
    ours = ca.issue("ours")
    tls = {"ca": str(ca.cert), "cert": str(ours.cert), "key": str(ours.key)}
    listeners = {"asks": ca.issue("broker")}
    with (
        PocketGx(broker=False) as gx,
        TlsBroker(tmp_path, listeners, {"asks": ca.cert}, address="::1") as broker,
    ):
        mqtt = {"host": "::1", "port": broker.ports["asks"], "tls": tls}
        bridge = BridgeProcess(gx, tmp_path, mqtt=mqtt)
        connected = f"connected to broker [::1]:{broker.ports['asks']}"
        bridge.says(connected)
        record = gx.spawn(_command("record", bridge, str(tmp_path / "recording")),
                          cwd=ROOT, stderr=subprocess.PIPE, text=True)  # fmt: skip
        assert connected in record.stderr.readline()
        shown = tmp_path / "shown"
        with shown.open("wb") as out:
            watch = gx.spawn(_command("watch", bridge), cwd=ROOT, stdout=out)
        wait_for(lambda: b"online" in shown.read_bytes(), lambda: shown.read_text())
        for tool in (record, watch):
            tool.terminate()
            assert tool.wait(PATIENCE) == 0


def _command(word: str, bridge: BridgeProcess, *more: str) -> list[str]:
    return [sys.executable, "-m", "bridge", word, "--config", str(bridge.config), *more]
