"""The chapters of the demo: each a title, what a provider must be able to do, and its steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from giftcard import Card, v1
from giftcard_demo.teller import Step, Teller, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_CANCELLED = v1.ReversalReason.REVERSAL_REASON_CANCELLED


def lifetime(tell: Teller) -> Iterator[Step]:
    """All two-phase operations of a card, from activation to void."""
    card, spare, empty = tell.card("inactive"), tell.card("spare"), tell.card("empty")
    client, money = tell.client, tell.currency
    done = client.activate(
        transaction_id=tell.new_id(),
        provider=tell.provider,
        card=card,
        product=v1.Product(product_id="product001"),
        amount="200.00",
        currency=money,
    )
    yield tell.told("activate a card with 200.00", done, card)
    yield tell.told("confirm", client.confirm_activate(transaction_id=done.transaction_id), card)
    done = client.load(transaction_id=tell.new_id(), card=card, amount="100.00", currency=money)
    yield tell.told("load 100.00: not to be spent before it is confirmed", done, card)
    yield tell.told("confirm", client.confirm_load(transaction_id=done.transaction_id), card)
    done = client.redeem(transaction_id=tell.new_id(), card=card, amount="50.00", currency=money)
    yield tell.told("redeem 50.00", done, card)
    done = client.confirm_redeem(transaction_id=done.transaction_id, final_amount="40.00", currency=money)
    yield tell.told("confirm 40.00 of it: the sale became cheaper", done, card)
    done = client.transfer(
        transaction_id=tell.new_id(), source_card=card, target_card=empty, amount="60.00", currency=money
    )
    yield tell.told("transfer 60.00 to another card", done, card)
    done = client.confirm_transfer(transaction_id=done.transaction_id)
    yield tell.told("confirm; the other card has", done, empty)
    done = client.replace(transaction_id=tell.new_id(), old_card=card, new_card=spare)
    done = client.confirm_replace(transaction_id=done.transaction_id)
    yield tell.told("replace the card, confirm; the new card has", done, spare)
    done = client.void(transaction_id=tell.new_id(), card=spare)
    yield tell.told("void the new card", done)
    yield tell.told("confirm", client.confirm_void(transaction_id=done.transaction_id))


def trouble(tell: Teller) -> Iterator[Step]:
    """A decline, a lost answer, a repeat, and reversals."""
    card, poor = tell.card("funded"), tell.card("poor")
    client, money = tell.client, tell.currency
    yield Step("a card to begin with", "", tell.balance(card))
    done = client.redeem(transaction_id=tell.new_id(), card=poor, amount="100.00", currency=money)
    yield tell.told("redeem 100.00 with 1.00 on the card: a decline is an answer", done, poor)
    tell.go_wrong("drop_answer")
    done = client.redeem(transaction_id=tell.new_id(), card=card, amount="30.00", currency=money)
    yield tell.told("redeem 30.00, the answer is lost: reversed, not guessed", done, card)
    same = tell.new_id()
    done = client.redeem(transaction_id=same, card=card, amount="25.00", currency=money)
    yield tell.told("redeem 25.00", done, card)
    done = client.redeem(transaction_id=same, card=card, amount="25.00", currency=money)
    yield tell.told("the same again, under the same id: replayed, nothing moves", done, card)
    done = client.reverse_redeem(transaction_id=same, reason=_CANCELLED)
    yield tell.told("reverse it: the customer walked away", done, card)
    late = tell.new_id()
    done = client.reverse_redeem(transaction_id=late, reason=_CANCELLED)
    yield tell.told("reverse a request that never arrived", done, card)


def vault(tell: Teller) -> Iterator[Step]:
    """A provider that keeps cards, redeems in one shot and issues by link."""
    client, money = tell.client, tell.currency
    funded, other = tell.card("funded"), tell.card("other")
    buyer = v1.Buyer(external_id="buyer-12345")
    stored = client.store_card(provider=tell.provider, card=funded, buyer=buyer)
    yield Step("store a card for a buyer", f"kept as {stored.masked_card}")
    kept = Card.stored(stored.stored_card_id)
    items = client.batch_balance([{"provider": tell.provider, "card": card} for card in (kept, other)]).items
    balances = ", ".join(shown(one.card_balance.balances.available) for one in items)
    yield Step("two balances in one call", balances)
    done = client.redeem(
        transaction_id=tell.new_id(),
        provider=tell.provider,
        card=kept,
        buyer=buyer,
        amount="120.00",
        currency=money,
    )
    yield tell.told("redeem 120.00 from the stored card, for the same buyer", done, kept)
    done = client.reverse_redeem(transaction_id=done.transaction_id, reason=_CANCELLED)
    yield tell.told("reverse it: a refund of the redemption", done, kept)
    done = client.issue(
        transaction_id=tell.new_id(),
        provider=tell.provider,
        theme_id="031111372",
        amount="25.00",
        currency=money,
    )
    yield tell.told(f"issue a virtual card: {len(done.issued_cards)} link, no number", done)
    yield tell.told("confirm: inside the gateway", client.confirm_issue(transaction_id=done.transaction_id))
    client.delete_stored_card(provider=tell.provider, stored_card_id=stored.stored_card_id)
    yield Step("take the card out of the vault", "gone")


def wallet(tell: Teller) -> Iterator[Step]:
    """A provider that sells e-cards from a wallet and makes reports."""
    client, money = tell.client, tell.currency
    offers = client.sync_offers(provider=tell.provider).offers
    yield Step("bring the offers up to date", f"{len(offers)} offers")
    done = client.issue(
        transaction_id=tell.new_id(), provider=tell.provider, quantity=2, amount="15.50", currency=money
    )
    yield tell.told(f"buy {len(done.issued_cards)} e-cards of 15.50", done)
    card = Card.redemption_key(done.issued_cards[0].redemption_key)
    state = client.lookup(card=card, provider=tell.provider).state
    yield Step("look one up", v1.CardState.Name(state).removeprefix("CARD_STATE_"))
    done = client.reverse_issue(transaction_id=done.transaction_id, reason=_CANCELLED)
    yield tell.told("reverse: both are deleted", done)
    counted = client.get_ticket_statistics(provider=tell.provider)
    yield Step("count tickets", f"{counted.issued_count} issued, {counted.consumed_count} consumed")
    extract = client.extract_accounts(provider=tell.provider, export_format="csv")
    file = tell.download(extract.export_id)
    yield Step(
        "extract accounts and download the file", f"{len(extract.accounts)} accounts, {len(file)} bytes"
    )


def templates(tell: Teller) -> Iterator[Step]:
    """A provider that issues by template, and accepts an issue before it is certain."""
    client, money = tell.client, tell.currency
    listed = client.list_templates(provider=tell.provider).templates
    yield Step("list the templates", f"{len(listed)} templates")
    done = client.issue(
        transaction_id=tell.new_id(),
        provider=tell.provider,
        template_id=listed[0].template_id,
        title="From the demo",
        amount="9.99",
        currency=money,
    )
    yield tell.told("issue a card of 9.99: asked after until it is really issued", done)
    yield tell.told("confirm: inside the gateway", client.confirm_issue(transaction_id=done.transaction_id))


CHAPTERS: tuple[tuple[str, str, frozenset[str], Callable[[Teller], Iterator[Step]]], ...] = (
    ("A card's whole life", "TRANSFER:NATIVE", frozenset({"inactive", "spare", "empty"}), lifetime),
    ("What goes wrong, and how it ends", "TRANSFER:NATIVE", frozenset({"funded", "poor"}), trouble),
    ("Cards in a vault", "STORE_CARD", frozenset({"funded", "other"}), vault),
    ("E-cards from a wallet", "SYNC_OFFERS", frozenset(), wallet),
    ("Cards by template", "LIST_TEMPLATES", frozenset(), templates),
)
"""Title, what some provider must be able to do, which demo cards it must have, and the teller."""
