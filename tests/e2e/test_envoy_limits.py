"""What the real Envoy lets a machine ask of each route: whatever uses up one leaves the others alone."""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path

import grpc
import pytest

from giftcard import new_transaction_id, read_error, v1
from giftcard.stubs import Stubs
from tests.e2e.envoys import Door, door
from tests.e2e.sandboxes import Sandbox, redemption
from tests.patience import PATIENCE_S

PAN = "6045000000000061"
FEW, MANY = 3, 12
"""What a test's bucket holds, and more than that and what comes in while they are asked."""
BALANCE = v1.BalanceRequest(card=v1.Card(number=v1.CardNumber(pan=PAN)))
WEB = {"content-type": "application/grpc-web+proto", "x-grpc-web": "1"}
CONNECT = {"connect-protocol-version": "1", "content-type": "application/proto"}
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED


def code_of(call: Callable[[], object]) -> grpc.StatusCode:
    """Return how a call ends by gRPC's own status: an HTTP status of 429 alone would be UNAVAILABLE."""
    try:
        call()
    except grpc.RpcError as fault:
        return read_error(fault).code
    return grpc.StatusCode.OK


def codes(running: Door, kind: str, times: int) -> list[grpc.StatusCode]:
    """Return how calls of a kind of route end, one after another, on a connection that repeats nothing."""
    options = [("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(f"127.0.0.1:{running.ports['plain']}", options) as channel:
        stubs = Stubs(channel)
        asked: dict[str, Callable[[], object]] = {
            "money": lambda: stubs.gift_cards.Redeem(redemption(PAN), timeout=PATIENCE_S),
            "reads": lambda: stubs.gift_cards.Balance(BALANCE, timeout=PATIENCE_S),
            "long": lambda: stubs.transactions.ListTransactions(
                v1.ListTransactionsRequest(), timeout=PATIENCE_S
            ),
        }
        return [code_of(asked[kind]) for _ in range(times)]


@pytest.mark.parametrize("kind", ["money", "reads", "long"])
def test_a_route_that_is_used_up_leaves_the_others(tmp_path: Path, shared: Sandbox, kind: str) -> None:
    """Beyond its bucket a route's calls end RESOURCE_EXHAUSTED in gRPC's own status; the others' go on."""
    with door(tmp_path / "door", shared.port, may={kind: FEW}) as running:
        ended = codes(running, kind, MANY)
        assert ended[:FEW] == [grpc.StatusCode.OK] * FEW
        assert set(ended[FEW:]) <= {grpc.StatusCode.OK, EXHAUSTED}
        assert EXHAUSTED in ended
        for other in {"money", "reads", "long"} - {kind}:
            assert codes(running, other, MANY) == [grpc.StatusCode.OK] * MANY


def test_each_route_of_a_kind_counts_by_itself(tmp_path: Path, shared: Sandbox) -> None:
    """Balances that are used up do not keep a caller from asking what became of a transaction."""
    with door(tmp_path / "door", shared.port, may={"reads": FEW}) as running:
        address = f"/v1/transactions/{new_transaction_id()}"
        assert 429 in [running.ask("/v1/cards:balance", _card()).status for _ in range(MANY)]
        assert running.ask(address).status == 404


def test_every_way_to_a_call_takes_of_one_bucket(tmp_path: Path, shared: Sandbox) -> None:
    """What gRPC used up is 429 as plain JSON, and status 8 in gRPC-Web, Connect's own code there."""
    with door(tmp_path / "door", shared.port, may={"reads": FEW}) as running:
        assert EXHAUSTED in codes(running, "reads", MANY)
        plain = [running.ask("/v1/cards:balance", _card()) for _ in range(FEW)]
        assert (plain[0].status, plain[0].json["code"]) == (429, EXHAUSTED.value[0])
        content = BALANCE.SerializeToString()
        connect = [running.ask("/giftcard.v1.GiftCardService/Balance", content, CONNECT) for _ in range(FEW)]
        web = [
            running.ask(
                "/giftcard.v1.GiftCardService/Balance", struct.pack(">BI", 0, len(content)) + content, WEB
            )
            for _ in range(FEW)
        ]
        assert "8" in {one.headers["grpc-status"] for one in web}
        assert {one.status for one in web} == {200}
        told = {(one.status, one.json["code"]) for one in connect if one.status != 200}
        assert told == {(429, "resource_exhausted")}
        running.stop()
        assert '"grpc_status":8' in running.said


@pytest.mark.skipif(sys.platform != "linux", reason="only 127.0.0.1 is this machine elsewhere")
def test_one_machine_uses_up_its_own(tmp_path: Path, shared: Sandbox) -> None:
    """Another machine asks the same route as if nothing had happened."""
    with door(tmp_path / "door", shared.port, may={"reads": FEW}) as running:
        assert EXHAUSTED in codes(running, "reads", MANY)
        at = ("127.0.0.1", running.ports["plain"])
        other = HTTPConnection(*at, source_address=("127.0.0.2", 0), timeout=PATIENCE_S)
        try:
            other.request("GET", "/v1/providers")
            assert other.getresponse().status == 200
        finally:
            other.close()


def _card() -> dict[str, object]:
    return {"card": {"number": {"pan": PAN}}}
