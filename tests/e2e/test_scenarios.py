"""The scenarios of clients/vectors, played with the Python client; every other language plays the same."""

from __future__ import annotations

import json
import os
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, cast

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from clients.breaking import BreakingDoor
from clients.vectors import encode
from giftcard import Client, Declined, NotApproved, new_transaction_id, to_decimal, v1
from giftcard.open_transactions import OpenTransaction
from tests.e2e.processes import free_port
from tests.e2e.sandboxes import ELECTRUM, Sandbox
from tests.patience import PATIENCE_S

_Case = dict[str, Any]
_CASES = encode.read("scenarios")
CANCELLED = v1.ReversalReason.REVERSAL_REASON_CANCELLED
_LOOK_EVERY_S = 0.05


class _OwnFault(Exception):
    """What goes wrong in the block of a caller."""


class _Place:
    """A gateway with Electrum's simulator behind it."""

    def __init__(self, target: str, simulator: str) -> None:
        self.target = target
        self.client = Client(target, plaintext=True)
        self._simulator = simulator

    def spoil(self, faults: object) -> None:
        """Script what goes wrong at the simulator."""
        asked = urllib.request.Request(  # noqa: S310 - a simulator on this machine
            f"{self._simulator}/_sandbox/faults", data=json.dumps(faults).encode(), method="POST"
        )
        urllib.request.urlopen(asked, timeout=PATIENCE_S).close()  # noqa: S310 - as above

    def balance_minor(self, card: str) -> int:
        """Ask for what is on a card, in cents."""
        return int(to_decimal(self.client.balance(card=card).balances.available) * 100)


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Iterator[_Place]:
    """Give the gateway that `make clients` names, or the shared sandbox."""
    target, simulator = os.environ.get("GIFTCARD_TARGET"), os.environ.get("GIFTCARD_SANDBOX")
    if not target or not simulator:
        shared = cast("Sandbox", request.getfixturevalue("shared"))
        target, simulator = shared.address, f"http://127.0.0.1:{shared.port + ELECTRUM}"
    found = _Place(target, simulator)
    with found.client:
        yield found
        found.spoil([])


@pytest.mark.parametrize("case", _CASES, ids=[str(case["name"]) for case in _CASES])
def test_scenario(place: _Place, case: _Case) -> None:
    """What the caller hears, where the transaction comes to rest and what moved are as the scenario says."""
    expect, transaction_id = case["expect"], new_transaction_id()
    before = place.balance_minor(case["card"])
    place.spoil(case["faults"])
    heard = None
    try:
        with held(place.client, case, transaction_id):
            end_block(case["block"])
    except _OwnFault:
        heard = "block"
    except (Declined, NotApproved) as failure:
        heard = type(failure).__name__
    assert heard == expect["raises"]
    assert state_at_rest(place.client, transaction_id, expect["state"]) == expect["state"]
    assert before - place.balance_minor(case["card"]) == expect["moved_minor"]


def end_block(how: str) -> None:
    """End a block well, or with an error of the caller's own."""
    if how == "fails":
        raise _OwnFault


@pytest.fixture
def breaking(place: _Place) -> Iterator[str]:
    """Give where connections are cut: what `make clients` names, or a door before the shared sandbox."""
    if named := os.environ.get("GIFTCARD_BREAKING"):
        yield named
        return
    port = free_port()
    door = BreakingDoor(port, int(place.target.rpartition(":")[2]))
    try:
        yield f"127.0.0.1:{port}"
    finally:
        door.close()
    assert door.cuts


def test_a_watch_goes_on(place: _Place, breaking: str) -> None:
    """Though its connection is cut again and again, a watch misses nothing."""
    start = Timestamp()
    start.GetCurrentTime()
    awaited = {new_transaction_id() for _ in range(30)}
    for transaction_id in awaited:
        place.client.reverse_redeem(transaction_id=transaction_id, reason=CANCELLED)
    with Client(breaking, plaintext=True) as client:
        for told in client.watch(start_time=start):
            awaited.discard(told.transaction.transaction_id)
            if not awaited:
                break
    assert not awaited


def held(client: Client, case: _Case, transaction_id: str) -> AbstractContextManager[OpenTransaction]:
    """Hold the transaction of a scenario."""
    hold: Callable[..., OpenTransaction] = {
        "Redeem": client.redemption,
        "Load": client.loading,
    }[case["operation"]]
    return hold(
        transaction_id=transaction_id, card=case["card"], amount=case["amount"], currency=case["currency"]
    )


def state_at_rest(client: Client, transaction_id: str, wanted: str) -> str:
    """Read the transaction until it stands as wanted, or patience ends; return how it stands."""
    until_s = time.monotonic() + PATIENCE_S
    while True:
        state = client.get_transaction(transaction_id=transaction_id).state
        name = v1.TransactionState.Name(state).removeprefix("TRANSACTION_STATE_")
        if name == wanted or time.monotonic() > until_s:
            return name
        time.sleep(_LOOK_EVERY_S)
