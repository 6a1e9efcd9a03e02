"""Gr4vy's cards as the values both rooms speak: card views, stored cards, declines per item.

Gr4vy knows one balance, what can be spent now, so it fills `available` and leaves `book` empty.
"""

from __future__ import annotations

from giftcard_adapters.gr4vy.verdict import face_of, masked, pin_of
from giftcard_adapters.gr4vy.wire import GiftCard, GiftCardSummary, decline_for
from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.declines import Decline, DeclineReason
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.outcomes import Balances
from giftcard_adapters.values.point_of_sale import Buyer
from giftcard_adapters.values.reads import CardState, CardView, StoredCard

_STATES = {"expired_card": CardState.EXPIRED, "inactive_card": CardState.INACTIVE}
"""Errors of a balance item that tell a card's state rather than a failure."""


def unaskable(fault: str) -> Decline:
    """Return the answer for a card that Gr4vy would refuse the whole question for."""
    return Decline(reason=DeclineReason.REQUEST_MALFORMED, provider_text=fault)


def balance_error(summary: GiftCardSummary, card: CardRef | None = None) -> Decline | None:
    """Return why an item has no balance; None when it has one. No balance and no code is an error too."""
    if summary.balance_error_code:
        text = f"{summary.balance_raw_error_code or ''} {summary.balance_raw_error_message or ''}".strip()
        return decline_for(summary.balance_error_code, text, pin_of(card) if card else None)
    if summary.balance is None or summary.currency is None:
        return Decline(
            reason=DeclineReason.PROVIDER_UNAVAILABLE, provider_text="the balance could not be fetched"
        )
    return None


def balance_view(summary: GiftCardSummary, card: CardRef) -> CardView | Decline:
    """Return the card's balance, or why there is none."""
    return balance_error(summary, card) or _view(summary, card, CardState.ACTIVE)


def lookup_view(summary: GiftCardSummary, card: CardRef) -> CardView | Decline:
    """Return everything told of the card; an expired or inactive card is a state, not a refusal."""
    state = _STATES.get(summary.balance_error_code or "")
    return balance_view(summary, card) if state is None else _view(summary, card, state)


def _view(summary: GiftCardSummary, card: CardRef, state: CardState) -> CardView:
    return CardView(
        masked_card=card.masked() if card.number is not None else masked(face_of(summary)),
        state=state,
        balances=_balances(summary),
        provider_state=summary.balance_error_code or "",
        expires_at=summary.expiration_date,
        references={"stored_card_id": summary.id} if summary.id else {},
    )


def _balances(summary: GiftCardSummary) -> Balances:
    if summary.balance is None or summary.currency is None:
        return Balances()
    return Balances(available=Money(summary.currency, summary.balance))


def stored_card(card: GiftCard) -> StoredCard:
    """Return a card of the vault; Gr4vy never tells its number, PIN or balance."""
    return StoredCard(
        stored_card_id=card.id,
        masked_card=masked(face_of(card)),
        buyer=_buyer(card),
        expires_at=card.expiration_date,
        created_at=card.created_at,
        updated_at=card.updated_at,
        last_used_at=card.last_used_at,
        customer_last_used_at=card.cit_last_used_at,
        usage_count=card.usage_count,
        customer_usage_count=card.cit_usage_count,
        provider_service=card.gift_card_service.gift_card_service_definition_id,
    )


def _buyer(card: GiftCard) -> Buyer | None:
    if card.buyer is None:
        return None
    return Buyer(buyer_id=card.buyer.id or "", external_id=card.buyer.external_identifier or "")


def stored_summary(summary: GiftCardSummary, buyer: Buyer | None) -> StoredCard:
    """Return one of a buyer's cards, with its balance or why there is none."""
    error = balance_error(summary)
    return StoredCard(
        stored_card_id=summary.id or "",
        masked_card=masked(face_of(summary)),
        buyer=buyer,
        expires_at=summary.expiration_date,
        last_used_at=summary.last_used_at,
        customer_last_used_at=summary.cit_last_used_at,
        usage_count=summary.usage_count,
        customer_usage_count=summary.cit_usage_count,
        balances=None if error else _balances(summary),
        balance_error=error,
    )
