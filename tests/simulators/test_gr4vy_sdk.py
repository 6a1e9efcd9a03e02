"""Gr4vy's official SDK, unchanged, works with the simulator on a real port."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import msgspec
import pytest
from gr4vy import Gr4vy, auth, errors, models
from pydantic import BaseModel

from giftcard_simulators.gr4vy import messages, sandbox_settings
from giftcard_simulators.gr4vy.simulator import Gr4vySimulator
from giftcard_simulators.sandbox import seeded_ids
from giftcard_simulators.serve import serve

NUMBER, PIN = "6045100000000001", "050000"
FUNDED = models.GiftCardRequest(number=NUMBER, pin=PIN)
BUYER = "user-12"


@pytest.fixture
async def sdk() -> AsyncIterator[Gr4vy]:
    """Give the SDK, pointed at a fresh simulator; its tokens are of this very moment."""
    simulator = Gr4vySimulator(now=lambda: datetime.now(UTC), ids=seeded_ids(1))
    served = await serve(simulator, "127.0.0.1", 0)
    settings = sandbox_settings()
    async with Gr4vy(
        server_url=served.url,
        merchant_account_id=str(settings["merchant_account_id"]),
        bearer_auth=auth.with_token(str(settings["private_key"])),
    ) as client:
        yield client
    await served.close()


def funded(amount: int) -> models.GiftCardTransactionCreate:
    """Take this much from the funded card."""
    return models.GiftCardTransactionCreate(number=NUMBER, pin=PIN, amount=amount)


async def redeem(sdk: Gr4vy, amount: int) -> models.Transaction:
    """Redeem from the funded card, with nothing said that need not be said."""
    return await sdk.transactions.create_async(
        amount=amount, currency="USD", intent="capture", gift_cards=[funded(amount)]
    )


async def test_the_vault(sdk: Gr4vy) -> None:
    """A card is stored, listed, found, its balance told, and deleted."""
    stored = await sdk.gift_cards.create_async(number=NUMBER, pin=PIN, buyer_external_identifier=BUYER)
    listed = await sdk.gift_cards.list_async(buyer_external_identifier=BUYER, limit=1)
    assert listed is not None
    assert [card.id for card in listed.result.items] == [stored.id]
    assert (await sdk.gift_cards.get_async(gift_card_id=stored.id)).last4 == "0001"
    of_buyer = await sdk.buyers.gift_cards.list_async(buyer_external_identifier=BUYER, sort_by="usage_count")
    assert [card.balance for card in of_buyer.items] == [50_000]
    await sdk.gift_cards.delete_async(gift_card_id=stored.id)
    with pytest.raises(errors.Error404):
        await sdk.gift_cards.get_async(gift_card_id=stored.id)


async def test_the_vault_is_paged(sdk: Gr4vy) -> None:
    """The SDK reads a cursor, and the next page with it."""
    for last in "123":
        await sdk.gift_cards.create_async(number=f"604520000000000{last}", pin="01000")
    page = await sdk.gift_cards.list_async(limit=2)
    assert page is not None
    rest = await sdk.gift_cards.list_async(limit=2, cursor=page.result.next_cursor)
    assert rest is not None
    assert [card.last4 for one in (page, rest) for card in one.result.items] == ["0001", "0002", "0003"]
    assert rest.result.next_cursor is None


async def test_balances(sdk: Gr4vy) -> None:
    """A balance is told for a card by number and by stored id; an error is told per card."""
    stored = await sdk.gift_cards.create_async(number=NUMBER, pin=PIN)
    by_id = models.GiftCardStoredRequest(id=stored.id)
    wrong = models.GiftCardRequest(number="6045100000000002", pin="10001")
    items: list[models.GiftCardRequest | models.GiftCardStoredRequest] = [FUNDED, by_id, wrong]
    told = await sdk.gift_cards.balances.list_async(items=items)
    assert [card.balance for card in told.items] == [50_000, 50_000, None]
    assert told.items[-1].balance_error_code == "expired_card"


async def test_a_redemption_and_its_refunds(sdk: Gr4vy) -> None:
    """A card is redeemed, found, refunded in part, and then in full."""
    paid = await redeem(sdk, 1_000)
    assert (paid.intent_outcome, paid.gift_card_redemptions[0].status) == ("succeeded", "succeeded")
    assert await sdk.transactions.get_async(transaction_id=paid.id) == paid
    part = await sdk.transactions.refunds.create_async(
        transaction_id=paid.id,
        amount=300,
        target_type="gift-card-redemption",
        target_id=paid.gift_card_redemptions[0].id,
    )
    rest = await sdk.transactions.refunds.all.create_async(transaction_id=paid.id)
    assert [part.amount, *(one.amount for one in rest.items)] == [300, 700]
    refunds = await sdk.transactions.refunds.list_async(transaction_id=paid.id)
    assert [one.status for one in refunds.items] == ["succeeded", "succeeded"]
    assert await sdk.refunds.get_async(refund_id=part.id) == part
    assert await sdk.transactions.refunds.get_async(transaction_id=paid.id, refund_id=part.id) == part


# The SDK reads its own deprecated filters on every call.
@pytest.mark.filterwarnings("ignore:.*DEPRECATED:DeprecationWarning")
async def test_transactions_are_listed(sdk: Gr4vy) -> None:
    """Transactions are listed by the card they took money from."""
    paid = await redeem(sdk, 1_000)
    found = await sdk.transactions.list_async(gift_card_last4="0001", has_gift_card_redemptions=True)
    assert found is not None
    assert [row.id for row in found.result.items] == [paid.id]
    none = await sdk.transactions.list_async(gift_card_last4="0002")
    assert none is not None
    assert none.result.items == []


async def test_a_decline(sdk: Gr4vy) -> None:
    """A card with too little on it fails in a transaction that is made all the same."""
    paid = await redeem(sdk, 50_010)
    assert paid.intent_outcome == "failed"
    assert paid.gift_card_redemptions[0].error_code == "insufficient_funds"


async def test_an_idempotency_key(sdk: Gr4vy) -> None:
    """The same key gives the same transaction, and no money moves twice."""
    key = str(uuid.UUID(int=1))
    paid = [
        await sdk.transactions.create_async(
            amount=1_000, currency="USD", gift_cards=[funded(1_000)], idempotency_key=key
        )
        for _ in range(2)
    ]
    assert paid[0].id == paid[1].id
    told = await sdk.gift_cards.balances.list_async(items=[FUNDED])
    assert told.items[0].balance == 49_000


async def test_activation_and_issuance(sdk: Gr4vy) -> None:
    """A physical card is activated and stored, and a virtual one issued."""
    card = await sdk.gift_cards.activations.create_async(
        number="6045100000000006", pin="01234", amount=500, currency="USD", store=True
    )
    assert (await sdk.gift_cards.get_async(gift_card_id=card.id)).last4 == "0006"
    issued = await sdk.gift_cards.issuances.create_async(theme="031111372", amount=500, currency="USD")
    assert (issued.amount, issued.currency) == (500, "USD")


async def test_refusals_are_the_sdks_own_errors(sdk: Gr4vy) -> None:
    """What is refused arrives as the error class the SDK has for its status."""
    with pytest.raises(errors.Error400, match="gift cards"):
        await sdk.transactions.create_async(amount=1_000, currency="USD")
    await sdk.gift_cards.create_async(number=NUMBER, pin=PIN)
    with pytest.raises(errors.Error409):
        await sdk.gift_cards.create_async(number=NUMBER, pin=PIN)
    with pytest.raises(errors.HTTPValidationError):
        await sdk.gift_cards.get_async(gift_card_id="not a uuid")


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (messages.StoreBody, models.GiftCardCreate),
        (messages.BalancesBody, models.GiftCardBalanceRequest),
        (messages.ActivationBody, models.GiftCardActivationCreate),
        (messages.IssuanceBody, models.GiftCardIssuanceCreate),
        (messages.TransactionBody, models.TransactionCreate),
        (messages.RefundBody, models.TransactionRefundCreate),
        (messages.RefundAllBody, models.TransactionRefundAllCreate),
    ],
)
def test_every_field_of_the_sdk_is_taken(ours: type[msgspec.Struct], theirs: type[BaseModel]) -> None:
    """The simulator's bodies have the SDK's fields, no fewer and no more; a newer SDK shows what is new."""
    assert set(ours.__struct_fields__) == set(theirs.model_fields)
