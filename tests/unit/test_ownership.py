"""Who publishes N/: a GX or we, in every order in which the two can turn up."""

from __future__ import annotations

import json
import random

import pytest

from bridge.gateways.victron_mqtt.messages import our_serial
from bridge.gateways.victron_mqtt.ownership import CLAIM, LISTEN, Owner, Ownership

OURS = our_serial("c0ffee").encode()
A_GXS = json.dumps({"value": "c0ffee"}).encode()


def claiming() -> Ownership:
    ownership = Ownership("auto")
    ownership.start(0.0)
    ownership.tick(LISTEN)
    assert ownership.owner is Owner.CLAIMING
    return ownership


def test_it_listens_before_it_claims_and_claims_before_it_owns() -> None:
    ownership = Ownership("auto")
    ownership.start(0.0)
    ownership.tick(LISTEN - 0.1)
    assert ownership.owner is Owner.LISTENING
    ownership.tick(LISTEN)
    assert ownership.owner is Owner.CLAIMING
    ownership.on_serial(OURS, retained=False)
    assert ownership.owner is Owner.WE


def test_our_own_serial_of_last_time_is_neither_a_gx_nor_an_echo() -> None:
    ownership = Ownership("auto")
    ownership.start(0.0)
    ownership.on_serial(OURS, retained=True)
    assert ownership.owner is Owner.LISTENING
    ownership = claiming()
    ownership.on_serial(OURS, retained=True)
    assert ownership.owner is Owner.CLAIMING


@pytest.mark.parametrize("payload", [A_GXS, b"c0ffee", b"[]", b"{", b'{"by": "somebody"}'])
@pytest.mark.parametrize("retained", [True, False])
def test_any_other_serial_is_a_gx_in_every_state(payload: bytes, retained: bool) -> None:
    listening = Ownership("auto")
    listening.start(0.0)
    owning = claiming()
    owning.on_serial(OURS, retained=False)
    for ownership in (listening, claiming(), owning):
        ownership.on_serial(payload, retained)
        assert ownership.owner is Owner.A_GX


def test_a_gx_stays_until_the_next_connection() -> None:
    ownership = claiming()
    ownership.on_serial(A_GXS, retained=False)
    ownership.on_serial(b"", retained=False)  # its system service restarts
    ownership.on_serial(OURS, retained=False)
    ownership.tick(1e6)
    assert ownership.owner is Owner.A_GX
    ownership.start(1e6)
    assert ownership.owner is Owner.LISTENING


def test_an_answer_to_the_probe_is_a_gx_only_while_we_are_silent_ourselves() -> None:
    ownership = Ownership("auto")
    ownership.start(0.0)
    ownership.on_answer()
    assert ownership.owner is Owner.A_GX
    ownership = claiming()
    ownership.on_answer()
    assert ownership.owner is Owner.CLAIMING


def test_a_broker_that_keeps_our_claim_to_itself_never_makes_us_owner() -> None:
    ownership = claiming()
    assert not ownership.is_held_back(LISTEN + CLAIM - 0.1)
    assert ownership.is_held_back(LISTEN + CLAIM)
    ownership.tick(1e6)
    assert ownership.owner is Owner.CLAIMING


def test_on_means_at_once_and_off_means_never() -> None:
    on, off = Ownership("on"), Ownership("off")
    for ownership in (on, off):
        ownership.start(0.0)
        ownership.on_serial(A_GXS, retained=True)
        ownership.on_answer()
        ownership.tick(1000.0)
    assert (on.owner, off.owner) == (Owner.WE, Owner.NOBODY)


def test_a_clock_that_jumps_back_only_delays() -> None:
    ownership = Ownership("auto")
    ownership.start(1000.0)
    ownership.tick(5.0)
    assert ownership.owner is Owner.LISTENING
    ownership.tick(5.0 + LISTEN)
    assert ownership.owner is Owner.CLAIMING


def test_whatever_happens_nothing_is_owned_after_a_gx_was_heard() -> None:
    dice = random.Random(6)
    for _ in range(2000):
        ownership, now, gx = Ownership("auto"), 0.0, False
        ownership.start(now)
        for _ in range(30):
            now += dice.uniform(0, 2)
            event = dice.choice(["tick", "ours", "ours retained", "gx", "cleared", "answer"])
            if event == "gx" and dice.random() < 0.2:
                gx = True
                ownership.on_serial(A_GXS, retained=dice.random() < 0.5)
            elif event.startswith("ours"):
                ownership.on_serial(OURS, retained="retained" in event)
            elif event == "cleared":
                ownership.on_serial(b"", retained=False)
            else:
                ownership.tick(now)
            assert not (gx and ownership.owner is not Owner.A_GX)
