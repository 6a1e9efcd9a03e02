"""What GatePay cannot take, refused before anything is written or sent."""

from __future__ import annotations

from collections.abc import Iterator

from giftcard_adapters.errors import Invalid, Violation
from giftcard_adapters.gatepay.settings import GatePaySettings
from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.operations import Issue, MoneyOperation


def check_operation(ask: MoneyOperation, settings: GatePaySettings) -> None:
    """Raise Invalid with everything GatePay needs and did not get, or has no field for."""
    if not isinstance(ask, Issue):
        return
    violations = list(_issuance(ask, settings))
    if violations:
        raise Invalid(violations)


def check_card(card: CardRef) -> None:
    """Raise Invalid unless the card is named by its number or its redemption key."""
    if card.number is None and card.redemption_key is None:
        raise Invalid([("card", "GatePay finds a card by its number or its redemption key only")])


def _issuance(ask: Issue, settings: GatePaySettings) -> Iterator[Violation]:
    for field in ("theme_id", "offer_id", "points"):
        if getattr(ask, field):
            yield field, "GatePay has no field for it"
    if ask.amount is None or ask.amount.amount_minor <= 0:
        yield "amount", "GatePay needs an amount of more than zero"
    if ask.quantity != 1:
        # Only the Go SDK knows `count`, and its answer names one card, so the others would be lost.
        yield "quantity", "GatePay issues one card at a time"
    if not (ask.title or settings.title):
        yield "title", "GatePay needs a title for the card"
    if not (ask.template_id or settings.template_id):
        yield "template_id", "GatePay needs a cover template; list_templates names them"
