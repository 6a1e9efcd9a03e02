"""What we ask of Gr4vy: the checks before anything is written, and the bodies, built once.

Gr4vy refuses unknown fields, so a body holds exactly what its schema names. What Gr4vy has no place
for is either refused here or named in docs/providers/gr4vy.md as left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

import msgspec

from giftcard_adapters.gr4vy import answers, codes, wire
from giftcard_adapters.values.advices import Advice
from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import Activate, Issue, Redeem
from giftcard_adapters.values.outcomes import Outcome, Verdict
from giftcard_adapters.values.point_of_sale import Buyer
from giftcard_adapters.values.reads import StoreCard, StoredCardQuery

_LARGEST_PAGE = 100
_REASON = "Reversed by the gift card gateway"


def card_body(card: CardRef) -> dict[str, object]:
    """Return the card as Gr4vy takes it: number and PIN, or the id of a stored card."""
    pin = answers.pin_of(card)
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
    pin = answers.pin_of(ask.card)
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
    asked = wire.RefundAsk(
        amount=amount.amount_minor,
        target_type=answers.REDEMPTION_TARGET,
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
    """Return the path that lists stored cards, or a buyer's cards with their balances."""
    parameters: dict[str, str | int] = {**buyer_fields(query.buyer)}
    if query.with_balances:
        if query.order_by:
            parameters |= {
                "sort_by": codes.ORDERS[query.order_by],
                "order_by": "desc" if query.descending else "asc",
            }
        return _with_query("/buyers/gift-cards", parameters)
    if query.page_token:
        parameters["cursor"] = query.page_token
    if query.page_size:
        parameters["limit"] = min(query.page_size, _LARGEST_PAGE)
    return _with_query("/gift-cards", parameters)


def _with_query(path: str, parameters: Mapping[str, str | int]) -> str:
    return f"{path}?{urlencode(parameters)}" if parameters else path
