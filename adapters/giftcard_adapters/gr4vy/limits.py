"""What Gr4vy cannot take, refused before anything is written or sent.

What Gr4vy has no field for and does not refuse is named in docs/providers/gr4vy.md as left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from giftcard_adapters.errors import Invalid, Violation
from giftcard_adapters.gr4vy import codes
from giftcard_adapters.values.cards import CardRef, ClearPin
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import Activate, Issue, MoneyOperation, Redeem
from giftcard_adapters.values.point_of_sale import Buyer
from giftcard_adapters.values.reads import Lookup, StoreCard, StoredCardQuery
from giftcard_adapters.values.secret import Secret

_MOST_MINOR = 99_999_999


_SHORTEST_NUMBER, _LONGEST_NUMBER = 16, 19


_LONGEST_NAME = 200


def check_operation(ask: MoneyOperation) -> None:
    """Raise Invalid with everything Gr4vy needs and did not get, or has no place for."""
    violations: list[Violation] = []
    match ask:
        case Redeem():
            violations += [*_points(ask), *_amount(ask.amount, least=1), *_card(ask.card), *_buyer(ask.buyer)]
        case Activate():
            violations += [*_points(ask), *_activation(ask)]
        case Issue():
            violations += _issuance(ask)
    if violations:
        raise Invalid(violations)


def check_lookup(ask: Lookup) -> CardRef:
    """Return the card; raise Invalid unless it is named as Gr4vy takes it."""
    if ask.card is None:
        named = "card_holder" if ask.card_holder else "card"
        raise Invalid([(named, "Gr4vy looks up one card, by number or stored-card id")])
    violations = list(_card(ask.card))
    if violations:
        raise Invalid(violations)
    return ask.card


def check_store(ask: StoreCard) -> None:
    """Raise Invalid unless the card has a number and a PIN in clear."""
    violations = [*_number(ask.card), *_pin(ask.card), *_buyer(ask.buyer)]
    if violations:
        raise Invalid(violations)


def check_list(query: StoredCardQuery) -> None:
    """Raise Invalid with everything about a list that Gr4vy cannot give."""
    violations = [*_buyer(query.buyer), *_list_violations(query)]
    if violations:
        raise Invalid(violations)


def faults_of(card: CardRef) -> Invalid | None:
    """Return what keeps Gr4vy from being asked about a card, None when nothing does."""
    violations = list(_card(card))
    return Invalid(violations) if violations else None


def pin_of(card: CardRef) -> Secret | None:
    """Return the PIN in clear, which is the only kind Gr4vy takes."""
    return card.pin.pin if isinstance(card.pin, ClearPin) else None


def is_uuid(text: str) -> bool:
    """Tell whether a text is a UUID as Gr4vy writes its ids."""
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def _points(ask: MoneyOperation) -> Iterator[Violation]:
    if ask.points is not None:
        yield "points", "Gr4vy has no loyalty points"


def _activation(ask: Activate) -> Iterator[Violation]:
    if ask.card.number is None:
        yield "card", "Gr4vy activates a card by its number only"
        return
    yield from _number(ask.card)
    if ask.store or ask.card.pin is not None:
        yield from _pin(ask.card)
    if ask.amount is not None:
        yield from _amount(ask.amount, least=0)
    if ask.buyer is not None and not ask.store:
        yield "buyer", "Gr4vy takes a buyer with an activation only when the card is stored too"
    yield from _buyer(ask.buyer)


def _issuance(ask: Issue) -> Iterator[Violation]:
    yield from _points(ask)
    if ask.quantity != 1:
        yield "quantity", "Gr4vy issues one card at a time"
    if ask.template_id:
        yield "template_id", "Gr4vy issues by theme, not by template"
    if ask.offer_id:
        yield "offer_id", "Gr4vy issues by theme, not by offer"
    if not 1 <= len(ask.theme_id) <= _LONGEST_NAME:
        yield "theme_id", "Gr4vy needs the provider's theme code, of at most 200 characters"
    yield from _amount(ask.amount, least=0)


def _amount(amount: Money | None, *, least: int) -> Iterator[Violation]:
    if amount is None:
        yield "amount", "Gr4vy needs an amount"
    elif not least <= amount.amount_minor <= _MOST_MINOR:
        yield "amount", f"Gr4vy takes from {least} to {_MOST_MINOR} minor units"


def _card(card: CardRef) -> Iterator[Violation]:
    if card.stored_card_id:
        if not is_uuid(card.stored_card_id):
            yield "card.stored_card_id", "not an id Gr4vy makes (a UUID)"
        return
    if card.number is None:
        yield "card", "Gr4vy takes a card by number or stored-card id only"
        return
    yield from _number(card)
    yield from _pin(card)


def _number(card: CardRef) -> Iterator[Violation]:
    number = card.number.reveal() if card.number is not None else ""
    if not (number.isascii() and number.isdigit() and _SHORTEST_NUMBER <= len(number) <= _LONGEST_NUMBER):
        yield "card.number", "Gr4vy takes numbers of 16 to 19 digits"


def _pin(card: CardRef) -> Iterator[Violation]:
    if pin_of(card) is None:
        yield "card.pin", "Gr4vy needs the PIN in clear"


def _buyer(buyer: Buyer | None) -> Iterator[Violation]:
    if buyer is None:
        return
    if buyer.buyer_id and buyer.external_id:
        yield "buyer", "name the buyer by one id, not by two"
    if buyer.buyer_id and not is_uuid(buyer.buyer_id):
        yield "buyer.buyer_id", "not an id Gr4vy makes (a UUID)"
    if len(buyer.external_id) > _LONGEST_NAME:
        yield "buyer.external_id", "Gr4vy takes at most 200 characters"


def _list_violations(query: StoredCardQuery) -> Iterator[Violation]:
    if not query.with_balances:
        if query.order_by:
            yield "order_by", "Gr4vy sorts a buyer's cards with balances only"
        return
    if not (query.buyer and (query.buyer.buyer_id or query.buyer.external_id)):
        yield "buyer", "Gr4vy tells balances for the cards of one buyer"
    if query.page_token:
        yield "page_token", "a buyer's cards come on one page"
    if query.order_by and query.order_by not in codes.ORDERS:
        yield "order_by", f"one of {', '.join(codes.ORDERS)}"
