"""What we ask of Gr4vy: the checks before anything is written, and the bodies, built once.

Gr4vy refuses unknown fields, so a body holds exactly what its schema names. What Gr4vy has no place
for is either refused here or named in docs/providers/gr4vy.md as left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import urlencode
from uuid import UUID

import msgspec

from giftcard_adapters.errors import Invalid, Unsupported
from giftcard_adapters.gr4vy.verdict import REDEMPTION_TARGET, pin_of
from giftcard_adapters.gr4vy.wire import RefundAsk
from giftcard_adapters.values.advices import Advice
from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import Activate, Issue, MoneyOperation, Redeem
from giftcard_adapters.values.outcomes import Outcome, Verdict
from giftcard_adapters.values.point_of_sale import Buyer
from giftcard_adapters.values.reads import Lookup, StoreCard, StoredCardQuery

_MOST_MINOR = 99_999_999
_SHORTEST_NUMBER, _LONGEST_NUMBER = 16, 19
_LONGEST_NAME = 200
_LARGEST_PAGE = 100
_ORDERS = {
    "last_use_time": "last_used_at",
    "usage_count": "usage_count",
    "customer_last_use_time": "cit_last_used_at",
    "customer_usage_count": "cit_usage_count",
}
"""What a buyer's cards can be sorted by: our word, and theirs."""
_REASON = "Reversed by the gift card gateway"

Violation = tuple[str, str]


def check(ask: MoneyOperation | Lookup) -> None:
    """Raise Invalid with everything Gr4vy needs and did not get, or Unsupported for what it cannot do."""
    violations: list[Violation] = []
    match ask:
        case Redeem():
            _refuse_points(ask)
            violations += [*_amount(ask.amount, least=1), *_card(ask.card), *_buyer(ask.buyer)]
        case Activate():
            _refuse_points(ask)
            violations += _activation(ask)
        case Issue():
            violations += _issuance(ask)
        case Lookup():
            violations += _looked_up(ask)
    if violations:
        raise Invalid(violations)


def check_store(ask: StoreCard) -> None:
    """Raise Invalid unless the card has a number and a PIN in clear."""
    violations = [*_number(ask.card), *_pin(ask.card), *_buyer(ask.buyer)]
    if violations:
        raise Invalid(violations)


def fault_of(card: CardRef) -> str:
    """Return what keeps Gr4vy from being asked about a card; empty when nothing does."""
    try:
        return "; ".join(f"{field}: {reason}" for field, reason in _card(card))
    except Unsupported as why:
        return str(why)


def is_uuid(text: str) -> bool:
    """Tell whether a text is a UUID as Gr4vy writes its ids."""
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def _refuse_points(ask: MoneyOperation) -> None:
    if ask.points is not None:
        raise Unsupported("Gr4vy has no loyalty points")


def _activation(ask: Activate) -> Iterator[Violation]:
    if ask.card.number is None:
        raise Unsupported("Gr4vy activates a card by its number only")
    yield from _number(ask.card)
    if ask.store or ask.card.pin is not None:
        yield from _pin(ask.card)
    if ask.amount is not None:
        yield from _amount(ask.amount, least=0)
    if ask.buyer is not None and not ask.store:
        yield "buyer", "Gr4vy takes a buyer with an activation only when the card is stored too"
    yield from _buyer(ask.buyer)


def _issuance(ask: Issue) -> Iterator[Violation]:
    _refuse_points(ask)
    if ask.quantity != 1:
        raise Unsupported("Gr4vy issues one card at a time: quantity must be 1")
    if ask.template_id or ask.offer_id:
        raise Unsupported("Gr4vy issues by theme, not by template or offer")
    if not 1 <= len(ask.theme_id) <= _LONGEST_NAME:
        yield "theme_id", "Gr4vy needs the provider's theme code, of at most 200 characters"
    yield from _amount(ask.amount, least=0)


def _looked_up(ask: Lookup) -> Iterator[Violation]:
    if ask.card is None:
        if ask.card_holder is not None:
            raise Unsupported("Gr4vy looks cards up by number or stored-card id, not by card holder")
        return
    yield from _card(ask.card)


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
        raise Unsupported("Gr4vy takes a card by number or stored-card id only")
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


def card_body(card: CardRef) -> dict[str, object]:
    """Return the card as Gr4vy takes it: number and PIN, or the id of a stored card."""
    pin = pin_of(card)
    if card.number is None or pin is None:
        return {"id": card.stored_card_id}
    return {"number": card.number.reveal(), "pin": pin.reveal()}


def redemption(ask: Redeem, amount: Money) -> bytes:
    """Return the body of a transaction that takes the whole amount from one card, at once."""
    body: dict[str, object] = {
        "amount": amount.amount_minor,
        "currency": amount.currency,
        # Redemptions are always captured directly; authorize would say something that is not done.
        "intent": "capture",
        "gift_cards": [card_body(ask.card) | {"amount": amount.amount_minor}],
        "external_identifier": ask.transaction_id,
    }
    body |= buyer_fields(ask.buyer)
    if ask.external_reference:
        body["metadata"] = {"external_reference": ask.external_reference}
    return msgspec.json.encode(body)


def activation(ask: Activate) -> bytes:
    """Return the body of an activation, with amount and currency both or neither."""
    pin = pin_of(ask.card)
    body: dict[str, object] = {"number": ask.card.number.reveal() if ask.card.number else ""}
    if pin is not None:
        body["pin"] = pin.reveal()
    if ask.amount is not None:
        body |= {"amount": ask.amount.amount_minor, "currency": ask.amount.currency}
    body["external_identifier"] = ask.transaction_id
    if ask.store:
        body["store"] = True
    return msgspec.json.encode(body | buyer_fields(ask.buyer))


def issuance(ask: Issue, amount: Money) -> bytes:
    """Return the body of an issuance."""
    return msgspec.json.encode(
        {
            "theme": ask.theme_id,
            "amount": amount.amount_minor,
            "currency": amount.currency,
            "external_identifier": ask.transaction_id,
        }
    )


def refund(outcome: Outcome | None, advice: Advice) -> tuple[str, bytes]:
    """Return the path and body that put an approved redemption back, or part of it.

    Raises ValueError when the outcome is not an approval: an unknown is ended by sending again or
    finding first, and only then is there a redemption to put back. Calling earlier is a defect.
    """
    if outcome is None or outcome.verdict is not Verdict.APPROVED or outcome.approved is None:
        raise ValueError("only an approved redemption can be refunded; end the unknown first")
    amount = advice.amount or outcome.approved
    if amount.currency != outcome.approved.currency or amount.amount_minor > outcome.approved.amount_minor:
        raise ValueError("a reversal puts back at most what was approved, in its currency")
    asked = RefundAsk(
        amount=amount.amount_minor,
        target_type=REDEMPTION_TARGET,
        target_id=outcome.references["redemption_id"],
        reason=_REASON,
        external_identifier=advice.advice_id,
    )
    return f"/transactions/{outcome.references['transaction_id']}/refunds", msgspec.json.encode(asked)


def stored(ask: StoreCard) -> bytes:
    """Return the body that puts a card into the vault."""
    return msgspec.json.encode(card_body(ask.card) | buyer_fields(ask.buyer))


def buyer_fields(buyer: Buyer | None) -> dict[str, str]:
    """Return the buyer as Gr4vy's bodies and queries name one."""
    if buyer is None:
        return {}
    named = {"buyer_id": buyer.buyer_id, "buyer_external_identifier": buyer.external_id}
    return {name: value for name, value in named.items() if value}


def vault_path(query: StoredCardQuery) -> str:
    """Return the path that lists stored cards, or a buyer's cards with their balances.

    Raises Invalid with everything the list in question cannot do.
    """
    violations = [*_buyer(query.buyer), *_list_violations(query)]
    if violations:
        raise Invalid(violations)
    parameters: dict[str, str | int] = {**buyer_fields(query.buyer)}
    if query.with_balances:
        if query.order_by:
            parameters |= {
                "sort_by": _ORDERS[query.order_by],
                "order_by": "desc" if query.descending else "asc",
            }
        return _with_query("/buyers/gift-cards", parameters)
    if query.page_token:
        parameters["cursor"] = query.page_token
    if query.page_size:
        parameters["limit"] = min(query.page_size, _LARGEST_PAGE)
    return _with_query("/gift-cards", parameters)


def _list_violations(query: StoredCardQuery) -> Iterator[Violation]:
    if not query.with_balances:
        if query.order_by:
            yield "order_by", "Gr4vy sorts a buyer's cards with balances only"
        return
    if not buyer_fields(query.buyer):
        yield "buyer", "Gr4vy tells balances for the cards of one buyer"
    if query.page_token:
        yield "page_token", "a buyer's cards come on one page"
    if query.order_by and query.order_by not in _ORDERS:
        yield "order_by", f"one of {', '.join(_ORDERS)}"


def _with_query(path: str, parameters: Mapping[str, str | int]) -> str:
    return f"{path}?{urlencode(parameters)}" if parameters else path
