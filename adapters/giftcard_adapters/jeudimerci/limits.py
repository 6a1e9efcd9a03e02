"""What JeudiMerci cannot take, refused before anything is written or sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from giftcard_adapters.errors import Invalid, Violation
from giftcard_adapters.jeudimerci.settings import JeudiMerciSettings
from giftcard_adapters.paths import is_segment
from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.operations import Issue, MoneyOperation
from giftcard_adapters.values.reads import Offer, StoredCardQuery

_MOST_DIGITS = 9
"""Of a page token, which is a place in a list."""


def check_operation(ask: MoneyOperation, settings: JeudiMerciSettings) -> None:
    """Raise Invalid with everything wrong with an issue, and what has no field here."""
    if not isinstance(ask, Issue):
        return
    violations = list(_issuance(ask, settings))
    if violations:
        raise Invalid(violations)


def check_card(card: CardRef | None) -> CardRef:
    """Return the card; raise Invalid unless one is named, and by a code that a path can hold."""
    if card is None or card == CardRef():
        raise Invalid([("card", "JeudiMerci finds an e-card by its Code or by the id it was shown with")])
    given = {"card.redemption_key": card.redemption_key, "card.number": card.number}
    odd = [name for name, code in given.items() if code is not None and not is_segment(code.reveal())]
    if odd:
        raise Invalid([(name, "not the Code of an e-card") for name in odd])
    return card


def check_list(query: StoredCardQuery) -> None:
    """Raise Invalid for a list of e-cards that JeudiMerci cannot give."""
    if odd := [name for name in ("buyer", "with_balances", "order_by") if getattr(query, name)]:
        raise Invalid(
            [(name, "JeudiMerci lists e-cards without buyers, balances or an order") for name in odd]
        )
    token = query.page_token
    if token and not (token.isascii() and token.isdigit() and len(token) <= _MOST_DIGITS):
        raise Invalid([("page_token", "not a token of this list")])


def _issuance(ask: Issue, settings: JeudiMerciSettings) -> Iterator[Violation]:
    for field in ("template_id", "theme_id", "offer_id", "points"):
        if getattr(ask, field):
            yield field, "JeudiMerci publishes no field for it"
    if ask.amount is None:
        yield "amount", "JeudiMerci needs the price of one card"
        return
    if ask.amount.currency != settings.currency:
        yield "amount.currency_code", f"this wallet is in {settings.currency}"
    if ask.amount.amount_minor <= 0:
        yield "amount", "the price must be more than zero"
    if ask.quantity < 1:
        yield "quantity", "at least one card"


def check_offers(offers: Sequence[Offer], wallet: str) -> None:
    """Raise Invalid for prices in another currency: an offer has no field for it."""
    prices = ("price", "minimum", "maximum")
    told = {f"offers[{n}].{name}": getattr(offer, name) for n, offer in enumerate(offers) for name in prices}
    others = [field for field, price in told.items() if price and price.currency != wallet]
    if others:
        raise Invalid([(f"{field}.currency_code", f"this wallet is in {wallet}") for field in others])
