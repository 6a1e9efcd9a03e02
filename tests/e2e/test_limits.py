"""What one caller may take of a gateway: bytes, metadata, calls at once, pings."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from giftcard import CallError, read_error, v1
from giftcard.stubs import Stubs
from tests.e2e.sandboxes import ELECTRUM, Sandbox, sandbox
from tests.patience import PATIENCE_S

TIGHT = {
    "GIFTCARD_GATEWAY__SERVER__MAX_MESSAGE_BYTES": "20000",
    "GIFTCARD_GATEWAY__SERVER__MAX_METADATA_BYTES": "4096",
    "GIFTCARD_GATEWAY__SERVER__MAX_CONCURRENT_CALLS": "2",
    "GIFTCARD_GATEWAY__SERVER__MIN_PING_INTERVAL_S": "5",
}


@pytest.fixture(scope="module")
def tight(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Give a gateway with narrow limits."""
    with sandbox(tmp_path_factory.mktemp("tight"), environ=TIGHT) as running:
        yield running


def failure(running: Sandbox, **metadata: str) -> CallError:
    """Return how listing providers fails with this metadata."""
    with grpc.insecure_channel(running.address, [("grpc.enable_retries", 0)]) as channel:
        with pytest.raises(grpc.RpcError) as raised:
            Stubs(channel).providers.ListProviders(
                v1.ListProvidersRequest(), metadata=tuple(metadata.items()), timeout=PATIENCE_S
            )
        return read_error(raised.value)


def is_well(running: Sandbox) -> bool:
    """Tell whether the gateway still answers everybody else."""
    with running.client() as client:
        return bool(client.list_providers().providers)


def test_a_message_too_large_is_refused(tight: Sandbox) -> None:
    """A request above the limit ends RESOURCE_EXHAUSTED before it is read, and the gateway goes on."""
    request = v1.RedeemRequest(transaction_id="x" * 30_000)
    with grpc.insecure_channel(tight.address) as channel, pytest.raises(grpc.RpcError) as raised:
        Stubs(channel).gift_cards.Redeem(request, timeout=PATIENCE_S)
    assert raised.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert is_well(tight)


def test_metadata_too_large_is_refused(tight: Sandbox) -> None:
    """A call whose metadata is above the limit fails, and the gateway goes on."""
    assert failure(tight, note="x" * 8000).code == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert is_well(tight)


def refusal_beside(running: Sandbox, delay_s: float) -> CallError | None:
    """Return how a call fails beside two that take so long; None if they were over before it was there."""
    running.spoil(ELECTRUM, {"fault": "delay", "delay_s": delay_s, "times": 2})
    with running.client() as client, ThreadPoolExecutor(2) as hands:
        patient = client.calling(deadline_s=PATIENCE_S)
        slow = [
            hands.submit(patient.balance, provider="electrum-sandbox", card="6045000000000061")
            for _ in range(2)
        ]
        running.running.wait_until(lambda: not running.get(ELECTRUM, "faults"))
        try:
            return failure(running)
        except pytest.fail.Exception:
            assert any(one.done() for one in slow), "the third of two was let in"
            return None
        finally:
            assert all(one.result().balances.HasField("available") for one in slow)


def test_calls_beyond_the_limit_are_told_when_to_come_back(tight: Sandbox) -> None:
    """Of more calls at once than are let in, the rest are refused OVERLOADED, with a time to try again."""
    refusal, delay_s = None, 1.0
    while not refusal:
        refusal = refusal_beside(tight, delay_s)
        # A machine may stand still for as long as the two were to take.
        delay_s *= 2
        assert delay_s < PATIENCE_S, "the third of two was let in"
    assert refusal.code == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert refusal.reason == "OVERLOADED"
    assert refusal.retry_after_s
    assert is_well(tight)


def test_who_pings_too_often_is_disconnected(tight: Sandbox) -> None:
    """A caller whose keepalive pings come faster than allowed is told to go away, in the middle of a call."""
    eager = [
        ("grpc.keepalive_time_ms", 200),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.enable_retries", 0),
    ]
    with grpc.insecure_channel(tight.address, eager) as channel:
        changes = Stubs(channel).transactions.WatchTransactions(
            v1.WatchTransactionsRequest(), timeout=PATIENCE_S
        )
        with pytest.raises(grpc.RpcError) as raised:
            list(changes)
    assert raised.value.code() == grpc.StatusCode.UNAVAILABLE
    assert "ping" in str(raised.value.details()).lower()
    assert is_well(tight)
