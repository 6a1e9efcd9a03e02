"""The fake gateway for users' own tests: what it does by itself, what it is told, and its fixtures."""

from __future__ import annotations

import grpc
import pytest

from giftcard import (
    AsyncClient,
    Client,
    ConfirmationFailed,
    Conflict,
    Declined,
    NotFound,
    PermissionDenied,
    Unavailable,
    Unsupported,
    is_confirmed,
    is_reversed,
    new_transaction_id,
    v1,
)
from giftcard.testing import FakeGateway
from tests.clients.scripted import PAN
from tests.clients.test_examples import recipe

pytest_plugins = ["giftcard.pytest_plugin"]
CANCELLED = v1.ReversalReason.REVERSAL_REASON_CANCELLED


def test_a_sale_is_approved_and_confirmed(fake_gateway: FakeGateway, giftcard_client: Client) -> None:
    """Without a word the fake approves, confirms and remembers, and shows the requests that came."""
    with giftcard_client.redemption(
        transaction_id="t", card=PAN, amount="25.00", currency="ZAR"
    ) as redemption:
        assert redemption.transaction.operation == v1.Operation.OPERATION_REDEEM
    assert fake_gateway.calls == ["Redeem", "ConfirmRedeem"]
    assert is_confirmed(fake_gateway.transactions["t"])
    request = fake_gateway.seen[0]
    assert isinstance(request, v1.RedeemRequest)
    assert request.amount.units == 25


async def test_async_clients_are_served_too(fake_gateway: FakeGateway, giftcard_address: str) -> None:
    """An AsyncClient is served by the same fixture, and a block that raises is reversed."""
    async with AsyncClient(giftcard_address, plaintext=True) as client:
        with pytest.raises(ZeroDivisionError):
            async with client.loading(transaction_id="t", card=PAN):
                raise ZeroDivisionError
    assert is_reversed(fake_gateway.transactions["t"])


def test_it_declines_once_when_told(fake_gateway: FakeGateway, giftcard_client: Client) -> None:
    """A decline holds for the next operation, and its replay; another id is approved."""
    reason = v1.DeclineReason.DECLINE_REASON_FUNDS_INSUFFICIENT
    fake_gateway.decline(reason)
    for _ in range(2):
        with (
            pytest.raises(Declined) as caught,
            giftcard_client.redemption(transaction_id="t", card=PAN),
        ):
            pytest.fail("the block ran")
        assert caught.value.reason == reason
    with giftcard_client.redemption(transaction_id=new_transaction_id(), card=PAN):
        pass


def test_it_refuses_as_the_gateway_does(fake_gateway: FakeGateway, giftcard_client: Client) -> None:
    """A failure has the code and the reason it was told with."""
    fake_gateway.fail("StoreCard", grpc.StatusCode.UNAVAILABLE, "PROVIDER_UNREACHABLE")
    with pytest.raises(Unavailable) as caught:
        giftcard_client.store_card(card=PAN)
    assert caught.value.reason == "PROVIDER_UNREACHABLE"
    assert not caught.value.is_outcome_open


def test_a_lost_answer_is_found_again(fake_gateway: FakeGateway, giftcard_client: Client) -> None:
    """A lost answer has had its effect: the client looks it up, and the sale goes on."""
    fake_gateway.lose("Redeem")
    with giftcard_client.redemption(transaction_id="t", card=PAN):
        pass
    assert fake_gateway.calls == ["Redeem", "GetTransaction", "ConfirmRedeem"]


def test_a_decided_transaction_stays_decided(fake_gateway: FakeGateway, giftcard_client: Client) -> None:
    """What is confirmed is not reversed, what is reversed is neither confirmed nor asked again."""
    giftcard_client.redeem(transaction_id="a", card=PAN)
    giftcard_client.confirm_redeem(transaction_id="a")
    with pytest.raises(Conflict):
        giftcard_client.reverse_redeem(transaction_id="a", reason=CANCELLED)
    giftcard_client.reverse_redeem(transaction_id="b", reason=CANCELLED)
    with pytest.raises(Conflict):
        giftcard_client.redeem(transaction_id="b", card=PAN)
    with pytest.raises(ConfirmationFailed):
        giftcard_client.confirm_redeem(transaction_id="b")
    with pytest.raises(NotFound):
        giftcard_client.get_transaction("c")
    assert set(fake_gateway.transactions) == {"a", "b"}


def test_it_answers_what_it_is_told(fake_gateway: FakeGateway, giftcard_client: Client) -> None:
    """A read is answered as told, once, and else empty."""
    told = v1.BalanceResponse(card_balance=v1.CardBalance(masked_card="****1234"))
    fake_gateway.answer("Balance", told)
    assert giftcard_client.balance(card=PAN) == told.card_balance
    assert giftcard_client.balance(card=PAN) == v1.CardBalance()


def test_the_readmes_test_runs(fake_gateway: FakeGateway, giftcard_client: Client) -> None:
    """The test that the README shows passes with the fixtures."""
    recipe("def test_a_declined_card")["test_a_declined_card"](fake_gateway, giftcard_client)
    assert not fake_gateway.transactions["t"].issued_cards


def test_a_stream_tells_what_it_is_told(fake_gateway: FakeGateway, giftcard_client: Client) -> None:
    """A stream tells its messages and breaks as told; the client goes on with the next, by the cursor."""
    first, second = (v1.WatchTransactionsResponse(cursor=each) for each in ("1", "2"))
    fake_gateway.stream("WatchTransactions", first, end=grpc.StatusCode.UNAVAILABLE)
    fake_gateway.stream("WatchTransactions", second)
    changes = giftcard_client.watch()
    assert [next(changes), next(changes)] == [first, second]
    assert fake_gateway.calls == ["WatchTransactions"] * 2
    resumed = fake_gateway.seen[1]
    assert isinstance(resumed, v1.WatchTransactionsRequest)
    assert resumed.cursor == "1"


async def test_a_stream_ends_or_is_refused_as_told(fake_gateway: FakeGateway, giftcard_address: str) -> None:
    """One that ends well is followed by the next; one that nobody told anything, or fail, is refused."""
    async with AsyncClient(giftcard_address, plaintext=True) as client:
        fake_gateway.stream("WatchTransactions", end=grpc.StatusCode.OK)
        with pytest.raises(Unsupported, match="use stream"):
            await anext(client.watch())
        assert fake_gateway.calls == ["WatchTransactions"] * 2
        fake_gateway.fail("StreamEvents", grpc.StatusCode.PERMISSION_DENIED, "SCOPE_MISSING")
        with pytest.raises(PermissionDenied):
            await anext(client.events())
