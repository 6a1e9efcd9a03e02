"""Stored cards: a vault that keeps cards for buyers, and a wallet whose e-cards can be deleted."""

from __future__ import annotations

import pytest

from giftcard import Card, new_transaction_id, to_decimal, v1
from tests.providers.cells import STORED, VAULTED, VAULTED_PIN
from tests.providers.refusals import (
    CARD_NOT_FOUND,
    FIELD_INVALID,
    PROVIDER_REFUSED,
    PROVIDER_TIMEOUT,
    refused,
)
from tests.providers.world import GR4VY, JEUDIMERCI, World

pytestmark = pytest.mark.asyncio(loop_scope="session")

BUYER = v1.Buyer(external_id="buyer-12345")
OTHER_BUYER = v1.Buyer(external_id="buyer-99999")
SECOND = Card.number("6045100000000002", pin="050000")


async def store(world: World, card: Card, buyer: v1.Buyer | None = BUYER) -> v1.StoredCard:
    """Put a card into Gr4vy's vault."""
    whose = {"buyer": buyer} if buyer else {}
    return await world.client.store_card(provider=GR4VY, card=card, **whose)  # type: ignore[arg-type]  # keywords as data


def vaulted() -> Card:
    """Name the funded card by number and PIN."""
    return Card.number(VAULTED, pin=VAULTED_PIN)


async def test_a_card_is_stored_read_and_deleted(world: World) -> None:
    """A stored card is masked and knows its buyer; it can be read until it is deleted, and then not."""
    kept = await store(world, vaulted())
    assert (kept.provider, kept.masked_card) == (GR4VY, "604510******0001")
    assert kept.buyer_external_id == BUYER.external_id
    assert kept.HasField("create_time")
    named = {"provider": GR4VY, "stored_card_id": kept.stored_card_id}
    assert (await world.client.get_stored_card(**named)).stored_card == kept
    await world.client.delete_stored_card(**named)
    for gone in (world.client.get_stored_card, world.client.delete_stored_card):
        with refused(*CARD_NOT_FOUND):
            await gone(**named)
    assert (await world.providers[GR4VY].books()).states[VAULTED] == "active"


async def test_an_id_of_another_shape_is_not_found(world: World) -> None:
    """An id the vault never made is NOT_FOUND, well-formed or not; one that leads elsewhere is refused."""
    for stored_card_id in (STORED, "nonsense"):
        with refused(*CARD_NOT_FOUND):
            await world.client.get_stored_card(provider=GR4VY, stored_card_id=stored_card_id)
    for stored_card_id in ("../gift-cards", "..", "."):
        with refused(*FIELD_INVALID):
            await world.client.get_stored_card(provider=GR4VY, stored_card_id=stored_card_id)


async def test_the_vault_is_listed_in_pages(world: World) -> None:
    """Pages follow one another by token until all cards were told once; another buyer's list has none."""
    ids = [
        (await store(world, Card.number(f"60451000000{n:05d}", pin=f"0{n:05d}"))).stored_card_id
        for n in range(200, 205)
    ]
    seen: list[str] = []
    token, pages = "", 0
    while pages == 0 or token:
        page = await world.client.list_stored_cards(
            provider=GR4VY, buyer=BUYER, page_size=2, page_token=token
        )
        seen += [card.stored_card_id for card in page.stored_cards]
        token, pages = page.next_page_token, pages + 1
    assert (seen, pages) == (ids, 3)
    others = await world.client.list_stored_cards(provider=GR4VY, buyer=OTHER_BUYER)
    assert list(others.stored_cards) == []


async def test_a_buyers_cards_come_with_balances(world: World) -> None:
    """A buyer's cards can be listed with what is on them, used last first, and empty ones are dropped."""
    await store(world, vaulted())
    second = await store(world, SECOND)
    await store(world, Card.number("6045100000000004", pin="00000"))
    await world.client.redeem(
        transaction_id=new_transaction_id(),
        provider=GR4VY,
        card=Card.stored(second.stored_card_id),
        buyer=BUYER,
        amount="120.00",
        currency="USD",
    )
    listed = await world.client.list_stored_cards(
        provider=GR4VY, buyer=BUYER, with_balances=True, order_by="usage_count desc"
    )
    told = [(card.masked_card, str(to_decimal(card.balances.available))) for card in listed.stored_cards]
    assert told == [("604510******0002", "380.00"), ("604510******0001", "500.00")]
    assert listed.stored_cards[0].usage_count == 1
    with refused(*FIELD_INVALID) as caught:
        await world.client.list_stored_cards(provider=GR4VY, with_balances=True)
    assert [violation.field for violation in caught.error.violations] == ["buyer"]


async def test_a_stored_card_is_redeemed_and_put_back(world: World) -> None:
    """A stored card is redeemed by its id alone, and the reversal puts the money back on it."""
    kept = await store(world, vaulted())
    before = await world.providers[GR4VY].books()
    done = await world.client.redeem(
        transaction_id=new_transaction_id(),
        provider=GR4VY,
        card=Card.stored(kept.stored_card_id),
        buyer=BUYER,
        amount="20.00",
        currency="USD",
    )
    assert [card.stored_card_id for card in done.cards] == [kept.stored_card_id]
    balance = await world.client.balance(provider=GR4VY, card=Card.stored(kept.stored_card_id))
    assert str(to_decimal(balance.balances.available)) == "480.00"
    await world.reverse("Redeem", done.transaction_id)
    assert (await world.providers[GR4VY].books()).moved_since(before) == {}


async def test_an_activation_can_store_the_card(world: World) -> None:
    """An activation with `store` tells the stored card's id, under which the card is then found."""
    done = await world.client.activate(
        transaction_id=new_transaction_id(),
        provider=GR4VY,
        card="6045100000000006",
        pin="01234",
        amount="20.00",
        currency="USD",
        store=True,
        buyer=BUYER,
    )
    kept = await world.client.get_stored_card(provider=GR4VY, stored_card_id=done.cards[0].stored_card_id)
    assert kept.stored_card.masked_card == "604510******0006"


async def test_the_vault_says_no(world: World) -> None:
    """A card stored twice, a wrong PIN and an eleventh card of one buyer are refused with a reason."""
    await store(world, vaulted())
    for card, reason in (
        (vaulted(), "DUPLICATE"),
        (Card.number(VAULTED, pin="050001"), "REQUEST_MALFORMED"),
    ):
        with refused(*PROVIDER_REFUSED) as caught:
            await store(world, card)
        assert caught.error.metadata["decline_reason"] == reason
    for n in range(300, 309):
        await store(world, Card.number(f"60451000000{n:05d}", pin=f"0{n:05d}"))
    with refused(*PROVIDER_REFUSED) as caught:
        await store(world, SECOND)
    assert caught.error.metadata["decline_reason"] == "LIMIT_EXCEEDED"


async def test_a_lost_store_says_look_first(world: World) -> None:
    """StoreCard whose answer is lost is PROVIDER_TIMEOUT, never UNAVAILABLE, and the card may be there."""
    await world.providers[GR4VY].go_wrong({"fault": "drop_answer"})
    with refused(*PROVIDER_TIMEOUT):
        await store(world, vaulted())
    listed = await world.client.list_stored_cards(provider=GR4VY, buyer=BUYER)
    assert len(listed.stored_cards) == 1
    assert len(world.providers[GR4VY].heard) == 2


async def test_a_wallet_lists_and_deletes_e_cards(world: World) -> None:
    """E-cards are listed in pages by ids that are not their codes; deleting one ends it."""
    first = await world.client.list_stored_cards(provider=JEUDIMERCI, page_size=3)
    rest = await world.client.list_stored_cards(
        provider=JEUDIMERCI, page_size=3, page_token=first.next_page_token
    )
    cards = [*first.stored_cards, *rest.stored_cards]
    assert (len(first.stored_cards), len(cards), rest.next_page_token) == (3, 4, "")
    assert not any("JDMDEMO" in card.stored_card_id for card in cards)
    assert [str(to_decimal(card.amount)) for card in cards] == ["25.00", "50.00", "25.00", "25.00"]
    named = {"provider": JEUDIMERCI, "stored_card_id": cards[0].stored_card_id}
    assert (await world.client.get_stored_card(**named)).stored_card == cards[0]
    await world.client.delete_stored_card(**named)
    assert await world.providers[JEUDIMERCI].kinds() == ["reverse"]
    for gone in (world.client.get_stored_card, world.client.delete_stored_card):
        with refused(*CARD_NOT_FOUND):
            await gone(**named)
    assert await world.providers[JEUDIMERCI].kinds() == ["reverse"]


async def test_a_consumed_e_card_is_not_deleted(world: World) -> None:
    """Deleting a consumed e-card is refused with the provider's code, and it stays in the list."""
    listed = await world.client.list_stored_cards(provider=JEUDIMERCI)
    consumed = [card for card in listed.stored_cards if card.state == v1.CardState.CARD_STATE_REDEEMED]
    with refused(*PROVIDER_REFUSED) as caught:
        await world.client.delete_stored_card(provider=JEUDIMERCI, stored_card_id=consumed[0].stored_card_id)
    assert caught.error.metadata["provider_code"] == "400"
    again = await world.client.list_stored_cards(provider=JEUDIMERCI)
    assert again.stored_cards == listed.stored_cards


async def test_a_wallet_knows_no_buyers(world: World) -> None:
    """Listing e-cards of a buyer is refused, because a list of everybody's would be another answer."""
    with refused(*FIELD_INVALID):
        await world.client.list_stored_cards(provider=JEUDIMERCI, buyer=BUYER)
